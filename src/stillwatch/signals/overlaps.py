"""Hypotheses that are views of one another, and how one weight is shared among them."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["parts_of_one"]

_INSIDE: Final = 0.8


def parts_of_one(members: list[np.ndarray]) -> np.ndarray:
    """Return for each set of members its part of one weight: 1 where it is no view of another.

    A set of which four fifths lie in a larger one is a view of it, and so are views of views: a
    campaign that leaves through thirty exits is found whole by its template, and thirty times in
    part. All together have one weight; a set's part goes with the square of its size, so that the
    whole has most of it, and one that is nearly as large (the template within a proxy's customers)
    nearly as much. ``members``: sorted, each once; which sets are given is the caller's choice.
    """
    n = len(members)
    size = np.array([len(one) for one in members], dtype=np.float64)
    if not size.sum():
        return np.ones(n)
    _, place = np.unique(np.concatenate(members), return_inverse=True)
    row = np.repeat(np.arange(n), size.astype(np.int64))
    held = coo_array((np.ones(len(row)), (row, place)), shape=(n, int(place.max()) + 1)).tocsr()
    common = (held @ held.T).tocoo()
    one, other = common.coords
    inside = (size[one] <= size[other]) & (common.data >= _INSIDE * size[one])
    links = coo_array((np.ones(inside.sum()), (one[inside], other[inside])), shape=(n, n))
    _, group = connected_components(links, directed=False)
    square = size * size
    return np.where(size > 0, square / np.maximum(np.bincount(group, weights=square)[group], 1), 1)
