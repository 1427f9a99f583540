"""What the formats share that hold request and response bodies under names of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa

from stillwatch.sources.any_rows import read_rows
from stillwatch.sources.bodies import BODY_COLUMNS
from stillwatch.sources.csv_rows import csv_header
from stillwatch.sources.json_rows import Records
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.outline import outline
from stillwatch.sources.pairs import pair_columns
from stillwatch.sources.parts import Part, admitted
from stillwatch.sources.source import Source

__all__ = ["ACCOUNT_TAGS", "Wrapped", "account_in", "names_in", "words_in"]

ACCOUNT_TAGS = ("account_id", "tenant_id", "customer_id", "user_id")
"""Where the metadata that a caller attaches says whose a call is, in this order."""


class Wrapped(Source):
    """A format whose records become the wrapper records that `pairs` reads.

    ``signs``: names that every file's first record has. ``columns``: what records can fill.
    """

    reads_tables = True
    signs: frozenset[str] = frozenset()
    name = ""
    columns: frozenset[str] = BODY_COLUMNS

    def wrapper(self, record: dict[str, Any], ledger: Ledger) -> dict[str, Any] | None:
        """Return the record in the names of `pairs`; None where it is no exchange, and noted."""
        raise NotImplementedError

    def sniff(self, head: bytes, name: str) -> bool:
        return self.signs <= names_in(head)

    def present(self, handle: BinaryIO, where: str) -> frozenset[str]:
        return self.columns

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        def convert(records: Records) -> Part:
            return self.converted(records, where, ledger)

        yield from admitted(map(convert, read_rows(handle, where, ledger)), ledger)

    def converted(self, records: Records, where: str, ledger: Ledger) -> Part:
        """Return the exchanges of some records."""
        found = [self.wrapper(record, ledger) for record in records.objects]
        rows = [row for row in found if row is not None]
        if not rows:
            return Part({}, [], where, records.size)
        lines = [n for n, row in zip(records.lines, found, strict=True) if row is not None]
        return Part(pair_columns(rows), lines, where, records.size)


def account_in(tags: dict[str, Any]) -> Any:
    """Return whose a call is by the metadata that its caller attached, None where it is silent."""
    for name in ACCOUNT_TAGS if tags else ():
        value = tags.get(name)
        if value:
            return value
    return None


def words_in(tags: dict[str, Any]) -> dict[str, str] | None:
    """Return the tags whose value is text, None where there are none."""
    return {k: v for k, v in tags.items() if isinstance(v, str)} or None


def names_in(head: bytes) -> frozenset[str]:
    """Return the names in a JSON file's first object, or of a CSV file's header."""
    return outline(head) or frozenset(csv_header(head) if head[:4] != b"PAR1" else ())
