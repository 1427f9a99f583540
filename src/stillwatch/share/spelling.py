"""Does a value that should be random spell something? Decided by a likelihood ratio.

The bytes are read as UTF-8 characters. A model of written text gives each class of characters a
share and spreads it evenly over the class; its probability of the bytes over that of random bytes
is an e-value (nearly, where the end cuts a character), so by Markov's inequality random bytes reach
2^b with a chance of at most 2^-b.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["repeats", "spelled_bits"]


class _Kind(NamedTuple):
    """A class of characters: how many bytes long, how many members, counted in UTF-8."""

    length: int
    members: int


_KINDS: Final = {
    "plain": _Kind(1, 63),  # letters, digits, space
    "sign": _Kind(1, 35),  # and tab, line feed, carriage return
    "pad": _Kind(1, 1),  # zero, which fills up what is too short
    "two": _Kind(2, 16 * 64),
    "cyrillic": _Kind(2, 8 * 64),  # combining marks, Greek, Cyrillic: lead bytes CC to D3
    "semitic": _Kind(2, 6 * 64),  # Hebrew, Arabic: D6 to DB
    "three": _Kind(3, 1 * 64 * 64),
    "wide": _Kind(3, 9 * 64 * 64),  # symbols, kana, Chinese, full width: E2 to E9 and EF
    "indic": _Kind(3, 2 * 64 * 64),  # Devanagari, Thai, Cherokee, Vietnamese letters: E0 and E1
    "hangul": _Kind(3, 4 * 64 * 64),  # EA to ED
    "four": _Kind(4, 4 * 64**3),
    "cut": _Kind(1, 256),  # what is no character, and characters that the end cuts off
}
# Shares of written text by model. What a model leaves out has a share of one in a million.
_MODELS: Final = (
    # English, Cyrillic, Chinese and Japanese
    {"plain": 0.84, "sign": 0.08, "two": 0.02, "cyrillic": 0.02, "wide": 0.02, "cut": 0.02},
    {"plain": 0.26, "sign": 0.10, "two": 0.02, "cyrillic": 0.54, "wide": 0.02, "cut": 0.06},
    {"plain": 0.06, "sign": 0.02, "two": 0.01, "cyrillic": 0.01, "wide": 0.75, "cut": 0.15},
    # hidden signs; letters beyond the basic plane; numbers and short words, filled up
    {"plain": 0.40, "sign": 0.04, "two": 0.04, "cyrillic": 0.12, "wide": 0.30, "cut": 0.10},
    {"plain": 0.10, "sign": 0.02, "wide": 0.03, "four": 0.60, "cut": 0.25},
    {"plain": 0.36, "sign": 0.10, "pad": 0.50, "cut": 0.04},
    # Hebrew and Arabic, Indic, Korean
    {"plain": 0.20, "sign": 0.10, "two": 0.02, "semitic": 0.60, "wide": 0.02, "cut": 0.06},
    {"plain": 0.20, "sign": 0.10, "two": 0.08, "indic": 0.50, "wide": 0.02, "cut": 0.10},
    {"plain": 0.16, "sign": 0.08, "hangul": 0.60, "wide": 0.01, "cut": 0.15},
    # accented Latin, and all of these at once
    {"plain": 0.58, "sign": 0.12, "two": 0.20, "indic": 0.04, "cut": 0.06},
    {
        "plain": 0.40, "sign": 0.08, "pad": 0.03, "two": 0.08, "cyrillic": 0.07, "semitic": 0.04,
        "wide": 0.08, "indic": 0.05, "hangul": 0.04, "four": 0.07, "cut": 0.06,
    },
)  # fmt: skip
_TINY: Final = 1e-6


def spelled_bits(data: bytes, skip: frozenset[int] = frozenset()) -> float:
    """Return log2 of the e-value against randomness; ``skip``: places that the format fixes.

    *Error*: random bytes reach b or more bits with a chance of at most 2^-b.

    >>> spelled_bits(b"list price 12 US") > 14, spelled_bits(bytes(range(0, 256, 16))) > 14
    (True, False)
    """
    found = list(_characters(data, skip))
    scores = [
        sum(math.log2(model.get(name, _TINY)) + bits for name, bits in found) for model in _MODELS
    ]
    top = max(scores)
    return top + math.log2(sum(2.0 ** (s - top) for s in scores) / len(scores))


def _characters(data: bytes, skip: frozenset[int]) -> Iterator[tuple[str, float]]:
    """Yield each character's class, and by how many bits the class is narrower than its bytes.

    A continuation byte that the format fixes or the end cuts off counts as one that would fit.
    """
    at, size = 0, len(data)
    while at < size:
        if at in skip:
            at += 1
            continue
        name, length = _kind(data[at])
        following = range(at + 1, min(at + length, size))
        fits = all(k in skip or 0x80 <= data[k] < 0xC0 for k in following)
        if not fits or (length > 1 and not following):
            name, length, following = "cut", 1, range(0)
        seen = 1 + sum(1 for k in following if k not in skip)
        members = math.log2(_KINDS[name].members) - 6 * (length - seen)
        yield name, 8 * seen - members
        at += length


def _kind(first: int) -> tuple[str, int]:
    """Return the class and length of the character that a byte begins."""
    if first < 0x80:
        if first == 0x20 or chr(first).isalnum():
            return "plain", 1
        if first == 0:
            return "pad", 1
        return ("sign" if 0x20 < first < 0x7F or first in b"\t\n\r" else "cut"), 1
    if 0xC2 <= first < 0xE0:
        if 0xCC <= first <= 0xD3:
            return "cyrillic", 2
        return ("semitic" if 0xD6 <= first <= 0xDB else "two"), 2
    if 0xE0 <= first < 0xF0:
        if first <= 0xE1:
            return "indic", 3
        if 0xEA <= first <= 0xED:
            return "hangul", 3
        return ("three" if first == 0xEE else "wide"), 3
    return ("four", 4) if 0xF0 <= first < 0xF5 else ("cut", 1)


def repeats(data: bytes) -> int:
    """Return how many pairs of bytes are equal; in 16 random bytes 0.47 on average."""
    return sum(n * (n - 1) // 2 for n in Counter(data).values())
