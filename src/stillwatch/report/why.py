"""What a run says about one account, in sentences; every number is the run's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import ConfigError
from stillwatch.report.context import explain_context
from stillwatch.report.facts import at, is_unproven, listed, records, said, standing_of
from stillwatch.report.hypotheses import hypotheses_of, tell_hypotheses
from stillwatch.report.kinship import describe_links
from stillwatch.report.numbers import count, counted, day_range, number, parse, plain, share, worded
from stillwatch.schema import ACCOUNTS, NOT_TESTED, Settings
from stillwatch.store import Run

__all__ = ["Section", "why"]

_MEANING: Final = {
    "accused": "It belongs to a campaign that this scan accuses, its own behaviour fits the "
    "campaign and not its segment, and at least two kinds of evidence hold, one of which "
    "others cannot create for it.",
    "watch": "Something here is worth an analyst's look; it is no accusation and nothing acts "
    "upon it.",
    "permitted": "What it does looks like distillation and lies inside a permit.",
    "clear": "Nothing found here speaks against it.",
}
_CLEAR_BUT_TESTED: Final = (
    "Neither accused nor watched, and nothing acts upon it. What was seen of groups that it is in "
    "is below, with why it is not enough. That is no accusation."
)
_ACCESS: Final = {
    "restricted": "the ownership table restricts it",
    "possible": "the ownership table says that a restriction is possible",
    "undetermined": "the ownership table does not settle it",
}
_MOST: Final = 8
_SURE: Final = 0.9999


@dataclass(frozen=True)
class Section:
    """A heading and the sentences under it."""

    heading: str
    points: tuple[str, ...]


def why(run: Run, account_id: str) -> list[Section]:
    """Return what the run says about an account, most important first.

    Raises ConfigError when the run has not seen the account, InputError when a file of the run
    cannot be read. The message does not repeat the identifier.
    """
    accounts = run.table("accounts")
    found = accounts.filter(pc.equal(accounts["account_id"], account_id)).to_pylist()
    if not found:
        raise ConfigError(
            f"this account is not among the {counted(accounts.num_rows, 'account')} of the run",
            where=str(run.path / ACCOUNTS),
            hint="spell it as the log does",
        )
    row = found[0]
    campaigns = _campaigns_of(run, row, account_id)
    titles = _titles(run)
    groups = [] if campaigns else hypotheses_of(run, account_id, titles)
    meaning = _CLEAR_BUT_TESTED if any(g.speaks for g in groups) else None
    sections = [
        Section(
            f"{account_id}: {said(row.get('standing'), 'clear')}", _standing(run, row, meaning)
        ),
        Section("Groups that it was tested with", tell_hypotheses(groups)),
    ]
    for campaign in campaigns:
        sections += _about_campaign(campaign, account_id, titles)
    sections.append(Section("What other providers shared", tuple(_shared(run, account_id))))
    sections.append(Section("Its links", describe_links(run, account_id, campaigns)))
    sections += _end_users(run, account_id)
    sections.append(Section("What explains its traffic", tuple(explain_context(run, row))))
    if campaigns:
        sections.append(_clearing(run, row, campaigns[0]))
    sections.append(Section("What was looked at", tuple(_looked_at(run, account_id))))
    return [s for s in sections if s.points]


def _campaigns_of(run: Run, row: dict[str, Any], account_id: str) -> list[dict[str, Any]]:
    """Return the campaigns that count the account as a member, its own before the others."""
    mine = [
        c
        for c in run.campaigns
        if c.get("campaign_id") == row.get("campaign_id") or _memberships(c, account_id)
    ]
    return sorted(mine, key=lambda c: c.get("campaign_id") != row.get("campaign_id"))


def _memberships(campaign: dict[str, Any], account_id: str) -> list[dict[str, Any]]:
    return [m for m in records(campaign.get("members")) if m.get("account_id") == account_id]


def _standing(run: Run, row: dict[str, Any], clear: str | None) -> tuple[str, ...]:
    """Return what the standing means; ``clear``: of a clear account that there is more to tell."""
    standing = said(row.get("standing"), "clear")
    points = [_MEANING.get(standing, "This standing is not known to this version.")]
    if standing == "clear" and clear:
        points = [clear]
    where = f"; segment {row['segment']}" if row.get("segment") else ""
    whose = f"; organization {row['org_id']}" if row.get("org_id") else ""
    points.append(f"{counted(row.get('exchanges'), 'exchange')} in the window{where}{whose}.")
    if row.get("access") not in (None, "clear"):
        told = _ACCESS.get(str(row["access"]), str(row["access"]))
        points.append(f"Access: {told}. That is a policy of its own and no evidence of anything.")
    if standing != "accused" and run.summary.get("cannot_accuse"):
        points.append("This run cannot accuse anyone, so this is no all-clear.")
    if not run.summary.get("calibrated_on_your_traffic"):
        points.append("The error rates of this run were not calibrated on your traffic.")
    return tuple(points)


def _about_campaign(
    campaign: dict[str, Any], account_id: str, titles: dict[str, str]
) -> Iterator[Section]:
    name = said(campaign.get("campaign_id"))
    yield Section(f"Campaign {name}: {standing_of(campaign)}", tuple(_size(campaign, account_id)))
    reasons = [
        _sentence(str(reason))
        for member in _memberships(campaign, account_id)[:_MOST]
        for reason in listed(member.get("reasons"))
    ]
    yield Section("Why this account", tuple(reasons))
    for claim, question in (
        ("coordinated", "Evidence that the campaign's accounts act as one"),
        ("extractive", "Evidence that their traffic harvests training data"),
    ):
        yield Section(question, tuple(_evidence(campaign, claim, titles)))
    actor = at(campaign, "claims", "actor", "claim")
    yield Section(
        "Who is behind it",
        (_sentence(str(actor)) if actor else "No actor is named: a cluster is not an actor.",),
    )


def _size(campaign: dict[str, Any], account_id: str) -> Iterator[str]:
    seen = day_range(parse(campaign.get("first_seen")), parse(campaign.get("last_seen")))
    methods = ", ".join(str(m) for m in listed(campaign.get("methods")))
    yield (
        f"{counted(campaign.get('accounts'), 'account')}, "
        f"{counted(campaign.get('exchanges'), 'exchange')}, seen {seen}"
        + (f"; methods: {methods}." if methods else ".")
    )
    if campaign.get("standing_reason") and standing_of(campaign) != "accused":
        yield f"Why it is not accused: {said(campaign['standing_reason'])}"
    e, needed = number(campaign.get("e_value")), number(campaign.get("needed_e"))
    if e is not None and needed is not None:
        yield f"Its e-value is {plain(e)}; an accusation needs {plain(needed)}."
    for member in _memberships(campaign, account_id)[:_MOST]:
        user = member.get("end_user_id")
        who = "The account" if user is None else f"Its end user {user}"
        how = _probability(number(member.get("confidence")))
        yield (
            f"{who} is a {said(member.get('role'), 'listed')} member{how}; it is "
            f"{said(member.get('standing'), 'watch').replace('watch', 'on watch')}." + _edge(member)
        )


def _edge(member: dict[str, Any]) -> str:
    """Return what a member's role means where it is not proven; nothing of the accused."""
    if member.get("role") == "core":
        return ""
    if is_unproven(member):
        return (
            " It behaves like the campaign, but its own behaviour does not prove that it belongs: "
            "periphery is never accused."
        )
    return " Periphery is never accused: it is linked, not extractive."


