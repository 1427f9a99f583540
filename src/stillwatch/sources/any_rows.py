"""Rows of a file as objects, whatever it is written in: JSON, CSV, Parquet or Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.sources.csv_rows import csv_batches, csv_header, head_of
from stillwatch.sources.json_rows import SOME_ROWS, Records, read_records
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.source import COPY_AGAIN, DAMAGE

__all__ = ["read_rows", "table_columns"]

_ROWS = 1_000


def read_rows(handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[Records]:
    """Yield the rows of a file as objects by column name, some dozens at a time.

    CSV gives text; an empty cell is absent. Numbers of rows begin at 1; of JSON lines it is the
    line.

    Raises InputError when the file is damaged.
    """
    head = head_of(handle)
    if head.startswith(b"PAR1"):
        yield from _tables(_parquet(handle), where)
    elif head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        yield from _tables(_arrow(handle, head), where)
    elif head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        yield from read_records(handle, where, ledger, Records)
    else:
        for batch, lines in csv_batches(handle, csv_header(head), where, ledger):
            for start in range(0, batch.num_rows, SOME_ROWS):
                yield _records(batch.slice(start, SOME_ROWS), lines[start : start + SOME_ROWS])


def table_columns(handle: BinaryIO, head: bytes) -> list[str]:
    """Return the names of a Parquet or Arrow file's columns, and leave it at its start.

    [] where the file is neither, or damaged: whoever reads it says so.
    """
    try:
        if head.startswith(b"PAR1"):
            return list(pq.read_schema(handle).names)
        if head.startswith(b"ARROW1"):
            return list(pa.ipc.open_file(handle).schema.names)
        if head.startswith(b"\xff\xff\xff\xff"):
            return list(pa.ipc.open_stream(handle).schema.names)
        return []
    except DAMAGE:
        return []
    finally:
        handle.seek(0)


def _records(some: pa.RecordBatch, lines: np.ndarray[Any, Any]) -> Records:
    rows = [{k: v for k, v in row.items() if v is not None} for row in some.to_pylist()]
    return Records(rows, lines.tolist(), some.nbytes)


def _parquet(handle: BinaryIO) -> Iterator[pa.RecordBatch]:
    yield from pq.ParquetFile(handle).iter_batches(_ROWS, use_threads=False)


def _arrow(handle: BinaryIO, head: bytes) -> Iterator[pa.RecordBatch]:
    if head.startswith(b"ARROW1"):
        file = pa.ipc.open_file(handle)
        yield from (file.get_batch(i) for i in range(file.num_record_batches))
    else:
        yield from pa.ipc.open_stream(handle)


def _tables(batches: Iterator[pa.RecordBatch], where: str) -> Iterator[Records]:
    done = 0
    try:
        for batch in batches:
            for start in range(0, batch.num_rows, SOME_ROWS):
                some = batch.slice(start, SOME_ROWS)
                lines = np.arange(done + 1, done + some.num_rows + 1)
                done += some.num_rows
                yield _records(some, lines)
    except DAMAGE as error:
        raise InputError(
            f"damaged or truncated file ({type(error).__name__})",
            where=f"{where}:{done + 1}",
            hint=COPY_AGAIN,
        ) from error
