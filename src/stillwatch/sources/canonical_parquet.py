"""Parquet whose columns are named as in EXCHANGE; types may differ, order does not matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.schema.arrow import EXCHANGE, REQUIRED_EXCHANGE_COLUMNS
from stillwatch.sources.admit import admit
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.parquet_batches import batches_of, truncated
from stillwatch.sources.source import COPY_AGAIN, DAMAGE, Source

__all__ = ["CanonicalParquet", "known_columns", "refuse_foreign"]


_NAMES_OF_ITS_OWN = (
    "columns have other names? `stillwatch ingest LOG --suggest` proposes a mapping file"
)


class CanonicalParquet(Source):
    """Reads the columns it knows, in pieces of at most 32 MB by the file's own statistics."""

    name = "parquet"
    columns = frozenset(EXCHANGE.names)

    def sniff(self, head: bytes, name: str) -> bool:
        return head.startswith(b"PAR1")

    def present(self, handle: BinaryIO, where: str) -> frozenset[str]:
        return frozenset(known_columns(_open(handle, where).schema_arrow.names))

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        file = _open(handle, where)
        names = refuse_foreign(file.schema_arrow.names, where, ledger)
        written = list(names.values())
        row = 0
        try:
            for batch in batches_of(file, written):
                lines = np.arange(row + 1, row + batch.num_rows + 1)
                row += batch.num_rows
                yield admit(
                    dict(zip(names, batch.select(written), strict=True)), lines, where, ledger
                )
        except DAMAGE as error:
            raise InputError(
                f"damaged Parquet file ({type(error).__name__})",
                where=f"{where}:{row + 1}",
                hint=COPY_AGAIN,
            ) from error


def known_columns(names: list[str]) -> dict[str, str]:
    """Return EXCHANGE's columns among ``names``: its own name → as it is written.

    A name in capitals, as Snowflake and Oracle give them, counts where none is written right.

    >>> known_columns(["TS", "Model", "model", "other"])
    {'ts': 'TS', 'model': 'model'}
    """
    lowered = {name.lower(): name for name in reversed(names)}
    exact = set(names)
    return {
        name: name if name in exact else lowered[name] for name in EXCHANGE.names if name in lowered
    }


def refuse_foreign(names: list[str], where: str, ledger: Ledger) -> dict[str, str]:
    """Return the `known_columns`; note the others in the ledger.

    Raises InputError when none is a required one: what stands first is then no line of names, and
    may be a row, whose content nothing may tell.
    """
    known = known_columns(names)
    if not set(known) & set(REQUIRED_EXCHANGE_COLUMNS):
        raise InputError(
            f"no column {', '.join(REQUIRED_EXCHANGE_COLUMNS[:-1])} or "
            f"{REQUIRED_EXCHANGE_COLUMNS[-1]}",
            where=where, hint=ledger.doubt or _NAMES_OF_ITS_OWN,
        )  # fmt: skip
    ledger.ignore_columns(where, set(names) - set(known.values()))
    for name in set(REQUIRED_EXCHANGE_COLUMNS) - set(known):
        ledger.hints[f"required column missing ({name})"] = _NAMES_OF_ITS_OWN
    doubled = [written for written in known.values() if names.count(written) > 1]
    if doubled:
        raise InputError(
            f"column {doubled[0]} occurs twice",
            where=where,
            hint="leave one of the two out of the export",
        )
    return known


def _open(handle: BinaryIO, where: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(handle)
    except DAMAGE as error:
        raise truncated(where, error) from error