def _probability(value: float | None) -> str:
    if value is None:
        return ""
    return ", with probability " + ("above 99.99 %" if value > _SURE else share(value))


def _evidence(campaign: dict[str, Any], claim: str, titles: dict[str, str]) -> Iterator[str]:
    held = records(at(campaign, "claims", claim, "evidence"))
    ranked = sorted(held, key=lambda x: (-(number(x.get("e_value")) or 0.0), str(x.get("signal"))))
    note = at(campaign, "claims", claim, "note")
    if note and note != campaign.get("standing_reason"):  # that one was told
        yield _sentence(str(note))
    for item in ranked:
        if (number(item.get("e_value")) or 0.0) >= 1:
            text = _sentence(said(item.get("text"), said(item.get("signal"))))
            p, e = number(item.get("p_value")), plain(item.get("e_value"))
            if item.get("counts_for") == "watch":
                yield f"{worded(text)} (counts for watching alone)"
                continue
            known = p is None or re.search(r"\bp\s?[=<]", text)
            text = worded(text)
            yield f"{text} (e = {e})" if known else f"{text} (p = {plain(p)}, e = {e})"
    against = [
        titles.get(str(x.get("signal")), str(x.get("signal")))
        for x in ranked
        if (number(x.get("e_value")) or 0.0) < 1
    ]
    if against:
        yield f"Looked for and not found, which speaks against it: {'; '.join(against)}."


