"""From findings to campaigns with members, rivals, methods, collateral and standings."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.known import Known, ask
from stillwatch.campaigns.members import Member, name_members, read_belonging
from stillwatch.campaigns.methods import methods_of
from stillwatch.campaigns.rivals import Seen, rivals
from stillwatch.campaigns.select import Choice
from stillwatch.campaigns.topics import Crowd, load_crowd
from stillwatch.policy import Permit, PermitUse, judge_permits
from stillwatch.schema import NOT_TESTED, Desk
from stillwatch.signals import (
    ACTED_E,
    DIRECT,
    NOTHING,
    SCREEN_E,
    TESTS,
    WATCHED,
    e_of_acts,
    e_of_claim,
)

__all__ = ["Campaign", "Judgement", "judge"]

_WATCH_E = 20.0
_PRIOR_ODDS = 0.01
_MIXED_FROM = 4
_MOSTLY = 0.8


@dataclass
class Campaign:
    """One campaign: its cohort, members by sid, and what follows for it."""

    cohort: int
    campaign_id: str
    standing: str
    e_value: float
    q_value: float
    found_by: list[str]
    methods: list[str]
    members: dict[int, Member]
    standings: dict[int, str]
    claims: dict[str, Any]
    rivals: list[dict[str, Any]]
    not_known: list[dict[str, str]] = field(default_factory=list)

    @property
    def accused(self) -> list[int]:
        return sorted(s for s, v in self.standings.items() if v == "accused")

    @property
    def core(self) -> list[int]:
        return sorted(s for s, m in self.members.items() if m.role == "core")


class Shown(NamedTuple):
    """What a hypothesis says: the weaker claim's p-value (`weaker_p`), e and q.

    The p-value is of this hypothesis, not of the strongest of many: e and q allow for their number.
    """

    p_value: float | None
    e_value: float
    q_value: float


@dataclass(frozen=True)
class Judgement:
    """All campaigns, each subject's standing, and how permits were used.

    ``strongest``: by sid, what the strongest hypothesis to which a subject belongs says, selected
    or not; who only shares something wider with its members does not belong.
    """

    campaigns: tuple[Campaign, ...]
    standing: dict[int, str]
    campaign_of: dict[int, int]
    permit_uses: tuple[PermitUse, ...]
    crowd: Crowd
    strongest: Mapping[int, Shown] = field(default_factory=dict)


def judge(
    desk: Desk, choice: Choice, permits: Sequence[Permit], *, accuse: bool = True,
    among: Collection[int] | None = None,
) -> Judgement:  # fmt: skip
    """Return campaigns in order of strength. ``accuse`` False (drift) leaves all at `watch`.

    ``among``: the subjects that may be accused, all where it is None.

    1. Cohorts selected by e-BH, and those with e ≥ 20 for watching, strongest and purest first.
    2. Members with their own evidence; a cohort most of whose proven members already stand in a
       stronger campaign is the same campaign seen through another object.
    3. Honest explanations: if one survives, nobody is accused.
    4. Permits: accounts wholly inside one are `permitted`.
    """
    findings = _findings(desk)
    shown = {
        c: (float(e), float(q)) for c, e, q in zip(choice.cohorts, choice.e, choice.q, strict=True)
    }
    order = sorted(
        (
            c
            for c in shown
            if c in choice.selected or max(shown[c][0], choice.watch.get(c, 0.0)) >= _WATCH_E
        ),
        key=lambda c: (c not in choice.selected, -shown[c][0], -_asked_for(findings[c]), c),
    )
    crowd = load_crowd(desk, order)
    campaigns: list[Campaign] = []
    taken: dict[int, Campaign] = {}
    named = _named(desk, crowd, findings, order)
    cores = {
        c: [m.sid for m in members if m.role == "core"] or [m.sid for m in members]
        for c, members in named.items()
    }
    known = ask(desk, cores)
    for cohort in order:
        rows, members = findings[cohort], named[cohort]
        proven = [m.sid for m in members if m.proven]
        hosts = [taken[s] for s in proven if s in taken]
        selected = cohort in choice.selected and accuse and not _mixed(members, taken)
        if proven and 2 * len(hosts) >= len(proven):
            host = max(hosts, key=hosts.count)
            view = _campaign(crowd, known[cohort], members, rows, shown[cohort], permits)
            _absorb(host, members, selected=selected and not _explained(view))
            taken.update({m.sid: host for m in members if host.members[m.sid].role == "core"})
            continue
        campaign = _campaign(crowd, known[cohort], members, rows, shown[cohort], permits)
        _decide(campaign, selected, desk.settings.min_subjects)
        if campaign.standing == "watch" and cohort not in choice.selected and not proven:
            continue
        campaigns.append(campaign)
        for sid in campaign.core:  # the periphery of one (its proxy's customers) may be another
            taken.setdefault(sid, campaign)
    if among is not None:
        for campaign in campaigns:
            _spare_others(campaign, among, desk.settings.min_subjects)
    uses = _permit(desk, campaigns, permits)
    standing, campaign_of = _standings(campaigns)
    rank = {"accused": 0, "permitted": 1, "watch": 2}
    campaigns.sort(key=lambda c: (rank[c.standing], c.campaign_id))
    number = {c.campaign_id: k for k, c in enumerate(campaigns)}
    return Judgement(
        tuple(campaigns), standing,
        {sid: number[c.campaign_id] for sid, c in campaign_of.items()}, uses, crowd,
        _strongest(desk, shown, findings),
    )  # fmt: skip


def _strongest(
    desk: Desk, shown: Mapping[int, tuple[float, float]],
    findings: Mapping[int, list[dict[str, Any]]],
) -> dict[int, Shown]:  # fmt: skip
    """Return, by sid, what the strongest cohort says of which the subject is a linked member."""
    said = {c: Shown(weaker_p(findings[c]), e, q) for c, (e, q) in shown.items() if c in findings}
    order = sorted(said, key=lambda c: (-said[c].e_value, said[c].p_value or 1.0, c))
    if not order:
        return {}
    belong = desk.query(
        "SELECT m.sid, min(o.place) AS place FROM cohort_members m JOIN ordered o "
        "ON o.cohort = m.cohort WHERE m.how <> 'associated' GROUP BY m.sid ORDER BY m.sid",
        ordered=pa.table(
            {
                "cohort": pa.array(order, pa.int32()),
                "place": pa.array(range(len(order)), pa.int32()),
            }
        ),
    )
    sids, places = belong["sid"].to_pylist(), belong["place"].to_pylist()
    return {sid: said[order[place]] for sid, place in zip(sids, places, strict=True)}


def weaker_p(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the weaker claim's p-value, None where a claim was not read.

    A claim's is the smallest of its tests', times their number (Bonferroni); what only watches is
    left out. ``rows``: findings of one cohort. Both nulls must be rejected.
    """
    known = []
    for claim in ("coordinated", "extractive"):
        made = [float(r["p_value"]) for r in _made(rows, claim) if r["signal"] not in WATCHED]
        known += [min(1.0, min(made) * len(made))] if made else []
    return max(known) if len(known) == 2 else None


