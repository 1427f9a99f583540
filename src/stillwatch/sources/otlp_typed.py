"""OTLP JSON decoded by its types: what is well-formed, and nothing else.

An export request is taken apart into its records without parsing them; a record is parsed into
objects that have a place for each name of OpenTelemetry's protocol, without a dict for each of its
attributes: half the time of reading it as any JSON. Whatever is not as the protocol says is
nothing here: `otlp_records` reads it, one value after another, and says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

__all__ = [
    "KINDS",
    "Log",
    "Span",
    "facts_of",
    "ids_in",
    "log_in",
    "plain_of",
    "records_in",
    "resource_of",
    "span_in",
    "spans_in",
]

_MAX_DEPTH = 64
_LONG = 16_384
_SURELY_64_BITS = 19
_UNFIT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_BEGINNINGS = (b'{"resourceSpans"', b'{"resourceLogs"')
# A longer number is left to the reader of any JSON, for which it may be a float.
_Int = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class _Value(Struct, forbid_unknown_fields=True, gc=False):
    stringValue: str | None = None
    intValue: _Int | str | None = None
    boolValue: bool | None = None
    doubleValue: float | _Int | str | None = None
    arrayValue: _Values | None = None
    kvlistValue: _Pairs | None = None
    bytesValue: str | None = None


KINDS: Final = _Value.__struct_fields__
"""The kinds of a value, in the order in which they count where a value has several at once."""


class _Values(Struct, gc=False):
    values: list[_Value] | None = None


class _Pair(Struct, gc=False):
    key: str
    value: _Value


class _Pairs(Struct, gc=False):
    values: list[_Pair] | None = None


class _Event(Struct, gc=False):
    name: str | None = None
    attributes: list[_Pair] | None = None


class _Status(Struct, gc=False):
    code: _Int | str | None = None


class Span(Struct, gc=False):
    """A span; times and code as they are written."""

    traceId: str | None = None
    spanId: str | None = None
    startTimeUnixNano: _Int | str | None = None
    endTimeUnixNano: _Int | str | None = None
    attributes: list[_Pair] | None = None
    events: list[_Event] | None = None
    status: _Status | None = None


class Log(Struct, gc=False):
    """A log record; times as they are written."""

    traceId: str | None = None
    spanId: str | None = None
    timeUnixNano: _Int | str | None = None
    observedTimeUnixNano: _Int | str | None = None
    eventName: str | None = None
    attributes: list[_Pair] | None = None
    body: _Value | None = None


class _Ids(Struct, gc=False):
    traceId: str | None = None
    spanId: str | None = None


class _Resource(Struct, gc=False):
    attributes: list[_Pair] | None = None


class _Scope(Struct, gc=False):
    spans: list[Raw] | None = None
    logRecords: list[Raw] | None = None


class _Group(Struct, gc=False):
    resource: Raw = Raw(b"null")
    scopeSpans: list[_Scope] | None = None
    scopeLogs: list[_Scope] | None = None


class _Request(Struct, gc=False):
    resourceSpans: list[_Group] | None = None
    resourceLogs: list[_Group] | None = None


class _SpanScope(Struct, gc=False):
    spans: list[Span] | None = None


class _SpanGroup(Struct, gc=False):
    resource: Raw = Raw(b"null")
    scopeSpans: list[_SpanScope] | None = None
    scopeLogs: None = None


class _SpanRequest(Struct, gc=False):
    resourceSpans: list[_SpanGroup] | None = None
    resourceLogs: None = None


_REQUEST, _SPANS, _SPAN, _LOG, _IDS, _RESOURCE = (
    msgspec.json.Decoder(kind)
    for kind in (_Request, _SpanRequest, Span, Log, _Ids, _Resource | None)
)


def spans_in(line: bytes) -> list[tuple[dict[str, Any], list[Span]]] | None:
    """Return (attributes of the resource, its spans) of an export request of spans alone.

    None where the line is no such request, or not all of it is as the protocol says.
    """
    if not line.startswith(_BEGINNINGS[0]) or not _is_utf8(line):
        return None
    request: _SpanRequest | None = _fitting(_SPANS, line)
    if request is None:
        return None
    found = []
    for group in request.resourceSpans or ():
        resource = resource_of(bytes(group.resource))
        if resource is None:
            return None
        spans = [span for scope in group.scopeSpans or () for span in scope.spans or ()]
        found.append((resource, spans))
    return found


def _is_utf8(line: bytes) -> bool:
    """Whether the text can be decoded: what is skipped is not looked at by the decoder."""
    if line.isascii():
        return True
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def records_in(line: bytes) -> list[tuple[bool, bytes, bytes]] | None:
    """Return (whether it is a log record, resource, record) of each record in an export request.

    None where the line is no such request, or not all of it is as the protocol says.
    """
    if not line.startswith(_BEGINNINGS) or not _is_utf8(line):
        return None
    request: _Request | None = _fitting(_REQUEST, line)
    if request is None:
        return None
    found = [
        (log, bytes(group.resource), bytes(record))
        for log, group, scope in _scopes(request)
        for record in (scope.logRecords if log else scope.spans) or ()
    ]
    return found if all(record[:1] == b"{" for _, _, record in found) else None


def _scopes(request: _Request) -> Iterator[tuple[bool, _Group, _Scope]]:
    for group in request.resourceSpans or ():
        for scope in group.scopeSpans or ():
            yield False, group, scope
    for group in request.resourceLogs or ():
        for scope in group.scopeLogs or ():
            yield True, group, scope


def ids_in(record: bytes) -> tuple[str | None, str | None]:
    """Return a record's trace and span; None and None where it is not well-formed."""
    ids: _Ids | None = _fitting(_IDS, record)
    return (None, None) if ids is None else (ids.traceId, ids.spanId)


