"""What people found out and wrote down: labels and notes on accounts, and how labels add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.book import Book
from stillwatch.schema import from_micros

__all__ = ["Labelled", "Note", "mentions", "read_labels_on", "read_notes_on", "tally_labels"]


@dataclass(frozen=True)
class Labelled:
    """One label: true, false or unsure. ``by`` is a person, or the appeal that was upheld."""

    case_id: str
    label: str
    by: str
    at: datetime
    reason: str | None


@dataclass(frozen=True)
class Note:
    """A remark of a colleague. ``account_id`` None: on the case as a whole."""

    case_id: str
    account_id: str | None
    by: str
    at: datetime
    text: str


def read_labels_on(book: Book, account_id: str) -> list[Labelled]:
    """Return every label of an account, the newest first; the newest of each case counts."""
    with book.reading() as connection:
        rows = connection.execute(
            sa.select(t.labels).where(t.labels.c.account_id == account_id)
            .order_by(t.labels.c.number.desc())
        ).all()  # fmt: skip
    return [Labelled(r.case_id, r.label, r.by_person, from_micros(r.at_us), r.reason)
            for r in rows]  # fmt: skip


def read_notes_on(book: Book, account_id: str) -> list[Note]:
    """Return the notes on an account, the newest first."""
    with book.reading() as connection:
        rows = connection.execute(
            sa.select(t.notes).where(t.notes.c.account_id == account_id)
            .order_by(t.notes.c.number.desc())
        ).all()  # fmt: skip
    return [_note(row) for row in rows]


def mentions(book: Book, name: str) -> set[str]:
    """Return the cases in which a note has ``@name``, in any case of letters."""
    wanted = f"@{name.casefold()}"
    with book.reading() as connection:
        rows = connection.execute(sa.select(t.notes.c.case_id, t.notes.c.text)).all()
    return {row.case_id for row in rows if _named(wanted, row.text.casefold())}


def _named(wanted: str, text: str) -> bool:
    """Tell whether ``wanted`` stands in a text and is not the beginning of a longer word."""
    place = text.find(wanted)
    while place >= 0:
        after = text[place + len(wanted) : place + len(wanted) + 1]
        if not after.isalnum():
            return True
        place = text.find(wanted, place + 1)
    return False


def tally_labels(book: Book) -> dict[str, Counter[str]]:
    """Return, by case, how many accounts have which label; of several labels the newest counts.

    These are the accounts that somebody looked at, no sample: rates come from `sample_run`.
    """
    with book.reading() as connection:
        rows = connection.execute(sa.select(t.labels).order_by(t.labels.c.number)).all()
    last: dict[tuple[str, str], str] = {(r.case_id, r.account_id): r.label for r in rows}
    tally: dict[str, Counter[str]] = {}
    for (case_id, _), word in last.items():
        tally.setdefault(case_id, Counter())[word] += 1
    return tally


def _note(row: Any) -> Note:
    return Note(row.case_id, row.account_id, row.by_person, from_micros(row.at_us), row.text)
