"""What a page shows of the case database: one decision a line, one entry a line, a page of members.

`docket` and `decisions` answer with every account; a case may have 100,000. Nothing here does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.book import Book, last_link
from stillwatch.schema import from_micros

__all__ = [
    "SEEN", "Entry", "Ruling", "cases_of", "decided_on", "last_entry", "page_members",
    "read_entries", "read_rulings", "rulings_of", "verdict_of",
]  # fmt: skip

SEEN: Final = re.compile(r',"change":"(\w+)"')
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


def read_rulings(book: Book, case_id: str | None = None) -> list[Ruling]:
    """Return all decisions, or a case's, the newest first."""
    with book.reading() as connection:
        where = () if case_id is None else (t.decisions.c.case_id == case_id,)
        return sorted(rulings_of(connection, *where), key=lambda r: -r.number)


def verdict_of(book: Book, account_id: str, *, now: datetime) -> list[Ruling]:
    """Return every decision that names an account, the newest first."""
    with book.reading() as connection:
        mine = sa.select(t.decision_accounts.c.decision_id).where(
            t.decision_accounts.c.account_id == account_id
        )
        found = rulings_of(connection, t.decisions.c.id.in_(mine))
    return sorted(found, key=lambda r: -r.number)


def cases_of(book: Book, account_id: str, *, kind: str) -> set[str]:
    """Return the cases of a kind in which an account is or was a member."""
    with book.reading() as connection:
        return set(connection.scalars(
            sa.select(t.members.c.case_id)
            .join(t.cases, t.cases.c.id == t.members.c.case_id)
            .where(t.members.c.account_id == account_id, t.cases.c.kind == kind)
        ))  # fmt: skip


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
        rulings = rulings_of(connection, t.decisions.c.case_id == case_id)
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
            n: ("a scan", f"saw it: {m[1]}" if (m := SEEN.search(head)) else "saw it")
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


def rulings_of(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Ruling]:
    """Return the decisions for which conditions on their table hold, in no order."""
    named = sa.select(t.decisions.c.id).where(*where)
    counts = {decision: n for decision, n in connection.execute(
        sa.select(t.decision_accounts.c.decision_id, sa.func.count())
        .where(t.decision_accounts.c.decision_id.in_(named) if where else sa.true())
        .group_by(t.decision_accounts.c.decision_id)
    )}  # fmt: skip
    query = sa.select(t.decisions).where(*where)
    return [_ruling(row, counts.get(row.id, 0)) for row in connection.execute(query)]


def _ruling(row: Any, accounts: int) -> Ruling:
    return Ruling(
        row.id, int(row.id.removeprefix("decision-")), row.case_id, row.subject, row.scope,
        accounts, row.verdict, row.reason, row.by_person, from_micros(row.at_us),
        from_micros(row.expires_us), row.undoes, row.undone_by, row.approved_by, bool(row.pending),
        row.origin, not row.stands or row.undone_by is not None,
    )  # fmt: skip
