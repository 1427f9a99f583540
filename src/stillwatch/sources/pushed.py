"""What clients push over HTTP, as lines that the sources read: one record a line.

A line is what a file would hold, so that a pushed record and a logged one become the same row.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from stillwatch.sources.json_rows import Records, read_records
from stillwatch.sources.json_text import BadJson, loads
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.litellm import LiteLLM
from stillwatch.sources.otlp import Otlp
from stillwatch.sources.otlp_content import has_content
from stillwatch.sources.otlp_records import EVENT, SPAN, Record, records_of

__all__ = [
    "LATER",
    "PART",
    "TOLD",
    "WHOLE",
    "OtlpLine",
    "litellm_lines",
    "otlp_lines",
    "otlp_value",
    "read_litellm_lines",
    "read_otlp_lines",
]

WHOLE, LATER, TOLD, PART = b"w", b"s", b"e", b"m"
"""A span with its content; one whose event may bring it; that event; an event of one message."""

_LISTS = {
    "resourceSpans": ("scopeSpans", "spans"),
    "resourceLogs": ("scopeLogs", "logRecords"),
}


class OtlpLine(NamedTuple):
    """One span or log record as an export request of its own.

    ``state``: WHOLE, LATER, TOLD or PART. ``key``: trace and span, "" where either is missing.
    ``log``: whether it is a log record.
    """

    state: bytes
    key: str
    log: bool
    text: bytes


def litellm_lines(body: bytes, ledger: Ledger) -> list[bytes]:
    """Return the payloads of one POST of LiteLLM's generic API logger, whatever its format.

    What is no object is entered in ``ledger``. Raises BadJson, without content, when nothing in it
    is JSON.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _hard_lines(body, ledger)
    if type(value) is dict:
        return [body if b"\n" not in body else orjson.dumps(value)]
    lines = []
    for number, item in enumerate(value if type(value) is list else [value], 1):
        if type(item) is dict:
            lines.append(_text(item))
        else:
            ledger.unreadable("request", number, "not a JSON object")
    return lines


def _hard_lines(body: bytes, ledger: Ledger) -> list[bytes]:
    found: list[bytes] = []
    lines = body.split(b"\n")
    try:
        if len(lines) > 1 and all(type(orjson.loads(line)) is dict for line in lines if line):
            return [line for line in lines if line]
    except orjson.JSONDecodeError:
        pass
    for records in read_records(io.BytesIO(body), "request", ledger, Records):
        # not orjson, which would write NaN as null
        found += [json.dumps(value).encode() for value in records.objects]
    if not found:
        raise BadJson("no JSON object in the body")
    return found


def otlp_value(body: bytes) -> dict[str, Any]:
    """Return an OTLP/HTTP request in its JSON encoding. Raises BadJson, without content."""
    value, _ = loads(body)
    if type(value) is not dict:
        raise BadJson("not a JSON object")
    return value


def otlp_lines(value: dict[str, Any], ledger: Ledger) -> list[OtlpLine]:
    """Return the records of an export request that belong to a model request, each by itself.

    Others are noted in ``ledger``, what has the wrong shape is refused there.
    """
    lines: list[OtlpLine] = []
    for outer, (middle, inner) in _LISTS.items():
        for resource, item in _items(value, outer, middle, inner, ledger):
            alone = {outer: [{"resource": resource, middle: [{inner: [item]}]}]}
            for record in records_of(alone, "request", len(lines) + 1, ledger):
                log = outer == "resourceLogs"
                lines.append(OtlpLine(_state(record), record.key or "", log, _text(alone)))
    return lines


def _items(
    value: dict[str, Any], outer: str, middle: str, inner: str, ledger: Ledger
) -> Iterator[tuple[Any, Any]]:
    def listed(holder: dict[str, Any], name: str) -> Iterator[Any]:
        found = holder.get(name)
        if type(found) is list:
            yield from found
        elif found is not None:
            ledger.unreadable("request", 0, f"{name} is no list")

    for group in listed(value, outer):
        if type(group) is not dict:
            ledger.unreadable("request", 0, f"{outer} holds what is no object")
            continue
        for scope in listed(group, middle):
            if type(scope) is not dict:
                ledger.unreadable("request", 0, f"{middle} holds what is no object")
                continue
            for item in listed(scope, inner):
                yield group.get("resource"), item


def _state(record: Record) -> bytes:
    if record.kind == SPAN:
        return WHOLE if has_content(record.facts, record.told) else LATER
    return TOLD if record.kind == EVENT else PART


def _text(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a number of more than 64 bits, or nested deeper than 254
        return json.dumps(value).encode()


class _Lines(io.RawIOBase):
    """Lines as a file, read once; never joined in memory."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        filled = 0
        while filled < len(buffer):
            if not self._rest:
                line = next(self._lines, None)
                if line is None:
                    break
                self._rest = memoryview(line + b"\n")
            count = min(len(buffer) - filled, len(self._rest))
            buffer[filled : filled + count] = self._rest[:count]
            self._rest = self._rest[count:]
            filled += count
        return filled


def read_litellm_lines(
    lines: Iterable[bytes], where: str, ledger: Ledger
) -> Iterator[pa.RecordBatch]:
    """Yield what a file with these lines would yield; as `LiteLLM.read`."""
    yield from LiteLLM().read(_file(lines), where, ledger)


def read_otlp_lines(
    traces: Iterable[bytes], logs: Iterable[bytes], where: str, ledger: Ledger
) -> tuple[frozenset[str], list[pa.RecordBatch]]:
    """Return the columns and batches that a file of traces and one of logs would yield together.

    Places in the ledger are ``where.traces`` and ``where.logs``, by line.
    """
    source = Otlp().for_run()
    found: list[tuple[str, io.BufferedReader]] = []
    columns: frozenset[str] = frozenset()
    for name, lines in ((f"{where}.traces", traces), (f"{where}.logs", logs)):
        handle = _file(lines)
        if handle.peek(1):
            columns |= source.present(handle, name)
            found.append((name, handle))
    batches = [batch for name, handle in found for batch in source.read(handle, name, ledger)]
    return columns, [*batches, *source.rest(ledger)]


def _file(lines: Iterable[bytes]) -> io.BufferedReader:
    return io.BufferedReader(_Lines(lines), 256 << 10)
