"""A source reads one log format and yields canonical exchanges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Protocol, Self

import pyarrow as pa

from stillwatch.sources.ledger import Ledger

__all__ = ["COPY_AGAIN", "DAMAGE", "MAX_BATCH_BYTES", "MAX_BATCH_ROWS", "Source"]

DAMAGE = (OSError, ValueError, LookupError, TypeError, RuntimeError, pa.ArrowException)
"""What Arrow raises on a damaged file: its own errors, and Python's from its bindings."""

COPY_AGAIN = "copy the file again, or leave it out of the input"
MAX_BATCH_ROWS = 65_536
MAX_BATCH_BYTES = 32 << 20


class Source(Protocol):
    """One log format. An object that holds state between files serves one run (`for_run`).

    ``columns``: the columns of EXCHANGE that the format can fill. ``reads_tables``: whether its
    records may also be rows of Parquet or Arrow, under the same names.
    """

    reads_tables: bool = False

    @property
    def name(self) -> str: ...

    def for_run(self) -> Self:
        """Return the object that reads the files of one run: itself where it holds no state."""
        return self

    @property
    def columns(self) -> frozenset[str]: ...

    def sniff(self, head: bytes, name: str) -> bool:
        """Tell from the first bytes (decompressed) whether this is the format."""
        ...

    def present(self, handle: BinaryIO, where: str) -> frozenset[str]:
        """Return the columns of EXCHANGE that this very file can fill."""
        ...

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        """Yield batches that hold a subset of EXCHANGE's columns, in its order and types.

        Every row is either yielded or entered in the ledger. Raises InputError, naming
        ``where``, when the file itself cannot be read.
        """
        ...

    def rest(self, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        """Yield, after the last file, the rows that waited for a record of another file."""
        yield from ()
