"""A data file of a table: Parquet of which the table's log says which rows and columns count."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.sources.parquet_batches import batches_of, truncated
from stillwatch.sources.read_once import BatchStream
from stillwatch.sources.source import DAMAGE

__all__ = ["Column", "Positions", "Snapshot", "TableFile", "elsewhere", "gone", "local_path"]

Positions = npt.NDArray[np.int64]
_MISSING: Final = (
    "was the table vacuumed, or copied in part? scan what it holds now (leave out @…), or mend it "
    "with its own tool"
)


class Snapshot(NamedTuple):
    """What was read of a table in the folder ``root``. ``version``: what stands behind @.

    ``schema``: its number, where one version may be read with several.
    """

    root: str
    kind: str
    version: int
    schema: int = 0

    @property
    def name(self) -> str:
        return os.path.basename(self.root)

    @property
    def told(self) -> dict[str, str]:
        """Its entry in summary.json; a snapshot's number does not fit every JSON reader's."""
        return {"name": self.name, "kind": self.kind, "version": str(self.version)}


class Column(NamedTuple):
    """A column of the table: ``stored``: its name in this file, or else ``value`` in every row."""

    name: str
    stored: str | None
    value: pa.Scalar | None = None


@dataclass(frozen=True)
class TableFile:
    """One data file at ``path``. ``columns``: which ones of the table's it has, by its own schema.

    ``deleted``: which rows are not in the table any more, ascending from 0.
    """

    path: str
    snapshot: Snapshot
    columns: Callable[[pa.Schema], Sequence[Column]] = field(repr=False)
    deleted: Callable[[], Positions] = field(repr=False)

    def open(self, where: str) -> BatchStream:
        """Return its rows in Arrow's stream format; a column it lacks is absent, as in Parquet.

        Raises InputError, naming ``where``: it is not there, or damaged.
        """
        try:
            file = pq.ParquetFile(self.path)
            columns = self.columns(file.schema_arrow)
            schema = pa.schema([(c.name, _type(c, file.schema_arrow)) for c in columns])
        except FileNotFoundError as error:
            raise gone(where) from error
        except DAMAGE as error:
            raise truncated(where, error) from error
        return BatchStream(where, schema, self._read(file, columns, schema, where))

    def _read(
        self, file: pq.ParquetFile, columns: Sequence[Column], schema: pa.Schema, where: str
    ) -> Iterator[pa.RecordBatch]:
        at = 0
        stored = [c.stored for c in columns if c.stored is not None]
        try:
            deleted = self.deleted()
            for batch in batches_of(file, stored):
                rows = batch.num_rows
                held = [
                    pa.repeat(c.value, rows) if c.stored is None else batch.column(c.stored)
                    for c in columns
                ]
                whole = pa.RecordBatch.from_arrays(held, schema=schema)
                yield _without(whole, deleted, at)
                at += rows
        except DAMAGE as error:
            raise truncated(where, error) from error


def _type(column: Column, stored: pa.Schema) -> pa.DataType:
    if column.stored is not None:
        return stored.field(column.stored).type
    return pa.null() if column.value is None else column.value.type


def _without(batch: pa.RecordBatch, deleted: Positions, at: int) -> pa.RecordBatch:
    """Return a batch, whose first row is number ``at`` of its file, without its deleted rows."""
    low, high = np.searchsorted(deleted, (at, at + batch.num_rows))
    if low == high:
        return batch
    kept = np.ones(batch.num_rows, np.bool_)
    kept[deleted[low:high] - at] = False
    return batch.filter(pa.array(kept))


def gone(where: str) -> InputError:
    """Return the error of a file that the table's log names and that is not there."""
    return InputError("the table's log names a file that is not there", where=where, hint=_MISSING)


def local_path(location: str, folder: str, where: str) -> str:
    """Return the path of a file that a table's log names by URI, by whole path or below itself.

    ``location``: as a URI is written, with % before what would be none of its characters.

    Raises InputError: it lies elsewhere than on this machine, or by ".." outside of ``folder``.
    """
    parts = urlsplit(location)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        raise elsewhere(parts.scheme, where)
    path = unquote(parts.path)
    if not os.path.isabs(path) and ".." in path.split("/"):
        raise InputError(
            "the table's log names a file outside of its folder by ..", where=where,
            hint="no writer of such tables does: who wrote into its log?",
        )  # fmt: skip
    return os.path.join(folder, path)


def elsewhere(scheme: str, where: str) -> InputError:
    """Return the error of a table whose files are not on this machine."""
    return InputError(
        f"the table names files at {scheme or 'file'}://, and only those of this machine are read",
        where=where, hint="copy the table with its own tool, or mount what it lies on",
    )  # fmt: skip
