"""Signed bytes as unit vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["unit_rows"]


def unit_rows(rows: Sequence[bytes], width: int = 64) -> np.ndarray:
    """Return (n, width) float32 rows of unit length from n × width signed bytes.

    A row of zeros stays zero. *Error*: float32 rounding.
    """
    if not rows:
        return np.zeros((0, width), dtype=np.float32)
    signed = np.frombuffer(b"".join(rows), dtype=np.int8).reshape(-1, width).astype(np.float32)
    norm = np.linalg.norm(signed, axis=1, keepdims=True)
    return np.asarray(signed / np.where(norm > 0, norm, 1.0), dtype=np.float32)