def _named(
    desk: Desk, crowd: Crowd, findings: Mapping[int, list[dict[str, Any]]], cohorts: Sequence[int]
) -> dict[int, list[Member]]:
    """Return the members of each cohort."""
    known = read_belonging(
        desk,
        {c: findings[c][0]["bursts"] for c in cohorts},
        {c: findings[c][0]["in_turn"] for c in cohorts},
    )
    for c in cohorts:
        nothing = {r["signal"] for r in findings[c] if not _speaks(r)}
        for kinds in known[c].shown.values():
            kinds -= nothing & DIRECT
    return {
        c: name_members(
            desk,
            crowd,
            c,
            known[c],
            np.array(findings[c][0]["trimmed"], dtype=np.int64),
            acted=_acted(findings[c]),
            by_topics=findings[c][0]["by_topics"],
        )
        for c in cohorts
    }


def _made(rows: Sequence[Mapping[str, Any]], claim: str) -> list[Mapping[str, Any]]:
    """Return the findings of a claim whose tests could be made."""
    return [r for r in rows if r["claim"] == claim and r["evaluable"]]


def _speaks(row: Mapping[str, Any]) -> bool:
    """Return whether a test could be made and found something that counts."""
    return bool(row["evaluable"] and row["e_value"] > NOTHING)


def _acted(rows: list[dict[str, Any]]) -> bool:
    """Return whether acts, not topics alone, say that a cohort acts together, in either part."""
    acts = [(r["signal"], r["e_value"]) for r in _made(rows, "coordinated")]
    seen = rows[0]["e_screen"]  # NaN where others listed it
    return bool(seen >= SCREEN_E or e_of_acts(acts) >= ACTED_E)


def _asked_for(rows: list[dict[str, Any]]) -> float:
    """Return the harvest score, by which cohorts of one e-value are told apart: the purer first."""
    made = [r["statistic"] for r in _made(rows, "extractive")]
    return float(made[0]) if made else 0.0


