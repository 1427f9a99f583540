"""OTLP JSON becomes records: one a model request, one an event that tells of it.

The envelope is that of opentelemetry-proto 1.x in its JSON mapping (64-bit numbers are decimal
strings, ids are hexadecimal): ``resourceSpans`` and ``resourceLogs``, an element of either list,
or a bare span or log record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from stillwatch.sources.json_rows import object_in
from stillwatch.sources.json_text import parsed_object
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.otlp_names import DETAILS, INFERENCE, MESSAGE_EVENT, OTHER_OPERATIONS
from stillwatch.sources.otlp_typed import (
    KINDS,
    Log,
    Span,
    facts_of,
    log_in,
    plain_of,
    resource_of,
    span_in,
)

__all__ = ["EVENT", "MESSAGE_PART", "SPAN", "Record", "key_of", "record_in", "records_of",
           "records_of_spans"]  # fmt: skip

SPAN, EVENT, MESSAGE_PART = 0, 1, 2
_MAX_DEPTH = 64
_OTHER_SPANS = "spans that are no model request"
_OTHER_LOGS = "log records that are no model request"
_FAILED = (2, "STATUS_CODE_ERROR")
_MODELS = ("gen_ai.request.model", "gen_ai.response.model")
_Facts = dict[str, Any]


class Record(NamedTuple):
    """One span, event or message event.

    ``key``: trace and span, None where either is missing. ``start_ns``, ``end_ns``: Unix time as
    logged, of any type. ``facts``: its attributes as plain values; ``resource``: those of its
    resource. ``told``: (name, content) of the events that carry messages, in order.
    """

    kind: int
    key: str | None
    where: str
    line: int
    start_ns: Any
    end_ns: Any
    failed: bool
    facts: _Facts
    resource: _Facts
    told: list[Any]


class _Place(NamedTuple):
    where: str
    line: int
    ledger: Ledger


def records_of(value: _Facts, where: str, line: int, ledger: Ledger) -> Iterator[Record]:
    """Yield the model requests and their events in one JSON object.

    Spans and log records of other things are noted, what has the wrong shape is entered, both in
    the ledger.
    """
    at = _Place(where, line, ledger)
    if "resourceSpans" in value or "resourceLogs" in value:
        for name in ("resourceSpans", "resourceLogs"):
            for group in _objects(value.get(name), name, at):
                yield from _of_resource(group, at)
    elif "scopeSpans" in value or "scopeLogs" in value:
        yield from _of_resource(value, at)
    elif "startTimeUnixNano" in value:
        yield from _noted(_span(value, {}, at), _OTHER_SPANS, at)
    elif "timeUnixNano" in value or "observedTimeUnixNano" in value:
        yield from _noted(_log(value, {}, at), _OTHER_LOGS, at)
    elif "resourceMetrics" in value or "resourceProfiles" in value:
        ledger.notes["OTLP metrics or profiles, not read"] += 1
    else:
        ledger.unreadable(where, line, "not an OTLP record")


def _of_resource(group: _Facts, at: _Place) -> Iterator[Record]:
    about = group.get("resource")
    resource = _attributes(about.get("attributes"), at) if type(about) is dict else {}
    for scope in _objects(group.get("scopeSpans"), "scopeSpans", at):
        for span in _objects(scope.get("spans"), "spans", at):
            yield from _noted(_span(span, resource, at), _OTHER_SPANS, at)
    for scope in _objects(group.get("scopeLogs"), "scopeLogs", at):
        for log in _objects(scope.get("logRecords"), "logRecords", at):
            yield from _noted(_log(log, resource, at), _OTHER_LOGS, at)


def _objects(value: Any, name: str, at: _Place) -> Iterator[_Facts]:
    if type(value) is not list:
        if value is not None:
            at.ledger.unreadable(at.where, at.line, f"{name} is no list")
        return
    for item in value:
        if type(item) is dict:
            yield item
        else:
            at.ledger.unreadable(at.where, at.line, f"{name} holds what is no object")


def _noted(record: Record | None, other: str, at: _Place) -> Iterator[Record]:
    if record is not None:
        yield record
    else:
        at.ledger.notes[other] += 1


def records_of_spans(
    spans: list[Span], resource: _Facts, where: str, line: int, ledger: Ledger
) -> Iterator[Record]:
    """Yield the model requests among the well-formed spans of one resource; others are noted."""
    at = _Place(where, line, ledger)
    for span in spans:
        record = _typed_span(span, resource, at)
        if record is None:
            ledger.notes[_OTHER_SPANS] += 1
        else:
            yield record


def record_in(
    log: bool, resource: bytes, text: bytes, where: str, line: int, ledger: Ledger
) -> Record | None:
    """Return the model request, or its event, in a log record's or a span's own text.

    ``resource``: the text of its resource. Anything else is noted or entered in the ledger.
    """
    at = _Place(where, line, ledger)
    about = resource_of(resource)
    found: Record | None
    if about is not None and log and (event := log_in(text)) is not None:
        found = _typed_log(event, about, at)
    elif about is not None and not log and (span := span_in(text)) is not None:
        found = _typed_span(span, about, at)
    else:
        value = object_in(text, line, where, ledger)
        if value is None:
            return None
        held = parsed_object(resource.decode("utf-8", "replace"))
        about = _attributes(held.get("attributes"), at)
        found = _log(value, about, at) if log else _span(value, about, at)
    if found is None:
        ledger.notes[_OTHER_LOGS if log else _OTHER_SPANS] += 1
    return found


def _span(span: _Facts, resource: _Facts, at: _Place) -> Record | None:
    facts = _attributes(span.get("attributes"), at)
    if not _asks_a_model(facts):
        return None
    status = span.get("status")
    failed = type(status) is dict and status.get("code") in _FAILED
    told: list[Any] = []
    events = span.get("events")
    for event in events if type(events) is list else ():
        if type(event) is dict and _speaks(event.get("name")):
            _tell(event["name"], _attributes(event.get("attributes"), at), facts, told)
    key = key_of(span.get("traceId"), span.get("spanId"))
    return Record(
        SPAN, key, at.where, at.line, span.get("startTimeUnixNano"),
        span.get("endTimeUnixNano"), failed or "error.type" in facts, facts, resource, told,
    )  # fmt: skip


def _typed_span(span: Span, resource: _Facts, at: _Place) -> Record | None:
    facts = facts_of(span.attributes)
    if not _asks_a_model(facts):
        return None
    failed = span.status is not None and span.status.code in _FAILED
    told: list[Any] = []
    for event in span.events or ():
        if _speaks(event.name):
            _tell(str(event.name), facts_of(event.attributes), facts, told)
    return Record(
        SPAN, key_of(span.traceId, span.spanId), at.where, at.line, span.startTimeUnixNano,
        span.endTimeUnixNano, failed or "error.type" in facts, facts, resource, told,
    )  # fmt: skip


def _asks_a_model(facts: _Facts) -> bool:
    """Whether a span is a model request: by its operation, else by naming a model."""
    operation = facts.get("gen_ai.operation.name", facts.get("llm.request.type"))
    if type(operation) is str and operation in INFERENCE:
        return True
    if type(operation) is str and operation in OTHER_OPERATIONS:
        return False
    return _MODELS[0] in facts or _MODELS[1] in facts


def _speaks(name: Any) -> bool:
    return type(name) is str and name.startswith("gen_ai.")


def _tell(name: str, said: _Facts, facts: _Facts, told: list[Any]) -> None:
    """Take over what a span's own event says: attributes of the request, or a message."""
    if MESSAGE_EVENT.match(name):
        told.append([name, said.get("gen_ai.event.content", said)])
    else:
        for key, value in said.items():
            facts.setdefault(key, value)


