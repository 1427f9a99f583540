"""What every page works with, and what is remembered between two clicks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

from stillwatch.cases import Book, Line, Lines, Terms, last_entry
from stillwatch.console.entry import Session
from stillwatch.console.home import Home
from stillwatch.console.rights import may
from stillwatch.console.telling import Post
from stillwatch.schema import Case
from stillwatch.store import Run
from stillwatch.store.index import Index

__all__ = ["COOKIE", "MOST_ATTACHED", "Desk", "Upload", "Visit"]

COOKIE: Final = "__Host-stillwatch"  # Secure, Path=/, no Domain (RFC 6265bis, 4.1.3.2)

MOST_ATTACHED: Final = 20_000_000

Made = TypeVar("Made")
_REMEMBERED: Final = 400
# Time alone makes decisions lapse and appeals run out: what was made is not told for longer.
_FRESH: Final = timedelta(seconds=20)


@dataclass(frozen=True)
class Upload:
    """A file as a browser sent it: name and bytes are hostile."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Visit:
    """One request of one person, read and checked."""

    method: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    many: Mapping[str, tuple[str, ...]]
    session: Session | None
    partial: bool
    cookies: Mapping[str, str]
    upload: Upload | None = None

    @property
    def by(self) -> str:
        """Return the name under which decisions are taken: the session's, never a form's."""
        if self.session is None:
            raise RuntimeError("a page for people who are inside was reached from outside")
        return self.session.person.name

    @property
    def login(self) -> str:
        """Return what the visitor's own things are kept under."""
        if self.session is None:
            raise RuntimeError("a page for people who are inside was reached from outside")
        return self.session.person.login

    def may(self, right: str) -> bool:
        """Tell whether the visitor has a right."""
        return self.session is not None and may(self.session.person.roles, right)

    def number(self, name: str, otherwise: int, low: int, high: int) -> int:
        """Return a whole number of the query, held within its bounds."""
        try:
            return min(max(int(self.query.get(name, otherwise)), low), high)
        except ValueError:
            return otherwise


@dataclass
class Desk:
    """The run, the case database, the console's folder and the clock.

    ``most_attached``: bytes of one file attached to a case. ``second_factor``: whoever has one of
    these roles needs one. ``post``: where notices of changed passwords and roles go out; None:
    nobody is told.
    """

    run: Run
    index: Index
    book: Book
    terms: Terms
    home: Home
    clock: Callable[[], datetime]
    hosts: frozenset[str]
    secure: bool
    audit: Path | None = None
    most_attached: int = MOST_ATTACHED
    second_factor: frozenset[str] = frozenset()
    post: Post | None = None
    _lines: Lines = field(init=False)
    _held: OrderedDict[Any, Any] = field(default_factory=OrderedDict)
    _making: dict[Any, Lock] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._lines = Lines(self.book)

    def now(self) -> datetime:
        """Return the time of the case database: a clock set back revives nothing."""
        return self.book.time(self.clock())

    def once(self, key: Any, make: Callable[[], Made]) -> Made:
        """Return what was made for a key before, or make it; the oldest is forgotten first.

        Two who ask for the same thing at once wait for one making of it.
        """
        with self._lock:
            making = self._making.setdefault(key, Lock())
        with making:
            with self._lock:
                if key in self._held:
                    self._held.move_to_end(key)
                    found: Made = self._held[key]
                    return found
            made = make()
            with self._lock:
                self._held[key] = made
                while len(self._held) > _REMEMBERED:
                    gone, _ = self._held.popitem(last=False)
                    self._making.pop(gone, None)
        return made

    def lines(self) -> list[Line]:
        """Return the queue as of the last entry, and of 20 seconds ago at most."""
        now = self.now()
        slot = int(now.timestamp() // _FRESH.total_seconds())
        return self.once(("lines", last_entry(self.book), slot), lambda: self._lines.at(now))

    def warm(self) -> None:
        """Read what every first page needs, before the first page is asked for."""
        self.lines()
        len(self.index.heads)

    def line(self, case_id: str) -> Line | None:
        """Return a case's line of the queue, or None."""
        return next((line for line in self.lines() if line.case_id == case_id), None)

    def campaign_of(self, case: Case | Line) -> dict[str, Any] | None:
        """Return the head of the case's campaign in this run, or None where it holds none."""
        if isinstance(case, Line):
            return self.index.heads.get(case.campaign_id)
        found = [self.index.heads[c] for c in case.campaign_ids if c in self.index.heads]
        return found[-1] if found else None
