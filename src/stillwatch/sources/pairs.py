"""A request and its response as a gateway logs them: bodies of the model APIs in a wrapper record.

    {"ts": …, "account_id": …, "ip": …, "request": {…}, "response": {…}}

Any column of EXCHANGE may stand beside the bodies under its own name, and wins over what they
say. ``request`` and ``response`` are the body, its JSON text, or an object that holds it as
``body`` beside ``url``, ``headers`` and ``status_code``. A streamed response may be the server-sent
events as text, or its chunks in a list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa

from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources.admit import status_word
from stillwatch.sources.bodies import BODY_COLUMNS, Calls, body_columns
from stillwatch.sources.csv_rows import head_of
from stillwatch.sources.fields import client_of, filled, first_of
from stillwatch.sources.json_rows import Records, read_records
from stillwatch.sources.json_text import BadJson, loads, record_digest
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.outcomes import code_of
from stillwatch.sources.outline import outline
from stillwatch.sources.parts import END_TIME, Part, admitted
from stillwatch.sources.source import Source

__all__ = ["Pairs", "pair_columns", "unwrapped"]

REQUEST = ("request", "request_body", "body")
RESPONSE = ("response", "response_body")
_ID = ("request_id", "x-request-id", "id")
_NAMELESS = "records without an id, told apart by their content"
_CODE = ("http_status", "status_code")
_TIME = ("ts", "timestamp", "time", "start_time", "started_at")
_END = ("end_time", "ended_at")
_ROUTE = ("url", "path", "endpoint", "route")
_NAMES = frozenset(EXCHANGE.names)
_BODY_KEYS = frozenset({"messages", "input", "prompt", "model", "choices", "content", "output"})
_EMPTY: dict[str, Any] = {}


class Pairs(Source):
    """Reads wrapper records of OpenAI and Anthropic bodies."""

    name = "pairs"
    columns = _NAMES

    def sniff(self, head: bytes, name: str) -> bool:
        keys = outline(head)
        return "account_id" in keys and any(key in keys for key in REQUEST)

    def present(self, handle: BinaryIO, where: str) -> frozenset[str]:
        """Return the bodies' columns, and those whose names the head of the file holds."""
        head = head_of(handle)
        found = {name for name in _NAMES if f'"{name}"'.encode() in head}
        if b'"headers"' in head:
            found |= {"user_agent"}
        if "user_agent" in found:
            found |= {"client"}
        if any(f'"{name}"'.encode() in head for name in _END):
            found |= {"latency_ms"}
        return BODY_COLUMNS | found

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        def convert(records: Records) -> Part:
            if not records.objects:
                return Part({}, [], where, records.size)
            columns = pair_columns(records.objects)
            columns["exchange_id"] = _ids(columns["exchange_id"], records.objects, ledger)
            return Part(columns, records.lines, where, records.size)

        yield from admitted(map(convert, read_records(handle, where, ledger, Records)), ledger)


def pair_columns(records: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the columns of wrapper records: what they say themselves, else what the bodies say."""
    told = set().union(*records)
    asked, beside = _bodies(first_of(records, REQUEST, told))
    said, around = _bodies(first_of(records, RESPONSE, told))
    codes, routes = first_of(records, _CODE, told), first_of(records, _ROUTE, told)
    if around or "status" in told:
        for place, code in enumerate(codes):
            if code is None:
                codes[place] = _code(records[place], around.get(place, _EMPTY))
    for place, held in beside.items():
        routes[place] = routes[place] or held.get("url") or held.get("path")
    errors = [error or None for error in first_of(records, ("error",), told)]
    columns = body_columns(Calls(asked, said, codes, routes, errors))
    for name in (told & _NAMES) - {"status"}:
        columns[name] = _preferred(records, name, columns.get(name))
    columns["ts"] = filled(first_of(records, _TIME, told), columns["ts"])
    if "status" in told:
        columns["status"] = [
            _status(record.get("status"), status)
            for record, status in zip(records, columns["status"], strict=True)
        ]
    return _derived(columns, records, beside, told)


def _bodies(values: list[Any]) -> tuple[list[Any], dict[int, dict[str, Any]]]:
    """Return the bodies, and by place what holds those that are not the logged value itself."""
    bodies = list(values)
    holders: dict[int, dict[str, Any]] = {}
    for place, value in enumerate(values):
        if (type(value) is dict and "body" in value) or type(value) is str:
            bodies[place], holder = unwrapped(value)
            if holder is not _EMPTY:
                holders[place] = holder
    return bodies, holders


def _ids(found: list[Any], records: list[dict[str, Any]], ledger: Ledger) -> list[Any]:
    """Return each record's id; of one that has none, as refused requests have, its digest's.

    The same record delivered twice is thus still one exchange.
    """
    if None not in found and "" not in found:
        return found
    ids = filled(found, first_of(records, _ID))
    for place, known in enumerate(ids):
        if known in (None, ""):
            ledger.notes[_NAMELESS] += 1
            ids[place] = f"sha256:{record_digest(records[place], 32)}"
    return ids


def unwrapped(value: Any) -> tuple[Any, dict[str, Any]]:
    """Return a body and what holds it: {} where it is the body itself. JSON text is parsed."""
    if type(value) is str and value.lstrip()[:1] == "{":
        try:
            value = loads(value)[0]
        except (BadJson, RecursionError):
            return value, _EMPTY
    if type(value) is dict and "body" in value and _BODY_KEYS.isdisjoint(value):
        return unwrapped(value["body"])[0], value
    return value, _EMPTY


def _code(record: dict[str, Any], outer: dict[str, Any]) -> Any:
    code = outer.get("status_code", outer.get("status"))
    return code_of(record.get("status")) if code is None else code


def _status(logged: Any, found: str | None) -> str | None:
    """Return the logged word where it is one of ours and tells more than "ok"."""
    word = status_word(logged) if type(logged) is str else None
    return found if word is None or (word == "ok" and found) else word


def _preferred(records: list[dict[str, Any]], name: str, found: list[Any] | None) -> list[Any]:
    mine = [record.get(name) for record in records]
    return mine if found is None else filled(mine, found)


def _derived(
    columns: dict[str, list[Any]],
    records: list[dict[str, Any]],
    beside: dict[int, dict[str, Any]],
    told: set[str],
) -> dict[str, list[Any]]:
    """Add what follows from other columns where a record does not tell it."""
    nothing: list[Any] = [None] * len(records)
    agents = columns.get("user_agent", nothing)
    headers = first_of(records, ("headers",), told)
    for place, outer in beside.items():
        headers[place] = headers[place] or outer.get("headers")
    held = [h if type(h) is dict else _EMPTY for h in headers] if any(headers) else []
    if any(held):
        agents = filled(agents, [_header(h, "user-agent") for h in held])
    ends = first_of(records, _END, told)
    if ends.count(None) < len(ends):
        columns[END_TIME] = ends
    columns["user_agent"] = agents
    clients = list(map(client_of, agents)) if any(agents) else nothing
    columns["client"] = filled(columns.get("client", nothing), clients)
    return columns


def _header(headers: dict[str, Any], name: str) -> Any:
    for key in (name, name.title()):
        if key in headers:
            return headers[key]
    return next((v for k, v in headers.items() if k.lower() == name), None)
