"""Which group stands apart: each group's mean against the mean of all other rows."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray, IntArray, as_codes

__all__ = ["LeaveOneOut", "Vectors", "leave_one_out", "rows_and_codes"]

Vectors: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


class LeaveOneOut(NamedTuple):
    """Distance of each group's mean to the mean of all other rows, by sorted group label.

    ``distance`` is Euclidean and grows by noise alone; ``distance_sq_unbiased`` is the
    squared distance with the noise subtracted, and may be negative.
    """

    groups: NDArray[np.generic]
    n_rows: IntArray
    distance: FloatArray
    distance_sq_unbiased: FloatArray


def leave_one_out(vectors: Vectors, group: NDArray[np.generic]) -> LeaveOneOut:
    """Return how far each group's mean lies from the mean of all other rows.

    Args:
        vectors: shape (n, d), finite.
        group: shape (n,), sortable labels.

    Returns:
        One entry a group, in sorted order; NaN for groups of 1 row, and for all when the
        other groups hold fewer than 2 rows.

    Raises:
        EvidenceError: shapes do not fit, NaN or infinity.

    Error: ``distance_sq_unbiased`` is unbiased for independent rows: from |difference|^2
    the variances of both means, ``sum of squares/(m (m - 1))``, are subtracted.
    """
    rows, codes = rows_and_codes(vectors, group, "leave_one_out")
    labels, sizes = np.unique(np.asarray(group), return_counts=True)
    x = rows - rows.mean(axis=0, dtype=np.float64) if rows.size else rows.astype(np.float64)
    order = np.argsort(codes, kind="stable")
    inner = sizes.astype(np.float64)
    outer = x.shape[0] - inner
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)[: sizes.size]
    squares = np.einsum("ij,ij->i", x, x)
    if sizes.size == 0:
        return LeaveOneOut(labels, sizes, np.empty(0), np.empty(0))
    sums = np.add.reduceat(x[order], starts, axis=0)
    norms = np.add.reduceat(squares[order], starts)
    valid = (inner >= 2) & (outer >= 2)
    a, b = np.where(valid, inner, 2.0)[:, None], np.where(valid, outer, 2.0)[:, None]
    rest = x.sum(axis=0) - sums
    raw = np.square(sums / a - rest / b).sum(axis=1)
    noise = _noise(norms, sums, a) + _noise(squares.sum() - norms, rest, b)
    nan = np.where(valid, 0.0, np.nan)
    return LeaveOneOut(labels, sizes.astype(np.int64), np.sqrt(raw) + nan, raw - noise + nan)


def _noise(norms: FloatArray, sums: FloatArray, size: FloatArray) -> FloatArray:
    """Return the estimated variance of a mean of ``size`` rows, summed over columns."""
    m = size[:, 0]
    within = norms - np.square(sums).sum(axis=1) / m
    return np.asarray(within / (m * (m - 1.0)), dtype=np.float64)


def rows_and_codes(
    vectors: Vectors, group: NDArray[np.generic], where: str
) -> tuple[Vectors, IntArray]:
    """Return the rows as given and their groups as codes 0.. in sorted order.

    Raises:
        EvidenceError: not 2-D floats, NaN or infinity, another number of labels.
    """
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise EvidenceError("expected a 2-D array of floats", where=f"{where}: vectors")
    if not bool(np.isfinite(vectors).all()):
        raise EvidenceError("got NaN or an infinity", where=f"{where}: vectors")
    return vectors, as_codes(group, vectors.shape[0], f"{where}: group")
