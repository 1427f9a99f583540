"""JSON records of a file in chunks: one a line, an array, or one object; never the whole file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar

import orjson

from stillwatch.errors import InputError
from stillwatch.sources.json_text import BadJson, loads
from stillwatch.sources.ledger import BROKEN, Ledger
from stillwatch.sources.pages import items_of

__all__ = ["CHUNK_BYTES", "MAX_RECORD_BYTES", "SOME_ROWS", "Records", "object_in", "read_records"]

CHUNK_BYTES = 2 << 20
SOME_ROWS = 64
MAX_RECORD_BYTES = 256 << 20
_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_PAGES = "pages of a list in an envelope"
_SKIP_TO_BRACKET = re.compile(
    rb'[^{}\[\]"]*+(?:"(?:[^"\\]++|\\.)*+"[^{}\[\]"]*+)*+([{}\[\]])', re.S
)


_OPENER = re.compile(rb'[ \t\r\n,]*(\{[ \t\r\n]*"[^"\\]{1,64}")')


@dataclass
class Records:
    """Some objects and each one's place: its line, or its number in the array.

    ``size``: bytes of their text, 0 where nobody knows.
    """

    objects: list[dict[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    size: int = 0

    def add(self, value: dict[str, Any], line: int, text: bytes = b"") -> None:
        """Take an object as soon as it is parsed; ``text``: its own line, where it has one."""
        self.objects.append(value)
        self.lines.append(line)

    def take(self, text: bytes, line: int) -> bool:
        """Take a line as it stands, before it is parsed; False: parse it and `add` the object."""
        return False


_Kept = TypeVar("_Kept", bound=Records)


def read_records(
    handle: BinaryIO, where: str, ledger: Ledger, new: Callable[[], _Kept]
) -> Iterator[_Kept]:
    """Yield the JSON objects of a file, whatever way they are laid out, some dozens at a time.

    ``new`` makes what takes them: `Records`, or a kind of it that turns each one into something
    smaller at once.

    1. An array, when the first character is ``[``, or several one after another, as a receiver
       has them that appends what is posted to it.
    2. Objects over several lines, when the first line is no value of its own but begins one; and
       objects one behind another on a line, as a stream's delivery to S3 leaves them, or with
       commas between, as a list without its brackets.
    3. Else one object a line. A blank line is no row; a last line cut short is one refused row.

    An object that is a page of records (`pages`) gives these.

    What is no object is entered in the ledger. Where an array or a many-line object breaks, what
    follows cannot be told apart: it is entered as one row, and its size as bytes unread.

    Raises InputError when a single record is longer than 256 MB.
    """
    chunks = _chunks(handle, ledger)
    first = next(chunks, b"")
    head = first.lstrip(_SPACE)
    if head.startswith(b"["):
        yield from _read_values(first, chunks, where, ledger, new, opened=True)
    elif _spans_lines(head) or _runs_on(head):
        yield from _read_values(first, chunks, where, ledger, new, opened=False)
    elif first:
        yield from _read_lines(first, chunks, where, ledger, new)


def _chunks(handle: BinaryIO, ledger: Ledger) -> Iterator[bytes]:
    chunk = handle.read(CHUNK_BYTES).removeprefix(_BOM)
    while chunk:
        ledger.bytes_seen += len(chunk)
        yield chunk
        chunk = handle.read(CHUNK_BYTES)


def _spans_lines(head: bytes) -> bool:
    first, newline, rest = head.partition(b"\n")
    first = first.strip()
    if not newline or not first.startswith(b"{") or first.endswith(b"}"):
        return False
    after = rest.lstrip(_SPACE)[:1]
    return after in (b'"', b"}") or (after == b"{" and first[-1:] in (b":", b"["))


def _runs_on(head: bytes) -> bool:
    """Whether the first line holds more than its first object, and the next follows that."""
    if not head.startswith(b"{"):
        return False
    try:
        orjson.loads(head.partition(b"\n")[0])
        return False
    except orjson.JSONDecodeError:
        pass
    end = _end_of_object(head)
    between, opener, _ = head[end:].partition(b"{")
    if end == 0 or not opener or between.strip(_SPACE) not in (b"", b","):
        return False
    if b"\n" in between and b"," not in between:
        return False
    try:
        orjson.loads(head[:end])
    except orjson.JSONDecodeError:
        return False
    return True


def _end_of_object(text: bytes) -> int:
    """Return where the object that a text begins with ends, 0 where it does not."""
    depth = end = 0
    while (match := _SKIP_TO_BRACKET.match(text, end)) is not None:
        depth += 1 if match[1] in b"{[" else -1
        end = match.end()
        if depth == 0:
            return end
    return 0


def _read_lines(
    first: bytes, chunks: Iterator[bytes], where: str, ledger: Ledger, new: Callable[[], _Kept]
) -> Iterator[_Kept]:
    number = 0
    carry: list[bytes] = []
    held = 0
    for chunk in _after(first, chunks):
        lines = chunk.split(b"\n")
        held += len(lines[0])
        carry.append(lines[0])
        if len(lines) == 1:
            _refuse_giant(held, where, number + 1)
            continue
        lines[0] = b"".join(carry)
        carry = [lines.pop()]
        held = len(carry[0])
        for start in range(0, len(lines), SOME_ROWS):
            some = lines[start : start + SOME_ROWS]
            yield _parse_lines(some, number + start, where, ledger, new())
        number += len(lines)
    rest = b"".join(carry)
    if rest:
        yield _parse_lines([rest], number, where, ledger, new())


def _after(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _parse_lines(
    lines: list[bytes], done: int, where: str, ledger: Ledger, records: _Kept
) -> _Kept:
    records.size = sum(map(len, lines))
    if type(records) is Records and _parse_plain(lines, done, records):
        return records
    add = records.add
    parse = orjson.loads
    take = None if type(records).take is Records.take else records.take
    for number, line in enumerate(lines, done + 1):
        if take is not None and take(line, number):
            continue
        try:
            value = parse(line)
        except orjson.JSONDecodeError:
            if line.strip():
                _parse_hard(line, number, records, where, ledger)
            continue
        if type(value) is not dict:
            ledger.unreadable(where, number, "not a JSON object")
        elif (items := items_of(value)) is not None:
            _add_items(items, number, records, where, ledger)
        else:
            add(value, number, line)
    return records


def _parse_plain(lines: list[bytes], done: int, records: Records) -> bool:
    """Take lines that are one record each, as nearly all are; False, and none taken, if not so."""
    try:
        values = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        return False
    for value in values:
        if type(value) is not dict or items_of(value) is not None:
            return False
    records.objects = values
    records.lines = list(range(done + 1, done + 1 + len(values)))
    return True


def _add_items(items: list[Any], number: int, records: Records, where: str, ledger: Ledger) -> None:
    """Take the records of a page, each under the page's own place."""
    ledger.notes[_PAGES] += 1
    for item in items:
        if type(item) is dict:
            records.add(item, number)
        else:
            ledger.unreadable(where, number, "not a JSON object")


def _parse_hard(text: bytes, number: int, records: Records, where: str, ledger: Ledger) -> None:
    value = object_in(text, number, where, ledger)
    if value is None:
        return
    items = items_of(value)
    if items is not None:
        _add_items(items, number, records, where, ledger)
    else:
        records.add(value, number)


def object_in(text: bytes, number: int, where: str, ledger: Ledger) -> dict[str, Any] | None:
    """Return the object that a text is, mended where it must be; None where it is none: entered."""
    if not text:
        ledger.unreadable(where, number, "not a JSON object")
        return None
    try:
        value, mended = loads(text)
    except (BadJson, RecursionError) as error:
        reason = str(error) if isinstance(error, BadJson) else "JSON nested too deeply"
        ledger.unreadable(where, number, reason)
        return None
    if not isinstance(value, dict):
        ledger.unreadable(where, number, "not a JSON object")
        return None
    if mended:
        ledger.coerced["JSON mended: invalid UTF-8, NaN or control characters"] += 1
    return value


class _Splitter:
    """Finds where each value of a stream of bracketed values begins and ends.

    ``feed`` returns the complete values of what it has seen so far: parsed, or their bytes, or
    b"" for whatever else stands where a value should.

    1. It guesses: records of a log begin alike, so it cuts wherever one closes and the like of
       the first one opens. If every piece but the last parses, the cuts are right, for a JSON
       object ends where it ends. Ten times as fast as 2.
    2. Else one regular expression steps from bracket to bracket over strings; possessive, so
       that no input makes it back up.
    """

    def __init__(self, *, opened: bool) -> None:
        self.floor = 1 if opened else 0
        self.depth = 0
        self.start = -1
        self.scan = 0
        self.closed = False
        self.buffer = b""

    def feed(self, chunk: bytes) -> list[Any]:
        keep = self.start if self.start >= 0 else self.scan
        self.buffer = self.buffer[keep:] + chunk
        self.scan -= keep
        self.start = 0 if self.start >= 0 else -1
        values: list[Any] = []
        may_guess = True
        while not self.closed:
            if may_guess and self.depth == self.floor:
                may_guess = self._guess(values)
            elif not self._step(values):
                break
        return values

    def _guess(self, values: list[Any]) -> bool:
        opener = _OPENER.match(self.buffer, self.scan)
        if opener is None:
            return False
        begin = opener.start(1)
        comma = b"," if self.floor else b",?"
        between = rb"\}[ \t\r\n]*" + comma + rb"[ \t\r\n]*(?=" + re.escape(opener[1]) + rb")"
        *pieces, rest = re.split(between, self.buffer[begin:])
        try:
            found = [orjson.loads(piece + b"}") for piece in pieces]
        except orjson.JSONDecodeError:
            return False
        values += found
        self.scan = len(self.buffer) - len(rest)
        return bool(found)

    def _step(self, values: list[Any]) -> bool:
        match = _SKIP_TO_BRACKET.match(self.buffer, self.scan)
        if match is None:
            return False
        bracket = match.start(1)
        if self.depth < self.floor and (
            match[1] != b"[" or self.buffer[self.scan : bracket].strip(_SPACE)
        ):
            self.closed = True  # no further array
            return False
        if self.depth == self.floor:
            between = self.buffer[self.scan : bracket].strip(_SPACE)
            if between not in (b"", b","):
                values.append(b"")
        self.scan = bracket + 1
        if match[1] in b"{[":
            if self.depth == self.floor:
                self.start = bracket
            self.depth += 1
        else:
            self._close(values)
        return True

    def _close(self, values: list[Any]) -> None:
        self.depth -= 1
        if self.depth == self.floor and self.start >= 0:
            values.append(self.buffer[self.start : self.scan])
            self.start = -1
        elif self.depth < 0:
            self.closed = True

    @property
    def rest(self) -> bytes:
        """What is left after the last complete value; outside an array a last comma is nothing."""
        left = self.buffer[self.start if self.start >= 0 else self.scan :].strip(_SPACE)
        return left if self.floor or left != b"," else b""


def _read_values(
    first: bytes,
    chunks: Iterator[bytes],
    where: str,
    ledger: Ledger,
    new: Callable[[], _Kept],
    *,
    opened: bool,
) -> Iterator[_Kept]:
    splitter = _Splitter(opened=opened)
    number = 0
    for chunk in _after(first, chunks):
        values = splitter.feed(chunk)
        for start in range(0, len(values) or 1, SOME_ROWS):
            some = values[start : start + SOME_ROWS]
            records = new()
            records.size = len(chunk) * len(some) // len(values) if values else len(chunk)
            for value in some:
                number += 1
                _add_value(value, number, records, where, ledger)
            yield records
        _refuse_giant(len(splitter.buffer) - max(splitter.start, 0), where, number + 1)
        if splitter.closed:
            break
    unread = len(splitter.rest) + sum(map(len, chunks))
    if unread or splitter.depth != 0:
        ledger.unreadable(where, number + 1, BROKEN)
        ledger.bytes_unread += unread


def _add_value(value: Any, number: int, records: Records, where: str, ledger: Ledger) -> None:
    if type(value) is bytes:
        _parse_hard(value, number, records, where, ledger)
    elif (items := items_of(value)) is not None:
        _add_items(items, number, records, where, ledger)
    else:
        records.add(value, number)


def _refuse_giant(size: int, where: str, number: int) -> None:
    if size > MAX_RECORD_BYTES:
        raise InputError(
            "a single JSON record longer than 256 MB",
            where=f"{where}:{number}",
            hint="is it one record a line?",
        )
