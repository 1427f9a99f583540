"""Where spans and the events that tell their content wait for each other.

OpenTelemetry writes a request's span to one file and what was said in it to another, in any
order. Both wait (`waiting`) until the last file is read.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from stillwatch.sources.json_text import canonical
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.otlp_records import EVENT, MESSAGE_PART, SPAN, Record, record_in
from stillwatch.sources.waiting import Row, Waiting

__all__ = ["Shelf"]

_RAW = 3  # the row is a log record's own text behind its resource's
_TOLD = -1  # the row only says that its exchange was passed on with its content


class Shelf:
    """Holds records until all files are read. Raises RunnerError when the disk is full."""

    def __init__(self) -> None:
        self._waiting = Waiting()
        self._files: dict[str, int] = {}
        self._count = 0

    def hold(self, records: list[Record]) -> None:
        """Keep records for `matched`."""
        rows = []
        for record in records:
            self._count += 1
            file = self._files.setdefault(record.where, len(self._files))
            key = record.key or f"#{self._count}"
            text = bytes(memoryview(_packed(record)))  # orjson's own bytes hold four times as much
            rows.append(Row(key, record.kind, file, record.line, text))
        self._waiting.put(rows)

    def keep(self, where: str, rows: list[tuple[str, int, bytes, bytes]]) -> None:
        """Keep log records as they came: (key, line, resource, record)."""
        file = self._files.setdefault(where, len(self._files))
        self._waiting.put(
            [
                Row(key, _RAW, file, line, b"%d:%b%b" % (len(head), head, own))
                for key, line, head, own in rows
            ]
        )

    def tell(self, records: list[Record]) -> None:
        """Note that these exchanges were passed on with their content."""
        self._waiting.put([Row(r.key, _TOLD, 0, 0, b"") for r in records if r.key])

    def matched(self, ledger: Ledger) -> Iterator[tuple[Record, int]]:
        """Yield one record an exchange, the span with what its events tell, and its size in bytes.

        What was kept as text is parsed now, and noted or entered where it is none.

        1. What belongs to an exchange that was passed on with its content is noted.
        2. A span takes over the attributes it lacks from its event, and the messages of its
           message events in the order of their times.
        3. An event without a span is an exchange of its own.
        4. A message event without either is refused.
        5. A second span of one key, as it is when it was delivered twice, takes over the same, and
           follows as a row of its own: to be counted as a repeat where repeats are. An event or a
           message that came twice tells nothing new, and is noted.
        """
        names = list(self._files)
        for rows in self._waiting.groups(lambda row: row.key):
            held = [_record(row, names, ledger) for row in rows if row.kind != _TOLD]
            records = [record for record in held if record is not None]
            if len(held) == len(rows):
                size = sum(len(row.text) for row in rows)
                yield from ((record, size) for record in _joined(records, ledger))
            elif records:
                ledger.notes["spans and events of an exchange read already"] += len(records)


def _joined(records: list[Record], ledger: Ledger) -> Iterator[Record]:
    heads = [record for record in records if record.kind == SPAN]
    events = [record for record in records if record.kind == EVENT]
    parts = (
        [record for record in records if record.kind == MESSAGE_PART]
        if len(heads) + len(events) < len(records)
        else []
    )
    if not heads:
        heads, events = events, []
    if not heads:
        for part in parts:
            ledger.unreadable(part.where, part.line, "message event without its span")
        return
    told, words = _once(events, ledger), _once(parts, ledger)
    words.sort(key=lambda part: str(part.start_ns).zfill(20))
    said = [tuple(word) for part in words for word in part.told]
    for head in heads:
        facts = {**told[0].facts, **head.facts} if told else head.facts
        resource = {**told[0].resource, **head.resource} if told else head.resource
        failed = head.failed or any(event.failed for event in told[:1])
        yield head._replace(facts=facts, resource=resource, failed=failed, told=[*head.told, *said])
    if words or told:
        ledger.notes["events joined to their spans"] += len(words) + bool(told)
    yield from told[1:]


def _once(records: list[Record], ledger: Ledger) -> list[Record]:
    """Return the records without those that were delivered again, from wherever."""
    if len(records) < 2:
        return records
    seen: dict[bytes, Record] = {}
    for record in records:
        seen.setdefault(_packed(record), record)
    if len(seen) < len(records):
        ledger.notes["events that came twice"] += len(records) - len(seen)
    return list(seen.values())


def _record(row: Row, names: list[str], ledger: Ledger) -> Record | None:
    if row.kind == _RAW:
        begin = row.text.index(b":") + 1
        end = begin + int(row.text[: begin - 1])
        resource, own = row.text[begin:end], row.text[end:]
        return record_in(True, resource, own, names[row.file], row.line, ledger)
    key, start, end, failed, facts, resource, told = orjson.loads(row.text)
    where = names[row.file]
    return Record(row.kind, key, where, row.line, start, end, failed, facts, resource, told)


def _packed(record: Record) -> bytes:
    """Return all but the kind and the place."""
    kept = (record.key, *record[4:])
    try:
        return orjson.dumps(kept)
    except TypeError:
        pass
    key, start, end, failed, facts, resource, told = kept
    safe = ({name: _safe(value) for name, value in some.items()} for some in (facts, resource))
    words = [[name, _safe(body)] for name, body in told]
    return orjson.dumps((key, _safe(start), _safe(end), failed, *safe, words))


def _safe(value: object) -> object:
    """Return the value, or its JSON text where it is too deep or too large to be kept."""
    try:
        orjson.dumps(value)
    except TypeError:
        return canonical(value)
    return value
