"""A run's campaigns → cases: new ones opened, known ones carried on, merged ones closed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.book import Book, Writer
from stillwatch.cases.identity import Match, match_campaigns
from stillwatch.errors import ConfigError, InputError
from stillwatch.schema import STANDINGS
from stillwatch.seal import canonical, digest
from stillwatch.store import Run

__all__ = ["Seen", "open_cases"]


@dataclass(frozen=True)
class Seen:
    """What one rescan made of one case. ``change`` as in `Match`, or merged."""

    case_id: str
    campaign_id: str
    change: str
    came: int
    left: int
    other_case: str | None


def open_cases(book: Book, run: Run, *, now: datetime, standings: tuple[str, ...]) -> list[Seen]:
    """Bring the campaigns of a run into the case database; say what became of each case.

    Only campaigns of the given standings become cases. The same run a second time changes nothing:
    where neither members nor evidence differ, no entry is written. A campaign on whose very
    evidence a case was closed opens no other.

    Raises InputError: the run's campaigns lack their members. ConfigError: no such standing.
    """
    if strange := set(standings) - set(STANDINGS):
        raise ConfigError(
            f"{len(strange)} words that are no standing", where="--standing",
            hint=f"one of {', '.join(STANDINGS)}",
        )  # fmt: skip
    campaigns = {c["campaign_id"]: c for c in run.campaigns if c.get("standing") in standings}
    with book.writing(now) as writer:
        over = _closed_on(writer.connection)
        campaigns = {n: c for n, c in campaigns.items() if _digest(c) not in over}
        accounts = {name: _accounts(c, run) for name, c in campaigns.items()}
        known = _open_cases(writer.connection)
        matches, merges = match_campaigns(known, accounts)
        case_of: dict[str, str] = {}
        seen: list[Seen] = []
        for match in matches:
            case_id = match.case_id or f"case-{writer.next_number}"
            case_of[match.campaign_id] = case_id
            _write(writer, case_id, match, campaigns[match.campaign_id], run)
            seen.append(
                Seen(case_id, match.campaign_id, match.change, match.came, match.left,
                     match.split_from)
            )  # fmt: skip
        for merge in merges:
            into = case_of[merge.into_campaign]
            writer.add("case.merged", {"case_id": merge.case_id, "into": into})
            seen.append(Seen(merge.case_id, merge.into_campaign, "merged", 0, 0, into))
    return seen


def _accounts(campaign: Mapping[str, Any], run: Run) -> list[str]:
    """Return the core's accounts; the periphery may belong to several campaigns."""
    members = campaign.get("members")
    if not isinstance(members, list):
        raise InputError("a campaign without members", where=f"{run.path}/campaigns.jsonl")
    core = [m["account_id"] for m in members if m.get("role") == "core"]
    return sorted(set(core or [m["account_id"] for m in members]))


def _open_cases(connection: sa.Connection) -> dict[str, list[str]]:
    """Return each open case's present core, the oldest case first."""
    rows = connection.execute(
        sa.select(t.cases.c.id, t.members.c.account_id, t.members.c.role)
        .join(t.members, t.members.c.case_id == t.cases.c.id)
        .where(t.cases.c.state == "open", t.cases.c.kind == "campaign", t.members.c.current)
        .order_by(t.cases.c.opened_us, t.cases.c.id, t.members.c.account_id)
    ).all()
    core: dict[str, list[str]] = {}
    every: dict[str, list[str]] = {}
    for case, account, role in rows:
        every.setdefault(case, []).append(account)
        if role == "core":
            core.setdefault(case, []).append(account)
    return {case: core.get(case, accounts) for case, accounts in every.items()}


def _write(
    writer: Writer, case_id: str, match: Match, campaign: Mapping[str, Any], run: Run
) -> None:
    evidence, evidence_digest = _evidence(campaign), _digest(campaign)
    if match.case_id is not None:
        held = writer.connection.execute(
            sa.select(t.cases.c.evidence_digest).where(t.cases.c.id == case_id)
        ).scalar_one()
        if held == evidence_digest:
            return
    standing: dict[str, tuple[str, str]] = {}
    for member in campaign["members"]:
        account = member["account_id"]
        mine = (str(member.get("role")), str(member.get("standing")))
        # A channel account may appear once for each end user; its weightiest row stands for it.
        if account not in standing or _weight(mine) > _weight(standing[account]):
            standing[account] = mine
    writer.add(
        "case.seen",
        {
            "case_id": case_id,
            "campaign_id": match.campaign_id,
            "change": match.change,
            "split_from": match.split_from,
            "members": [[a, *standing[a]] for a in sorted(standing)],
            "evidence_digest": evidence_digest,
            "evidence": evidence,
            "run": {name: run.summary.get(name) for name in ("since", "until", "look", "alpha")},
        },
    )


def _evidence(campaign: Mapping[str, Any]) -> Any:
    return json.loads(canonical(dict(campaign)))


def _digest(campaign: Mapping[str, Any]) -> str:
    return digest(_evidence(campaign))


def _closed_on(connection: sa.Connection) -> frozenset[str]:
    """Return the digests of evidence on which people closed cases."""
    return frozenset(connection.scalars(
        sa.select(t.evidence.c.digest)
        .join(t.cases, t.cases.c.id == t.evidence.c.case_id)
        .where(t.cases.c.state == "closed")
    ))  # fmt: skip


def _weight(member: tuple[str, str]) -> tuple[bool, bool]:
    return (member[1] == "accused", member[0] == "core")
