"""Files that people attach to a case: evidence from outside, kept as it came, never looked into.

The chain holds name, size and digest; the bytes lie in a table of their own, so that they can be
removed and the chain still verifies. Names are hostile: what is kept of one is safe in a folder, a
header and a page.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.book import Book, leave_the_file
from stillwatch.cases.docket import demand_waiting
from stillwatch.cases.people import check_person
from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.schema import from_micros
from stillwatch.seal import digest

__all__ = [
    "MOST_OF_A_CASE", "Attachment", "attach", "check_contents", "clean_file_name", "contents_of",
    "drop_contents", "name_outside", "names_account", "read_attachment", "read_attachments",
    "remove_attachment", "unsearched",
]  # fmt: skip

MOST_OF_A_CASE: Final = 100_000_000  # an evidence pack holds them all at once
_LONGEST_NAME: Final = 120
_LONGEST_ENDING: Final = 16
# In file names of Windows, in headers, or in shells these are more than letters.
_UNSAFE: Final = re.compile(r"[<>:\"|?*'`$&;%#{}~^\x00-\x1f]")
# What the usual programs open without running it; every other ending is covered by one more.
_KNOWN_ENDINGS: Final = frozenset({
    "csv", "docx", "eml", "gz", "jpeg", "jpg", "json", "jsonl", "log", "md", "odt", "parquet",
    "pcap", "pdf", "png", "txt", "webp", "xlsx", "zip", "zst",
})  # fmt: skip
_DEVICES: Final = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Attachment:
    """A file of a case. ``gone``: why its bytes are there no more, empty while they are."""

    id: str
    number: int
    case_id: str
    name: str
    bytes: int
    digest: str
    remark: str
    by: str
    at: datetime
    gone: str


def clean_file_name(name: str) -> str:
    """Return a name that is safe in a folder, a header and a page, and ends as the given one does.

    >>> clean_file_name("../../etc/passwd"), clean_file_name("C:\\\\fakepath\\\\a.pdf")
    ('passwd', 'a.pdf')
    >>> clean_file_name("invoice\\u202efdp.exe"), clean_file_name("CON.txt")
    ('invoicefdp.exe', '_CON.txt')
    """
    plain = unicodedata.normalize("NFC", name.replace("\\", "/")).rsplit("/", 1)[-1]
    shown = "".join(c for c in plain if unicodedata.category(c)[0] != "C")
    shown = " ".join(_UNSAFE.sub("_", shown).split()).strip(". ")
    if len(shown) > _LONGEST_NAME:
        stem, dot, ending = shown.rpartition(".")
        kept = dot + ending if dot and len(ending) <= _LONGEST_ENDING else ""
        shown = (stem if kept else shown)[: _LONGEST_NAME - len(kept)].strip(". ") + kept
    return f"_{shown}" if _DEVICES.match(shown) else shown or "unnamed"


def name_outside(name: str) -> str:
    """Return the name under which a file leaves: nothing runs by a double click on it.

    >>> name_outside("scan.PDF"), name_outside("page.html"), name_outside("a.pdf.exe")
    ('scan.PDF', 'page.html.attached', 'a.pdf.exe.attached')
    """
    _, dot, ending = name.rpartition(".")
    return name if dot and ending.lower() in _KNOWN_ENDINGS else f"{name}.attached"


def attach(
    book: Book, case_id: str, *, name: str, data: bytes, by: str, now: datetime, remark: str = "",
) -> Attachment:  # fmt: skip
    """Keep a file with a case; its digest is chained. Return what was kept.

    Raises ConfigError: no such case, nobody named, the file is empty or there already, or all files
    of the case would be more than 100 MB. StateError: nothing waits in the case any more.
    """
    check_person(by)
    if not data:
        raise ConfigError("the file is empty", where="attachment")
    with book.writing(now) as writer:
        demand_waiting(writer.connection, case_id)
        own, held = digest(data), _held(writer.connection, t.attachments.c.case_id == case_id)
        same = next((a for a in held if a.digest == own and not a.gone), None)
        if same is not None:
            raise ConfigError(f"it is {same.id} already", where=case_id)
        if sum(a.bytes for a in held if not a.gone) + len(data) > MOST_OF_A_CASE:
            raise ConfigError(
                f"a case holds at most {MOST_OF_A_CASE // 1_000_000} MB of files", where=case_id,
                hint="remove one, or write in a note where the document lies",
            )  # fmt: skip
        made = f"attachment-{writer.next_number}"
        writer.add("attachment.added", {
            "attachment_id": made, "case_id": case_id, "name": clean_file_name(name),
            "bytes": len(data), "digest": own, "remark": remark.strip(), "by": by,
        })  # fmt: skip
        writer.connection.execute(t.contents.insert().values(id=made, data=data))
        return _held(writer.connection, t.attachments.c.id == made)[0]


def read_attachments(book: Book, case_id: str) -> list[Attachment]:
    """Return the files of a case, the oldest first, removed ones too."""
    with book.reading() as connection:
        return _held(connection, t.attachments.c.case_id == case_id)


def read_attachment(book: Book, attachment_id: str) -> tuple[Attachment, bytes]:
    """Return a file and its bytes.

    Raises ConfigError: there is none, or its bytes are gone. EvidenceError: they are others.
    """
    with book.reading() as connection:
        found = _one(connection, attachment_id)
        data = connection.scalar(
            sa.select(t.contents.c.data).where(t.contents.c.id == attachment_id)
        )
    if found.gone:
        raise ConfigError(f"it is gone: {found.gone}", where=attachment_id)
    _check(found, data)
    return found, bytes(data or b"")


def remove_attachment(
    book: Book, attachment_id: str, *, reason: str, by: str, now: datetime
) -> Attachment:
    """Remove a file's bytes; that it was there, its digest and why it went stay in the history.

    Raises ConfigError: there is none, it is gone already, no reason, nobody named.
    """
    check_person(by)
    if not reason.strip():
        raise ConfigError("expected a reason", where="reason")
    with book.writing(now) as writer:
        found = _one(writer.connection, attachment_id)
        if found.gone:
            raise ConfigError(f"it is gone: {found.gone}", where=attachment_id)
        writer.add("attachment.removed", {
            "attachment_id": attachment_id, "case_id": found.case_id, "reason": reason.strip(),
            "by": by,
        })  # fmt: skip
        drop_contents(writer.connection, [attachment_id])
    leave_the_file(book)
    return found


def contents_of(connection: sa.Connection, case_id: str) -> Iterable[tuple[Attachment, bytes]]:
    """Yield the files of a case that are still there, one at a time."""
    for held in _held(connection, t.attachments.c.case_id == case_id):
        if not held.gone:
            data = connection.scalar(sa.select(t.contents.c.data).where(t.contents.c.id == held.id))
            yield held, bytes(data or b"")


def check_contents(connection: sa.Connection) -> None:
    """Raise EvidenceError where bytes are missing, are not what was said, or belong to no entry."""
    there = [held for held in _held(connection) if not held.gone]
    for held in there:
        _check(held, connection.scalar(
            sa.select(t.contents.c.data).where(t.contents.c.id == held.id)
        ))  # fmt: skip
    known = {held.id for held in there}
    if strange := sorted(set(connection.scalars(sa.select(t.contents.c.id))) - known):
        raise EvidenceError("bytes that no entry speaks of", where=strange[0])


def names_account(connection: sa.Connection, account_id: str) -> list[str]:
    """Return the ids of files whose text holds an account's identifier standing alone."""
    alone = re.compile(rf"(?<![\w-]){re.escape(account_id)}(?![\w-])")
    return [
        name for name, data in _searched(connection)
        if any(alone.search(text) for text in _texts(data))
    ]  # fmt: skip


