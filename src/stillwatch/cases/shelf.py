"""What a page shows of the case database: one case a line, one decision a line, a page of members.

`docket` and `decisions` answer with every account; a case may have 100,000. Nothing here does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.book import Book, last_link
from stillwatch.schema import VERDICTS, from_micros

__all__ = [
    "Entry", "Line", "Ruling", "decided_on", "last_entry", "page_members", "read_entries",
    "read_lines", "read_rulings", "verdict_of",
]  # fmt: skip

_DAY: Final = timedelta(days=1)
_SEEN: Final = re.compile(r',"change":"(\w+)"')
# Their bodies name every account: they are told from the tables instead.
_LARGE: Final = ("case.seen", "decision.made", "erasure", "purge")


@dataclass(frozen=True)
class Ruling:
    """A decision without its list of accounts. ``number``: its entry in the history.

    ``relaxes``: an appeal that is not decided in time ends it.
    """

    id: str
    number: int
    case_id: str
    subject: str
    scope: str
    accounts: int
    verdict: str
    reason: str
    by: str
    at: datetime
    expires: datetime
    undoes: str | None
    undone_by: str | None
    approved_by: str | None
    pending: bool
    origin: str | None
    relaxes: bool = True

    def stands(self, now: datetime) -> bool:
        """Tell whether it is in force; an appeal may have ended it for single accounts."""
        return not (self.pending or self.undoes or self.undone_by) and self.at <= now < self.expires


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


@dataclass(frozen=True)
class Entry:
    """An entry of the history as people read it. ``digest``: of the chain's link."""

    number: int
    kind: str
    at: datetime
    by: str
    text: str
    digest: str


def last_entry(book: Book) -> int:
    """Return the number of the newest entry, -1 for none: the same number, the same database."""
    with book.reading() as connection:
        last = last_link(connection)
    return -1 if last is None else last.number


def read_lines(book: Book, *, now: datetime) -> list[Line]:
    """Return every case as a line of the queue: what must be decided soonest comes first."""
    with book.reading() as connection:
        rulings: dict[str, list[Ruling]] = {}
        for ruling in _rulings(connection, None):
            rulings.setdefault(ruling.case_id, []).append(ruling)
        sizes = {row.case_id: (int(row.n), int(row.accused or 0)) for row in connection.execute(
            sa.select(
                t.members.c.case_id, sa.func.count().label("n"),
                sa.func.sum(sa.case((t.members.c.standing == "accused", 1), else_=0))
                .label("accused"),
            ).where(t.members.c.current).group_by(t.members.c.case_id)
        )}  # fmt: skip
        campaigns = {case: campaign for case, campaign in connection.execute(
            sa.select(t.case_campaigns.c.case_id, t.case_campaigns.c.campaign_id)
            .where(t.case_campaigns.c.current)
        )}  # fmt: skip
        appeals = _open_appeals(connection, now)
        restored = set(connection.scalars(sa.select(t.corrections.c.case_id).distinct()))
        lines = []
        for row in connection.execute(_cases_seen()):
            mine = rulings.get(row.id, [])
            standing = [r for r in mine if r.stands(now)]
            strictest = max(standing, key=lambda r: (VERDICTS.index(r.verdict), r.expires),
                            default=None)  # fmt: skip
            pending = sum(r.pending and not r.undone_by and r.expires > now for r in mine)
            due = appeals.get(row.id, [])
            change = found[1] if (found := _SEEN.search(row.head or "")) else "new"
            seen = from_micros(json.loads(row.value)["at_us"]) if row.value else None
            accounts, accused = sizes.get(row.id, (0, 0))
            lines.append(Line(
                row.id, campaigns.get(row.id, ""), row.state, from_micros(row.opened_us),
                seen or from_micros(row.changed_us), change, row.assigned_to, row.split_from,
                row.merged_into, accounts, accused, strictest.verdict if strictest else None,
                strictest.expires if strictest else None, pending, len(due),
                min(due, default=None),
                _why(row.state, change, seen, mine, standing, pending, due, row.id in restored,
                     now), row.kind,
            ))  # fmt: skip
    return sorted(lines, key=_urgency)


_URGENCY: Final = ("appeal", "pending", "reopened", "lapses", "new", "split", "grew", "changed",
                   "shrank", "lapsed", "decided", "merged", "closed")  # fmt: skip


