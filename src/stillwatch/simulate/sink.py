"""The sink spills rows to one Arrow file a day, then writes each day sorted by time.

Memory is bounded by the rows in the buffer while playing and by one day while sorting.
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

__all__ = ["Row", "Sink", "rows_to_batch"]

_BUFFER = 4000
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
    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
        self._buffer.append(row)
        if len(self._buffer) >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        by_day: dict[int, list[Row]] = {}
        for row in self._buffer:
            by_day.setdefault(row[_TS] // DAY, []).append(row)
        for day, rows in by_day.items():
            if day not in self._writers:
                path = str(self._spill / f"{day}.arrow")
                self._writers[day] = pa.ipc.new_stream(path, EXCHANGE)
            self._writers[day].write_batch(rows_to_batch(rows))
        self.rows += len(self._buffer)
        self._buffer.clear()

    def finish(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield (date, the day's rows sorted by time) in order and remove the spill."""
        if self._buffer:
            self._flush()
        for writer in self._writers.values():
            writer.close()
        for day in sorted(self._writers):
            path = self._spill / f"{day}.arrow"
            with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
                table = reader.read_all()
            order = pc.sort_indices(table, [("ts", "ascending"), ("exchange_id", "ascending")])
            date = datetime.fromtimestamp(day * 86400, UTC).date().isoformat()
            yield date, table.take(order).combine_chunks()
            path.unlink()
        shutil.rmtree(self._spill, ignore_errors=True)


def write_day(table: pa.Table, path: Path) -> None:
    """Write one day as Parquet, aside first, then renamed."""
    aside = path.with_suffix(".part")
    pq.write_table(table, aside, compression="zstd", row_group_size=20_000)
    aside.rename(path)