def _findings(desk: Desk) -> dict[int, list[dict[str, Any]]]:
    grouped: dict[int, list[dict[str, Any]]] = {}
    for row in desk.query("SELECT * FROM findings ORDER BY cohort, claim, signal").to_pylist():
        grouped.setdefault(row["cohort"], []).append(row)
    return grouped


def _mixed(members: Sequence[Member], taken: Mapping[int, Campaign]) -> bool:
    """Return whether a weaker cohort joins members of stronger campaigns with many others.

    What speaks for it may be theirs alone (honest customers of an app whose prompt a relay uses):
    the others are watched.
    """
    linked = [m.sid for m in members if m.confidence > 0]
    known = sum(sid in taken for sid in linked)
    return _MIXED_FROM <= known < _MOSTLY * len(linked)


def _absorb(host: Campaign, members: list[Member], *, selected: bool) -> None:
    """Add members of a second view of the same campaign.

    The first view of a subject stays, unless it was periphery there and is proven here.
    """
    for member in members:
        first = host.members.get(member.sid)
        if first is not None and (first.role == "core" or not member.proven):
            continue
        host.members[member.sid] = member
        accused = selected and member.proven and host.standing == "accused"
        host.standings[member.sid] = "accused" if accused else "watch"


def _explained(campaign: Campaign) -> bool:
    """Return whether an honest explanation survives; permits are judged apart, on exchanges."""
    return any(r["survives"] for r in campaign.rivals if r["name"] != "research")


def _decide(campaign: Campaign, selected: bool, least: int) -> None:
    survives = _explained(campaign)
    proven = [m for m in campaign.members.values() if m.proven]
    accused = selected and not survives and len(proven) >= least
    campaign.standing = "accused" if accused else "watch"
    for sid, member in campaign.members.items():
        campaign.standings[sid] = "accused" if accused and member.proven else "watch"


def _spare_others(campaign: Campaign, among: Collection[int], least: int) -> None:
    """Leave only these subjects accused, and nobody where they are too few for a campaign."""
    left = {sid for sid in campaign.accused if sid in among}
    if campaign.standing == "accused" and len(left) < least:
        campaign.standing, left = "watch", set()
    for sid in campaign.accused:
        campaign.standings[sid] = "accused" if sid in left else "watch"


def _campaign(
    crowd: Crowd, known: Known, members: list[Member], rows: list[dict[str, Any]],
    shown: tuple[float, float], permits: Sequence[Permit],
) -> Campaign:  # fmt: skip
    direct = {
        r["signal"]: int(r["statistic"]) for r in rows if r["signal"] in DIRECT and _speaks(r)
    }
    by_sid = {m.sid: m for m in members}
    digest = hashlib.sha256(known.ids.encode()).hexdigest()[:12]
    explained = rivals(_seen(crowd, known, rows, permits))
    return Campaign(
        cohort=known.cohort,
        campaign_id=f"c-{digest}",
        standing="watch",
        e_value=shown[0],
        q_value=shown[1],
        found_by=known.found_by,
        methods=methods_of(known.hints, direct),
        members=by_sid,
        standings={},
        claims=_claims(rows),
        rivals=[r.as_dict() for r in explained],
        not_known=_not_known(rows),
    )


def _claims(rows: list[dict[str, Any]]) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    for name in ("coordinated", "extractive"):
        made = _made(rows, name)
        e_value = 0.0
        if made:
            e_value = e_of_claim(
                [(r["signal"], r["e_value"]) for r in made], made[0]["e_screen"], made[0]["early"]
            )
        claims[name] = {
            "confidence": round(_confidence(e_value), 6),
            "e_value": e_value,
            "evidence": [
                {
                    "signal": r["signal"], "statistic": r["statistic"], "p_value": r["p_value"],
                    "e_value": r["e_value"], "null": json.loads(r["null"]) if r["null"] else None,
                    "n": r["n"], "text": r["text"],
                }
                for r in sorted(
                    made, key=lambda r: (r["signal"] in WATCHED, -r["e_value"], r["signal"])
                )
            ],
        }  # fmt: skip
    claims["actor"] = {"confidence": 0.0, "e_value": 1.0, "evidence": [], "claim": None}
    return claims


def _confidence(e_value: float) -> float:
    """Return the posterior probability at prior odds of 1 to 100, the e-value read as a ratio."""
    odds = _PRIOR_ODDS * min(e_value, 1e12)
    return odds / (1 + odds)


