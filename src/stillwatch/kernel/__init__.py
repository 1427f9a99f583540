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

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stillwatch.kernel.chain import Chain, chain_of, turn_of
from stillwatch.kernel.features import KERNEL_VERSION, Features
from stillwatch.kernel.intent_patterns import Intent
from stillwatch.kernel.origin import address_prefix, client_hash, prefix_hash
from stillwatch.kernel.row import minhash, one, simhash
from stillwatch.kernel.shapes import Shape
from stillwatch.kernel.skeleton import skeleton
from stillwatch.kernel.tokenizer import Token, tokens

if TYPE_CHECKING:
    from stillwatch.kernel.arrow import FEATURES, batch
    from stillwatch.kernel.envelopes import DIGEST, ENVELOPE, digest, envelope
    from stillwatch.kernel.hints import method_hints, method_spans

__all__ = [
    "DIGEST",
    "ENVELOPE",
    "FEATURES",
    "KERNEL_VERSION",
    "Chain",
    "Features",
    "Intent",
    "Shape",
    "Token",
    "address_prefix",
    "batch",
    "chain_of",
    "client_hash",
    "digest",
    "envelope",
    "method_hints",
    "method_spans",
    "minhash",
    "one",
    "prefix_hash",
    "simhash",
    "skeleton",
    "tokens",
    "turn_of",
]


# Loaded when asked for: the flow needs Arrow, the guard must not load it.
_ARROW = {
    "DIGEST": "envelopes",
    "ENVELOPE": "envelopes",
    "FEATURES": "arrow",
    "batch": "arrow",
    "digest": "envelopes",
    "envelope": "envelopes",
    "method_hints": "hints",
    "method_spans": "hints",
}


def __getattr__(name: str) -> Any:
    if name in _ARROW:
        return getattr(import_module(f"stillwatch.kernel.{_ARROW[name]}"), name)
    raise AttributeError(f"module 'stillwatch.kernel' has no attribute {name!r}")
