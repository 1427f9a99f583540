"""exchange → features: all that the rest of stillwatch ever sees of a text.

*Input*: exchanges in the canonical columns messages, tools, tool_schema, output_text,
reasoning_text, reasoning_blob; any of them may be missing or null.
*Output*: one row of fixed-width columns (``FEATURES``) per exchange: lengths, hashes of the
normalised texts, frames of the first and last tokens, SimHash, MinHash bands, conversation
prefixes, intent and shape bits, a topic vector.
*Promise*: a row's features depend on that row alone, are the same on every machine, and follow
``docs/kernel-spec.md`` bit for bit. ``batch`` does the work in C without the GIL; ``one`` gives a
single exchange the same features and imports no Arrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stillwatch.kernel.features import KERNEL_VERSION, Features
from stillwatch.kernel.intent_patterns import Intent
from stillwatch.kernel.row import minhash, one, simhash
from stillwatch.kernel.shapes import Shape
from stillwatch.kernel.tokenizer import Token, tokens

if TYPE_CHECKING:
    from stillwatch.kernel.arrow import FEATURES, batch

__all__ = [
    "FEATURES",
    "KERNEL_VERSION",
    "Features",
    "Intent",
    "Shape",
    "Token",
    "batch",
    "minhash",
    "one",
    "simhash",
    "tokens",
]


def __getattr__(name: str) -> Any:
    if name in ("FEATURES", "batch"):
        from stillwatch.kernel import arrow  # Arrow is loaded by the flow only, not by the guard

        return getattr(arrow, name)
    raise AttributeError(f"module 'stillwatch.kernel' has no attribute {name!r}")
