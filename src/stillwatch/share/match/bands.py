"""Near-duplicate frames: their LSH bands are matched as tokens, and counted.

The kernel cuts a text's MinHash-64 signature into 8 bands of 8 rows; two texts of Jaccard
similarity s share one band with probability s^8 and at least k of 8 with the binomial tail of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stillwatch.errors import ShareRefused

__all__ = ["BANDS", "agree", "band_values"]

BANDS: Final = 8


def band_values(bands: Sequence[int]) -> list[str]:
    """Return the canonical values of a text's bands, each with its place; 0 is no band.

    >>> band_values([0, 255, 0, 0, 0, 0, 0, 1])
    ['1:00000000000000ff', '7:0000000000000001']
    """
    if len(bands) != BANDS or any(not 0 <= band < 2**64 for band in bands):
        raise ShareRefused(f"a text has {BANDS} bands of 64 bits", where="frame_band")
    return [f"{place}:{band:016x}" for place, band in enumerate(bands) if band]


def agree(mine: Sequence[str], theirs: Sequence[str], *, at_least: int = 2) -> bool:
    """Return whether two texts share enough band tokens to be near duplicates.

    *Error*: at ``at_least=2`` texts of similarity 0.9 agree with probability 0.92, of 0.5 with
    4·10⁻⁴ (binomial tail with s^8 a band).
    """
    return len(set(mine) & set(theirs)) >= at_least
