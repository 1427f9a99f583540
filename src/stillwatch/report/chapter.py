"""A campaign's chapter: its figures and words, from heading to what is not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stillwatch.report.facts import (
    NO_METHOD,
    Campaign,
    Facts,
    at,
    is_unproven,
    listed,
    recommended,
    records,
    said,
)
from stillwatch.report.numbers import (
    compact,
    count,
    counted,
    day_range,
    number,
    parse,
    plain,
    plain_range,
    sure,
    usd_range,
    word,
    worded,
)
from stillwatch.report.pictures import (
    clock_figure,
    collateral_figure,
    coverage_figure,
    graph_figure,
    null_drawing,
    raster_figure,
    waterfall_figure,
)
from stillwatch.report.pictures.glance import swatch
from stillwatch.report.skeleton import Frame, frames_of
from stillwatch.report.svg import El, Figure, Table
from stillwatch.report.visible import shorten
from stillwatch.report.web import read_web
from stillwatch.schema import pricing

__all__ = ["Chapter", "Claim", "Evidence", "write_chapter"]

_CLAIM_TITLES = {
    "coordinated": "Coordinated: these accounts act as one",
    "extractive": "Extractive: this traffic harvests training data",
    "actor": "Actor: who is behind it",
}


@dataclass(frozen=True)
class Evidence:
    """One test's row."""

    title: str
    sentence: str
    p: str
    e: str
    picture: El | None


@dataclass(frozen=True)
class Claim:
    """One of the three claims, which are never mixed.

    ``rows``: tests that speak for it; ``quiet``: those whose e-value is below 1.
    """

    name: str
    title: str
    summary: str
    note: str
    rows: list[Evidence]
    quiet: list[Evidence]
    table: Table | None


@dataclass(frozen=True)
class Chapter:
    """Everything under one campaign's heading."""

    campaign: Campaign
    swatch: El
    sentence: str
    standing_note: str
    standing_reason: str
    facts: list[tuple[str, str]]
    raster: Figure | None
    clock: Figure | None
    graph: Figure | None
    pair: Figure | None
    claims: list[Claim]
    frames: list[Frame]
    frames_hidden: int
    rivals_title: str
    rivals: list[dict[str, Any]]
    coverage: Figure | None
    collateral: Figure | None
    not_known: list[dict[str, Any]]
    members: Table | None
    members_title: str


def write_chapter(facts: Facts, campaign: Campaign) -> Chapter:
    """Return the chapter of one campaign; what its record lacks is None or empty."""
    web = facts.once("web", campaign, lambda: read_web(facts, campaign))
    frames, hidden = frames_of(facts, campaign, 3 if facts.few else 1)
    rivals = [
        {**r, "seen": worded(said(r.get("seen")))} for r in records(campaign.data.get("rivals"))
    ]
    members, members_title = _members(facts, campaign)
    return Chapter(
        campaign=campaign,
        swatch=swatch(campaign, 22),
        sentence=_sentence(campaign),
        standing_note=_standing_note(campaign),
        standing_reason=_standing_reason(campaign),
        facts=_fact_list(campaign),
        raster=raster_figure(facts, campaign),
        clock=facts.once("clock", campaign, lambda: clock_figure(facts, campaign)),
        graph=graph_figure(facts, campaign, web) if web else None,
        pair=facts.once("pair", campaign, lambda: waterfall_figure(campaign, web) if web else None),
        claims=facts.once("claims", campaign, lambda: _claims(facts, campaign)),
        frames=frames,
        frames_hidden=hidden,
        rivals_title=_rivals_title(rivals),
        rivals=rivals,
        coverage=coverage_figure(facts, campaign),
        collateral=collateral_figure(campaign),
        not_known=[
            {**q, "question": worded(said(q.get("question")))}
            for q in records(campaign.data.get("not_known"))
        ],
        members=members,
        members_title=members_title,
    )


