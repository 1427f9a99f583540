"""Two shares measured on the same items: their difference, its interval and p-value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from stillwatch.errors import EvidenceError
from stillwatch.stats.intervals import Interval, wilson

__all__ = ["PairedDifference", "paired_difference"]


class PairedDifference(NamedTuple):
    """First share minus second, its interval, and the exact p of no difference either way."""

    first: float
    second: float
    difference: float
    interval: Interval
    p_value: float
    only_first: int
    only_second: int
    n: int


def paired_difference(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> PairedDifference:
    """Return the difference of two shares over the same items.

    Args:
        first: shape (n,), true or false for each item; n >= 1.
        second: the same items in the same order.
        level: in (0, 1).

    Raises:
        EvidenceError: different lengths or no item.

    Error: the interval is approximate (Newcombe's hybrid score: coverage within about a point of
    the level from 20 items on); the p-value is exact (McNemar: a fair coin over the items on which
    the two differ), for items drawn independently. Source: Newcombe 1998, Statistics in Medicine
    17(22), method 10.

    >>> paired_difference([1, 1, 1, 0], [1, 0, 0, 0]).difference
    0.5
    """
    x, y = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if x.ndim != 1 or x.shape != y.shape or x.size == 0:
        raise EvidenceError(
            f"got shapes {x.shape} and {y.shape}, expected the same items, at least one",
            where="paired_difference",
        )
    n = int(x.size)
    both, neither = int((x & y).sum()), int((~x & ~y).sum())
    only_x, only_y = int((x & ~y).sum()), int((~x & y).sum())
    p, q = float(x.mean()), float(y.mean())
    a, b = wilson(both + only_x, n, level), wilson(both + only_y, n, level)
    corr = _correlation(both, only_x, only_y, neither)
    down = (p - a.low) ** 2 - 2 * corr * (p - a.low) * (b.high - q) + (b.high - q) ** 2
    up = (a.high - p) ** 2 - 2 * corr * (a.high - p) * (q - b.low) + (q - b.low) ** 2
    low, high = p - q - max(0.0, down) ** 0.5, p - q + max(0.0, up) ** 0.5
    differing = only_x + only_y
    p_value = float(binomtest(only_x, differing).pvalue) if differing else 1.0
    interval = Interval(max(-1.0, low), min(1.0, high), level)
    return PairedDifference(p, q, p - q, interval, p_value, only_x, only_y, n)


def _correlation(both: int, only_x: int, only_y: int, neither: int) -> float:
    sides = (both + only_x) * (only_y + neither) * (both + only_y) * (only_x + neither)
    if sides == 0:
        return 0.0
    cross = both * neither - only_x * only_y
    n = both + only_x + only_y + neither
    shrunk = max(cross - n / 2, 0.0) if cross > 0 else float(cross)
    return shrunk / float(np.sqrt(sides))
