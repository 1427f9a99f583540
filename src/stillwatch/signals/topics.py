"""How far an organization's topics lie from those of the rest of its cohort."""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.stats import group_sums

__all__ = ["distance_ratio", "strangers_among"]

_FACTOR: Final = 4.0
_FLOOR: Final = 3.0
_MAX_SHARE: Final = 0.34
_MIN_ROWS: Final = 3


def distance_ratio(vectors: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the groups, sorted, and for each n·|mean − rest's mean|² over its expectation.

    The ratio is about 1 for a group that draws from the same source as the others, about
    1 + n·ρ/(1 − ρ) for one whose share ρ of variance is its own. NaN where nothing can be said.
    """
    groups, code, size = np.unique(group, return_inverse=True, return_counts=True)
    total = len(vectors)
    ratios = np.full(len(groups), np.nan)
    if len(groups) < 3 or total <= len(groups):
        return groups, ratios
    sums = group_sums(vectors, code, len(groups))
    mean = sums / size[:, None]
    squares = np.bincount(code, weights=((vectors - mean[code]) ** 2).sum(axis=1))
    many = size >= 2
    variance = np.median(squares[many] / (size[many] - 1)) if many.any() else np.nan
    rest = (sums.sum(axis=0) - sums) / (total - size)[:, None]
    scale = variance * (1 / size + 1 / (total - size))
    return groups, ((mean - rest) ** 2).sum(axis=1) / np.where(scale > 0, scale, np.nan)


def strangers_among(sid: np.ndarray, org: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the subjects whose organization's topics stand apart from the cohort's, sorted.

    An organization stands apart when its ratio is above 3 and above four times the median; at
    most a third of the organizations are named, the farthest first. Read on discovery data only.
    """
    if len(sid) == 0:
        return np.zeros(0, dtype=np.int64)
    groups, ratios = distance_ratio(vectors, org[sid])
    _, size = np.unique(org[sid], return_counts=True)
    known = np.isfinite(ratios)
    if not known.any():
        return np.zeros(0, dtype=np.int64)
    limit = max(_FLOOR, _FACTOR * float(np.median(ratios[known])))
    apart = [
        (float(ratios[k]), int(groups[k]))
        for k in range(len(groups))
        if known[k] and ratios[k] > limit and size[k] >= _MIN_ROWS
    ]
    apart.sort(reverse=True)
    named = [g for _, g in apart[: int(_MAX_SHARE * len(groups))]]
    return np.unique(sid[np.isin(org[sid], named)])
