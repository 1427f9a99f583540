"""Every test of the scan: could it run, what rests on it, and what people found out about that.

Nothing here changes a threshold: the levels are the run's, and what people found out reaches the
next scan by `case effects`, where it can only make accusing harder.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from stillwatch.cases import Line, tally_labels
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import show
from stillwatch.report.facts import at, records
from stillwatch.report.numbers import number

__all__ = ["Tested", "show_tests"]


@dataclass(frozen=True)
class Tested:
    """One test. ``labels``: labelled accounts of the cases that rest on it, true, false, unsure.

    ``watches``: it can put accounts on watch, and accuses nobody.
    """

    name: str
    title: str
    claim: str
    evaluable: bool
    missing: tuple[str, ...]
    cases: tuple[str, ...]
    labels: Counter[str]
    watches: bool


def show_tests(desk: Desk, visit: Visit) -> Response:
    """Show the tests, and what another level would have selected in this run."""
    try:
        alpha = min(max(float(visit.query.get("alpha", "")), 1e-9), 0.5)
    except ValueError:
        alpha = number(desk.run.summary.get("alpha_spent")) or 0.01
    heads = desk.index.heads
    levels = sorted({alpha, *(a for a in (0.001, 0.01, 0.05, 0.1))})
    return show(
        desk, visit, "tests.html.jinja", tests=_tests(desk), alpha=alpha,
        levels=[(a, *_selected(heads, a)) for a in levels],
        without=sum(number(h.get("q_value")) is None for h in heads.values()),
        campaigns=len(heads), summary=desk.run.summary,
    )  # fmt: skip


def _tests(desk: Desk) -> list[Tested]:
    lines, labels = desk.lines(), tally_labels(desk.book)
    rests: dict[str, list[Line]] = {}
    for line in lines:
        for name in _names(desk.campaign_of(line) or {}):
            rests.setdefault(name, []).append(line)
    watching = {
        str(item.get("signal"))
        for head in desk.index.heads.values()
        for item in records(at(head, "claims", "coordinated", "evidence"))
        if item.get("counts_for") == "watch"
    }
    rows = []
    for held in records(desk.run.summary.get("signals")):
        name = str(held.get("name"))
        mine = rests.get(name, [])
        tally: Counter[str] = Counter()
        for line in mine:
            tally.update(labels.get(line.case_id, Counter()))
        rows.append(Tested(
            name, str(held.get("title") or name), str(held.get("claim") or ""),
            bool(held.get("evaluable")), tuple(str(m) for m in held.get("missing") or ()),
            tuple(line.case_id for line in mine), tally, name in watching,
        ))  # fmt: skip
    return rows


def _names(head: dict[str, Any]) -> set[str]:
    """Return the tests that speak for a campaign: those with an e-value above one."""
    return {
        str(item.get("signal"))
        for claim in ("coordinated", "extractive")
        for item in records(at(head, "claims", claim, "evidence"))
        if (number(item.get("e_value")) or 0.0) > 1
    }


def _selected(heads: dict[str, dict[str, Any]], alpha: float) -> tuple[int, int]:
    """Return how many campaigns, and accounts in them, have a q-value of at most ``alpha``."""
    chosen = [h for h in heads.values()
              if (q := number(h.get("q_value"))) is not None and q <= alpha]  # fmt: skip
    return len(chosen), sum(int(number(h.get("accounts")) or 0) for h in chosen)