def unsearched(book: Book) -> list[Attachment]:
    """Return the files that are no plain text: whom they name, only a person can tell."""
    with book.reading() as connection:
        unread = {name for name, data in _searched(connection) if not _texts(data)}
        return [held for held in _held(connection) if held.id in unread]


def drop_contents(connection: sa.Connection, ids: Iterable[str]) -> None:
    """Remove the bytes of files."""
    for name in ids:
        connection.execute(t.contents.delete().where(t.contents.c.id == name))


def _searched(connection: sa.Connection) -> Iterable[tuple[str, bytes]]:
    for name in connection.scalars(sa.select(t.contents.c.id).order_by(t.contents.c.id)).all():
        data = connection.scalar(sa.select(t.contents.c.data).where(t.contents.c.id == name))
        yield name, bytes(data or b"")


def _texts(data: bytes) -> list[str]:
    """Return the file as text: UTF-8, or UTF-16 where it says so; nothing where it is neither."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        return []
    return [] if "\x00" in text else [text]


def _check(held: Attachment, data: Any) -> None:
    if data is None:
        raise EvidenceError("its bytes are missing, and nothing says why", where=held.id)
    if digest(bytes(data)) != held.digest:
        raise EvidenceError("its bytes were changed after it was attached", where=held.id)


def _one(connection: sa.Connection, attachment_id: str) -> Attachment:
    found = _held(connection, t.attachments.c.id == attachment_id)
    if not found:
        raise ConfigError("there is no such attachment", where="attachment")
    return found[0]


def _held(connection: sa.Connection, *where: Any) -> list[Attachment]:
    query = sa.select(t.attachments).where(*where).order_by(t.attachments.c.number)
    return [
        Attachment(r.id, r.number, r.case_id, r.name, r.bytes, r.digest, r.remark, r.by_person,
                   from_micros(r.at_us), r.gone)
        for r in connection.execute(query)
    ]  # fmt: skip
