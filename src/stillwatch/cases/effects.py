"""What judgement asks of the next scan and of the guard: one file that both read."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.appeals import read_appeals
from stillwatch.cases.book import Book
from stillwatch.cases.decisions import InForce, in_force, read_decisions
from stillwatch.cases.docket import read_cases, read_members
from stillwatch.cases.refusals import proofs_of
from stillwatch.cases.terms import Terms
from stillwatch.schema import OWNERSHIP, VERDICTS, Appeal, Decision, is_rule, to_micros

__all__ = ["effects"]


def effects(book: Book, *, terms: Terms, now: datetime) -> Mapping[str, Any]:
    """Return the verdicts in force, and what upheld appeals correct, as JSON types.

    ``verdicts``: a row an account; where an appeal against the decision is open, with the time at
    which it relaxes by itself and to what, so that a guard needs nobody to run for that.
    ``let_go``: accounts of decisions that a person undid, or that an appeal not decided in time
    relaxed to *allow*, on which nothing else stands, until the decision would have ended.
    ``let_go_campaigns``: campaigns of cases that a person let go as a whole, each with its core
    (see `_let_go_campaigns`).
    ``eased``: accounts of ownership refusals on which less stands than the guard's ladder says,
    each with the answer that it was about and its proof (see `_eased`).
    ``actions``: a row a campaign on which a decision on its whole case stands, the strictest one.
    ``corrections``: accounts that an upheld appeal restored, each with the campaign from which its
    links are to be taken, for as long as the terms say.
    ``labels``: what people found out about accounts, the newest of each, for the calibration.
    ``withdrawn_sightings``: what must be taken back from whoever was told.
    """
    standing = in_force(book, terms=terms, now=now)
    at = book.time(now)
    every = {d.id: d for d in read_decisions(book)}
    decisions = {name: d for name, d in every.items() if d.reason != OWNERSHIP}
    with book.reading() as connection:
        corrections = connection.execute(
            sa.select(t.corrections)
            .where(t.corrections.c.at_us > to_micros(at - terms.corrections_hold))
            .order_by(t.corrections.c.number)
        ).all()
        labels = connection.execute(sa.select(t.labels).order_by(t.labels.c.number)).all()
        withdrawn = connection.execute(
            sa.select(t.sightings)
            .where(t.sightings.c.state == "withdrawn")
            .order_by(t.sightings.c.id)
        ).all()
    newest = {(row.account_id, row.case_id): row for row in labels}
    relaxing = _Relaxing(book, terms, at, decisions)
    return {
        "at_us": to_micros(at),
        "verdicts": [
            {"account_id": v.account_id, "verdict": v.verdict, "decision_id": v.decision_id,
             "case_id": v.case_id, "expires_us": to_micros(v.expires),
             "by": decisions[v.decision_id].by, "at_us": to_micros(decisions[v.decision_id].at),
             **relaxing.of(v)}
            for v in standing.values()
        ],
        "let_go": _let_go(
            [*decisions.values(), *relaxing.to_allow()], standing, at
        ),
        "let_go_campaigns": _let_go_campaigns(book, list(decisions.values()), at),
        "actions": _actions(book, at),
        "eased": _eased(
            book, [d for d in every.values() if d.reason == OWNERSHIP], terms, at
        ),
        "corrections": [
            {"account_id": row.account_id, "campaign_id": row.campaign_id,
             "case_id": row.case_id, "appeal_id": row.appeal_id}
            for row in corrections
        ],
        "labels": [
            {"account_id": row.account_id, "case_id": row.case_id, "label": row.label}
            for _, row in sorted(newest.items())
        ],
        "withdrawn_sightings": [
            {"sighting_id": row.id, "indicator": row.indicator} for row in withdrawn
        ],
    }  # fmt: skip


class _Relaxing:
    """What open appeals do to the decisions that they are against when their time runs out."""

    def __init__(
        self, book: Book, terms: Terms, at: datetime, decisions: Mapping[str, Decision]
    ) -> None:
        self._book, self._terms, self._at = book, terms, at
        self._decisions = decisions
        self._appeals = read_appeals(book)
        self._then: dict[datetime, Mapping[str, InForce]] = {}

    def of(self, held: InForce) -> dict[str, Any]:
        """Return when the decision that stands relaxes, and what then stands on the account."""
        for one in self._appeals:
            if (one.decision, one.account_id) == (held.decision_id, held.account_id) and (
                one.state == "open" and self._at < one.due < held.expires
            ):
                if one.due not in self._then:
                    self._then[one.due] = in_force(self._book, terms=self._terms, now=one.due)
                then = self._then[one.due].get(held.account_id)
                return {"relaxes_us": to_micros(one.due), "relaxes_to": self._verdict(then)}
        return {}

    def _verdict(self, then: InForce | None) -> str:
        """Return what stands then; of a rule's no more than a rule may ask of a guard."""
        if then is None:
            return "allow"
        if is_rule(self._decisions[then.decision_id].by):
            return min(then.verdict, "throttle", key=VERDICTS.index)
        return then.verdict

    def to_allow(self) -> Iterator[Decision]:
        """Yield the undoing, for one account, of each decision that has relaxed to *allow*."""
        if self._terms.relaxes_to != "allow":
            return
        for one in self._appeals:
            over = one.state == "lapsed" or (one.state == "open" and one.due <= self._at)
            decision = self._decisions.get(one.decision)
            if over and decision is not None:
                yield replace(decision, accounts=(one.account_id,), undoes=decision.id)


