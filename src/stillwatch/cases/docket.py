"""Cases as they stand, what people add to them, and what was shared from them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.book import Book
from stillwatch.cases.people import check_person, same_person
from stillwatch.errors import ConfigError, NotPermitted, StateError
from stillwatch.schema import OWNERSHIP, Case, NotedIndicator, Sighting, from_micros

__all__ = [
    "add_note", "assign", "claim", "close_case", "demand_waiting", "label", "note_indicator",
    "note_sighting", "read_case", "read_cases", "read_evidence", "read_members", "read_sightings",
]  # fmt: skip

LABELS = ("true", "false", "unsure")


def read_cases(book: Book) -> list[Case]:
    """Return every case, the oldest first."""
    with book.reading() as connection:
        return _cases(connection)


def read_case(book: Book, case_id: str) -> Case:
    """Return one case. Raises ConfigError where there is none."""
    with book.reading() as connection:
        return _case(connection, case_id)


def read_members(book: Book, case_id: str) -> list[tuple[str, str, str, bool]]:
    """Return (account, role, standing, still a member) of everyone who ever was in the case."""
    with book.reading() as connection:
        rows = connection.execute(
            sa.select(t.members)
            .where(t.members.c.case_id == case_id)
            .order_by(t.members.c.role, t.members.c.account_id)
        ).all()
    return [(row.account_id, row.role, row.standing, bool(row.current)) for row in rows]


def read_evidence(book: Book, case_id: str) -> dict[str, Any]:
    """Return the campaign as the last scan that saw it described it."""
    with book.reading() as connection:
        case = _case(connection, case_id)
        body = connection.scalar(
            sa.select(t.bodies.c.body)
            .join(t.evidence, t.evidence.c.number == t.bodies.c.number)
            .where(t.evidence.c.digest == case.evidence_digest, t.evidence.c.case_id == case_id)
        )
    if body is None:
        raise ConfigError("its evidence was purged", where=case_id, hint="scan again")
    held: dict[str, Any] = json.loads(body)["evidence"]
    return held


def add_note(
    book: Book, case_id: str, *, text: str, by: str, now: datetime, account_id: str | None = None
) -> None:
    """Add a remark for colleagues, on a case or on one of its accounts.

    Raises ConfigError: no such case, no person, no text, the account was never in the case.
    StateError: nothing waits in the case any more.
    """
    check_person(by)
    if not text.strip():
        raise ConfigError("expected a text", where="note")
    with book.writing(now) as writer:
        demand_waiting(writer.connection, case_id)
        body = {"case_id": case_id, "text": text, "by": by}
        if account_id is not None:
            _demand_member(writer.connection, case_id, account_id)
            body["account_id"] = account_id
        writer.add("case.note", body)


def assign(book: Book, *case_ids: str, to: str, by: str, now: datetime) -> None:
    """Give cases to a person: all of them, or none where one is refused.

    Raises ConfigError: no such case, nobody named. StateError: nothing waits in one any more.
    """
    check_person(by)
    check_person(to)
    with book.writing(now) as writer:
        for case_id in case_ids:
            demand_waiting(writer.connection, case_id)
            writer.add("case.assigned", {"case_id": case_id, "to": to, "by": by})


def claim(book: Book, case_id: str, *, by: str, now: datetime) -> None:
    """Take an open case that nobody has; of two who ask at once one gets it.

    Raises ConfigError: no such case, nobody named, or somebody else has it. StateError: it is not
    open.
    """
    check_person(by)
    with book.writing(now) as writer:
        case = _case(writer.connection, case_id)
        if case.state != "open":
            raise StateError(f"it is {case.state}", where=case_id)
        if case.assigned_to is not None and not same_person(case.assigned_to, by):
            raise ConfigError("somebody else has it", where=case_id,
                              hint="ask them, or assign it to yourself on its page")  # fmt: skip
        if case.assigned_to is None:
            writer.add("case.assigned", {"case_id": case_id, "to": by, "by": by})


def close_case(book: Book, *case_ids: str, reason: str, by: str, now: datetime) -> None:
    """Close cases, all or none; their decisions run until they expire. A rescan may open a new one.

    Raises ConfigError: no reason, nobody named. StateError: one is not open.
    """
    check_person(by)
    if not reason.strip():
        raise ConfigError("expected a reason", where="reason")
    with book.writing(now) as writer:
        for case_id in case_ids:
            if (state := _case(writer.connection, case_id).state) != "open":
                raise StateError(f"it is {state}", where=case_id)
            writer.add(
                "case.state", {"case_id": case_id, "state": "closed", "reason": reason, "by": by}
            )


def label(
    book: Book, case_id: str, account_id: str, *, verdict: str, reason: str, by: str, now: datetime
) -> None:
    """Enter what a person found out about an account: true, false or unsure, with a reason.

    Raises ConfigError: another word, no reason, no person, not a member of the case.
    NotPermitted: the case is of refusals by ownership, and finds nothing about anybody.
    """
    check_person(by)
    if verdict not in LABELS or not reason.strip():
        raise ConfigError(f"expected one of {', '.join(LABELS)}, and a reason", where="label")
    with book.writing(now) as writer:
        _demand_member(writer.connection, case_id, account_id)
        if _case(writer.connection, case_id).kind == OWNERSHIP:
            raise NotPermitted("it is of refusals by ownership, and accuses nobody", where=case_id)
        writer.add(
            "label",
            {"account_id": account_id, "case_id": case_id, "label": verdict, "by": by,
             "reason": reason},
        )  # fmt: skip


def note_indicator(book: Book, case_id: str, *, kind: str, value_digest: str, now: datetime) -> str:
    """Write down that something was shared from a case; return the indicator's id."""
    with book.writing(now) as writer:
        _case(writer.connection, case_id)
        name = f"indicator-{writer.next_number}"
        writer.add(
            "indicator",
            {"indicator_id": name, "case_id": case_id, "kind": kind, "digest": value_digest,
             "state": "shared"},
        )  # fmt: skip
        return name