def _log(log: _Facts, resource: _Facts, at: _Place) -> Record | None:
    facts = _attributes(log.get("attributes"), at)
    times = (log.get("timeUnixNano"), log.get("observedTimeUnixNano"))
    key = key_of(log.get("traceId"), log.get("spanId"))
    return _event(log.get("eventName"), facts, _plain(log.get("body"), 0), key, times, resource, at)


def _typed_log(log: Log, resource: _Facts, at: _Place) -> Record | None:
    facts = facts_of(log.attributes)
    times = (log.timeUnixNano, log.observedTimeUnixNano)
    key = key_of(log.traceId, log.spanId)
    body = None if log.body is None else plain_of(log.body)
    return _event(log.eventName, facts, body, key, times, resource, at)


def _event(
    name: Any, facts: _Facts, body: Any, key: str | None, times: tuple[Any, Any],
    resource: _Facts, at: _Place,
) -> Record | None:  # fmt: skip
    """Return what a log record tells of a request; ``times``: its own and when it was seen."""
    name = name or facts.get("event.name")
    if name is None and type(body) is dict:
        name = body.get("event.name")
    if type(name) is not str:
        return None
    told: list[Any] = []
    if name == DETAILS:
        kind = EVENT
        if type(body) is dict:
            facts = {**body, **facts}
    elif MESSAGE_EVENT.match(name):
        kind = MESSAGE_PART
        told.append([name, body])
    else:
        return None
    time = times[1] if times[0] in (None, "", 0, "0") else times[0]
    return Record(
        kind, key, at.where, at.line, time, None, "error.type" in facts, facts, resource, told
    )