def _shared(run: Run, account_id: str) -> Iterator[str]:
    mine = [row for row in run.shared if row.get("account_id") == account_id]
    for row in mine[:_MOST]:
        kinds = ", ".join(str(kind) for kind in listed(row.get("kinds")))
        yield (
            f"{said(row.get('contributor'))} shared what "
            f"{counted(row.get('exchanges'), 'exchange')} of it carry ({kinds}); "
            f"its record weighs {plain(row.get('contributor_weight'))}."
        )
    if mine:
        yield "That is another's word and no evidence: alone it accuses nobody."


def _end_users(run: Run, account_id: str) -> list[Section]:
    """Return the end users of a channel; subjects.parquet names each "account · end user"."""
    if not run.has("subjects"):
        return []
    table = run.table("subjects")
    rows = table.filter(pc.starts_with(table["account_id"], f"{account_id} · "))
    if not rows.num_rows:
        return []
    tally = rows["standing"].value_counts().to_pylist()
    parts = sorted((-int(t["counts"]), said(t["values"])) for t in tally)
    text = ", ".join(f"{-n:,} {standing}" for n, standing in parts)
    told = (
        f"A channel is judged by its end users: {counted(rows.num_rows, 'end user')}, {text}. "
        "The channel itself is accused only when at least 80 % of its traffic is theirs."
    )
    return [Section("Its end users", (told,))]


def _clearing(run: Run, row: dict[str, Any], campaign: dict[str, Any]) -> Section:
    points: list[str] = []
    if row.get("standing") == "accused":
        points.append(
            "It would be watched instead of accused if its campaign were not selected (its "
            f"q-value, {plain(row.get('q_value'))}, above this look's level, "
            f"{plain(run.summary.get('alpha_spent'))}), if its own behaviour fitted its "
            f"segment better (probability of membership under {share(Settings().posterior)} by "
            "default), or if fewer than two kinds of evidence held."
        )
        points.append(
            "A permit that covers these methods, models and amounts would make it permitted."
        )
    for rival in records(campaign.get("rivals")):
        verdict = "this still holds" if rival.get("survives") else "it does not hold"
        points.append(
            f"{said(rival.get('title'))}? It would predict: {_clause(rival.get('predicts'))}. "
            f"Seen: {worded(_clause(rival.get('seen')))}. So {verdict}."
        )
    for gap in records(campaign.get("not_known")):
        question, data = _sentence(said(gap.get("question"))), _clause(gap.get("data"))
        untested = question.startswith(NOT_TESTED)
        points.append(
            f"{question} {data}."
            if untested
            else f"Not known: {question} What would settle it: {data}."
        )
    return Section("What would clear it, and what else it could be", tuple(points))


def _looked_at(run: Run, account_id: str) -> Iterator[str]:
    signals, titles = records(run.summary.get("signals")), _titles(run)
    if run.has("signals"):
        for row in _own_signals(run.table("signals"), account_id)[:_MOST]:
            yield (
                f"{titles.get(row['signal'], row['signal'])}: {plain(row['statistic'])} over "
                f"{count(row['n'])} observations, p = {plain(row['p_value'])}."
            )
    good = [s for s in signals if s.get("evaluable")]
    if good:
        names = "; ".join(titles[str(s.get("name"))] for s in good)
        yield f"{len(good)} of {len(signals)} signals could be evaluated: {names}."
    for signal in signals:
        if not signal.get("evaluable"):
            missing = ", ".join(str(m) for m in listed(signal.get("missing"))) or "data"
            yield (
                f"Not evaluable, which is not clean: {titles[str(signal.get('name'))]} "
                f"(missing: {missing})."
            )
    tested = number(run.summary.get("cohorts_tested"))
    if tested is not None:
        selected = count(run.summary.get("cohorts_selected"))
        yield f"{counted(tested, 'cohort')} were tested and {selected} selected."


def _titles(run: Run) -> dict[str, str]:
    """Return signal name → title."""
    return {
        str(s.get("name")): said(s.get("title"), str(s.get("name")))
        for s in records(run.summary.get("signals"))
    }


def _own_signals(table: pa.Table, account_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.filter(pc.equal(table["subject"], account_id)).to_pylist()
    return sorted(rows, key=lambda r: (number(r["p_value"]) is None, r["p_value"], r["signal"]))


def _clause(text: Any) -> str:
    return said(text).rstrip(".")


def _sentence(text: str) -> str:
    """Return a text with a capital letter at its beginning and a full stop at its end."""
    ended = text if text.endswith((".", "!", "?", "…")) else f"{text}."
    return ended[:1].upper() + ended[1:]