def _not_known(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    unknown = [
        {
            "question": "Who operates it?",
            "data": "identity checks of the paying accounts, or a partner's sighting; "
            "a cluster is not an actor",
        }
    ]
    title = {test.name: test.title for test in TESTS}
    unknown.extend(
        {
            "question": f"{NOT_TESTED}: {title.get(row['signal'], row['signal'])}",
            "data": row["text"],
        }
        for row in rows
        if not row["evaluable"]
    )
    return unknown


def _seen(
    crowd: Crowd, known: Known, rows: list[dict[str, Any]], permits: Sequence[Permit]
) -> Seen:
    traits = json.loads(rows[0]["traits"])
    core = known.core
    table = crowd.subjects.take(pa.array(core))
    orgs = crowd.org[np.array(core)]
    held = zip(table["payment_hash"].to_pylist(), table["org_id"].to_pylist(), strict=True)
    paid = [(card, org) for card, org in held if card]
    (common, times), *_ = Counter(card for card, _ in paid).most_common(1) or [(None, 0)]
    turns = next((r["p_value"] for r in rows if r["signal"] == "round_robin"), float("nan"))
    named = len(_holders(table, permits))
    return Seen(
        own_topics=float(traits.get("own_topics", float("nan")))
        + 2 * float(traits.get("own_error", 0.0)),
        repeats=float(traits.get("repeats", float("nan"))),
        top_organization=float(np.unique(orgs, return_counts=True)[1].max() / len(orgs)),
        one_payment=times / len(core),
        one_exit=known.exits / len(core),
        end_users=any(u is not None for u in table["end_user_id"].to_pylist()),
        handoffs=known.handoffs,
        handoffs_per_pair=known.handoffs / max(known.pairs, 1),
        organizations=len(np.unique(orgs)),
        named=len({org for card, org in paid if card == common and org}),
        round_robin_p=float(turns),
        permit_share=named / len(core),
    )


def _holders(people: pa.Table, permits: Sequence[Permit]) -> set[int]:
    """Return the places of the rows of which any permit speaks."""
    columns = (people[name].to_pylist() for name in ("account_id", "org_id", "plan"))
    naming: dict[str | None, list[Permit]] = {}
    for permit in permits:  # what a permit names first decides whom it can speak of
        naming.setdefault(permit.account_id or permit.org_id, []).append(permit)
    return {
        place
        for place, (account, org, plan) in enumerate(zip(*columns, strict=True))
        if any(
            p.names(account, org, plan)
            for name in {account, org, "*"}
            for p in naming.get(name, ())
        )
    }


def _permit(
    desk: Desk, campaigns: list[Campaign], permits: Sequence[Permit]
) -> tuple[PermitUse, ...]:
    """Turn accused accounts wholly inside a permit into permitted ones; return permit uses.

    A holder of a permit that exceeds it is not accused either: it goes on watch, and the excess
    is a finding of its own that a person settles with the customer.
    """
    uses: list[PermitUse] = []
    if not permits:
        return ()
    people = desk.query("SELECT account_id, org_id, plan FROM people ORDER BY sid")
    names = people["account_id"].to_pylist()
    named = _holders(people, permits)
    for campaign in campaigns:
        accused = [s for s in campaign.accused if s in named]
        if not accused:
            continue
        rows = desk.query(
            f"""SELECT e.account_id, p.org_id, p.plan, epoch_us(e.ts) AS ts, e.model,
                       CAST(round(coalesce(e.output_tokens, 0) / {desk.settings.sampling_rate})
                            AS BIGINT) AS tokens
                FROM acts e JOIN people p ON p.sid = e.sid
                WHERE e.sid IN ({", ".join(map(str, accused))}) ORDER BY e.rid"""
        )
        lines = zip(*(rows[c].to_pylist() for c in rows.column_names), strict=True)
        covered, used = judge_permits(permits, lines, campaign.methods)
        uses.extend(used)
        holders = {account for use in used for account in use.accounts}
        for sid in accused:
            if names[sid] in covered:
                campaign.standings[sid] = "permitted"
            elif names[sid] in holders:
                campaign.standings[sid] = "watch"
        if campaign.standing == "accused" and not campaign.accused:
            held = "permitted" in campaign.standings.values()
            campaign.standing = "permitted" if held else "watch"
    return tuple(uses)


def _standings(campaigns: list[Campaign]) -> tuple[dict[int, str], dict[int, Campaign]]:
    """Return each subject's strongest standing and the campaign it comes from."""
    rank = {"watch": 0, "permitted": 1, "accused": 2}
    standing: dict[int, str] = {}
    source: dict[int, Campaign] = {}
    for campaign in campaigns:
        for sid, one in campaign.standings.items():
            if sid not in standing or rank[one] > rank[standing[sid]]:
                standing[sid] = one
                source[sid] = campaign
    return standing, source