def _urgency(line: Line) -> tuple[int, datetime, int, str]:
    soonest = line.appeal_due or line.until or line.opened
    return _URGENCY.index(line.why), soonest, -line.accused, line.case_id


def _why(
    state: str, change: str, seen: datetime | None, rulings: list[Ruling], standing: list[Ruling],
    pending: int, due: list[datetime], restored: bool, now: datetime,
) -> str:  # fmt: skip
    if state != "open":
        return state
    if due:
        return "appeal"
    if pending:
        return "pending"
    taken = [r for r in rulings if not r.undoes]
    if restored and not standing:
        return "reopened"
    if any(r.expires - now <= _DAY for r in standing):
        return "lapses"
    if not taken:
        return "split" if change == "split" else "new"
    if seen is not None and seen > max(r.at for r in taken) and change in _URGENCY:
        return change
    return "decided" if standing else "lapsed"


def read_rulings(book: Book, case_id: str | None = None) -> list[Ruling]:
    """Return all decisions, or a case's, the newest first."""
    with book.reading() as connection:
        return sorted(_rulings(connection, case_id), key=lambda r: -r.number)


def verdict_of(book: Book, account_id: str, *, now: datetime) -> list[Ruling]:
    """Return every decision that names an account, the newest first."""
    with book.reading() as connection:
        mine = set(connection.scalars(
            sa.select(t.decision_accounts.c.decision_id)
            .where(t.decision_accounts.c.account_id == account_id)
        ))  # fmt: skip
        found = [r for r in _rulings(connection, None) if r.id in mine]
    return sorted(found, key=lambda r: -r.number)


def decided_on(book: Book, accounts: Collection[str]) -> dict[str, list[str]]:
    """Return account → the ids of all decisions that name it; a page's worth of accounts."""
    found: dict[str, list[str]] = {}
    with book.reading() as connection:
        for decision_id, account in connection.execute(
            sa.select(t.decision_accounts)
            .where(t.decision_accounts.c.account_id.in_(sorted(accounts)))
            .order_by(t.decision_accounts.c.decision_id)
        ):
            found.setdefault(account, []).append(decision_id)
    return found


def page_members(
    book: Book, case_id: str, *, first: int, most: int, standing: str = ""
) -> tuple[list[tuple[str, str, str]], int]:
    """Return (account, role, standing) of present members from place ``first`` on, and how many."""
    where = [t.members.c.case_id == case_id, t.members.c.current]
    if standing:
        where.append(t.members.c.standing == standing)
    with book.reading() as connection:
        total = connection.scalar(sa.select(sa.func.count()).where(*where)) or 0
        rows = connection.execute(
            sa.select(t.members.c.account_id, t.members.c.role, t.members.c.standing)
            .where(*where).order_by(t.members.c.account_id).limit(most).offset(first)
        ).all()  # fmt: skip
    return [(a, r, s) for a, r, s in rows], int(total)


def read_entries(book: Book, case_id: str) -> list[Entry]:
    """Return what was said of a case, the newest first, each with its place in the chain."""
    with book.reading() as connection:
        rulings = _rulings(connection, case_id)
        mine = {case_id, *(r.id for r in rulings)}
        mine |= set(connection.scalars(
            sa.select(t.appeals.c.id).where(t.appeals.c.decision_id.in_({r.id for r in rulings}))
        ))  # fmt: skip
        seen = {row.number: row.head for row in connection.execute(
            sa.select(t.evidence.c.number, sa.func.substr(t.bodies.c.body, 1, 2000).label("head"))
            .join(t.bodies, t.bodies.c.number == t.evidence.c.number)
            .where(t.evidence.c.case_id == case_id)
        )}  # fmt: skip
        told: dict[int, tuple[str, str]] = {
            n: ("a scan", f"saw it: {m[1]}" if (m := _SEEN.search(head)) else "saw it")
            for n, head in seen.items()
        }
        told |= {r.number: (r.by, _ruling_said(r)) for r in rulings}
        told |= dict(_said(connection, mine))
        links = connection.execute(
            sa.select(t.history.c.number, t.history.c.value, t.history.c.own)
            .where(t.history.c.number.in_(sorted(told)))
        ).all()  # fmt: skip
    entries = []
    for link in links:
        value = json.loads(link.value)
        by, text = told[link.number]
        entries.append(
            Entry(link.number, value["kind"], from_micros(value["at_us"]), by, text, link.own)
        )
    return sorted(entries, key=lambda e: -e.number)


