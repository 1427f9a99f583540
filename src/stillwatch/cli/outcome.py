"""The end of a scan in a dozen lines: what was found, what it would cost, where to read on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from stillwatch.cli.terminal import Page, command
from stillwatch.report.facts import at, read_facts, records, said, standing_of
from stillwatch.report.numbers import count, counted, day_range, parse
from stillwatch.report.sentence import answer, apart
from stillwatch.schema import CAMPAIGNS, REPORT
from stillwatch.store import Run

__all__ = ["print_outcome"]

_MOST_CAMPAIGNS: Final = 5


def print_outcome(run: Run, *, report: Path | None = None) -> None:
    """Print the summary of a run; ``report`` is where its page lies if not in the run."""
    page, facts = Page(), read_facts(run)
    told = answer(facts)
    page.sentence(told.lead + told.sentence, style="bold red" if told.mood == "accused" else "bold")
    ordered = [c.data for c in facts.shown]
    if ordered:
        page.table(
            ("campaign", "standing", ">accounts", ">exchanges", "seen", ">collateral"),
            [_row(campaign) for campaign in ordered[:_MOST_CAMPAIGNS]],
        )
    rest = len(ordered) + len(facts.rest) - _MOST_CAMPAIGNS
    if rest > 0:
        page.sentence(f"and {counted(rest, 'more campaign')} in {CAMPAIGNS}.")
    beside = apart(facts)
    if beside:
        page.sentence(beside)
    for title, text in told.warnings:
        page.sentence(f"{title}. {text}", style="yellow")
    page.sentence(f"Report: {_short(report or run.path / REPORT)}")
    page.sentence(
        f"Why an account: {command('explain', _example(ordered), '--run', _short(run.path))}"
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