def note_sighting(book: Book, case_id: str, *, indicator: str, band: str, now: datetime) -> str:
    """Write down that *seen here too* was said of a case's accounts; return the sighting's id."""
    with book.writing(now) as writer:
        _case(writer.connection, case_id)
        name = f"sighting-{writer.next_number}"
        writer.add(
            "sighting",
            {"sighting_id": name, "indicator": indicator, "case_id": case_id, "count_band": band,
             "state": "given"},
        )  # fmt: skip
        return name


def read_sightings(book: Book) -> tuple[list[NotedIndicator], list[Sighting]]:
    """Return what was shared, and every sighting with its state."""
    with book.reading() as connection:
        indicators = connection.execute(sa.select(t.indicators).order_by(t.indicators.c.id)).all()
        sightings = connection.execute(sa.select(t.sightings).order_by(t.sightings.c.id)).all()
    return (
        [NotedIndicator(r.id, r.case_id, r.kind, r.digest, from_micros(r.at_us), r.state)
         for r in indicators],
        [Sighting(r.id, r.indicator, r.case_id, r.count_band, from_micros(r.at_us), r.state)
         for r in sightings],
    )  # fmt: skip


def demand_waiting(connection: sa.Connection, case_id: str) -> None:
    """Raise ConfigError where there is no such case, StateError where nothing waits in it: it is
    not open, and no appeal against one of its decisions is."""
    case = _case(connection, case_id)
    if case.state == "open":
        return
    waits = connection.scalar(
        sa.select(t.appeals.c.id)
        .join(t.decisions, t.decisions.c.id == t.appeals.c.decision_id)
        .where(t.decisions.c.case_id == case_id, t.appeals.c.state == "open")
        .limit(1)
    )
    if waits is None:
        raise StateError(
            f"it is {case.state}: notes, files and people are for a case in which something waits",
            where=case_id, hint="go to the case that it was merged into, or to one that a new "
            "scan opens",
        )  # fmt: skip


def _demand_member(connection: sa.Connection, case_id: str, account_id: str) -> None:
    member = connection.scalar(
        sa.select(sa.func.count()).where(
            t.members.c.case_id == case_id, t.members.c.account_id == account_id
        )
    )
    if not member:
        raise ConfigError("the account was never in the case", where=case_id)


def _case(connection: sa.Connection, case_id: str) -> Case:
    found = [case for case in _cases(connection, case_id)]
    if not found:
        raise ConfigError("there is no such case", where="case", hint="`stillwatch case list`")
    return found[0]


def _cases(connection: sa.Connection, case_id: str | None = None) -> list[Case]:
    query = sa.select(t.cases).order_by(t.cases.c.opened_us, t.cases.c.id)
    if case_id is not None:
        query = query.where(t.cases.c.id == case_id)
    campaigns: dict[str, list[str]] = {}
    for row in connection.execute(
        sa.select(t.case_campaigns).order_by(t.case_campaigns.c.campaign_id)
    ):
        campaigns.setdefault(row.case_id, []).append(row.campaign_id)
    return [
        Case(
            row.id, tuple(campaigns.get(row.id, ())), row.state, from_micros(row.opened_us),
            row.merged_into, row.assigned_to, row.evidence_digest, row.kind,
        )
        for row in connection.execute(query)
    ]  # fmt: skip
