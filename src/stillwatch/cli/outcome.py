"""The end of a scan in a dozen lines: what was found, what it would cost, where to read on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

from stillwatch.cli.terminal import Page, command
from stillwatch.report.facts import at, read_facts, records, said, standing_of
from stillwatch.report.numbers import count, counted, day_range, parse
from stillwatch.report.sentence import (
    answer,
    apart,
    permits_told,
    standing_counts,
    watched_because,
)
from stillwatch.schema import CAMPAIGNS, REPORT
from stillwatch.store import Run

__all__ = ["print_outcome"]

_MOST_ACCUSED: Final = 20
_MOST_OTHERS: Final = 4
_MOST_REASONS: Final = 3


def print_outcome(run: Run, *, report: Path | None = None) -> None:
    """Print the summary of a run; ``report`` is where its page lies if not in the run."""
    page, facts = Page(), read_facts(run)
    told = answer(facts)
    page.sentence(told.lead + told.sentence, style="bold red" if told.mood == "accused" else "bold")
    ordered = [c.data for c in facts.shown]
    listed = _listed(ordered)
    if listed:
        page.table(
            ("campaign", "standing", ">accounts", ">exchanges", "seen", ">collateral"),
            [_row(campaign) for campaign in listed],
        )
    more = _more(standing_counts(facts), listed)
    if more:
        page.sentence(f"and {more} in {CAMPAIGNS}.")
    beside = apart(facts)
    if beside:
        page.sentence(beside)
    for reason, n in watched_because(facts)[:_MOST_REASONS]:
        page.sentence(f"On watch and not accused, {counted(n, 'campaign')}: {reason}")
    permits = permits_told(facts)
    if permits:
        page.sentence(permits)
    for title, text in told.warnings:
        page.sentence(f"{title}. {text}", style="yellow")
    page.sentence(f"Report: {_short(report or run.path / REPORT)}")
    page.sentence(
        f"Why an account: {command('explain', _example(ordered), '--run', _short(run.path))}"
    )


def _listed(ordered: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the campaigns of the table: all accused up to 20, then a few of the others."""
    accused = [c for c in ordered if standing_of(c) == "accused"]
    others = [c for c in ordered if standing_of(c) != "accused"]
    return accused[:_MOST_ACCUSED] + others[:_MOST_OTHERS]


def _more(counts: dict[str, int], listed: list[dict[str, Any]]) -> str:
    """Return how many campaigns of each standing the table leaves out, or nothing."""
    shown = Counter(standing_of(c) for c in listed)
    words = {"accused": "accused", "permitted": "permitted", "watch": "on watch"}
    left = [(counts[name] - shown[name], word) for name, word in words.items()]
    told = [f"{n:,} {word}" for n, word in left if n > 0]
    return (
        f"{told[0].replace(' ', ' more ', 1)}{''.join(f', {t}' for t in told[1:])}" if told else ""
    )


def _row(campaign: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells; collateral is the accounts that acting would touch beside its core."""
    return (
        said(campaign.get("campaign_id")),
        standing_of(campaign),
        count(campaign.get("accounts")),
        count(campaign.get("exchanges")),
        day_range(parse(campaign.get("first_seen")), parse(campaign.get("last_seen"))),
        count(at(campaign, "recommended", "collateral", "accounts")),
    )


def _example(campaigns: list[dict[str, Any]]) -> str:
    """Return an accused account where there is one, so that the line can be tried as it is."""
    members = [m for c in campaigns for m in records(c.get("members"))]
    members.sort(key=lambda m: m.get("standing") != "accused")
    return said(members[0].get("account_id"), "ACCOUNT") if members else "ACCOUNT"


def _short(path: Path) -> Path:
    """Return the path as seen from here where it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
