"""How much of the variance of row vectors lies between groups, and which group stands apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray, IntArray, canonical_order
from stillwatch.stats.separation import LeaveOneOut, Vectors, leave_one_out, rows_and_codes
from stillwatch.stats.surrogates import surrogate_p, tail_p

__all__ = ["BetweenShare", "LeaveOneOut", "between_share", "leave_one_out"]


class BetweenShare(NamedTuple):
    """The intraclass correlation and its permutation p-values.

    ``p_upper``: groups differ at least so much under permuted labels (``p_upper_fitted``
    with a fitted tail, see `tail_p`); ``p_lower``: at most so much.
    """

    share: float
    p_upper: float
    p_lower: float
    p_upper_fitted: float
    n_rows: int
    n_groups: int


def between_share(
    vectors: Vectors,
    group: NDArray[np.generic],
    rng: np.random.Generator,
    n_permutations: int = 199,
) -> BetweenShare:
    """Return the share of the variance of the rows that lies between the groups.

    With mean squares MSB and MSW (summed over the d columns) and the usual n0,
    ``share = (MSB - MSW) / (MSB + (n0 - 1) MSW)``, the intraclass correlation ICC(1): 0 on
    average if labels mean nothing, negative if groups are more alike than chance.

    Args:
        vectors: shape (n, d), finite; float32 is kept.
        group: shape (n,), sortable labels.
        rng: source of the permutations; rows are put in a canonical order before.
        n_permutations: >= 0; with 0 the p-values are NaN.

    Returns:
        share in [-1, 1]; NaN (as the p-values) with fewer than 2 groups, as many groups
        as rows, or no variance.

    Raises:
        EvidenceError: shapes do not fit, NaN or infinity, n_permutations < 0.

    Error: share consistent, bias of order 1/groups; p_upper and p_lower exact when rows
    are exchangeable between groups, not below 1/(n_permutations + 1).
    Source: Donner 1986, International Statistical Review 54 (ICC by analysis of variance,
    unequal groups); Anderson 2001, Austral Ecology 26 (permutation of rows).
    """
    rows, codes = rows_and_codes(vectors, group, "between_share")
    if n_permutations < 0:
        raise EvidenceError("expected n_permutations >= 0", where="between_share")
    n, k = rows.shape[0], int(codes.max()) + 1 if codes.size else 0
    nan = float("nan")
    if k < 2 or k == n:
        return BetweenShare(nan, nan, nan, nan, n, k)
    order = canonical_order(rows)
    order = order[np.argsort(codes[order], kind="stable")]
    centred = rows[order] - rows.mean(axis=0, dtype=np.float64).astype(rows.dtype)
    sizes = np.bincount(codes).astype(np.float64)
    starts = np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(np.int64)
    total = float(np.einsum("ij,ij->", centred, centred, dtype=np.float64))
    if total <= 0.0:
        return BetweenShare(nan, nan, nan, nan, n, k)
    between = _between(centred, starts, sizes)
    draws = [_between(centred[rng.permutation(n)], starts, sizes) for _ in range(n_permutations)]
    share = _icc(between, total, n, sizes)
    if not draws:
        return BetweenShare(share, nan, nan, nan, n, k)
    return BetweenShare(
        share,
        surrogate_p(between, draws, "upper"),
        surrogate_p(between, draws, "lower"),
        tail_p(between, draws, "upper"),
        n,
        k,
    )


def _between(rows: Vectors, starts: IntArray, sizes: FloatArray) -> float:
    """Return the sum of squares between groups of centred rows sorted by group."""
    sums = np.add.reduceat(rows, starts, axis=0).astype(np.float64)
    return float((np.square(sums).sum(axis=1) / sizes).sum())


def _icc(between: float, total: float, n: int, sizes: FloatArray) -> float:
    k = sizes.size
    msb, msw = between / (k - 1), max(0.0, total - between) / (n - k)
    n0 = (n - float(np.square(sizes).sum()) / n) / (k - 1)
    below = msb + (n0 - 1.0) * msw
    return (msb - msw) / below if below > 0.0 else float("nan")