def key_of(trace: Any, span: Any) -> str | None:
    """Return what a span and its events share; None where either id is missing or all zeros."""
    if type(trace) is not str or type(span) is not str or not trace.strip("0"):
        return None
    return f"{trace.lower()}-{span.lower()}" if span.strip("0") else None


def _attributes(pairs: Any, at: _Place) -> _Facts:
    """Return the attributes as a dict; the last of equal names counts, as in JSON.

    First as if all were well-formed (joining the names finds one that is no string), else one by
    one.
    """
    facts: _Facts = {}
    if type(pairs) is not list:
        if pairs is not None:
            at.ledger.coerced["attributes: no list, left out"] += 1
        return facts
    try:
        for pair in pairs:
            value = pair["value"]
            plain = value.get("stringValue")
            if plain is None:
                plain = value.get("intValue")
                if type(plain) is str and len(plain) < 19:
                    plain = int(plain)
                else:
                    plain = _plain(value, 0)
            facts[pair["key"]] = plain
        "".join(facts)
    except _UNFIT:
        facts.clear()
        for pair in pairs:
            _hard(pair, facts, at)
    return facts


def _hard(pair: Any, facts: _Facts, at: _Place) -> None:
    name = pair.get("key") if type(pair) is dict else None
    if type(name) is str:
        facts[name] = _plain(pair.get("value"), 0)
    else:
        at.ledger.coerced["attribute without a name, left out"] += 1


def _plain(value: Any, depth: int) -> Any:
    """Return the plain value of an AnyValue; what is none stays as it is.

    Of several kinds at once, which the protocol forbids, the first of `KINDS` counts, wherever it
    stands. Lists and maps that stand deeper than 64 in one another are None.
    """
    if type(value) is not dict:
        return value
    text = value.get("stringValue")
    if text is not None:
        return text
    for kind, inner in value.items() if len(value) < 2 else _ordered(value):
        if inner is None:  # as if it were not there, says the JSON mapping
            continue
        try:
            if kind == "arrayValue":
                return _list(inner.get("values"), depth)
            if kind == "kvlistValue":
                return _map(inner.get("values"), depth)
            return _whole(inner) if kind == "intValue" else inner
        except _UNFIT:
            return inner
    return None


def _ordered(value: _Facts) -> Iterator[tuple[str, Any]]:
    """Yield the kinds of a value in their order, and after them what is no kind."""
    yield from ((kind, value[kind]) for kind in KINDS if kind in value)
    yield from ((kind, inner) for kind, inner in value.items() if kind not in KINDS)


def _list(items: Any, depth: int) -> list[Any] | None:
    if depth >= _MAX_DEPTH:
        return None
    return [] if items is None else [_plain(item, depth + 1) for item in items]


def _map(pairs: Any, depth: int) -> _Facts | None:
    if depth >= _MAX_DEPTH:
        return None
    found: _Facts = {}
    for pair in pairs or ():
        inner = pair.get("value")
        text = inner.get("stringValue") if type(inner) is dict else None
        found[pair["key"]] = _plain(inner, depth + 1) if text is None else text
    "".join(found)
    return found


_UNFIT = (KeyError, TypeError, ValueError, AttributeError)


def _whole(value: Any) -> Any:
    """Return a 64-bit number, else the value as it was: JSON and Arrow have no longer ones."""
    if type(value) is str and len(value) < 21:
        value = int(value)
    return value if type(value) is int and -(1 << 63) <= value < 1 << 63 else str(value)
