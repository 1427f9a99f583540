"""Decisions: who may take them, on what, for how long; and which of them are in force."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.book import Book, Writer
from stillwatch.cases.notices import write_notice
from stillwatch.cases.people import check_person, is_rule, same_person
from stillwatch.cases.terms import Terms
from stillwatch.errors import ConfigError, NotPermitted
from stillwatch.schema import (
    ADVERSE,
    OWNERSHIP,
    REASONS,
    VERDICTS,
    Decision,
    from_micros,
    to_micros,
)

__all__ = ["InForce", "Order", "approve", "decide", "in_force", "read_decisions", "undo"]


@dataclass(frozen=True)
class Order:
    """What a person, or a rule, wants to happen. ``accounts`` None: all accused of the case.

    ``by``: a person's name, or ``rule:`` and a rule's. ``reason``: one of `schema.REASONS`.
    ``remark``: for colleagues; it never enters a notice. ``origin``: where it was taken, if not
    on its own: ``bulk`` for one of several that were taken at once.
    """

    case_id: str
    accounts: tuple[str, ...] | None
    verdict: str
    reason: str
    by: str
    expires: datetime | None = None
    remark: str = ""
    origin: str = ""


@dataclass(frozen=True)
class InForce:
    """The strictest verdict on one account at one time, and the decision that it comes from."""

    account_id: str
    verdict: str
    decision_id: str
    case_id: str
    expires: datetime


def decide(book: Book, order: Order, *, terms: Terms, now: datetime) -> Decision:
    """Record a decision and, where it is adverse, its notice.

    1. Verdict and reason are words of the schema; allow is said by `undo`.
    2. The case is open and a campaign's, and every account is a present member of it.
    3. What is adverse falls on accused accounts only: watch is for looking, and a permit protects.
    4. A person is named, unless the terms let a rule give this verdict.
    5. It expires, no later than the terms allow and not before now.
    6. What an appeal overturned is not decided again on the same evidence.
    7. Deny on more accounts than the terms say is pending until a second person approves; its
       notice is written then. Accounts of the case that one person alone denied already count, so
       that many small decisions are not one large.

    Raises ConfigError: 1, 2, 5. NotPermitted: 2 (of ownership), 3, 4, 6.
    """
    if order.verdict not in VERDICTS or order.verdict == "allow":  # 1
        raise ConfigError("expected a verdict other than allow", where="verdict",
                          hint=f"one of {', '.join(VERDICTS[1:])}; to let go, undo")  # fmt: skip
    if order.reason not in REASONS:
        raise ConfigError("not a reason", where="reason", hint=f"one of {', '.join(REASONS)}")
    _check_author(order, terms)  # 4
    with book.writing(now) as writer:
        at = writer.now
        expires = order.expires or at + terms.longest[order.verdict]
        if not at < expires <= at + terms.longest[order.verdict]:  # 5
            raise ConfigError(
                "expected a time after now and within the terms", where="expires",
                hint=f"at most {terms.longest[order.verdict].days} days for {order.verdict}",
            )  # fmt: skip
        evidence = _open_case(writer.connection, order.case_id)
        accounts = _accounts(writer.connection, order)  # 2, 3
        _refuse_repeat(writer.connection, order, accounts, evidence)  # 6
        pending = order.verdict == "deny" and (  # 7
            len({*accounts, *_denied_by_one(writer.connection, order.case_id, to_micros(at))})
            > terms.two_people_above_accounts
        )
        alone = order.accounts is not None and len(accounts) == 1
        decision_id = f"decision-{writer.next_number}"
        body = {
            "decision_id": decision_id, "case_id": order.case_id,
            "subject": accounts[0] if alone else order.case_id,
            "scope": "account" if alone else "case", "accounts": list(accounts),
            "verdict": order.verdict, "reason": order.reason,
            "evidence_digest": evidence, "by": order.by, "expires_us": to_micros(expires),
            "undoes": None, "pending": pending,
        }  # fmt: skip
        if order.origin:
            body["origin"] = order.origin
        writer.add("decision.made", body)
        if not pending:
            _tell(writer, decision_id, terms)
        _remark(writer, order.case_id, decision_id, order.by, order.remark)
        return _one(writer.connection, decision_id)


def approve(book: Book, decision_id: str, *, by: str, terms: Terms, now: datetime) -> Decision:
    """Let a pending decision take effect; write its notice.

    Raises NotPermitted: the same person, or a rule. ConfigError: it is not pending, or lapsed.
    """
    check_person(by)
    with book.writing(now) as writer:
        decision = _one(writer.connection, decision_id)
        if not decision.pending:
            raise ConfigError("it waits for no approval", where=decision_id)
        if decision.expires <= writer.now or _undone(writer.connection, decision_id):
            raise ConfigError("it has lapsed or was undone", where=decision_id)
        if same_person(by, decision.by):
            raise NotPermitted("whoever decided cannot approve", where=decision_id,
                               hint="a second person must look at it")  # fmt: skip
        writer.add("decision.approved", {"decision_id": decision_id, "by": by})
        _tell(writer, decision_id, terms)
        return _one(writer.connection, decision_id)


def undo(book: Book, decision_ids: Iterable[str], *, by: str, remark: str, now: datetime) -> int:
    """Undo decisions by one new decision each; return how many were still standing.

    Raises ConfigError: no such decision, or nobody is named.
    """
    check_person(by)
    count = 0
    with book.writing(now) as writer:
        for decision_id in decision_ids:
            decision = _one(writer.connection, decision_id)
            if decision.undoes or _undone(writer.connection, decision_id):
                continue
            writer.add(
                "decision.made",
                {
                    "decision_id": f"decision-{writer.next_number}", "case_id": decision.case_id,
                    "subject": decision.subject, "scope": decision.scope,
                    "accounts": list(decision.accounts), "verdict": "allow",
                    "reason": decision.reason,
                    "evidence_digest": decision.evidence_digest, "by": by,
                    "expires_us": to_micros(decision.expires), "undoes": decision_id,
                    "pending": False,
                },
            )  # fmt: skip
            _remark(writer, decision.case_id, decision_id, by, remark)
            count += 1
    return count


def in_force(
    book: Book, *, terms: Terms, now: datetime, ownership: bool = False
) -> dict[str, InForce]:
    """Return the verdict that stands on each account at ``now``, without those that have none.

    What the guard did by ownership rules is a policy of its own: ``ownership`` asks for it alone.
    A decision counts from its approval until it expires, is undone, or an appeal of the account is
    upheld. While an appeal is open past its time, or lapsed, the account has what the terms relax
    to. No writer has to run for that: time alone ends a verdict. Of several the strictest stands,
    of equals the one that lasts longer.
    """
    at = book.time(now)
    with book.reading() as connection:
        decisions = [
            d
            for d in _all(connection)
            if not d.pending and not d.undoes and (d.reason == OWNERSHIP) is ownership
        ]
        undone = set(connection.scalars(
            sa.select(t.decisions.c.id).where(t.decisions.c.undone_by.is_not(None))
        ))  # fmt: skip
        appeals = connection.execute(sa.select(t.appeals)).all()
    state = {}
    for appeal in appeals:
        overdue = appeal.state == "open" and from_micros(appeal.due_us) <= at
        state[appeal.decision_id, appeal.account_id] = "lapsed" if overdue else appeal.state
    standing: dict[str, InForce] = {}
    for decision in decisions:
        if decision.id in undone or not decision.at <= at < decision.expires:
            continue
        for account in decision.accounts:
            ended = state.get((decision.id, account))
            lapsed = ended == "lapsed" and not decision.stands
            verdict = terms.relaxes_to if lapsed else decision.verdict
            if ended == "upheld" or verdict == "allow":
                continue
            new = InForce(account, verdict, decision.id, decision.case_id, decision.expires)
            old = standing.get(account)
            if old is None or _rank(new) > _rank(old):
                standing[account] = new
    return dict(sorted(standing.items()))


def read_decisions(book: Book, case_id: str | None = None) -> list[Decision]:
    """Return all decisions, or a case's, the oldest first."""
    with book.reading() as connection:
        return [d for d in _all(connection) if case_id in (None, d.case_id)]


