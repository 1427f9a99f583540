"""Inputs are turned into arrays here, and what cannot carry a statistic is refused."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stillwatch.errors import EvidenceError

__all__ = ["P_FLOOR", "FloatArray", "IntArray", "Tail"]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Tail: TypeAlias = Literal["lower", "upper"]

P_FLOOR = 1e-300
"""The smallest p-value that is ever returned; smaller ones are raised to it."""


def as_floats(values: ArrayLike, where: str) -> FloatArray:
    """Return a 1-D float64 array without NaN or infinity.

    Raises:
        EvidenceError: another number of dimensions, a NaN, an infinity.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise EvidenceError(f"got {array.ndim} dimensions, expected 1", where=where)
    if not bool(np.isfinite(array).all()):
        raise EvidenceError("got NaN or an infinity, expected finite numbers", where=where)
    return array


def as_ints(values: ArrayLike, where: str, *, at_least: int | None = None) -> IntArray:
    """Return a 1-D int64 array, all of it ``>= at_least`` when that is given.

    Raises:
        EvidenceError: another number of dimensions, a fraction, a value below ``at_least``.
    """
    raw = np.asarray(values)
    if raw.ndim != 1:
        raise EvidenceError(f"got {raw.ndim} dimensions, expected 1", where=where)
    if raw.size == 0:
        return np.empty(0, dtype=np.int64)
    if raw.dtype.kind == "f":
        whole = bool(np.isfinite(raw).all()) and bool((raw == np.floor(raw)).all())
        if not whole:
            raise EvidenceError("got a fraction or NaN, expected whole numbers", where=where)
    elif raw.dtype.kind not in "iub":
        raise EvidenceError(f"got dtype {raw.dtype}, expected whole numbers", where=where)
    array = raw.astype(np.int64)
    if at_least is not None and int(array.min()) < at_least:
        raise EvidenceError(f"got {int(array.min())}, expected >= {at_least}", where=where)
    return array


def as_codes(values: ArrayLike, n: int, where: str) -> IntArray:
    """Return labels of any sortable kind as codes 0.. in sorted order, shape ``(n,)``.

    Raises:
        EvidenceError: not 1-D, or not ``n`` labels.
    """
    raw = np.asarray(values)
    if raw.shape != (n,):
        raise EvidenceError(f"got shape {raw.shape}, expected ({n},)", where=where)
    return np.unique(raw, return_inverse=True)[1].astype(np.int64).reshape(n)


def require_open_unit(value: float, where: str) -> float:
    """Return ``value`` if it lies in (0, 1).

    Raises:
        EvidenceError: it does not.
    """
    if not 0.0 < value < 1.0:
        raise EvidenceError(f"got {value!r}, expected a number in (0, 1)", where=where)
    return float(value)


def require_tail(tail: str, where: str) -> None:
    """Refuse a tail that is neither ``"lower"`` nor ``"upper"``.

    Raises:
        EvidenceError: it is neither.
    """
    if tail not in ("lower", "upper"):
        raise EvidenceError(f"got {tail!r}, expected 'lower' or 'upper'", where=where)


def p_from_log(log_p: float) -> float:
    """Return ``exp(log_p)`` held inside [``P_FLOOR``, 1]."""
    return float(min(1.0, max(P_FLOOR, np.exp(min(0.0, log_p)))))


def canonical_order(rows: NDArray[np.generic]) -> IntArray:
    """Return an order of the rows that does not depend on the order they came in.

    Equal rows are interchangeable, so results computed after it are the same for any
    row order. Rows are compared by their bytes. ``rows`` has shape (n,) or (n, d).
    """
    if rows.size == 0:
        return np.arange(rows.shape[0], dtype=np.int64)
    flat = np.ascontiguousarray(rows).reshape(rows.shape[0], -1)
    width = flat.dtype.itemsize * flat.shape[1]
    keys = flat.view(np.dtype((np.void, width))).reshape(-1)
    return np.argsort(keys, kind="stable").astype(np.int64)
