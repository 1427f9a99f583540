"""The sink spills rows to Arrow files by time, then hands them out sorted, one file a day.

Memory is bounded by the rows in the buffer while playing and by one spilled file while sorting.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.schema.arrow import EXCHANGE, MESSAGE
from stillwatch.simulate.clock import DAY

__all__ = ["DayFiles", "Row", "Sink", "rows_to_batch"]

_BUFFER = 4000
_GROUP = 20_000  # rows of a Parquet row group
Row = tuple[Any, ...]  # values in the order of EXCHANGE
_SCALAR_TYPES = [f.type for f in EXCHANGE]
_TS = EXCHANGE.get_field_index("ts")
_MESSAGES = EXCHANGE.get_field_index("messages")


def rows_to_batch(rows: list[Row]) -> pa.RecordBatch:
    """Return rows (with ``messages`` as (role, content) pairs) as a canonical record batch."""
    columns = list(zip(*rows, strict=True))
    arrays: list[pa.Array] = []
    for i, (values, kind) in enumerate(zip(columns, _SCALAR_TYPES, strict=True)):
        arrays.append(_messages(values) if i == _MESSAGES else pa.array(values, type=kind))
    return pa.RecordBatch.from_arrays(arrays, schema=EXCHANGE)


def _messages(values: tuple[list[tuple[str, str]], ...]) -> pa.Array:
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum([len(v) for v in values], out=offsets[1:])
    flat = list(chain.from_iterable(values))
    roles = pa.array([m[0] for m in flat], type=pa.string())
    texts = pa.array([m[1] for m in flat], type=pa.string())
    structs = pa.StructArray.from_arrays([roles, texts], fields=list(MESSAGE))
    return pa.ListArray.from_arrays(pa.array(offsets), structs, type=EXCHANGE.field(_MESSAGES).type)


class Sink:
    """Takes rows in any order and returns them in the order of time, ``span`` by ``span``.

    ``span``: microseconds of traffic that are sorted at once; it divides a day.
    """

    def __init__(self, folder: Path, span: int = DAY) -> None:
        self._folder, self._span = folder, span
        self._spill = folder / ".spill"
        shutil.rmtree(self._spill, ignore_errors=True)
        self._spill.mkdir(parents=True)
        self._buffer: list[Row] = []
        self._writers: dict[int, Any] = {}
        self.rows = 0

    @property
    def count(self) -> int:
        """The number of rows that were added."""
        return self.rows + len(self._buffer)

    def add(self, row: Row) -> None:
        """Take a row; what is held goes to the disk by time when there is much of it."""
        self._buffer.append(row)
        if len(self._buffer) >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        by_span: dict[int, list[Row]] = {}
        for row in self._buffer:
            by_span.setdefault(row[_TS] // self._span, []).append(row)
        for part, rows in by_span.items():
            if part not in self._writers:
                path = str(self._spill / f"{part}.arrow")
                self._writers[part] = pa.ipc.new_stream(path, EXCHANGE)
            self._writers[part].write_batch(rows_to_batch(rows))
        self.rows += len(self._buffer)
        self._buffer.clear()

    def finish(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield (date, rows of a span sorted by time) in order and remove the spill."""
        if self._buffer:
            self._flush()
        for writer in self._writers.values():
            writer.close()
        for part in sorted(self._writers):
            path = self._spill / f"{part}.arrow"
            with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
                table = reader.read_all()
            order = pc.sort_indices(table, [("ts", "ascending"), ("exchange_id", "ascending")])
            date = datetime.fromtimestamp(part * self._span // 1_000_000, UTC).date().isoformat()
            yield date, table.take(order).combine_chunks()
            path.unlink()
        shutil.rmtree(self._spill, ignore_errors=True)


class DayFiles:
    """Writes Parquet, one file a day, aside first, then renamed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._date = ""
        self._writer: Any = None
        self._held: list[pa.Table] = []
        self.paths: list[Path] = []

    def write(self, date: str, table: pa.Table) -> None:
        """Append rows of a day; days come in order."""
        if date != self._date:
            self.close()
            self._folder.mkdir(exist_ok=True)
            self._date = date
            aside = self._folder / f"{date}.part"
            self._writer = pq.ParquetWriter(aside, table.schema, compression="zstd")
        self._held.append(table)
        if sum(t.num_rows for t in self._held) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.concat_tables(self._held), row_group_size=_GROUP)
            self._held.clear()

    def close(self) -> None:
        if self._writer is not None:
            self._flush()
            self._writer.close()
            self.paths.append(self._folder / f"{self._date}.parquet")
            self.paths[-1].with_suffix(".part").rename(self.paths[-1])
            self._writer = None
