"""Signed bytes as unit vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["centred_by", "unit_rows"]


def unit_rows(rows: Sequence[bytes], width: int = 64) -> np.ndarray:
    """Return (n, width) float32 rows of unit length from n × width signed bytes.

    A row of zeros stays zero. *Error*: float32 rounding.
    """
    if not rows:
        return np.zeros((0, width), dtype=np.float32)
    signed = np.frombuffer(b"".join(rows), dtype=np.int8).reshape(-1, width).astype(np.float32)
    norm = np.linalg.norm(signed, axis=1, keepdims=True)
    return np.asarray(signed / np.where(norm > 0, norm, 1.0), dtype=np.float32)


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
    pairs, pair = np.unique(np.stack([code, owner]), axis=1, return_inverse=True)
    common = np.bincount(pairs[0], minlength=len(size)) >= least_owners
    inside, number = _others(wide, code, pair.ravel())
    _, single = np.unique(owner, return_inverse=True)
    outside, rest = _others(wide, np.zeros(len(rows), dtype=np.int64), single)
    use = common[code] & (number > 0)
    centre = np.where(use[:, None], inside, np.where(rest[:, None] > 0, outside, 0.0))
    return np.asarray(wide - centre, dtype=np.float32)


def _others(rows: np.ndarray, group: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return per row the mean over its group without its part, and how many rows that mean has."""
    sums = np.zeros((int(group.max()) + 1, rows.shape[1]))
    np.add.at(sums, group, rows)
    own = np.zeros((int(part.max()) + 1, rows.shape[1]))
    np.add.at(own, part, rows)
    number = np.bincount(group)[group] - np.bincount(part)[part]
    return (sums[group] - own[part]) / np.maximum(number, 1)[:, None], number
