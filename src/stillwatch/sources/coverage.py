"""Which columns a log really fills: counted over its first rows, whatever its format promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.schema.arrow import EXCHANGE

__all__ = ["COVERED_ROWS", "Coverage"]

COVERED_ROWS = 10_000


class Coverage:
    """``rows`` looked at, and how many of them hold something in each column (``filled``)."""

    def __init__(self) -> None:
        self.rows = 0
        self.filled: Counter[str] = Counter()

    def watching(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pass batches on, counting the first ten thousand rows."""
        for batch in batches:
            if self.rows < COVERED_ROWS:
                self._count(batch.slice(0, COVERED_ROWS - self.rows))
            yield batch

    def _count(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        for name in EXCHANGE.names:
            column = batch.column(name)
            if pa.types.is_list(column.type) or pa.types.is_map(column.type):
                full = pc.greater(_lengths(column), 0)
                self.filled[name] += pc.sum(full).as_py() or 0
            else:
                self.filled[name] += batch.num_rows - column.null_count

    @property
    def columns(self) -> frozenset[str]:
        """The columns that at least one row fills."""
        return frozenset(name for name, count in self.filled.items() if count)

    def share(self, column: str) -> float:
        """Return the share of rows, 0 to 1, that fill a column; 0 where no row was read."""
        return self.filled[column] / self.rows if self.rows else 0.0


def _lengths(column: pa.Array) -> pa.Array:
    if pa.types.is_map(column.type):
        column = column.cast(pa.list_(pa.struct([("k", pa.string()), ("v", pa.string())])))
    return pc.list_value_length(column)