def _sentence(campaign: Campaign) -> str:
    d = campaign.data
    period = day_range(parse(d.get("first_seen")), parse(d.get("last_seen")))
    told = (
        f"{counted(d.get('accounts'), 'account')}, {counted(d.get('exchanges'), 'exchange')}, "
        f"{compact(d.get('output_tokens'))} output tokens, {period}"
    )
    unproven = _places(campaign)["unproven"]
    if campaign.standing == "accused" and unproven:
        told += f"; {counted(unproven, 'more account')} not proven, on watch"
    return told


def _places(campaign: Campaign) -> dict[str, int]:
    """Return how many accounts are proven core, not proven, and linked only; each counted once."""
    best: dict[str, str] = {}
    rank = ("core", "unproven", "linked")
    accused = campaign.standing == "accused"
    for member in records(campaign.data.get("members")):
        core = member.get("role") == "core" and not (accused and is_unproven(member))
        place = "core" if core else "unproven" if is_unproven(member) else "linked"
        account = said(member.get("account_id"))
        best[account] = min(best.get(account, "linked"), place, key=rank.index)
    return {name: sum(place == name for place in best.values()) for name in rank}


def _standing_note(campaign: Campaign) -> str:
    e, needed = plain(campaign.data.get("e_value")), plain(campaign.data.get("needed_e"))
    q = campaign.data.get("q_value")
    return {
        "accused": f"Accused: e = {e} where {needed} is needed; smallest alpha that selects it "
        f"(q) = {plain(q)}.",
        "watch": "Watch: worth an analyst’s eye; nobody is accused and nothing acts upon it. "
        f"The weaker claim has e = {e}; {needed} is needed.",
        "permitted": "Permitted: this distillation is inside an agreement. It is shown so that "
        "it can be checked, and no account is accused.",
    }.get(campaign.standing, "")


def _standing_reason(campaign: Campaign) -> str:
    """Return what decided how it stands, in one sentence; nothing where the run did not say."""
    without = "An accusation needs more." if campaign.standing == "watch" else ""
    return worded(said(campaign.data.get("standing_reason"), without))


def _fact_list(campaign: Campaign) -> list[tuple[str, str]]:
    d = campaign.data
    harvest = at(d, "value", "harvest_usd")
    methods = ", ".join(str(m).replace("_", " ") for m in listed(d.get("methods")))
    found = ", ".join(str(m).replace("_", " ") for m in listed(d.get("found_by")))
    out = [
        *_roles(campaign),
        ("Output tokens", count(d.get("output_tokens"))),
        ("Methods", methods or NO_METHOD),
        ("Found by", found or "not recorded"),
        ("Recommended", recommended(d)),
    ]
    if number(at(harvest, "low")) is not None:
        price = usd_range(at(harvest, "low"), at(harvest, "high"))
        out.append((f"Harvest {pricing(harvest)}", price))
    return out


def _roles(campaign: Campaign) -> list[tuple[str, str]]:
    """Return the members by what is known of them; of a record without members, its own counts."""
    if not records(campaign.data.get("members")):
        return [
            ("Core", counted(campaign.data.get("core"), "account")),
            ("Periphery", counted(campaign.data.get("periphery"), "account")),
        ]
    held = _places(campaign)
    rows = [("Core", counted(held["core"], "account"))]
    if held["unproven"]:
        rows.append(("Not proven, watched", counted(held["unproven"], "account")))
    return [*rows, ("Linked only", counted(held["linked"], "account"))]