def _ruling_said(ruling: Ruling) -> str:
    if ruling.undoes:
        return f"{ruling.id} undoes {ruling.undoes}"
    waits = ", waiting for a second person" if ruling.pending else ""
    return (
        f"{ruling.id}: {ruling.verdict.replace('_', ' ')} on {ruling.accounts:,} "
        f"account{'s' * (ruling.accounts != 1)}, {ruling.reason.replace('_', ' ')}{waits}"
    )


def _said(connection: sa.Connection, mine: set[str]) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield number → (who, what) of the small entries that concern any of the names."""
    rows = connection.execute(
        sa.select(t.history.c.number, t.history.c.value, t.bodies.c.body)
        .join(t.bodies, t.bodies.c.number == t.history.c.number)
        .where(*(~t.history.c.value.contains(f'"kind":"{kind}"') for kind in _LARGE))
    )
    for number, value, body in rows:
        held, kind = json.loads(body), json.loads(value)["kind"]
        names = {held.get("case_id"), held.get("decision_id"), held.get("appeal_id")}
        if names & mine:
            yield number, (str(held.get("by", "a rule of this program")), _words(kind, held))


def _words(kind: str, held: dict[str, Any]) -> str:
    texts: dict[str, Callable[[], str]] = {
        "case.note": lambda: (
            f"note{' on an account' * bool(held.get('account_id'))}: {held['text']}"
        ),
        "case.assigned": lambda: f"assigned to {held['to']}",
        "case.state": lambda: f"{held['state']}: {held.get('reason', '')}",
        "case.merged": lambda: f"merged into {held['into']}",
        "decision.approved": lambda: f"{held['decision_id']} approved",
        "notice.written": lambda: f"notice of {held['decision_id']} written",
        "appeal.made": lambda: f"{held['appeal_id']} against {held['decision_id']}",
        "appeal.ended": lambda: f"{held['appeal_id']} {held['state']}: {held.get('reason', '')}",
        "label": lambda: f"label: {held['label']}. {held.get('reason', '')}",
        "correction": lambda: "a correction for the next scan",
        "attachment.added": lambda: (
            f"{held['attachment_id']} attached: {held['name']}, {held['bytes']:,} bytes, "
            f"{held['digest'][:19]}…"
        ),
        "attachment.removed": lambda: f"{held['attachment_id']} removed: {held['reason']}",
        "sighting": lambda: f"sighting {held['state']}",
        "indicator": lambda: f"an indicator was {held['state']}",
    }  # fmt: skip
    return texts[kind]() if kind in texts else kind


def _cases_seen() -> sa.Select[Any]:
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


def _open_appeals(connection: sa.Connection, now: datetime) -> dict[str, list[datetime]]:
    """Return, by case, when the appeals that still wait are, or were, due.

    One that is overdue waits on where the decision does not relax by itself.
    """
    due: dict[str, list[datetime]] = {}
    for case_id, due_us, stands in connection.execute(
        sa.select(
            t.decisions.c.case_id,
            t.appeals.c.due_us,
            sa.and_(t.decisions.c.stands, t.decisions.c.undone_by.is_(None)),
        )
        .join(t.decisions, t.decisions.c.id == t.appeals.c.decision_id)
        .where(t.appeals.c.state == "open")
    ):
        if stands or from_micros(due_us) > now:
            due.setdefault(case_id, []).append(from_micros(due_us))
    return due


def _rulings(connection: sa.Connection, case_id: str | None) -> list[Ruling]:
    counts = {decision: n for decision, n in connection.execute(
        sa.select(t.decision_accounts.c.decision_id, sa.func.count())
        .group_by(t.decision_accounts.c.decision_id)
    )}  # fmt: skip
    query = sa.select(t.decisions)
    if case_id is not None:
        query = query.where(t.decisions.c.case_id == case_id)
    return [_ruling(row, counts.get(row.id, 0)) for row in connection.execute(query)]


def _ruling(row: Any, accounts: int) -> Ruling:
    return Ruling(
        row.id, int(row.id.removeprefix("decision-")), row.case_id, row.subject, row.scope,
        accounts, row.verdict, row.reason, row.by_person, from_micros(row.at_us),
        from_micros(row.expires_us), row.undoes, row.undone_by, row.approved_by, bool(row.pending),
        row.origin, not row.stands or row.undone_by is not None,
    )  # fmt: skip
