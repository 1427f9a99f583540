"""A template's words with the payload masked, from a few texts that carry it."""

from __future__ import annotations

from typing import Any, Final

from stillwatch.kernel.implementation import native
from stillwatch.kernel.tokenizer import tokens

__all__ = ["skeleton"]

_MAX_TEXTS: Final = 40
_MAX_CHARS: Final = 1_200


def skeleton(texts: list[str]) -> list[dict[str, Any]]:
    """Return text and payload parts: what all texts begin and end with, the rest only counted.

    Words are shown only where every one of the texts has the same token, so give texts of
    different organizations. Fewer than three texts give a payload part alone.
    """
    parsed = [(text, _hashes(text)) for text in texts[:_MAX_TEXTS] if text]
    sizes = [len(found) for _, found in parsed]
    if len(parsed) < 3 or not min(sizes):
        return [
            {"kind": "payload", "low_tokens": min(sizes or [0]), "high_tokens": max(sizes or [0])}
        ]
    head = _common([found for _, found in parsed])
    tail = _common([found[::-1] for _, found in parsed])
    tail = min(tail, min(sizes) - head)
    text, _ = parsed[0]
    if max(sizes) == head + tail:  # one and the same text: no template, and not ours to show
        return [{"kind": "payload", "low_tokens": min(sizes), "high_tokens": max(sizes)}]
    found = tokens(text)  # the words themselves, of one text alone: Python reads them slowly
    parts: list[dict[str, Any]] = []
    if head:
        parts.append({"kind": "text", "text": text[: found[head - 1].char_end][:_MAX_CHARS]})
    rest = [size - head - tail for size in sizes]
    if max(rest) > 0:
        parts.append({"kind": "payload", "low_tokens": min(rest), "high_tokens": max(rest)})
    if tail:
        parts.append({"kind": "text", "text": text[found[-tail].char_start :][:_MAX_CHARS]})
    return parts


def _hashes(text: str) -> list[int]:
    """Return the hash of each token: equal where the tokens are."""
    kernel = native()
    if kernel is None:
        return [token.hash for token in tokens(text)]
    return memoryview(kernel.token_hashes(text)[0]).cast("Q").tolist()


def _common(rows: list[list[int]]) -> int:
    shortest = min(len(row) for row in rows)
    return next((k for k in range(shortest) if any(row[k] != rows[0][k] for row in rows)), shortest)