def _eased(
    book: Book, decisions: Sequence[Decision], terms: Terms, at: datetime
) -> list[dict[str, Any]]:
    """Return what now stands on accounts that were refused by ownership, where that is less.

    1. An upheld appeal: *allow*, while corrections hold.
    2. A decision that a person undid: *allow*, until it would have ended.
    3. An appeal whose time ran out: what the terms relax to, until the decision would have ended,
       and the same from the time that an open one is due. Not where the decision stands.

    Each holds for the answer that was refused (*restricted*, *possible*, *undetermined*) and for
    what it follows from, its proof: another statement or a changed rule is decided anew. Of several
    the last decision.
    """
    with book.reading() as connection:
        proofs = proofs_of(connection)
    appeals: dict[tuple[str, str], Appeal] = {
        (one.decision, one.account_id): one for one in read_appeals(book)
    }
    undone = {d.undoes: d for d in decisions if d.undoes}
    answers = {c.id: {m[0]: m[2] for m in read_members(book, c.id)} for c in read_cases(book)
               if c.kind == OWNERSHIP}  # fmt: skip
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for d in decisions:
        account, word = d.subject, answers.get(d.case_id, {}).get(d.subject)
        if d.undoes or word is None:
            continue
        one = appeals.get((d.id, account))
        answer = (account, word, proofs.get(d.evidence_digest, ""))
        row = {"account_id": account, "access": word, "proof": answer[2], "decision_id": d.id,
               "by": d.by, "at_us": to_micros(d.at),
               "expires_us": to_micros(d.expires)}  # fmt: skip
        if one is not None and one.state == "upheld":
            row |= {"verdict": "allow", "by": one.resolved_by or d.by,
                    "expires_us": to_micros(one.at + terms.corrections_hold)}  # fmt: skip
        elif d.id in undone:
            row |= {"verdict": "allow", "by": undone[d.id].by}
        elif one is None or d.stands or one.state == "rejected":
            rows.pop(answer, None)
            continue
        elif one.state == "lapsed" or one.due <= at:
            row |= {"verdict": terms.relaxes_to}
        else:
            row |= {"verdict": d.verdict, "relaxes_us": to_micros(one.due),
                    "relaxes_to": terms.relaxes_to}  # fmt: skip
        rows[answer] = row
    return [row for _, row in sorted(rows.items()) if to_micros(at) < row["expires_us"]]


def _let_go(
    decisions: Iterable[Decision], standing: Collection[str], at: datetime
) -> list[dict[str, Any]]:
    """Return the accounts whose decision was undone and that are under no other, the last undo."""
    last: dict[str, Decision] = {}
    for decision in decisions:
        if decision.undoes and decision.at <= at < decision.expires:
            last.update((a, decision) for a in decision.accounts if a not in standing)
    return [
        {"account_id": account, "by": d.by, "at_us": to_micros(d.at),
         "expires_us": to_micros(d.expires), "decision_id": d.id}
        for account, d in sorted(last.items())
    ]  # fmt: skip


