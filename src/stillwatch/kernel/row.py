"""One exchange, or one text, without Arrow: what the guard calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from stillwatch.kernel import intents, reference
from stillwatch.kernel.features import Features
from stillwatch.kernel.implementation import native

__all__ = ["minhash", "one", "simhash"]

_INTENTS: Final = Features._fields.index("intents")


def one(exchange: Mapping[str, Any], *, with_intents: bool = True) -> Features:
    """The features of one exchange, the same as ``batch`` gives it.

    ``exchange`` has the canonical columns it has; absent and None are the same. Texts are str or
    bytes. ``with_intents``: False leaves the column *intents* 0 and needs no pattern engine, which
    is what a request path wants. *Raises* TypeError for a field of another type; ConfigError where
    hyperscan is missing.
    """
    kernel = native()
    if kernel is None:
        found = intents.match_slowly(reference.scan_text(exchange)) if with_intents else 0
        return reference.featurize(exchange, found)
    values, text = kernel.one(
        tuple(
            (message.get("role"), message.get("content"))
            for message in exchange.get("messages") or ()
            if message is not None
        ),
        tuple(exchange.get("tools") or ()),
        exchange.get("tool_schema"),
        exchange.get("output_text"),
        exchange.get("reasoning_text"),
        exchange.get("reasoning_blob"),
    )
    values[_INTENTS] = intents.match(text) if with_intents else 0
    return Features._make(values)


def minhash(text: bytes | str) -> tuple[int, ...]:
    """The 64 MinHash values (32-bit) of a text's three-token shingles.

    *Error*: the share of equal values of two texts estimates the Jaccard similarity J of their
    shingle sets, unbiased, with standard deviation sqrt(J (1 - J) / 64).
    """
    kernel = native()
    if kernel is None:
        return reference.minhash(text)
    return tuple(memoryview(kernel.similarity(text)[1]).cast("I"))


def simhash(text: bytes | str) -> int:
    """The 64-bit SimHash of a text's three-token shingles; 0 for a text without tokens."""
    kernel = native()
    return reference.simhash(text) if kernel is None else cast(int, kernel.similarity(text)[0])
