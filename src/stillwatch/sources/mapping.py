"""A mapping file says where a log that nobody knows keeps the columns of an exchange.

    [columns]                  # column of EXCHANGE = JMESPath over the record
    ts = 'started_at'
    account_id = 'consumer.custom_id || consumer.id'
    model = 'ai.model'

    [bodies]                   # optional: where whole request and response bodies lie
    request = 'ai.payload.request'
    response = 'ai.payload.response'

    [constants]                # the same in every row
    channel = "gateway"

    [rows]                     # optional
    keep = "path == '/v1/chat/completions'"
    zone = "Europe/Berlin"     # of times that name none

    [words.status]             # what a column's words mean in ours
    "SUCCESS" = "ok"

Rows may be JSON (lines, array, one object), CSV, Parquet or Arrow. What a column says wins over the
bodies. Without ``exchange_id`` a row's id is a digest of the row, so that equal rows count once.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from stillwatch.errors import ConfigError, InputError, why
from stillwatch.schema.arrow import EXCHANGE, REQUIRED_EXCHANGE_COLUMNS
from stillwatch.sources.any_rows import read_rows
from stillwatch.sources.bodies import BODY_COLUMNS, Calls, body_columns
from stillwatch.sources.csv_rows import head_of
from stillwatch.sources.expressions import Expression, Fields, compile_expression
from stillwatch.sources.fields import client_of
from stillwatch.sources.json_rows import Records
from stillwatch.sources.json_text import BadJson, loads, record_digest
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.pairs import unwrapped
from stillwatch.sources.parts import Part, admitted
from stillwatch.sources.source import Source
from stillwatch.sources.strangers import json_behind_text

__all__ = ["Mapping", "parse_mapping", "read_mapping"]

_TABLES = ("columns", "bodies", "constants", "rows", "words")
_BODIES = ("request", "response", "status", "route", "error")
_ROWS = ("keep", "zone")
_NAMES = tuple(EXCHANGE.names)
_PARSED = ("messages", "tools", "tags")
_LEFT_OUT = "rows that the mapping leaves out (rows.keep)"


class Mapping(Source):
    """Reads any rows through one mapping file."""

    def __init__(self, content: dict[str, Any], where: str) -> None:
        self._where = where
        self._name = str(content.get("name", Path(where).stem))
        _known(content, (*_TABLES, "name"), where)
        tables = {name: _table(content, name, where) for name in _TABLES}
        _known(tables["columns"], _NAMES, f"{where}: columns")
        _known(tables["constants"], _NAMES, f"{where}: constants")
        _known(tables["bodies"], _BODIES, f"{where}: bodies")
        _known(tables["rows"], _ROWS, f"{where}: rows")
        _known(tables["words"], _NAMES, f"{where}: words")
        self._columns = self._expressions(tables["columns"], "columns")
        self._bodies = self._expressions(tables["bodies"], "bodies")
        keep = {"keep": tables["rows"]["keep"]} if "keep" in tables["rows"] else {}
        self._keep = self._expressions(keep, "rows").get("keep")
        self._zone = _zone(tables["rows"].get("zone"), f"{where}: rows.zone")
        self._constants = tables["constants"]
        self._words = {name: _table(tables["words"], name, where) for name in tables["words"]}
        self._present = self._filled()

    @property
    def name(self) -> str:
        return self._name

    @property
    def columns(self) -> frozenset[str]:
        return self._present

    def _expressions(self, table: dict[str, Any], name: str) -> dict[str, Expression]:
        found = {}
        for key, text in table.items():
            where = f"{self._where}: {name}.{key}"
            if not isinstance(text, str) or not text.strip():
                raise ConfigError(
                    "expected an expression in quotes",
                    where=where,
                    hint="a value that is the same in every row goes to [constants]",
                )
            found[key] = compile_expression(text, where)
        return found

    def _filled(self) -> frozenset[str]:
        filled = {*self._columns, *self._constants, "exchange_id"}
        if {"request", "response"} & self._bodies.keys():
            filled |= BODY_COLUMNS
        if "user_agent" in filled:
            filled.add("client")
        if missing := [n for n in REQUIRED_EXCHANGE_COLUMNS if n not in filled]:
            raise ConfigError(
                f"nothing is said about {missing[0]}, which every exchange needs",
                where=f"{self._where}: columns",
                hint=f"add {missing[0]} = '…'; `ingest LOG --suggest` proposes one",
            )
        return frozenset(filled)

    def sniff(self, head: bytes, name: str) -> bool:
        return True

    def present(self, handle: BinaryIO, where: str) -> frozenset[str]:
        behind = json_behind_text(head_of(handle))
        if behind:
            raise InputError(behind[0], where=where, hint=behind[1])
        return self.columns

    def source_of(self, column: str) -> str:
        """Return what fills a column: its expression, a constant, or the bodies."""
        if column in self._columns:
            return self._columns[column].text
        if column in self._constants:
            return "constant"
        if column in BODY_COLUMNS & self.columns:
            return "bodies"
        made = {"exchange_id": "digest of the row", "client": "user agent"}
        return made.get(column, "") if column in self.columns else ""

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        for column, reason in (
            ("account_id", "required value missing"),
            ("ts", "no readable time"),
        ):
            text = self._columns[column].text if column in self._columns else ""
            told = f"says {column} = '{text}': is that where it is?" if text else (
                f"says nothing of {column}, and the bodies tell none: add {column} = '…'"
            )  # fmt: skip
            ledger.hints[f"{reason} ({column})"] = (
                f"{self._where} {told}; `ingest LOG --suggest` shows what the log has"
            )

        def convert(records: Records) -> Part:
            kept = self._kept(records, ledger)
            columns = self._converted(kept.objects, ledger) if kept.objects else {}
            return Part(columns, kept.lines, where, records.size)

        yield from admitted(map(convert, read_rows(handle, where, ledger)), ledger)

    def _kept(self, records: Records, ledger: Ledger) -> Records:
        if self._keep is None or not records.objects:
            return records
        wanted = self._values(self._keep, Fields(records.objects), "rows.keep", ledger)
        kept = [(o, n) for o, n, w in zip(records.objects, records.lines, wanted, strict=True) if w]
        ledger.notes[_LEFT_OUT] += len(records.objects) - len(kept)
        return Records([o for o, _ in kept], [n for _, n in kept])

    def _values(self, one: Expression, fields: Fields, name: str, ledger: Ledger) -> list[Any]:
        found, failed = one.values(fields)
        if failed:
            ledger.coerced[f"{name}: the mapping's expression failed, set to null"] += failed
        return found

    def _converted(self, rows: list[dict[str, Any]], ledger: Ledger) -> dict[str, list[Any]]:
        fields = Fields(rows)
        columns = self._of_bodies(fields, ledger)
        for name, expression in self._columns.items():
            found = self._said(name, self._values(expression, fields, name, ledger))
            others = columns.get(name)
            columns[name] = found if others is None else [
                b if a is None or a == "" else a for a, b in zip(found, others, strict=True)
            ]  # fmt: skip
        for name, value in self._constants.items():
            columns[name] = [value] * len(rows)
        if "exchange_id" not in self._columns:
            ids = columns.get("exchange_id") or [None] * len(rows)
            columns["exchange_id"] = [
                v or record_digest(row, 24) for v, row in zip(ids, rows, strict=True)
            ]
        if self._zone is not None:
            columns["ts"] = [_zoned(value, self._zone) for value in columns["ts"]]
        if "client" not in self._columns and "user_agent" in columns:
            columns["client"] = [client_of(agent) for agent in columns["user_agent"]]
        return columns

    def _of_bodies(self, fields: Fields, ledger: Ledger) -> dict[str, list[Any]]:
        if not self._bodies:
            return {}
        nothing = [None] * len(fields.records)
        held = {
            name: self._values(self._bodies[name], fields, f"bodies.{name}", ledger)
            if name in self._bodies
            else nothing
            for name in _BODIES
        }
        calls = Calls(
            [unwrapped(q)[0] for q in held["request"]],
            [unwrapped(r)[0] for r in held["response"]],
            held["status"],
            held["route"],
            held["error"],
        )
        return body_columns(calls)

    def _said(self, name: str, values: list[Any]) -> list[Any]:
        words = self._words.get(name)
        if words:
            values = [words.get(str(v), v) if v is not None else None for v in values]
        if name in _PARSED:
            values = [_parsed(v) for v in values]
        return values


def read_mapping(path: str | Path) -> Mapping:
    """Return the mapping in a TOML file.

    Raises ConfigError, naming the line or the key, and what to write instead.
    """
    file = Path(path)
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        hint = "`stillwatch ingest LOG --suggest > mapping.toml` writes one"
        raise ConfigError("no such mapping file", where=str(path), hint=hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read ({why(error)})", where=file.name) from None
    return parse_mapping(text, file.name)


def parse_mapping(text: str, where: str) -> Mapping:
    """Return the mapping that TOML text says. Raises ConfigError as `read_mapping` does."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = "put expressions in single quotes: model = 'a.b'"
        raise ConfigError(f"not TOML: {error}", where=where, hint=hint) from None
    return Mapping(content, where)


def _table(content: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError("expected a table", where=f"{where}: {name}", hint=f"write [{name}]")
    return table


def _known(table: dict[str, Any], names: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in names:
            close = difflib.get_close_matches(key, names, 1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(names[:60])}"
            raise ConfigError(f"unknown name {key}", where=where, hint=hint)


def _zone(name: Any, where: str) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ConfigError("unknown time zone", where=where,
                          hint="a name such as Europe/Berlin or UTC") from None  # fmt: skip


def _zoned(value: Any, zone: ZoneInfo) -> Any:
    """Return a time without a zone in the mapping's; anything else as it is."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return value
        return (value if value.tzinfo else value.replace(tzinfo=zone)).isoformat()
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=zone)).isoformat()
    return value


def _parsed(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return loads(value)[0]
        except (BadJson, RecursionError):
            return value
    return value
