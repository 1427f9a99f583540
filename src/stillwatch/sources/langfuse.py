"""Langfuse's observations and traces, as its API and its blob export give them.

Read as of the API's `ObservationV2` (langfuse 5.0, 2026), and the older shape in which the user is
on the trace: traces and observations may lie in different files, or observations in their trace.
A model call is an observation of type GENERATION or EMBEDDING; others are noted.

The account is the first of these in the metadata: account_id, tenant_id, customer_id, user_id; else
``userId``, which is the end user otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson
import pyarrow as pa

from stillwatch.sources.any_rows import read_rows
from stillwatch.sources.bodies import BODY_COLUMNS
from stillwatch.sources.held import Held
from stillwatch.sources.json_rows import Records
from stillwatch.sources.json_text import canonical, parsed, parsed_object
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.parts import Part, admitted
from stillwatch.sources.scratch import Scratch
from stillwatch.sources.usage import count_of
from stillwatch.sources.wrapped import account_in, names_in

__all__ = ["Langfuse"]

_CALLS = {"GENERATION": None, "EMBEDDING": "embedding"}
_TABLES = ("held (file TEXT, line INT, trace TEXT, row BLOB)", "traces (id TEXT, row BLOB)")
_OF_TRACE = ("userId", "sessionId", "tags", "metadata")
_OTHER = "observations that are no model call"
_TRACES = "traces"
_CODE = re.compile(r"(?<![0-9])[45][0-9]{2}(?![0-9])")
_BODY = frozenset({"messages", "input", "contents", "prompt"})
_BLOCKS = ("text", "output_text", "thinking", "tool_use", "refusal")


class Langfuse(Held):
    """Reads model calls; ``for_run`` gives the object that joins the traces of one run."""

    name = "langfuse"
    tables = _TABLES
    columns = BODY_COLUMNS | {"account_id", "trace_id", "cost_usd", "latency_ms", "tags"}

    def sniff(self, head: bytes, name: str) -> bool:
        keys = names_in(head)
        observation = {"traceId", "type", "startTime"} <= keys
        return observation or ({"id", "timestamp"} <= keys and bool(keys & {"userId", "sessionId"}))

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        ledger.hints["required value missing (account_id)"] = (
            "give the traces beside the observations, or set userId: see docs/sources/langfuse.md"
        )

        def convert(records: Records) -> Part:
            ready, waiting = Records(size=records.size), Records()
            for value, line in zip(records.objects, records.lines, strict=True):
                for record in self._observations(value, ledger):
                    lone = not record.get("userId") and record.get("traceId")
                    (waiting if lone else ready).add(record, line)
            rows = [(where, line, str(r.get("traceId")), _packed(r))
                    for r, line in zip(waiting.objects, waiting.lines, strict=True)]  # fmt: skip
            self.scratch().write("INSERT INTO held VALUES (?, ?, ?, ?)", rows)
            return self.converted(ready, where, ledger)

        yield from admitted(map(convert, read_rows(handle, where, ledger)), ledger)

    def _observations(self, value: dict[str, Any], ledger: Ledger) -> Iterator[dict[str, Any]]:
        """Yield the model calls in a record: an observation, or what a trace holds."""
        if "type" in value or "timestamp" not in value:
            yield from _calls([value], ledger)
            return
        ledger.notes[_TRACES] += 1
        told = {k: value[k] for k in _OF_TRACE if value.get(k)}
        self.scratch().write(
            "INSERT INTO traces VALUES (?, ?)", [(str(value.get("id")), _packed(told))]
        )
        inner = value.get("observations")
        for record in _calls(inner if type(inner) is list else [], ledger):
            yield _with_trace({"traceId": value.get("id"), **record}, told)

    def waiting(self, base: Scratch) -> Iterator[tuple[str, int, tuple[str, bytes]]]:
        """Yield the calls whose user stands on their trace."""
        base.rows("CREATE INDEX by_id ON traces (id)")
        rows = base.rows("SELECT file, line, trace, row FROM held ORDER BY file, line, rowid")
        for file, line, trace, packed in rows:
            yield file, line, (trace, packed)

    def joined(
        self, base: Scratch, held: tuple[str, bytes], ledger: Ledger
    ) -> tuple[dict[str, Any], int]:
        trace, packed = held
        told = base.one("SELECT row FROM traces WHERE id = ?", trace)
        record = _with_trace(orjson.loads(packed), orjson.loads(told) if told else {})
        return record, len(packed)

    def wrapper(self, record: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
        metadata = parsed_object(record.get("metadata"))
        account, user = account_in(metadata), record.get("userId")
        given = record.get("usageDetails") or record.get("usage")
        failed = record.get("level") == "ERROR"
        return {
            "exchange_id": record.get("id"),
            "ts": record.get("startTime"),
            "end_time": record.get("endTime"),
            "account_id": account or user,
            "end_user_id": user if account else None,
            "trace_id": record.get("traceId"),
            "conversation_id": record.get("sessionId"),
            "model": record.get("model"),
            "operation": _CALLS.get(str(record.get("type"))),
            "tags": _tags(record.get("tags")),
            "cost_usd": record.get("totalCost", record.get("calculatedTotalCost")),
            "request": _request(record),
            "response": None if failed else _response(parsed(record.get("output"))),
            "error": _error(record.get("statusMessage")) if failed else None,
            **_counts(parsed_object(given)),
        }


def _calls(values: list[Any], ledger: Ledger) -> Iterator[dict[str, Any]]:
    for value in values:
        if type(value) is not dict or str(value.get("type")) not in _CALLS:
            ledger.notes[_OTHER] += 1
        else:
            yield value


def _with_trace(record: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Return an observation with what only its trace tells; of metadata both."""
    whole = {**record, **{k: v for k, v in told.items() if not record.get(k)}}
    mine, theirs = parsed_object(record.get("metadata")), parsed_object(told.get("metadata"))
    return {**whole, "metadata": {**theirs, **mine}} if theirs else whole


