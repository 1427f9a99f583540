"""A Parquet file batch by batch, of as many rows as memory is meant for, and what damages it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.sources.source import COPY_AGAIN, MAX_BATCH_BYTES, MAX_BATCH_ROWS

__all__ = ["batches_of", "truncated"]


def batches_of(file: pq.ParquetFile, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield a file's rows in order, with these columns, by what its own statistics say they take.

    Raises what `source.DAMAGE` names where it is damaged.
    """
    for group in range(file.num_row_groups):
        info = file.metadata.row_group(group)
        each = max(1, info.total_byte_size // max(1, info.num_rows))
        size = int(min(MAX_BATCH_ROWS, max(1, MAX_BATCH_BYTES // each)))
        yield from file.iter_batches(
            size, row_groups=[group], columns=list(columns), use_threads=False
        )


def truncated(where: str, error: Exception) -> InputError:
    """Return the error of a file that cannot be opened, or not be read to its end."""
    return InputError(
        f"damaged or truncated Parquet file ({type(error).__name__})", where=where, hint=COPY_AGAIN
    )
