"""The queue: one case a line, what must be decided soonest first.

Ten thousand cases take a second to read. An entry of the history is about one case or two, so what
was read is kept: after an entry only its cases are read again, and a line is made anew only once
the clock has come to where it changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.book import Book, last_link
from stillwatch.cases.shelf import SEEN, Ruling, rulings_of
from stillwatch.schema import VERDICTS, from_micros

__all__ = ["Line", "Lines", "read_lines"]

_DAY: Final = timedelta(days=1)
_MOST_AT_ONCE: Final = 400  # entries, and cases; databases limit the terms of one statement
# Quotes within a text are escaped, so that no text can pretend to be one of these.
_NAMED: Final = re.compile(r'"(case_id|into|decision_id|appeal_id)":"([^"\\]+)"')
_RESIZE: Final = ("case.seen", "case.merged")
# They concern whatever they concern; so does an entry in which no case is named.
_OF_ALL: Final = ("erasure", "purge")
_URGENCY: Final = ("appeal", "pending", "reopened", "lapses", "new", "split", "grew", "changed",
                   "shrank", "lapsed", "decided", "merged", "closed")  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A case in the queue. ``why``: new, pending, appeal, reopened, grew …, lapses, decided, quiet;
    the first that holds. ``change``: what the last scan saw, as in `identity.Match`."""

    case_id: str
    campaign_id: str
    state: str
    opened: datetime
    seen: datetime
    change: str
    assigned_to: str | None
    split_from: str | None
    merged_into: str | None
    accounts: int
    accused: int
    verdict: str | None
    until: datetime | None
    pending: int
    appeals: int
    appeal_due: datetime | None
    why: str
    kind: str = "campaign"

    @property
    def takes_words(self) -> bool:
        """Tell whether notes, files and people are taken: it is open, or an appeal waits."""
        return self.state == "open" or self.appeals > 0


def read_lines(book: Book, *, now: datetime) -> list[Line]:
    """Return every case as a line of the queue: what must be decided soonest comes first."""
    return Lines(book).at(now)


class _Case(NamedTuple):
    """What the tables say of a case, whatever time it is. ``appeals``: (due, stands) of open ones;
    where the decision stands, an overdue one waits on."""

    row: Any
    campaign: str
    size: tuple[int, int]
    rulings: list[Ruling]
    appeals: list[tuple[datetime, bool]]
    restored: bool


class _Shown(NamedTuple):
    """A line with its place, and the first time at which it is another (None: never by itself)."""

    place: tuple[int, datetime, int, str]
    line: Line
    until: datetime | None


