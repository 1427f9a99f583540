"""Two shares measured on the same items: their difference, its interval and p-value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student_t

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import IntArray
from stillwatch.stats.coins import coin_sum_tail
from stillwatch.stats.intervals import Interval, wilson

__all__ = ["PairedDifference", "paired_difference"]


class PairedDifference(NamedTuple):
    """First share minus second, its interval, and the exact p of no difference either way.

    ``groups``: how many groups of items were taken as independent; ``n`` where every item was.
    """

    first: float
    second: float
    difference: float
    interval: Interval
    p_value: float
    only_first: int
    only_second: int
    n: int
    groups: int


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    level: float = 0.95,
    groups: Sequence[str] | None = None,
) -> PairedDifference:
    """Return the difference of two shares over the same items.

    Args:
        first: shape (n,), true or false for each item; n >= 1.
        second: the same items in the same order.
        level: in (0, 1).
        groups: what items of one kind have in common; without it every item stands alone.

    Raises:
        EvidenceError: different lengths or no item.

    Error: for items drawn independently the interval is approximate (Newcombe's hybrid score:
    coverage within about a point of the level from 20 items on) and the p-value exact (McNemar: a
    fair coin over the items on which the two differ). With groups the interval is widened to
    Student's over the groups (groups - 1 degrees of freedom) where that is wider, and the p-value
    turns whole groups: exact if both are exchangeable within each, never below 2 ** (1 - groups).
    Source: Newcombe 1998, Statistics in Medicine 17(22), method 10; Cochran, Sampling Techniques,
    3rd ed., section 9A (ratio of group totals).

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
    place = (
        np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    )
    sums = np.bincount(place, weights=x.astype(float) - y).astype(np.int64)
    sizes = np.bincount(place)
    if len(sums) < n:
        half = _half_width(sums, sizes, level)
        low, high = min(low, p - q - half), max(high, p - q + half)
    interval = Interval(max(-1.0, low), min(1.0, high), level)
    return PairedDifference(p, q, p - q, interval, _turned(sums), only_x, only_y, n, len(sums))


def _half_width(sums: IntArray, sizes: IntArray, level: float) -> float:
    """Return half of Student's interval of a ratio of group totals; 2 for a single group."""
    count = len(sums)
    if count < 2:
        return 2.0
    left = sums - sizes * (sums.sum() / sizes.sum())
    error = float(np.sqrt(count / (count - 1) * (left**2).sum())) / float(sizes.sum())
    return error * float(student_t.ppf((1 + level) / 2, count - 1))


def _turned(sums: IntArray) -> float:
    """Return how often fair coins that turn whole groups give a sum so far from 0, either way."""
    differing = [(int(s), -int(s)) for s in sums if s]
    if not differing:
        return 1.0
    return min(1.0, 2 * coin_sum_tail(differing, abs(int(sums.sum()))))


def _correlation(both: int, only_x: int, only_y: int, neither: int) -> float:
    sides = (both + only_x) * (only_y + neither) * (both + only_y) * (only_x + neither)
    if sides == 0:
        return 0.0
    cross = both * neither - only_x * only_y
    n = both + only_x + only_y + neither
    shrunk = max(cross - n / 2, 0.0) if cross > 0 else float(cross)
    return shrunk / float(np.sqrt(sides))
