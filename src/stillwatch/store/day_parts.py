"""The Parquet files of a day store: written aside by day, digested, renamed when all are whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.schema import to_disk

__all__ = ["DAY_US", "FILE", "Part", "PartWriter", "day_of", "digest_of"]

DAY_US: Final = 86_400_000_000
FILE: Final = pa.field("file", pa.int32())
_GROUP_ROWS: Final = 65_536
_HELD_ROWS: Final = 262_144  # over all days: some 100 MB of features
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Part:
    """One Parquet file of one day. ``level``: how often its rows were merged."""

    name: str
    day: str
    digest: str
    size: int
    rows: int
    level: int


def day_of(moment_us: int) -> str:
    """Return the UTC day of microseconds since 1970.

    >>> day_of(1_767_225_600_000_000)
    '2026-01-01'
    """
    return f"{_EPOCH + timedelta(days=moment_us // DAY_US):%Y-%m-%d}"


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, as 64 hex digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class PartWriter:
    """Writes rows with the number of their source file to one part a day.

    Nothing has its final name before `publish`; what a stop leaves ends in ``.part``. Rows wait in
    memory until there are 65,536 of a day or 262,144 of all.
    """

    def __init__(self, folder: Path, schema: pa.Schema, first: int, level: int = 0) -> None:
        self._folder = folder
        # Nothing tells whether a column has nulls, as in a table that a run reads: see
        # runners.local. Else a window's tables would differ from a run's in bytes.
        self._schema = pa.schema([c.with_nullable(True) for c in (*schema, FILE)])
        self._next = first
        self._level = level
        self._held: dict[str, list[pa.RecordBatch]] = {}
        self._rows: dict[str, int] = {}
        self._writers: dict[str, tuple[str, pq.ParquetWriter]] = {}
        self._written: dict[str, int] = {}

    @property
    def next_number(self) -> int:
        """Return the first number that no part has yet."""
        return self._next

    def write(self, batch: pa.RecordBatch, file: int) -> None:
        """Add rows of one source file, whatever days they are of."""
        numbers = pa.array(np.full(batch.num_rows, file, np.int32))
        whole = pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=self._schema)
        for day, rows in _by_day(whole):
            self.write_day(day, rows)

    def write_day(self, day: str, rows: pa.RecordBatch) -> None:
        """Add rows, with the numbers of their files, that are all of one day."""
        self._held.setdefault(day, []).append(rows)
        self._rows[day] = self._rows.get(day, 0) + rows.num_rows
        if self._rows[day] >= _GROUP_ROWS:
            self._flush(day)
        elif sum(self._rows.values()) >= _HELD_ROWS:
            self._flush(max(self._rows, key=lambda d: self._rows[d]))

    def _flush(self, day: str) -> None:
        if day not in self._writers:
            (self._folder / day).mkdir(parents=True, exist_ok=True)
            name = f"{day}/{self._next:08d}.parquet"
            self._next += 1
            # Hashes neither compress nor repeat: see runners.local.
            self._writers[day] = (
                name,
                pq.ParquetWriter(
                    self._folder / f"{name}.part",
                    self._schema,
                    compression="lz4",
                    use_dictionary=False,
                ),
            )
        table = pa.Table.from_batches(self._held.pop(day))
        self._written[day] = self._written.get(day, 0) + self._rows.pop(day)
        self._writers[day][1].write_table(table, row_group_size=_GROUP_ROWS)

    def publish(self) -> list[Part]:
        """Bring all parts to the disk under their names; a catalogue must still name them."""
        for day in sorted(self._held):
            self._flush(day)
        parts = []
        for day, (name, writer) in sorted(self._writers.items()):
            writer.close()
            aside = self._folder / f"{name}.part"
            with aside.open("rb") as file:
                os.fsync(file.fileno())
            digest, size = digest_of(aside), aside.stat().st_size
            aside.replace(self._folder / name)
            to_disk(self._folder / day)
            parts.append(Part(name, day, digest, size, self._written[day], self._level))
        to_disk(self._folder)
        return parts

    def abandon(self) -> None:
        """Close what was begun; the files stay for the next opening to remove."""
        for _, writer in self._writers.values():
            writer.close()


def _by_day(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    days = batch.column("ts").cast(pa.int64()).to_numpy() // DAY_US
    present: Iterable[int] = np.unique(days).tolist()
    for day in present:
        mine = days == day
        yield (
            day_of(day * DAY_US),
            batch if mine.all() else batch.filter(pa.array(mine), null_selection_behavior="drop"),
        )


def span_of(batch: pa.RecordBatch) -> tuple[int, int]:
    """Return the first and last time of a batch that has rows, in microseconds since 1970."""
    ends = pc.min_max(batch.column("ts").cast(pa.int64())).as_py()
    return int(ends["min"]), int(ends["max"])
