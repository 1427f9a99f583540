"""What judgement asks of the next scan and of the guard: one file that both read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.book import Book
from stillwatch.cases.decisions import in_force, read_decisions
from stillwatch.cases.terms import Terms
from stillwatch.schema import VERDICTS, Decision, to_micros

__all__ = ["effects"]


def effects(book: Book, *, terms: Terms, now: datetime) -> Mapping[str, Any]:
    """Return the verdicts in force, and what upheld appeals correct, as JSON types.

    ``verdicts``: a row an account. ``let_go``: accounts of decisions that a person undid, on which
    nothing else stands, until the decision would have ended. ``actions``: a row a campaign on which
    a decision on its whole case stands, the strictest one. ``corrections``: accounts that an upheld
    appeal restored, each with the campaign from which its links are to be taken, for as long as the
    terms say.
    ``labels``: what people found out about accounts, the newest of each, for the calibration.
    ``withdrawn_sightings``: what must be taken back from whoever was told.
    """
    standing = in_force(book, terms=terms, now=now)
    at = book.time(now)
    decisions = {d.id: d for d in read_decisions(book)}
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
    return {
        "at_us": to_micros(at),
        "verdicts": [
            {"account_id": v.account_id, "verdict": v.verdict, "decision_id": v.decision_id,
             "case_id": v.case_id, "expires_us": to_micros(v.expires),
             "by": decisions[v.decision_id].by, "at_us": to_micros(decisions[v.decision_id].at)}
            for v in standing.values()
        ],
        "let_go": _let_go(decisions.values(), standing, at),
        "actions": _actions(book, at),
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