def _rank(standing: InForce) -> tuple[int, datetime, str]:
    return VERDICTS.index(standing.verdict), standing.expires, standing.decision_id


def _check_author(order: Order, terms: Terms) -> None:
    if is_rule(order.by):
        if order.verdict not in terms.automatic:
            raise NotPermitted(
                f"{order.verdict} needs a person who decides it", where="by",
                hint="name one, or let the terms say otherwise",
            )  # fmt: skip
    else:
        check_person(order.by)


def _open_case(connection: sa.Connection, case_id: str) -> str:
    row = connection.execute(
        sa.select(t.cases.c.state, t.cases.c.evidence_digest, t.cases.c.kind).where(
            t.cases.c.id == case_id
        )
    ).one_or_none()
    if row is None:
        raise ConfigError("there is no such case", where="case", hint="`stillwatch case list`")
    if row.state != "open":
        raise ConfigError(f"the case is {row.state}", where=case_id)
    if row.kind != "campaign":  # 2
        raise NotPermitted(
            "it is of refusals by ownership, and accuses nobody", where=case_id,
            hint="another answer refuses otherwise; an appeal or an undo ends a refusal",
        )  # fmt: skip
    return str(row.evidence_digest)


def _accounts(connection: sa.Connection, order: Order) -> tuple[str, ...]:
    rows = connection.execute(
        sa.select(t.members.c.account_id, t.members.c.standing).where(
            t.members.c.case_id == order.case_id, t.members.c.current
        )
    )
    standing: Mapping[str, str] = {account: held for account, held in rows}
    adverse = order.verdict in ADVERSE
    if order.accounts is None:
        asked = sorted(a for a, held in standing.items() if held == "accused" or not adverse)
    else:
        asked = sorted(set(order.accounts))
    strangers = sum(account not in standing for account in asked)
    if strangers or not asked:
        raise ConfigError(
            f"{strangers} of {len(asked)} accounts are no present members of the case",
            where=order.case_id, hint="`stillwatch case show` lists its members",
        )  # fmt: skip
    if adverse and (others := sum(standing[account] != "accused" for account in asked)):
        raise NotPermitted(
            f"{others} of {len(asked)} accounts are not accused, and {order.verdict} is adverse",
            where=order.case_id, hint="watch them, or name accused accounts only",
        )  # fmt: skip
    return tuple(asked)


