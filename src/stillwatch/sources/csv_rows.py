"""CSV of any columns as batches of text, each row with its number; what is uneven is entered."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from stillwatch.errors import InputError
from stillwatch.sources.files import HEAD_BYTES
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.source import DAMAGE

__all__ = ["csv_batches", "csv_header", "head_of"]

_BLOCK_BYTES = 32 << 20
_DELIMITERS = (b",", b"\t", b";")


def csv_batches(
    handle: BinaryIO, names: list[str], where: str, ledger: Ledger
) -> Iterator[tuple[pa.RecordBatch, np.ndarray[Any, Any]]]:
    """Yield batches of the columns ``names`` as strings, and the number of each record.

    The first line holds the names and is no record. Separators are commas, tabs or semicolons; a
    record may be 32 MB long. One with too few or too many fields is entered in the ledger.

    Raises InputError when quoting is damaged or a record is longer.
    """
    head = head_of(handle)
    uneven: list[int] = []
    row = 0
    try:
        for batch in _reader(_CleanUtf8(handle, ledger), head, csv_header(head), names, uneven):
            lines = _numbers(row, batch.num_rows, uneven)
            row += batch.num_rows
            yield batch, lines
    except DAMAGE as error:
        long = "straddling" in str(error)
        raise InputError(
            "a record longer than 32 MB" if long else "damaged CSV",
            where=f"{where}:{row + 1}",
            hint="export Parquet" if long else "check quoting and delimiter",
        ) from error
    finally:
        for number in uneven:
            ledger.unreadable(where, number, "wrong number of fields")


class _CleanUtf8(io.RawIOBase):
    """A stream whose invalid UTF-8 is U+FFFD: Arrow's handler of uneven records needs text."""

    def __init__(self, handle: BinaryIO, ledger: Ledger) -> None:
        self._handle = handle
        self._ledger = ledger
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._pending = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._pending:
            chunk = self._handle.read(size if size > 0 else _BLOCK_BYTES)
            text = self._decode(chunk, not chunk)
            self._pending = text.encode()
            replaced = text.count("\ufffd") - chunk.count(b"\xef\xbf\xbd")
            if replaced > 0:
                self._ledger.coerced["invalid UTF-8 replaced"] += replaced
            if not chunk:
                break
        out = self._pending[:size] if size > 0 else self._pending
        self._pending = self._pending[len(out) :]
        return out


def head_of(handle: BinaryIO) -> bytes:
    """Return the first bytes of a file that is at its start, and leave it there."""
    return cast(io.BufferedReader, handle).peek(HEAD_BYTES)[:HEAD_BYTES]


def csv_header(head: bytes) -> list[str]:
    """Return the names in the first line."""
    line = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].strip()
    names = line.split(_delimiter(head))
    return [name.strip().strip(b'"').decode("utf-8", "replace") for name in names]


def _delimiter(head: bytes) -> bytes:
    line = head.split(b"\n", 1)[0]
    return max(_DELIMITERS, key=line.count)


def _reader(
    handle: io.RawIOBase, head: bytes, header: list[str], names: list[str], uneven: list[int]
) -> Iterator[pa.RecordBatch]:
    def note(row: Any) -> str:
        uneven.append(row.number - 1)
        return "skip"

    return iter(
        pacsv.open_csv(
            handle,
            read_options=pacsv.ReadOptions(
                use_threads=False, block_size=_BLOCK_BYTES, column_names=header, skip_rows=1
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=_delimiter(head).decode(),
                newlines_in_values=True,
                invalid_row_handler=note,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                include_columns=names,
                null_values=["", "NULL", "null", "\\N"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    )


def _numbers(done: int, rows: int, uneven: list[int]) -> np.ndarray[Any, Any]:
    """Return the record numbers of the next fit rows, stepping over the uneven ones."""
    before = np.sort(np.asarray(uneven, np.int64)) - np.arange(len(uneven))
    position = np.arange(done + 1, done + rows + 1)
    return position + np.searchsorted(before, position, side="right")
