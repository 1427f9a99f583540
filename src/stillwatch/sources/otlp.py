"""OpenTelemetry GenAI in OTLP JSON, as the SDKs' and the Collector's file exporters write it.

One export request a line, an array, or one object a file. An exchange is a span of a model
request (``gen_ai.operation.name`` chat, generate_content, text_completion, embeddings), or its
event ``gen_ai.client.inference.operation.details``; where both are in the input they become one
row, in whichever files and order they stand (`otlp_shelf`). Names and forms of content: new and
old (`otlp_names`, `otlp_content`).

The account is the first of ``stillwatch.account_id``, ``user.id``, ``enduser.id``, ``user.hash``,
``enduser.pseudo.id`` that the record has, else that its resource has. A deployment that logs
another attribute registers ``Otlp(account=("tenant.id",))``, or copies it in its Collector. Where
the account came from a name other than ``enduser.*``, the first of ``enduser.id`` and
``enduser.pseudo.id`` is the end user.

The conventions have no name for some columns of EXCHANGE (org_id, key_id, channel, cost_usd …):
an attribute ``stillwatch.<column>`` of the record or its resource fills that column, and any
other.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import pyarrow as pa

from stillwatch.schema.arrow import EXCHANGE, REQUIRED_EXCHANGE_COLUMNS
from stillwatch.sources.admit import status_of_code
from stillwatch.sources.answers import Answer
from stillwatch.sources.error_codes import CODE_OF_CLASS
from stillwatch.sources.fields import client_of, first_of, kind_of, text_of, tool_names
from stillwatch.sources.files import HEAD_BYTES
from stillwatch.sources.json_rows import SOME_ROWS, Records, read_records
from stillwatch.sources.json_text import canonical
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.otlp_content import answer_in, has_content, messages_in, structured
from stillwatch.sources.otlp_names import ACCOUNT, CONTENT_NAMES, EXTENSION, NAMES, OPERATIONS
from stillwatch.sources.otlp_records import (
    EVENT,
    SPAN,
    Record,
    key_of,
    record_in,
    records_of,
    records_of_spans,
)
from stillwatch.sources.otlp_shelf import Shelf
from stillwatch.sources.otlp_typed import ids_in, records_in, spans_in
from stillwatch.sources.parts import Part, admitted
from stillwatch.sources.source import Source

__all__ = ["Otlp"]

_ENVELOPE = (b'"resourceSpans"', b'"resourceLogs"', b'"scopeSpans"', b'"scopeLogs"')
_BARE = (b'"startTimeUnixNano"', b'"observedTimeUnixNano"', b'"timeUnixNano"')
_END_USER = ("enduser.id", "enduser.pseudo.id")
_SOME_BYTES = 2 << 20
_CONTENT_COLUMNS = frozenset({"messages", "output_text", "reasoning_text"})
_ALWAYS = frozenset(
    {
        "exchange_id", "ts", "account_id", "model", "provider", "end_user_id", "conversation_id",
        "trace_id", "operation", "client", "user_agent", "stream", "temperature", "top_p",
        "max_tokens", "n", "seed", "reasoning_effort", "response_format", "tools", "tool_schema",
        "status", "http_status", "finish_reason", "input_tokens", "output_tokens",
        "reasoning_tokens", "cached_tokens", "latency_ms", "ip",
    }
)  # fmt: skip
_Facts = dict[str, Any]


class _Walked(Records):
    """Keeps of each object the records in it, and lets the object go.

    ``found``: records; ``waiting``: the texts of log records that surely belong to a span, where
    both are in the input (``joins``): they are parsed when they are joined.
    """

    def __init__(self, where: str, ledger: Ledger, joins: bool) -> None:
        super().__init__()
        self.found: list[Record] = []
        self.waiting: list[tuple[str, int, bytes, bytes]] = []
        self._where, self._ledger, self._joins = where, ledger, joins

    def take(self, text: bytes, line: int) -> bool:
        groups = spans_in(text)
        if groups is not None:
            for about, spans in groups:
                self.found += records_of_spans(spans, about, self._where, line, self._ledger)
            return True
        records = records_in(text)
        for log, resource, own in records or ():
            waits = log and self._joins and b"gen_ai." in own
            key = key_of(*ids_in(own)) if waits else None
            if key is not None:
                self.waiting.append((key, line, resource, own))
                continue
            found = record_in(log, resource, own, self._where, line, self._ledger)
            if found is not None:
                self.found.append(found)
        return records is not None

    def add(self, value: dict[str, Any], line: int, text: bytes = b"") -> None:
        self.found += records_of(value, self._where, line, self._ledger)


class Otlp(Source):
    """Reads records column by column; `for_run` gives the object that reads one run's files."""

    name = "otlp"
    columns = frozenset(EXCHANGE.names)

    def __init__(self, account: tuple[str, ...] = ACCOUNT) -> None:
        self._account = (f"{EXTENSION}account_id", *account)
        self._shelf: Shelf | None = None
        self._spans = self._logs = False

    def for_run(self) -> Otlp:
        return type(self)(self._account[1:])

    def sniff(self, head: bytes, name: str) -> bool:
        start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        return start in (b"{", b"[") and (
            any(word in head for word in _ENVELOPE)
            or (b'"attributes"' in head and any(word in head for word in _BARE))
        )

    def present(self, handle: BinaryIO, where: str) -> frozenset[str]:
        """Return the columns that the standard names, and those whose names the head holds."""
        head = cast(io.BufferedReader, handle).peek(HEAD_BYTES)[:HEAD_BYTES]
        self._spans |= b'"startTimeUnixNano"' in head or b'"resourceSpans"' in head
        self._logs |= b'"resourceLogs"' in head or b'"observedTimeUnixNano"' in head
        found = set(_ALWAYS)
        for column in EXCHANGE.names:
            names = (EXTENSION + column, *NAMES.get(column, ()))
            if any(f'"{name}"'.encode() in head for name in names):
                found.add(column)
        if any(name.encode() in head for name in CONTENT_NAMES):
            found |= _CONTENT_COLUMNS
        return frozenset(found)

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        self._hint(ledger)
        shelf = self._shelf = self._shelf or Shelf()

        def convert(records: _Walked) -> Part:
            found = records.found
            ready = [record for record in found if self._whole(record)]
            if self._logs:
                shelf.tell(ready)
            shelf.keep(where, records.waiting)
            if len(ready) < len(found):
                shelf.hold([record for record in found if not self._whole(record)])
            return self._part(ready, records.size)

        joins = self._spans and self._logs
        some = read_records(handle, where, ledger, lambda: _Walked(where, ledger, joins))
        yield from admitted(map(convert, some), ledger)

    def _whole(self, record: Record) -> bool:
        """Whether nothing that may still come belongs to the record."""
        if record.kind == SPAN:
            return has_content(record.facts, record.told)
        return record.kind == EVENT and not self._spans

    def rest(self, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        if self._shelf is None:
            return
        yield from admitted(self._matched(self._shelf, ledger), ledger)
        self._shelf = None

    def _matched(self, shelf: Shelf, ledger: Ledger) -> Iterator[Part]:
        waiting: list[Record] = []
        held = 0
        for record, size in shelf.matched(ledger):
            waiting.append(record)
            held += size
            if len(waiting) >= SOME_ROWS or held >= _SOME_BYTES:
                yield self._part(waiting, held)
                waiting, held = [], 0
        if waiting:
            yield self._part(waiting, held)

    def _hint(self, ledger: Ledger) -> None:
        ledger.hints["message event without its span"] = (
            "give the traces of the same time beside the logs"
        )
        ledger.hints["required value missing (account_id)"] = (
            f"no record says whose it is: let the gateway or the Collector set one of "
            f"{', '.join(self._account)} on spans, events or their resource"
        )

    def _part(self, records: list[Record], size: int) -> Part:
        if not records:
            return Part({}, [], [], size)
        facts = [record.facts for record in records]
        there = set().union(*facts)
        columns = {
            **_plain(facts, there),
            **_what(records, there),
            **self._who(records),
            **_answer(records),
        }
        _extend(columns, records, there)
        lines = [record.line for record in records]
        return Part(columns, lines, [record.where for record in records], size)

    def _who(self, records: list[Record]) -> dict[str, list[Any]]:
        accounts: list[Any] = []
        users: list[Any] = []
        for record in records:
            name, account = self._account_of(record)
            accounts.append(account)
            users.append(None if name in _END_USER else _held(record.facts, _END_USER)[1])
        return {"account_id": accounts, "end_user_id": users}

    def _account_of(self, record: Record) -> tuple[str, Any]:
        name, account = _held(record.facts, self._account)
        return (name, account) if name else _held(record.resource, self._account)


def _held(facts: _Facts, names: tuple[str, ...]) -> tuple[str, Any]:
    """Return the first name that holds something, and what; "" and None where none does."""
    for name in names:
        value = facts.get(name)
        if value is not None and value != "":
            return name, value
    return "", None


def _plain(facts: list[_Facts], there: set[str]) -> dict[str, list[Any]]:
    """Return the columns that are one attribute each, under its newest name that is there."""
    columns: dict[str, list[Any]] = {}
    for column, names in NAMES.items():
        some = tuple(name for name in names if name in there)
        if some or column in REQUIRED_EXCHANGE_COLUMNS:
            columns[column] = first_of(facts, some or names)
    for column in columns.keys() & {"reasoning_effort", "response_format"}:
        columns[column] = [_word(value) for value in columns[column]]
    if "user_agent" in columns:
        columns["client"] = [client_of(agent) for agent in columns["user_agent"]]
    return columns


def _word(value: Any) -> str | None:
    value = structured(value)
    return None if value in ("", [], {}) else kind_of(value)


def _what(records: list[Record], there: set[str]) -> dict[str, list[Any]]:
    tools = None if there.isdisjoint(_TOOLS) else [_tools(record.facts) for record in records]
    starts = [_number(record.start_ns) for record in records]
    ends = [_number(record.end_ns) for record in records]
    columns: dict[str, list[Any]] = {} if tools is None else {
        "tools": [tool_names(t) for t in tools],
        "tool_schema": [canonical(t) if t else None for t in tools],
    }  # fmt: skip
    return {
        **columns,
        "exchange_id": [r.key or r.facts.get("gen_ai.response.id") for r in records],
        "ts": [None if start is None else start // 1_000 for start in starts],
        "latency_ms": [_latency(a, b) for a, b in zip(starts, ends, strict=True)],
        "trace_id": [r.key.partition("-")[0] if r.key else None for r in records],
        "operation": [_operation(r.facts) for r in records],
        "messages": [messages_in(r.facts, r.told) for r in records],
    }


def _number(value: Any) -> int | None:
    if type(value) is str and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value) or None
    return value or None if type(value) is int else None


def _latency(begin: int | None, end: int | None) -> float | None:
    if begin is None or end is None or not begin <= end < 1 << 63:
        return None
    return round((end - begin) / 1e6, 3)


def _operation(facts: _Facts) -> str | None:
    word = text_of(facts.get("gen_ai.operation.name", facts.get("llm.request.type")))
    return word and OPERATIONS.get(word, word)


_TOOLS = ("gen_ai.tool.definitions", "llm.request.functions.0.name")


def _tools(facts: _Facts) -> Any:
    found = structured(facts.get(_TOOLS[0]))
    if found is not None:
        return found if type(found) is list else [found]
    numbered = [
        facts[f"llm.request.functions.{i}.name"]
        for i in range(256)
        if f"llm.request.functions.{i}.name" in facts
    ] if _TOOLS[1] in facts else []  # fmt: skip
    return [
        {
            "name": name,
            "parameters": structured(facts.get(f"llm.request.functions.{i}.parameters")),
        }
        for i, name in enumerate(numbered)
    ]


def _answer(records: list[Record]) -> dict[str, list[Any]]:
    answers = [answer_in(r.facts, r.told) for r in records]
    outcomes = [_outcome(r, a) for r, a in zip(records, answers, strict=True)]
    return {
        "status": [status for status, _ in outcomes],
        "http_status": [code for _, code in outcomes],
        "finish_reason": [a.finish for a in answers],
        "output_text": [a.text for a in answers],
        "reasoning_text": [a.reasoning for a in answers],
    }


def _outcome(record: Record, answer: Answer) -> tuple[str | None, int | None]:
    """Return (status, http_status): by the code, else the error's class, else what ended it."""
    code = _number(record.facts.get("http.response.status_code"))
    if record.failed:
        kind = record.facts.get("error.type")
        name = kind.rpartition(".")[2] if type(kind) is str else ""
        if name.isascii() and name.isdecimal() and len(name) == 3:
            code = int(name)
        code = code if code and code >= 400 else CODE_OF_CLASS.get(name)
        if answer.finish == "content_filter" or "ContentFilter" in name:
            return "filtered", code
        return (status_of_code(code) if code else None) or "server_error", code
    if answer.refused or answer.finish == "refusal":
        return "refused", code
    return ("filtered" if answer.finish == "content_filter" else "ok"), code


def _extend(columns: dict[str, list[Any]], records: list[Record], there: set[str]) -> None:
    """Let ``stillwatch.<column>`` of a record, else of its resource, fill that column."""
    facts = [record.facts for record in records]
    resources = [record.resource for record in records]
    shared = set().union(*resources)
    for column in EXCHANGE.names:
        name = EXTENSION + column
        if name in shared:
            given = [f.get(name, r.get(name)) for f, r in zip(facts, resources, strict=True)]
        elif name in there:
            given = [f.get(name) for f in facts]
        else:
            continue
        before = columns.get(column)
        columns[column] = (
            [old if new is None else new for new, old in zip(given, before, strict=True)]
            if before
            else given
        )