class Lines:
    """The lines of one case database, kept between two looks; several threads may ask.

    *Exact*: `at` returns what reading everything anew would.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._lock = Lock()
        self._cases: dict[str, _Case] = {}
        self._shown: dict[str, _Shown] = {}
        self._last: tuple[int, str] | None = None
        self._at: datetime | None = None

    def at(self, now: datetime) -> list[Line]:
        """Return every case as a line, what must be decided soonest first."""
        with self._lock:
            self._read()
            if self._at is None or now < self._at:  # a clock that was set back
                self._shown.clear()
            self._at = now
            for case_id, case in self._cases.items():
                held = self._shown.get(case_id)
                if held is None or (held.until is not None and held.until <= now):
                    self._shown[case_id] = _shown(case, now)
            return [held.line for held in sorted(self._shown.values(), key=lambda h: h.place)]

    def _read(self) -> None:
        """Bring what is kept to the newest entry."""
        with self._book.reading() as connection:
            last = last_link(connection)
            mark = None if last is None else (last.number, last.own)
            if mark == self._last and self._last is not None:
                return
            touched = _touched(connection, self._last)
            if touched is None:
                self._cases = _cases(connection, None, {})
                self._shown.clear()
            else:
                names, resized = touched
                sizes = {n: self._cases[n].size for n in names - resized if n in self._cases}
                found = _cases(connection, names, sizes)
                for name in names:
                    self._cases.pop(name, None)
                    self._shown.pop(name, None)
                self._cases.update(found)
            self._last = mark


def _touched(
    connection: sa.Connection, known: tuple[int, str] | None
) -> tuple[set[str], set[str]] | None:
    """Return the cases that entries after one are about, and those of them whose members may be
    others; None where everything must be read."""
    if known is None:
        return None
    rows = connection.execute(
        sa.select(t.history.c.number, t.history.c.own, t.history.c.value,
                  sa.func.substr(t.bodies.c.body, 1, 2000).label("head"))
        .outerjoin(t.bodies, t.bodies.c.number == t.history.c.number)
        .where(t.history.c.number >= known[0])
        .order_by(t.history.c.number).limit(_MOST_AT_ONCE + 1)
    ).all()  # fmt: skip
    if not rows or (rows[0].number, rows[0].own) != known or len(rows) > _MOST_AT_ONCE:
        return None  # another database was put in its place, or much was said
    names: dict[str, set[str]] = {n: set() for n in ("case_id", "into", "decision_id", "appeal_id")}
    resized: set[str] = set()
    for row in rows[1:]:
        kind = json.loads(row.value)["kind"]
        found = _NAMED.findall(row.head or "")
        if kind == "decision.made":
            found.append(("decision_id", f"decision-{row.number}"))
        if kind in _OF_ALL or not found:
            return None
        for name, value in found:
            names[name].add(value)
            if kind in _RESIZE:
                resized.add(value)
    of_appeals = sa.select(t.appeals.c.decision_id).where(t.appeals.c.id.in_(names["appeal_id"]))
    decided = connection.execute(
        sa.select(t.decisions.c.case_id, t.decisions.c.undoes).where(
            sa.or_(t.decisions.c.id.in_(names["decision_id"]), t.decisions.c.id.in_(of_appeals))
        )
    ).all()
    undone = {row.undoes for row in decided if row.undoes}
    cases = names["case_id"] | names["into"] | {row.case_id for row in decided}
    cases |= set(
        connection.scalars(sa.select(t.decisions.c.case_id).where(t.decisions.c.id.in_(undone)))
    )
    return (cases, resized) if len(cases) <= _MOST_AT_ONCE else None


def _cases(
    connection: sa.Connection, only: Collection[str] | None, sizes: Mapping[str, tuple[int, int]]
) -> dict[str, _Case]:
    """Read all cases, or some; ``sizes``: of those whose members are known to be the same."""

    def of(column: Any) -> Any:
        return sa.true() if only is None else column.in_(sorted(only))

    rulings: dict[str, list[Ruling]] = {}
    for ruling in rulings_of(connection, *(() if only is None else (of(t.decisions.c.case_id),))):
        rulings.setdefault(ruling.case_id, []).append(ruling)
    counted = {row.case_id: (int(row.n), int(row.accused or 0)) for row in connection.execute(
        sa.select(
            t.members.c.case_id, sa.func.count().label("n"),
            sa.func.sum(sa.case((t.members.c.standing == "accused", 1), else_=0)).label("accused"),
        )
        .where(t.members.c.current, of(t.members.c.case_id),
               t.members.c.case_id.not_in(sorted(sizes)) if sizes else sa.true())
        .group_by(t.members.c.case_id)
    )} | dict(sizes)  # fmt: skip
    campaigns = {case: campaign for case, campaign in connection.execute(
        sa.select(t.case_campaigns.c.case_id, t.case_campaigns.c.campaign_id)
        .where(t.case_campaigns.c.current, of(t.case_campaigns.c.case_id))
    )}  # fmt: skip
    appeals: dict[str, list[tuple[datetime, bool]]] = {}
    for case_id, due_us, stands in connection.execute(
        sa.select(t.decisions.c.case_id, t.appeals.c.due_us,
                  sa.and_(t.decisions.c.stands, t.decisions.c.undone_by.is_(None)))
        .join(t.decisions, t.decisions.c.id == t.appeals.c.decision_id)
        .where(t.appeals.c.state == "open", of(t.decisions.c.case_id))
    ):  # fmt: skip
        appeals.setdefault(case_id, []).append((from_micros(due_us), bool(stands)))
    restored = set(connection.scalars(
        sa.select(t.corrections.c.case_id).where(of(t.corrections.c.case_id)).distinct()
    ))  # fmt: skip
    return {
        row.id: _Case(row, campaigns.get(row.id, ""), counted.get(row.id, (0, 0)),
                      rulings.get(row.id, []), appeals.get(row.id, []), row.id in restored)
        for row in connection.execute(_rows().where(of(t.cases.c.id)))
    }  # fmt: skip


def _rows() -> sa.Select[Any]:
    """Ask for cases, each with when and how the last scan saw it."""
    return (
        sa.select(
            t.cases, t.history.c.value, sa.func.substr(t.bodies.c.body, 1, 2000).label("head")
        )
        .outerjoin(
            t.evidence,
            sa.and_(
                t.evidence.c.case_id == t.cases.c.id,
                t.evidence.c.digest == t.cases.c.evidence_digest,
            ),
        )
        .outerjoin(t.history, t.history.c.number == t.evidence.c.number)
        .outerjoin(t.bodies, t.bodies.c.number == t.evidence.c.number)
    )


def _shown(case: _Case, now: datetime) -> _Shown:
    row, standing = case.row, [r for r in case.rulings if r.stands(now)]
    strictest = max(standing, key=lambda r: (VERDICTS.index(r.verdict), r.expires), default=None)
    pending = sum(r.pending and not r.undone_by and r.expires > now for r in case.rulings)
    due = [moment for moment, stands in case.appeals if stands or moment > now]
    change = found[1] if (found := SEEN.search(row.head or "")) else "new"
    seen = from_micros(json.loads(row.value)["at_us"]) if row.value else None
    line = Line(
        row.id, case.campaign, row.state, from_micros(row.opened_us),
        seen or from_micros(row.changed_us), change, row.assigned_to, row.split_from,
        row.merged_into, *case.size, strictest.verdict if strictest else None,
        strictest.expires if strictest else None, pending, len(due), min(due, default=None),
        _why(case, change, seen, standing, pending, due, now), row.kind,
    )  # fmt: skip
    turns = [moment for moment, _ in case.appeals]
    for r in case.rulings:
        turns += (r.at, r.expires - _DAY, r.expires)
    soonest = line.appeal_due or line.until or line.opened
    place = _URGENCY.index(line.why), soonest, -line.accused, line.case_id
    return _Shown(place, line, min((turn for turn in turns if turn > now), default=None))


def _why(
    case: _Case, change: str, seen: datetime | None, standing: list[Ruling], pending: int,
    due: list[datetime], now: datetime,
) -> str:  # fmt: skip
    if due:  # of a closed or merged case too: its decisions run on, and somebody must hear it
        return "appeal"
    if case.row.state != "open":
        return str(case.row.state)
    if pending:
        return "pending"
    taken = [r for r in case.rulings if not r.undoes]
    if case.restored and not standing:
        return "reopened"
    if any(r.expires - now <= _DAY for r in standing):
        return "lapses"
    if not taken:
        return "split" if change == "split" else "new"
    if seen is not None and seen > max(r.at for r in taken) and change in _URGENCY:
        return change
    return "decided" if standing else "lapsed"