def _refuse_repeat(
    connection: sa.Connection, order: Order, accounts: Collection[str], evidence: str
) -> None:
    if order.verdict not in ADVERSE:
        return
    overturned = set(connection.scalars(
        sa.select(t.corrections.c.account_id).where(t.corrections.c.evidence_digest == evidence)
    ))  # fmt: skip
    if repeated := len(overturned & set(accounts)):
        raise NotPermitted(
            f"an appeal of {repeated} of the accounts was upheld on this very evidence",
            where=order.case_id, hint="wait for evidence of a new scan, or leave them out",
        )  # fmt: skip


def _denied_by_one(connection: sa.Connection, case_id: str, at_us: int) -> set[str]:
    """Return the case's accounts under a deny in force that no second person approved."""
    return set(connection.scalars(
        sa.select(t.decision_accounts.c.account_id)
        .join(t.decisions, t.decisions.c.id == t.decision_accounts.c.decision_id)
        .where(
            t.decisions.c.case_id == case_id, t.decisions.c.verdict == "deny",
            t.decisions.c.approved_by.is_(None), t.decisions.c.undone_by.is_(None),
            t.decisions.c.expires_us > at_us, ~t.decisions.c.pending,
        )
    ))  # fmt: skip


def _tell(writer: Writer, decision_id: str, terms: Terms) -> None:
    decision = _one(writer.connection, decision_id)
    if decision.verdict in ADVERSE:
        write_notice(writer, decision, terms)


def _remark(writer: Writer, case_id: str, decision_id: str, by: str, text: str) -> None:
    """Keep what is meant for colleagues in an entry of its own, so that it can be kept back."""
    if text.strip():
        writer.add("case.note", {"case_id": case_id, "text": f"{decision_id}: {text}", "by": by})


def _undone(connection: sa.Connection, decision_id: str) -> bool:
    return bool(connection.scalar(
        sa.select(t.decisions.c.undone_by).where(t.decisions.c.id == decision_id)
    ))  # fmt: skip


def _one(connection: sa.Connection, decision_id: str) -> Decision:
    row = connection.execute(
        sa.select(t.decisions).where(t.decisions.c.id == decision_id)
    ).one_or_none()
    if row is None:
        raise ConfigError("there is no such decision", where="decision",
                          hint="`stillwatch case show` lists a case's decisions")  # fmt: skip
    accounts = connection.scalars(
        sa.select(t.decision_accounts.c.account_id)
        .where(t.decision_accounts.c.decision_id == decision_id)
        .order_by(t.decision_accounts.c.account_id)
    )
    return _decision(row, tuple(accounts))


def _all(connection: sa.Connection) -> list[Decision]:
    accounts: dict[str, list[str]] = {}
    for decision_id, account in connection.execute(
        sa.select(t.decision_accounts).order_by(t.decision_accounts.c.account_id)
    ):
        accounts.setdefault(decision_id, []).append(account)
    rows = connection.execute(sa.select(t.decisions)).all()
    rows = sorted(rows, key=lambda row: int(row.id.removeprefix("decision-")))
    return [_decision(row, tuple(accounts.get(row.id, ()))) for row in rows]


def _decision(row: Any, accounts: tuple[str, ...]) -> Decision:
    return Decision(
        row.id, row.case_id, row.subject, row.scope, accounts, row.verdict, row.reason,
        row.evidence_digest, row.by_person, from_micros(row.at_us), from_micros(row.expires_us),
        row.undoes, row.approved_by, bool(row.pending), bool(row.stands), row.reference,
    )  # fmt: skip
