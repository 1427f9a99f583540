"""A small side table from CSV, Parquet, JSON or JSON lines, each value with its line.

CSV may be separated by commas, semicolons or tabs; any of them may be .gz or .zst, and in UTF-16
where its mark says so, as spreadsheets save "Unicode text".
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.enrich.unpacked import unpacked
from stillwatch.errors import ConfigError, InputError, SchemaError
from stillwatch.schema import parse_time

__all__ = ["Record", "no_column", "read_records", "to_table"]

Record = tuple[int, dict[str, Any]]
_DELIMITERS = ",\t;"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_JSON = frozenset({".json", ".jsonl", ".ndjson"})


def read_records(path: str | os.PathLike[str]) -> tuple[list[Record], frozenset[str]]:
    """Return (line, values) of every row, and the columns that the file has.

    The line is the physical one for CSV and JSON lines, else the record's number from 1.

    Raises InputError when the file cannot be read, SchemaError when it is no table.
    """
    file = Path(path)
    try:
        raw = unpacked(file.read_bytes(), file.name)
        if raw.startswith(b"PAR1"):
            return _parquet(raw, file.name)
        if raw.startswith(b"PK\x03\x04"):
            raise SchemaError(
                "a ZIP archive or a spreadsheet", where=file.name,
                hint="unpack it, or save the sheet as CSV",
            )  # fmt: skip
        text = raw.decode("utf-16" if raw.startswith(_UTF16) else "utf-8-sig")
    except FileNotFoundError:
        raise InputError(
            "no such file", where=str(file), hint="give CSV, Parquet, JSON or JSON lines"
        ) from None
    except UnicodeDecodeError:
        raise SchemaError(
            "not UTF-8", where=file.name, hint="export as UTF-8 (in Excel: CSV UTF-8)"
        ) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(file)) from error
    if file.suffix.lower() in _JSON or text.lstrip()[:1] in ("{", "["):
        records = list(_json(text, file.name))
        return records, frozenset(key for _, values in records for key in values)
    records = list(_csv(text, file.name))
    return records, frozenset(_header(_rows(text)))


def no_column(wanted: str, columns: frozenset[str], name: str, hint: str) -> SchemaError:
    """Return the error of a table without a column that it must have."""
    if not columns:
        return SchemaError("an empty file", where=name, hint="is the export finished?")
    if any(column.strip().casefold() == wanted for column in columns):
        hint = f"write {wanted} in small letters, without spaces, as all names of columns"
    return SchemaError(f"no column {wanted}", where=name, hint=hint)


def _parquet(raw: bytes, name: str) -> tuple[list[Record], frozenset[str]]:
    try:
        table = pq.read_table(pa.BufferReader(raw))
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            "damaged or truncated Parquet", where=name, hint="copy the file again"
        ) from error
    return list(enumerate(table.to_pylist(), 1)), frozenset(table.column_names)


def _rows(text: str) -> Any:
    """Return a reader of CSV by what separates the names in its first line."""
    lines = io.StringIO(text, newline="")
    first = lines.readline()
    lines.seek(0)
    separator = max(_DELIMITERS, key=first.count)
    return csv.reader(lines, strict=True, delimiter=separator, skipinitialspace=True)


def _header(reader: Any) -> list[str]:
    return [name.strip() for name in next(reader, [])]


def _csv(text: str, name: str) -> Iterator[Record]:
    reader = _rows(text)
    try:
        header = _header(reader)
        for row in reader:
            if len(row) == len(header):
                values = dict(zip(header, row, strict=True))
                yield reader.line_num, {k: v for k, v in values.items() if v != ""}
            elif row:
                raise SchemaError(
                    f"wrong number of fields: {len(row)}, expected {len(header)}",
                    where=f"{name}:{reader.line_num}", hint="check quotes",
                )  # fmt: skip
    except csv.Error as error:
        raise SchemaError(f"not CSV ({error})", where=f"{name}:{reader.line_num}") from None


def _json(text: str, name: str) -> Iterator[Record]:
    if text.lstrip().startswith("["):
        rows = _parsed(text, name, 1)
        yield from (_object(row, name, i) for i, row in enumerate(rows, 1))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _object(_parsed(line, name, number), name, number)


def _parsed(text: str, name: str, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        at = line + getattr(error, "lineno", 1) - 1
        raise SchemaError(
            "not JSON", where=f"{name}:{at}", hint="give a JSON array, or one object a line"
        ) from None


def _object(row: Any, name: str, line: int) -> Record:
    if not isinstance(row, dict):
        raise SchemaError("expected an object", where=f"{name}:{line}")
    return line, row


def to_table(records: list[Record], schema: pa.Schema, name: str) -> pa.Table:
    """Return the records in ``schema``'s types, columns the file lacks as null.

    Raises SchemaError with file, line, field and what was expected; never the value.
    """
    columns = {field.name: _column(records, field, name) for field in schema}
    return pa.table(columns, schema=schema)


def _column(records: list[Record], field: pa.Field, name: str) -> list[Any]:
    found = [values.get(field.name) for _, values in records]
    if field.nullable and all(value is None for value in found):
        return found
    if (
        field.nullable
        and str(field.type) == "string"
        and set(map(type, found)) <= {str, type(None)}
    ):
        return [value.strip() if value else None for value in found]
    return [_fit(value, field, name, line) for value, (line, _) in zip(found, records, strict=True)]


def _fit(value: Any, field: pa.Field, name: str, line: int) -> Any:
    if value is None or value == "" or value != value:
        if field.nullable:
            return None
        raise SchemaError(
            f"{field.name} is empty; expected {_wanted(field)}", where=f"{name}:{line}",
            hint="fill it, or leave the row out",
        )  # fmt: skip
    try:
        return _FITS[str(field.type)](value)
    except (ValueError, TypeError, OverflowError, ConfigError):
        raise SchemaError(
            f"{field.name}: expected {_wanted(field)}", where=f"{name}:{line}",
            hint=_NEXT.get(str(field.type), ""),
        ) from None  # fmt: skip


def _wanted(field: pa.Field) -> str:
    return _WANTED[str(field.type)]


def _text(value: Any) -> str:
    if isinstance(value, (dict, list, bool)):
        raise TypeError
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _whole(value: Any) -> int:
    if isinstance(value, bool) or float(value) != int(float(value)):
        raise TypeError
    number = int(value) if isinstance(value, (int, str)) else int(float(value))
    if not -(2**63) <= number < 2**63:
        raise OverflowError
    return number


def _time(value: Any) -> datetime:
    if isinstance(value, datetime):
        return parse_time(value.isoformat())
    if isinstance(value, date):
        return parse_time(value.isoformat())
    if not isinstance(value, str):
        raise TypeError
    return parse_time(value.strip())


def _texts(value: Any) -> list[str]:
    """Read a JSON array, in a CSV's cell too, or a string with semicolons between its items."""
    items = value.split(";") if isinstance(value, str) else value
    if isinstance(value, str) and value.lstrip().startswith("["):
        items = json.loads(value)
    if not isinstance(items, list):
        raise TypeError
    return [text for text in map(_text, items) if text]


_FITS: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "int64": _whole,
    "timestamp[us, tz=UTC]": _time,
    "list<item: string>": _texts,
}
_WANTED = {
    "string": "text",
    "int64": "a whole number",
    "timestamp[us, tz=UTC]": "a time like 2026-01-31T00:00:00Z",
    "list<item: string>": "a list (in CSV with ; between items, or as a JSON array)",
}
_NEXT = {
    "int64": "write digits alone: 1000, not 1,000",
    "timestamp[us, tz=UTC]": "write days as 2026-01-31 and moments with their zone; 31/01/2026 and "
    "a spreadsheet's day numbers are not read, since they can mean two things",
}