def _let_go_campaigns(
    book: Book, decisions: Sequence[Decision], at: datetime
) -> list[dict[str, Any]]:
    """Return the present campaigns of cases that were let go as a whole, whoever is in them now.

    1. On such a case no decision stands, and it has been closed, or what was undone had covered
       every account that was accused when it was decided.
    2. It holds until the last of the undone decisions would have ended; of a closed case until its
       evidence is another, since then it comes back as a new case: it names no core, by which a
       campaign of another id would be known as the same.
    3. What a rescan split off from such a case, and about which nobody decided since, is let go
       with it.
    """
    with book.reading() as connection:
        cases = {
            row.id: row
            for row in connection.execute(sa.select(t.cases).where(t.cases.c.kind != OWNERSHIP))
        }
        present = connection.execute(
            sa.select(t.case_campaigns)
            .where(t.case_campaigns.c.current)
            .order_by(t.case_campaigns.c.campaign_id)
        ).all()
        core: dict[str, list[str]] = {}
        for row in connection.execute(
            sa.select(t.members)
            .where(t.members.c.current, t.members.c.role == "core")
            .order_by(t.members.c.account_id)
        ):
            core.setdefault(row.case_id, []).append(row.account_id)
        gone = {d.undoes for d in decisions if d.undoes}
        standing = {
            d.case_id
            for d in decisions
            if not d.undoes and not d.pending and d.id not in gone and d.at <= at < d.expires
        }
        free: dict[str, Decision | None] = {}
        for case_id, case in cases.items():
            undone = [
                d for d in decisions if d.case_id == case_id and d.undoes and d.at <= at < d.expires
            ]
            if case_id in standing:
                continue
            if case.state == "closed" and not undone:
                free[case_id] = None
            elif undone and _whole(connection, undone):
                free[case_id] = max(undone, key=lambda d: d.expires)
    decided = {d.case_id for d in decisions}
    for case_id in sorted(cases, key=lambda c: (cases[c].opened_us, c)):  # 3, parents first
        parent = cases[case_id].split_from
        if parent in free and case_id not in decided and case_id not in free:
            free[case_id] = free[parent]
    return [
        {"campaign_id": row.campaign_id, "case_id": row.case_id,
         "by": None if d is None else d.by, "decision_id": None if d is None else d.id,
         "expires_us": None if d is None else to_micros(d.expires),
         "core": [] if d is None else core.get(row.case_id, [])}
        for row in present if row.case_id in free
        for d in (free[row.case_id],)
    ]  # fmt: skip


def _whole(connection: sa.Connection, undone: Sequence[Decision]) -> bool:
    """Return whether undone decisions had together covered all whom their evidence accused."""
    last = undone[-1]
    body = connection.scalar(
        sa.select(t.bodies.c.body)
        .join(t.evidence, t.evidence.c.number == t.bodies.c.number)
        .where(
            t.evidence.c.digest == last.evidence_digest, t.evidence.c.case_id == last.case_id
        )
    )  # fmt: skip
    if body is None:
        return False
    accused = {a for a, _, standing in json.loads(body)["members"] if standing == "accused"}
    return accused <= {account for d in undone for account in d.accounts}


def _actions(book: Book, at: datetime) -> list[dict[str, Any]]:
    """Return what stands on whole campaigns, by campaign."""
    with book.reading() as connection:
        undone = set(connection.scalars(
            sa.select(t.decisions.c.id).where(t.decisions.c.undone_by.is_not(None))
        ))  # fmt: skip
        campaigns: dict[str, list[str]] = {}
        for row in connection.execute(
            sa.select(t.case_campaigns).where(t.case_campaigns.c.current)
        ):
            campaigns.setdefault(row.case_id, []).append(row.campaign_id)
    best: dict[str, Decision] = {}
    for decision in read_decisions(book):
        if decision.scope != "case" or decision.pending or decision.undoes or decision.id in undone:
            continue
        if not decision.at <= at < decision.expires:
            continue
        for campaign in campaigns.get(decision.case_id, []):
            held = best.get(campaign)
            if held is None or _rank(decision) > _rank(held):
                best[campaign] = decision
    return [
        {"campaign_id": campaign, "verdict": d.verdict, "by": d.by, "at_us": to_micros(d.at),
         "expires_us": to_micros(d.expires), "decision_id": d.id}
        for campaign, d in sorted(best.items())
    ]  # fmt: skip


def _rank(decision: Decision) -> tuple[int, datetime]:
    return VERDICTS.index(decision.verdict), decision.expires
