"""Arrow IPC files, Feather (which is the same) and IPC streams with EXCHANGE's column names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from stillwatch.errors import InputError
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources.admit import admit
from stillwatch.sources.canonical_parquet import known_columns, refuse_foreign
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.source import COPY_AGAIN, DAMAGE, MAX_BATCH_BYTES, MAX_BATCH_ROWS, Source

__all__ = ["CanonicalArrow", "TableRows"]

_FILE = b"ARROW1"
_STREAM = b"\xff\xff\xff\xff"


class CanonicalArrow(Source):
    """Reads record batches, cut where they are larger than 32 MB."""

    name = "arrow"
    columns = frozenset(EXCHANGE.names)

    def sniff(self, head: bytes, name: str) -> bool:
        return head.startswith(_FILE) or (head.startswith(_STREAM) and len(head) > 8)

    def present(self, handle: BinaryIO, where: str) -> frozenset[str]:
        schema, _ = _open(handle, where)
        return frozenset(known_columns(schema.names))

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        schema, batches = _open(handle, where)
        names = refuse_foreign(schema.names, where, ledger)
        row = 0
        try:
            for whole in batches:
                for batch in _cut(whole.select(list(names.values()))):
                    lines = np.arange(row + 1, row + batch.num_rows + 1)
                    row += batch.num_rows
                    yield admit(dict(zip(names, batch, strict=True)), lines, where, ledger)
        except DAMAGE as error:
            raise InputError(
                f"damaged Arrow data ({type(error).__name__})",
                where=f"{where}:{row + 1}",
                hint=COPY_AGAIN,
            ) from error


class TableRows(CanonicalArrow):
    """Reads what a file of a Delta Lake or Iceberg table gives: as Parquet, which it is."""

    name = "parquet"


def _cut(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    each = max(1, batch.nbytes // max(1, batch.num_rows))
    size = int(min(MAX_BATCH_ROWS, max(1, MAX_BATCH_BYTES // each)))
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)


def _open(handle: BinaryIO, where: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    try:
        start = handle.read(len(_FILE))
        handle.seek(0)
        if start == _FILE:
            file = pa.ipc.open_file(handle)
            return file.schema, (file.get_batch(i) for i in range(file.num_record_batches))
        stream = pa.ipc.open_stream(handle)
        return stream.schema, iter(stream)
    except DAMAGE as error:
        raise InputError(
            f"damaged or truncated Arrow data ({type(error).__name__})",
            where=where,
            hint=COPY_AGAIN,
        ) from error