def _claims(facts: Facts, campaign: Campaign) -> list[Claim]:
    titles = {said(x.get("name")): x.get("title") for x in records(facts.summary.get("signals"))}
    out = []
    for name, heading in _CLAIM_TITLES.items():
        claim = at(campaign.data, "claims", name)
        if not isinstance(claim, dict):
            continue
        evidence = records(claim.get("evidence"))
        rows: list[Evidence] = []
        quiet: list[Evidence] = []
        table = []
        for i, item in enumerate(evidence):
            signal = said(item.get("signal"))
            title = said(titles.get(signal), signal.replace("_", " "))
            p = "—" if number(item.get("p_value")) is None else plain(item["p_value"])
            e = plain(item.get("e_value"))
            if item.get("counts_for") == "watch":
                e = "watch only"
            below = (number(item.get("e_value")) or 0.0) < 1
            (quiet if below else rows).append(
                Evidence(
                    title=title,
                    sentence=worded(said(item.get("text")), p_beside=p != "—"),
                    p=p,
                    e=e,
                    picture=null_drawing(item, f"{campaign.ident}-{name}-{i}", title),
                )
            )
            low, high = at(item, "null", "low"), at(item, "null", "high")
            table.append(
                (
                    signal,
                    plain(item.get("statistic")),
                    plain(at(item, "null", "expected")),
                    "—" if None in (number(low), number(high)) else plain_range(low, high),
                    p,
                    e,
                    count(item.get("n")),
                )
            )
        out.append(
            Claim(
                name=name,
                title=heading,
                summary=_claim_summary(name, claim),
                note=_claim_note(campaign, claim),
                rows=rows,
                quiet=quiet,
                table=Table(
                    ("Signal", "Seen", "Null expects", "Null 95 %", "p", "e", "n"),
                    table,
                    frozenset(range(1, 7)),
                )
                if table
                else None,
            )
        )
    return out


def _claim_note(campaign: Campaign, claim: dict[str, Any]) -> str:
    """Return why strong tests of a claim count for nothing; a sentence is told once."""
    note = said(claim.get("note"), "")
    told = note and note == campaign.data.get("standing_reason")
    return "it is what decided how the campaign stands, told above." if told else note


def _claim_summary(name: str, claim: dict[str, Any]) -> str:
    confidence = number(claim.get("confidence"))
    e = number(claim.get("e_value"))
    words = "Confidence not known" if confidence is None else f"Confidence {sure(confidence)}"
    if e is not None:
        words += f" · e = {plain(e)}"
    if name == "actor":
        if not records(claim.get("evidence")) and not said(claim.get("claim"), ""):
            return "Not claimed: no actor is named, and nothing here speaks for one"
        claimed = said(claim.get("claim"), "")
        words += (
            f" · {claimed}" if claimed else " · no actor is named: the evidence does not carry one"
        )
    return words


def _rivals_title(rivals: list[dict[str, Any]]) -> str:
    if not rivals:
        return "Innocent explanations were not examined in this run"
    left = [said(r.get("title"), said(r.get("name"))) for r in rivals if r.get("survives")]
    what = (
        f"{word(len(rivals)).capitalize()} innocent explanation{'s' * (len(rivals) > 1)} examined"
    )
    if not left:
        return f"{what}: none survives"
    verb = "survives" if len(left) == 1 else "survive"
    return f"{what}: {word(len(left))} {verb} ({shorten('; '.join(left), 90)})"


def _role(member: dict[str, Any]) -> str:
    """Return core, not proven or linked: what is known of a member, in the reader's words."""
    if is_unproven(member) and member.get("role") != "core":
        return "not proven"
    return "core" if member.get("role") == "core" else "linked"


def _members(facts: Facts, campaign: Campaign) -> tuple[Table | None, str]:
    members = records(campaign.data.get("members"))
    if not members:
        return None, ""
    ordered = sorted(
        members,
        key=lambda m: (
            m.get("role") != "core",
            -(number(m.get("confidence")) or 0),
            said(m.get("account_id")),
            said(m.get("end_user_id")),
        ),
    )
    shown = ordered[: facts.budget.members]
    rows = [
        (
            said(m.get("account_id")),
            said(m.get("end_user_id"), "—"),
            _role(m),
            said(m.get("standing")),
            sure(m.get("confidence")),
            "; ".join(str(r) for r in listed(m.get("reasons"))),
        )
        for m in shown
    ]
    hidden = len(members) - len(shown)
    note = f"{counted(hidden, 'member')} not listed: all are in campaigns.jsonl." if hidden else ""
    return (
        Table(
            ("Account", "End user", "Role", "Standing", "Confidence", "Reasons"),
            rows,
            frozenset({4}),
            note,
        ),
        f"Members: {len(shown):,} of {len(members):,}, core first",
    )
