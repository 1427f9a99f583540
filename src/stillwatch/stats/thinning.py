"""At most so many rows of each owner, evenly spaced."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from stillwatch.stats.checks import IntArray

__all__ = ["spread_rows"]


def spread_rows(owner: np.ndarray, most: int) -> IntArray:
    """Return the places of at most ``most`` rows of each owner, evenly spaced, owner by owner.

    ``owner``: shape (n,), sortable labels. An owner of no more rows keeps them all.

    >>> spread_rows(np.array([1, 0, 1, 1]), 2).tolist()
    [1, 0, 3]
    """
    order = np.argsort(owner, kind="stable")
    _, start, count = np.unique(owner[order], return_index=True, return_counts=True)
    picked = [
        order[first + _spread(n, most)]
        for first, n in zip(start.tolist(), count.tolist(), strict=True)
    ]
    return np.concatenate(picked) if picked else np.zeros(0, dtype=np.int64)


@lru_cache(maxsize=4_096)
def _spread(count: int, most: int) -> IntArray:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
