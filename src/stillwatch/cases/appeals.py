"""Appeals: a clock, a second person, and what follows when one is upheld."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.book import Book, Writer
from stillwatch.cases.people import check_person, plain_name
from stillwatch.cases.terms import Terms
from stillwatch.errors import ConfigError, NotPermitted
from stillwatch.schema import OWNERSHIP, Appeal, from_micros, to_micros

__all__ = ["appeal", "read_appeals", "resolve", "settle"]


def appeal(
    book: Book, decision_id: str, account_id: str, *, by: str, terms: Terms, now: datetime
) -> Appeal:
    """Enter an appeal of one account against one decision; its clock starts now.

    ``decision_id``: the decision's, or the reference under which the guard first told of it.
    Raises ConfigError: the decision touches no such account or had no notice. NotPermitted: the
    time to appeal is over, or the account has appealed against it already.
    """
    if not by.strip():
        raise ConfigError("expected who appeals", where="by")
    with book.writing(now) as writer:
        decision_id = _named(writer.connection, decision_id)
        row = writer.connection.execute(
            sa.select(t.notices.c.appeal_by_us)
            .join(t.decision_accounts,
                  t.decision_accounts.c.decision_id == t.notices.c.decision_id)
            .where(t.notices.c.decision_id == decision_id,
                   t.decision_accounts.c.account_id == account_id)
        ).one_or_none()  # fmt: skip
        if row is None:
            raise ConfigError("no notice of that decision went to that account", where=decision_id)
        if writer.now > from_micros(row.appeal_by_us):
            raise NotPermitted(
                "the time to appeal is over", where=decision_id,
                hint="a person may still undo the decision",
            )  # fmt: skip
        earlier = writer.connection.scalar(
            sa.select(sa.func.count()).where(
                t.appeals.c.decision_id == decision_id, t.appeals.c.account_id == account_id
            )
        )
        if earlier:
            raise NotPermitted("the account has appealed already", where=decision_id)
        appeal_id = f"appeal-{writer.next_number}"
        writer.add(
            "appeal.made",
            {"appeal_id": appeal_id, "decision_id": decision_id, "account_id": account_id,
             "by": by, "due_us": to_micros(writer.now + terms.time_to_decide)},
        )  # fmt: skip
        return _one(writer.connection, appeal_id)


def resolve(
    book: Book, appeal_id: str, *, upheld: bool, by: str, reason: str, now: datetime
) -> Appeal:
    """End an appeal, and where it is upheld carry out what follows (see `effects`).

    1. It is open and its time has not run out, unless the decision stands whatever the clock says;
       after that only a new decision can restrict.
    2. Whoever decides it neither took nor approved the decision, nor made the appeal.
    3. A reason is given.

    Raises NotPermitted: 1, 2. ConfigError: 3, or no such appeal.
    """
    check_person(by)
    if not reason.strip():
        raise ConfigError("expected a reason", where="reason")
    with book.writing(now) as writer:
        held = _one(writer.connection, appeal_id)
        if held.state != "open":
            raise NotPermitted(f"the appeal is {held.state}", where=appeal_id)
        stands = held.decision in _standing(writer.connection)
        if writer.now >= held.due and not upheld and not stands:  # 1
            raise NotPermitted(
                "its time has run out and the decision has relaxed by itself", where=appeal_id,
                hint="decide anew on present evidence, or uphold it",
            )  # fmt: skip
        involved = _involved(writer.connection, held)
        if plain_name(by) in involved:  # 2
            raise NotPermitted(
                "it must be decided by someone who had no part in the decision", where=appeal_id
            )
        _end(writer, held, "upheld" if upheld else "rejected", by, reason)
        return _one(writer.connection, appeal_id)


def settle(book: Book, *, now: datetime) -> list[Appeal]:
    """Write down which appeals ran out of time; they have relaxed already. Returns them.

    One against a decision that stands whatever the clock says stays open, overdue, until a person
    decides it.
    """
    with book.writing(now) as writer:
        standing = _standing(writer.connection)
        over = [
            held
            for held in _all(writer.connection)
            if held.state == "open" and held.due <= writer.now and held.decision not in standing
        ]
        for held in over:
            _end(writer, held, "lapsed", "the clock", "not decided in time")
        return [_one(writer.connection, held.id) for held in over]


def read_appeals(book: Book) -> list[Appeal]:
    """Return all appeals, the one that is due first first."""
    with book.reading() as connection:
        return sorted(_all(connection), key=lambda a: (a.due, a.id))


def _standing(connection: sa.Connection) -> set[str]:
    """Return the decisions that stand whatever the clock says; one that was undone does not."""
    return set(connection.scalars(
        sa.select(t.decisions.c.id).where(t.decisions.c.stands, t.decisions.c.undone_by.is_(None))
    ))  # fmt: skip


def _involved(connection: sa.Connection, held: Appeal) -> set[str]:
    row = connection.execute(
        sa.select(t.decisions.c.by_person, t.decisions.c.approved_by).where(
            t.decisions.c.id == held.decision
        )
    ).one()
    return {plain_name(n) for n in (row.by_person, row.approved_by, held.by) if n}


def _end(writer: Writer, held: Appeal, state: str, by: str, reason: str) -> None:
    writer.add("appeal.ended", {"appeal_id": held.id, "state": state, "by": by, "reason": reason})
    if state != "upheld":
        return
    decision = writer.connection.execute(
        sa.select(t.decisions).where(t.decisions.c.id == held.decision)
    ).one()
    if decision.reason == OWNERSHIP:
        return  # it was no finding: no link was wrong, and it is no label of one
    for campaign in _campaigns(writer.connection, decision.case_id):
        writer.add(
            "correction",
            {"account_id": held.account_id, "case_id": decision.case_id, "campaign_id": campaign,
             "evidence_digest": decision.evidence_digest, "appeal_id": held.id},
        )  # fmt: skip
    writer.add(
        "label",
        {"account_id": held.account_id, "case_id": decision.case_id, "label": "false", "by": by},
    )
    for body in _sightings(writer.connection, decision.case_id):
        writer.add("sighting", body)


def _campaigns(connection: sa.Connection, case_id: str) -> list[str]:
    return list(connection.scalars(
        sa.select(t.case_campaigns.c.campaign_id)
        .where(t.case_campaigns.c.case_id == case_id)
        .order_by(t.case_campaigns.c.campaign_id)
    ))  # fmt: skip


def _sightings(connection: sa.Connection, case_id: str) -> Iterator[dict[str, Any]]:
    """Yield the withdrawal of every sighting that counts the case's accounts.

    A sighting is a banded count of the campaign: with one account less it may no longer be true, so
    it is withdrawn whole and can be given anew.
    """
    rows = connection.execute(
        sa.select(t.sightings)
        .where(t.sightings.c.case_id == case_id, t.sightings.c.state == "given")
        .order_by(t.sightings.c.id)
    ).all()
    for row in rows:
        yield {"sighting_id": row.id, "indicator": row.indicator, "case_id": case_id,
               "count_band": row.count_band, "state": "withdrawn"}  # fmt: skip


def _named(connection: sa.Connection, name: str) -> str:
    found = connection.scalar(
        sa.select(t.decisions.c.id).where(t.decisions.c.reference == name).limit(1)
    )
    return found or name


def _one(connection: sa.Connection, appeal_id: str) -> Appeal:
    row = connection.execute(sa.select(t.appeals).where(t.appeals.c.id == appeal_id)).one_or_none()
    if row is None:
        raise ConfigError("there is no such appeal", where="appeal",
                          hint="`stillwatch case list` shows those that are open")  # fmt: skip
    return _appeal(row)


def _all(connection: sa.Connection) -> list[Appeal]:
    return [_appeal(row) for row in connection.execute(sa.select(t.appeals))]


def _appeal(row: Any) -> Appeal:
    return Appeal(
        row.id, row.decision_id, row.account_id, row.state, row.by_person,
        from_micros(row.at_us), from_micros(row.due_us), row.outcome, row.resolved_by,
    )  # fmt: skip
