"""JSON records of a file in chunks: one a line, an array, or one object; never the whole file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar

import orjson

from stillwatch.errors import InputError
from stillwatch.sources.json_split import SPACE, Splitter
from stillwatch.sources.json_text import BadJson, loads
from stillwatch.sources.ledger import BROKEN, Ledger
from stillwatch.sources.pages import items_of

__all__ = ["CHUNK_BYTES", "MAX_RECORD_BYTES", "SOME_ROWS", "Records", "object_in", "read_records"]

CHUNK_BYTES = 2 << 20
SOME_ROWS = 64
MAX_RECORD_BYTES = 256 << 20
_BOM = b"\xef\xbb\xbf"
_PAGES = "pages of a list in an envelope"
_DECODER = json.JSONDecoder(strict=False)
_NEXT_OBJECT = re.compile(r'\{[ \t\r\n]*(?:["}]|\Z)')


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


@dataclass
class _File:
    """A file being read: its name, its ledger, and what its first object tells of it.

    ``own``: it is a page, or pages, of a list under one of anybody's own names; None: not known
    yet. A row that holds such a list among other rows is a row.
    """

    where: str
    ledger: Ledger
    own: bool | None = None

    def items(self, value: dict[str, Any]) -> list[Any] | None:
        """Return the records of a page; None where the object is a record of its own."""
        if self.own is None:
            self.own = items_of(value, own=True) is not None
        return items_of(value, own=self.own)


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

    An object that is a page of records (`pages`) gives these; under anybody's own names only where
    the file's first object is such a page.

    What is no object is entered in the ledger. Where an array breaks, what follows cannot be told
    apart: it is entered as one row, and its size as bytes unread. Where objects of 2 break, what
    stands up to the next line that begins with ``{`` is one row, and the next is read there.

    Raises InputError when a single record is longer than 256 MB.
    """
    chunks = _chunks(handle, ledger)
    first = next(chunks, b"")
    head = first.lstrip(SPACE)
    file = _File(where, ledger)
    if head.startswith(b"["):
        yield from _read_values(first, chunks, file, new, opened=True)
    elif _spans_lines(head) or _runs_on(head):
        yield from _read_values(first, chunks, file, new, opened=False)
    elif first:
        yield from _read_lines(first, chunks, file, new)


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
    after = rest.lstrip(SPACE)[:1]
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
    text = head.decode("utf-8", "replace")
    try:
        _, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return False
    begin = text.find("{", end)
    if begin < 0 or _NEXT_OBJECT.match(text, begin) is None:
        return False
    between = text[end:begin]
    return between.strip() == "," or (between.strip() == "" and "\n" not in between)


def _read_lines(
    first: bytes, chunks: Iterator[bytes], file: _File, new: Callable[[], _Kept]
) -> Iterator[_Kept]:
    number = 0
    carry: list[bytes] = []
    held = 0
    for chunk in _after(first, chunks):
        lines = chunk.split(b"\n")
        held += len(lines[0])
        carry.append(lines[0])
        if len(lines) == 1:
            _refuse_giant(held, file.where, number + 1)
            continue
        lines[0] = b"".join(carry)
        carry = [lines.pop()]
        held = len(carry[0])
        for start in range(0, len(lines), SOME_ROWS):
            some = lines[start : start + SOME_ROWS]
            yield _parse_lines(some, number + start, file, new())
        number += len(lines)
    rest = b"".join(carry)
    if rest:
        yield _parse_lines([rest], number, file, new())


def _after(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _parse_lines(lines: list[bytes], done: int, file: _File, records: _Kept) -> _Kept:
    records.size = sum(map(len, lines))
    if type(records) is Records and _parse_plain(lines, done, file, records):
        return records
    parse = orjson.loads
    take = None if type(records).take is Records.take else records.take
    for number, line in enumerate(lines, done + 1):
        if take is not None and take(line, number):
            file.own = bool(file.own)
            continue
        try:
            value = parse(line)
        except orjson.JSONDecodeError:
            if line.strip():
                _parse_hard(line, number, records, file)
            continue
        if type(value) is not dict:
            file.ledger.unreadable(file.where, number, "not a JSON object")
        else:
            _add_object(value, number, records, file, line)
    return records


def _parse_plain(lines: list[bytes], done: int, file: _File, records: Records) -> bool:
    """Take lines that are one record each, as nearly all are; False, and none taken, if not so."""
    try:
        values = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        return False
    for value in values:
        if type(value) is not dict or file.items(value) is not None:
            return False
    records.objects = values
    records.lines = list(range(done + 1, done + 1 + len(values)))
    return True


def _add_object(
    value: dict[str, Any], number: int, records: Records, file: _File, text: bytes = b""
) -> None:
    """Take a record, or those of a page, each under the page's own place."""
    items = file.items(value)
    if items is None:
        records.add(value, number, text)
        return
    file.ledger.notes[_PAGES] += 1
    for item in items:
        if type(item) is dict:
            records.add(item, number)
        else:
            file.ledger.unreadable(file.where, number, "not a JSON object")


def _parse_hard(text: bytes, number: int, records: Records, file: _File) -> None:
    value = object_in(text, number, file.where, file.ledger)
    if value is not None:
        _add_object(value, number, records, file)


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


def _read_values(
    first: bytes,
    chunks: Iterator[bytes],
    file: _File,
    new: Callable[[], _Kept],
    *,
    opened: bool,
) -> Iterator[_Kept]:
    splitter = Splitter(opened=opened)
    number = 0
    for chunk in _after(first, chunks):
        values = splitter.feed(chunk)
        yield from _add_values(values, number, len(chunk), file, new)
        number += len(values)
        _refuse_giant(len(splitter.buffer) - max(splitter.start, 0), file.where, number + 1)
        if splitter.closed:
            break
    values = splitter.end()
    if values:
        yield from _add_values(values, number, 0, file, new)
        number += len(values)
    unread = splitter.dropped + len(splitter.rest) + sum(map(len, chunks))
    if unread or splitter.depth != 0:
        file.ledger.unreadable(file.where, number + 1, BROKEN)
        file.ledger.bytes_unread += unread


def _add_values(
    values: list[Any], done: int, size: int, file: _File, new: Callable[[], _Kept]
) -> Iterator[_Kept]:
    """Yield the records of a chunk's values, some dozens at a time; at least once, for its size."""
    for start in range(0, len(values) or 1, SOME_ROWS):
        some = values[start : start + SOME_ROWS]
        records = new()
        records.size = size * len(some) // len(values) if values else size
        for number, value in enumerate(some, done + start + 1):
            if type(value) is bytes:
                _parse_hard(value, number, records, file)
            else:
                _add_object(value, number, records, file)
        yield records


def _refuse_giant(size: int, where: str, number: int) -> None:
    if size > MAX_RECORD_BYTES:
        raise InputError(
            "a single JSON record longer than 256 MB",
            where=f"{where}:{number}",
            hint="is it one record a line?",
        )