def _packed(record: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(record)
    except TypeError:  # too deep, or no JSON: a time of Parquet
        return canonical(
            {k: v if type(v) is str else _plain(v) for k, v in record.items()}
        ).encode()


def _plain(value: Any) -> Any:
    try:
        orjson.dumps(value)
    except TypeError:
        return value.isoformat() if hasattr(value, "isoformat") else canonical(value)
    return value


def _tags(tags: Any) -> dict[str, str] | None:
    tags = parsed(tags)
    return {t: "" for t in tags if type(t) is str} or None if type(tags) is list else None


def _request(record: dict[str, Any]) -> dict[str, Any]:
    asked = parsed(record.get("input"))
    parameters = parsed_object(record.get("modelParameters"))
    if type(asked) is dict and not _BODY.isdisjoint(asked):
        return {**parameters, **asked}
    if type(asked) is dict and asked and "role" not in asked:  # what an application calls its input
        asked = [{"role": "user", "content": canonical(asked)}]
    return {**parameters, "messages": asked or None}


def _response(said: Any) -> Any:
    """Return an output as a response: a whole one, messages, one message, blocks, or its text."""
    if type(said) is list and said and all(type(m) is dict for m in said):
        if all("role" in m for m in said):
            return {"choices": [{"message": message} for message in said]}
        if all(m.get("type") in _BLOCKS for m in said):
            return {"content": said}
    if type(said) is dict and "role" in said and "usage" not in said:
        return {"choices": [{"message": said}]}
    return said


def _error(message: Any) -> dict[str, Any]:
    """Return the error; its code where the message names one."""
    text = message if type(message) is str else ""
    found = _CODE.search(text)
    return {"code": found[0] if found else None, "message": text}


def _counts(usage: dict[str, Any]) -> dict[str, Any]:
    """Return the counts of a usage map, whose parts exclude each other: all input, all output.

    Older usage says the same twice, under ``input`` and ``promptTokens``: one of them counts. Costs
    stand beside it.
    """
    counts = {
        k.lower(): count for k, v in usage.items()
        if (count := count_of(v)) is not None and "cost" not in k.lower()
    }  # fmt: skip
    cached = [v for k, v in counts.items() if "cached" in k or "cache_read" in k]
    thought = [v for k, v in counts.items() if "reasoning" in k]
    names = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    parts = (_part(counts, "input", "prompt"), _part(counts, "output", "completion"),
             cached, thought)  # fmt: skip
    return {name: sum(part) if part else None for name, part in zip(names, parts, strict=True)}


def _part(counts: dict[str, int], word: str, older: str) -> list[int]:
    named = [v for k, v in counts.items() if word in k]
    return named or [v for k, v in counts.items() if older in k]