def span_in(record: bytes) -> Span | None:
    """Return a span, None where it is not as the protocol says."""
    span: Span | None = _fitting(_SPAN, record)
    return span


def log_in(record: bytes) -> Log | None:
    """Return a log record, None where it is not as the protocol says."""
    log: Log | None = _fitting(_LOG, record)
    return log


def _fitting(decoder: Any, record: bytes) -> Any:
    try:
        return decoder.decode(record)
    except _UNFIT:
        return None


def resource_of(text: bytes) -> dict[str, Any] | None:
    """Return the attributes of a resource, None where it is not as the protocol says.

    They belong to all records of the resource: nobody may change them.
    """
    return _known_resource(text) if len(text) < _LONG else _resource(text)


def _resource(text: bytes) -> dict[str, Any] | None:
    try:
        resource = _RESOURCE.decode(text)
    except _UNFIT:
        return None
    return {} if resource is None else facts_of(resource.attributes)


_known_resource = lru_cache(maxsize=1_024)(_resource)


def facts_of(pairs: list[_Pair] | None) -> dict[str, Any]:
    """Return attributes as a dict; the last of equal names counts, as in JSON."""
    facts: dict[str, Any] = {}
    for pair in pairs or ():
        value = pair.value
        plain: Any = value.stringValue
        if plain is None:
            plain = value.intValue
            if type(plain) is str and len(plain) < _SURELY_64_BITS and plain.isdecimal():
                plain = int(plain)
            else:
                plain = plain_of(value)
        facts[pair.key] = plain
    return facts


def plain_of(value: _Value, depth: int = 0) -> Any:
    """Return the plain value; lists and maps deeper than 64 in one another are None.

    Of several kinds at once the first of `KINDS` counts.
    """
    if value.stringValue is not None:
        return value.stringValue
    if value.intValue is not None:
        return _whole(value.intValue)
    if value.boolValue is not None:
        return value.boolValue
    if value.doubleValue is not None:
        return value.doubleValue
    if value.arrayValue is not None:
        items = value.arrayValue.values or ()
        return None if depth >= _MAX_DEPTH else [plain_of(item, depth + 1) for item in items]
    if value.kvlistValue is None:
        return value.bytesValue
    return None if depth >= _MAX_DEPTH else _map(value.kvlistValue.values or (), depth)


def _map(pairs: Iterable[_Pair], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        text = pair.value.stringValue
        found[pair.key] = plain_of(pair.value, depth + 1) if text is None else text
    return found


def _whole(value: int | str) -> Any:
    """Return a 64-bit number, else the value as text: JSON and Arrow have no longer ones."""
    if isinstance(value, str) and len(value) > 20:
        return value
    try:
        number = int(value)
    except ValueError:
        return value
    return number if -(1 << 63) <= number < 1 << 63 else str(value)
