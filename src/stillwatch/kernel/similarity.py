"""Shingles, MinHash, SimHash and topic vectors: the readable form of the C code.

*Error*: the share of equal MinHash values estimates the Jaccard similarity J of two shingle sets
without bias, with standard deviation sqrt(J (1 - J) / 64). The topic vector is a signed hash
projection: its inner products estimate those of the token counts.
*Source*: Broder 1997 (MinHash); Charikar 2002 (SimHash); Weinberger et al. 2009 (signed hashing).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from stillwatch.kernel import hashes
from stillwatch.kernel.features import TOPIC_SIZE
from stillwatch.kernel.stopwords import stop_hashes
from stillwatch.kernel.tokenizer import SINGLE, WORD, Token

__all__ = ["bands", "minhash_values", "shingles", "simhash_value", "topic_vector"]

SHINGLE: Final = 3
BANDS: Final = 8
MASK32: Final = (1 << 32) - 1

_stop = lru_cache(maxsize=1)(stop_hashes)


def shingles(values: Sequence[int]) -> list[int]:
    """Hashes of all runs of three tokens; of all tokens where there are only one or two."""
    if not values:
        return []
    count = max(1, len(values) - SHINGLE + 1)
    return [hashes.sequence_hash(values[i : i + SHINGLE]) for i in range(count)]


def minhash_values(shingle_hashes: Sequence[int]) -> tuple[int, ...]:
    """64 minima of (a x + b) mod 2^32 over the folded shingles; all 2^32-1 for no shingle."""
    folded = [(x ^ (x >> 32)) & MASK32 for x in shingle_hashes]
    return tuple(
        min(((a * x + b) & MASK32 for x in folded), default=MASK32)
        for a, b in zip(hashes.MINHASH_MULTIPLIERS, hashes.MINHASH_ADDENDS, strict=True)
    )


def bands(signature: Sequence[int]) -> tuple[int, ...]:
    """8 hashes of 8 consecutive MinHash values each, packed in pairs (first value low)."""
    result = []
    for band in range(BANDS):
        rows = signature[8 * band : 8 * band + 8]
        words = [rows[i] | rows[i + 1] << 32 for i in range(0, 8, 2)]
        result.append(hashes.sequence_hash([band, *words]))
    return tuple(result)


def simhash_value(shingle_hashes: Sequence[int]) -> int:
    """Bit i is set where more than half of the shingles have it set; 0 only for no shingle."""
    if not shingle_hashes:
        return 0
    total = len(shingle_hashes)
    result = 0
    for bit in range(64):
        if 2 * sum(x >> bit & 1 for x in shingle_hashes) > total:
            result |= 1 << bit
    return hashes.nonzero(result)


def topic_vector(found: Sequence[Token]) -> bytes:
    """64 signed bytes: each content word or pair adds ±1 at four positions, clamped to ±127."""
    totals = [0] * TOPIC_SIZE
    previous: Token | None = None
    for token in found:
        if token.kind == WORD:
            _project(token.hash, totals)
        elif token.kind == SINGLE and previous is not None and previous.kind == SINGLE:
            _project(hashes.sequence_hash([previous.hash, token.hash]), totals)
        previous = token
    return bytes(max(-127, min(127, total)) & 0xFF for total in totals)


def _project(feature: int, totals: list[int]) -> None:
    """Four times seven bits of the hash, 16 apart: six choose the position, one the sign."""
    if feature in _stop():
        return
    for shift in (0, 16, 32, 48):
        bits = feature >> shift
        totals[bits & 63] += -1 if bits & 64 else 1
