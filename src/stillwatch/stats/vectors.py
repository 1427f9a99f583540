"""Signed bytes as unit vectors, sums and centres of groups of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csc_array

__all__ = ["centred_by", "group_sums", "unit_rows"]


def unit_rows(rows: Sequence[bytes] | np.ndarray, width: int = 64) -> np.ndarray:
    """Return (n, width) float32 rows of unit length from n × width signed bytes.

    ``rows``: a bytes object each, or all as one array of int8. A row of zeros stays zero.
    *Error*: float32 rounding.
    """
    if not len(rows):
        return np.zeros((0, width), dtype=np.float32)
    if isinstance(rows, np.ndarray):
        given = rows
    else:
        given = np.frombuffer(b"".join(rows), dtype=np.int8)
    signed = given.reshape(-1, width).astype(np.float32)
    norm = np.linalg.norm(signed, axis=1, keepdims=True)
    signed /= np.where(norm > 0, norm, np.float32(1.0))
    return signed


def group_sums(rows: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Return (groups, width) float64 sums of the rows of each group.

    ``group``: shape (n,), in 0..groups-1. *Error*: each sum is taken row after row, in the order
    given: the same bits as a loop, whatever the other groups hold.
    """
    one = np.ones(len(rows))
    places = np.arange(len(rows) + 1)
    choose = csc_array((one, group, places), shape=(groups, len(rows)))
    return np.asarray(choose @ rows.astype(np.float64, copy=False))


def centred_by(
    rows: np.ndarray, label: np.ndarray, owner: np.ndarray, *, least_owners: int = 3
) -> np.ndarray:
    """Return rows minus the mean of the *other owners'* rows with the same label.

    Leaving an owner out of its own centre keeps its habit in its rows however few owners share
    the label. A label of fewer than ``least_owners`` owners says nothing common: its rows lose
    the mean of all other owners' rows. *Error*: a centre of n rows adds 1/n of the rows' variance.
    """
    if not len(rows):
        return rows
    wide = rows.astype(np.float64)
    _, code, size = np.unique(label, return_inverse=True, return_counts=True)
    owners, single = np.unique(owner, return_inverse=True)
    pairs, pair = np.unique(code * len(owners) + single, return_inverse=True)
    common = np.bincount(pairs // len(owners), minlength=len(size)) >= least_owners
    inside, number = _others(wide, code, pair)
    use = common[code] & (number > 0)
    if use.all():
        return np.asarray(wide - inside, dtype=np.float32)
    outside, rest = _others(wide, np.zeros(len(rows), dtype=np.int64), single)
    centre = np.where(use[:, None], inside, np.where(rest[:, None] > 0, outside, 0.0))
    return np.asarray(wide - centre, dtype=np.float32)


def _others(rows: np.ndarray, group: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return per row the mean over its group without its part, and how many rows that mean has."""
    size, held = np.bincount(group), np.bincount(part)
    sums = group_sums(rows, group, len(size))
    own = group_sums(rows, part, len(held))
    number = size[group] - held[part]
    return (sums[group] - own[part]) / np.maximum(number, 1)[:, None], number
