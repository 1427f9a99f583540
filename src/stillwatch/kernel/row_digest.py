"""One 64-bit digest of a row's fixed columns: to tell rows of one exchange_id apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.kernel.hashes import MULTIPLIER

__all__ = ["row_digest"]

_ABSENT: Final = np.uint64(0x9E3779B97F4A7C15)
_FACTOR: Final = np.uint64(MULTIPLIER)
_SHIFT: Final = np.uint64(32)


def row_digest(columns: Iterable[pa.Array]) -> pa.Array:
    """Return uint64 digests of rows over all columns, in the order of the columns.

    Takes integers, floats, booleans, times and fixed-width bytes (a multiple of eight). Absent
    differs from zero; floats differ where their bits do. The digest of a row depends on that row
    alone. *Error*: two different rows agree with probability 2⁻⁶⁴; an adversary who can choose
    columns could make them agree, and would only decide which of its own repeats is kept.
    """
    mixed: np.ndarray | None = None
    for column in columns:
        for words in _words(column):
            mixed = words * _FACTOR if mixed is None else (mixed ^ words) * _FACTOR
            mixed ^= mixed >> _SHIFT
    return pa.array(np.zeros(0, np.uint64) if mixed is None else mixed)


def _words(column: pa.Array) -> list[np.ndarray]:
    kind, rows = column.type, len(column)
    if pa.types.is_fixed_size_binary(kind):
        wide = np.frombuffer(column.buffers()[1], np.uint64, count=rows * kind.byte_width // 8)
        return list(wide.reshape(rows, -1).T)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif pa.types.is_timestamp(kind):
        column = column.cast(pa.int64())
    absent = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    values = (column if absent is None else pc.fill_null(column, 0)).to_numpy(zero_copy_only=False)
    words = values.view(f"u{values.itemsize}").astype(np.uint64)
    if absent is not None:
        words[absent] = _ABSENT
    return [words]
