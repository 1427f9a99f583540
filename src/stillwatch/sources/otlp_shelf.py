"""Where spans and the events that tell their content wait for each other, on disk.

OpenTelemetry writes a request's span to one file and what was said in it to another, in any
order. Both wait in a temporary SQLite database, whose cache is all the memory they take.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from operator import itemgetter

import orjson

from stillwatch.sources.json_text import canonical
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.otlp_records import EVENT, SPAN, Record
from stillwatch.sources.scratch import Scratch

__all__ = ["Shelf"]


class Shelf:
    """Holds records until all files are read. Raises RunnerError when the disk is full."""

    def __init__(self) -> None:
        self._base = Scratch("held (key TEXT, kind INTEGER, row BLOB)", "told (key TEXT)")
        self._count = 0

    def hold(self, records: list[Record]) -> None:
        """Keep records for `matched`."""
        rows = []
        for record in records:
            self._count += 1
            key = record.key or f"#{self._count}"
            rows.append((key, record.kind, _packed(record)))
        self._base.write("INSERT INTO held VALUES (?, ?, ?)", rows)

    def tell(self, records: list[Record]) -> None:
        """Note that these exchanges were passed on with their content."""
        rows = [(record.key,) for record in records if record.key]
        self._base.write("INSERT INTO told VALUES (?)", rows)

    def matched(self, ledger: Ledger) -> Iterator[Record]:
        """Yield one record an exchange, by key: the span with what its events tell.

        1. What belongs to an exchange that was passed on with its content is noted.
        2. A span takes over the attributes it lacks from its event, and the messages of its
           message events in the order of their times.
        3. An event without a span is an exchange of its own.
        4. A message event without either is refused.
        5. A second span of one key, as it is when it was delivered twice, takes over the same, and
           follows as a row of its own: to be counted as a repeat where repeats are. An event or a
           message that came twice tells nothing new, and is noted.
        """
        self._base.rows("CREATE INDEX by_key ON held (key, kind)")
        self._base.rows("CREATE INDEX told_by_key ON told (key)")
        rows = self._base.rows(
            "SELECT key, EXISTS (SELECT 1 FROM told WHERE told.key = held.key), kind, row "
            "FROM held ORDER BY key, kind, rowid"
        )
        for _, group in itertools.groupby(rows, itemgetter(0)):
            yield from _joined(group, ledger)
        self._base.close()


def _joined(group: Iterator[tuple[str, int, int, bytes]], ledger: Ledger) -> Iterator[Record]:
    heads: list[Record] = []
    events: list[Record] = []
    parts: list[Record] = []
    for _, told, kind, row in group:
        if told:
            ledger.notes["spans and events of an exchange read already"] += 1
            continue
        record = Record(*orjson.loads(row))
        (heads if kind == SPAN else events if kind == EVENT else parts).append(record)
    if not heads:
        heads, events = events, []
    if not heads:
        for part in parts:
            ledger.unreadable(part.where, part.line, "message event without its span")
        return
    events, parts = _once(events, ledger), _once(parts, ledger)
    parts.sort(key=lambda part: str(part.start_ns).zfill(20))
    said = [tuple(words) for part in parts for words in part.told]
    for head in heads:
        facts = {**events[0].facts, **head.facts} if events else head.facts
        resource = {**events[0].resource, **head.resource} if events else head.resource
        failed = head.failed or any(event.failed for event in events[:1])
        yield head._replace(facts=facts, resource=resource, failed=failed, told=[*head.told, *said])
    if parts or events:
        ledger.notes["events joined to their spans"] += len(parts) + bool(events)
    yield from events[1:]


def _once(records: list[Record], ledger: Ledger) -> list[Record]:
    """Return the records without those that were delivered again, from wherever."""
    if len(records) < 2:
        return records
    seen: dict[bytes, Record] = {}
    for record in records:
        seen.setdefault(_packed(record._replace(where="", line=0)), record)
    ledger.notes["events that came twice"] += len(records) - len(seen)
    return list(seen.values())


def _packed(record: Record) -> bytes:
    try:
        return orjson.dumps(tuple(record))
    except TypeError:
        pass
    safe = {name: _safe(value) for name, value in record.facts.items()}
    resource = {name: _safe(value) for name, value in record.resource.items()}
    told = [[name, _safe(body)] for name, body in record.told]
    start, end = _safe(record.start_ns), _safe(record.end_ns)
    return orjson.dumps(
        tuple(record._replace(facts=safe, resource=resource, told=told, start_ns=start, end_ns=end))
    )


def _safe(value: object) -> object:
    """Return the value, or its JSON text where it is too deep or too large to be kept."""
    try:
        orjson.dumps(value)
    except TypeError:
        return canonical(value)
    return value
