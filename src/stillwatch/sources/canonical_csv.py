"""CSV with EXCHANGE's column names in its first line; messages, tools and tags as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from stillwatch.schema.arrow import EXCHANGE, REQUIRED_EXCHANGE_COLUMNS
from stillwatch.sources.admit import admit
from stillwatch.sources.canonical_parquet import known_columns, refuse_foreign
from stillwatch.sources.csv_rows import csv_batches, csv_header, head_of
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.source import Source

__all__ = ["CanonicalCsv"]


class CanonicalCsv(Source):
    """Reads quoted CSV with commas, tabs or semicolons; a record may be 32 MB long.

    Rows are numbered by record, the header not counted. Records with too few or too many
    fields are entered in the ledger.
    """

    name = "csv"
    columns = frozenset(EXCHANGE.names)

    def sniff(self, head: bytes, name: str) -> bool:
        return len(known_columns(csv_header(head)).keys() & set(REQUIRED_EXCHANGE_COLUMNS)) >= 3

    def present(self, handle: BinaryIO, where: str) -> frozenset[str]:
        return frozenset(known_columns(csv_header(head_of(handle))))

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        names = refuse_foreign(csv_header(head_of(handle)), where, ledger)
        for batch, lines in csv_batches(handle, list(names.values()), where, ledger):
            yield admit(dict(zip(names, batch, strict=True)), lines, where, ledger)
