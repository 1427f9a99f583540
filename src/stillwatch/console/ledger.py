"""The log of every decision, whoever or whatever took it."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from stillwatch.cases import Ruling, read_rulings
from stillwatch.console.case import state_of
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import csv_of, show

__all__ = ["as_csv", "show_ledger"]

_PER_PAGE: Final = 100
_HEADER: Final = ("decision", "entry", "case", "verdict", "reason", "accounts", "origin", "by",
                  "approved_by", "at_utc", "ends_utc", "state", "undoes", "undone_by")  # fmt: skip


def origin_of(ruling: Ruling) -> str:
    """Return who or what took a decision: a rule, a person, or two people."""
    if ruling.by.startswith("rule:"):
        return "rule"
    return "two people" if ruling.approved_by else "person"


def show_ledger(desk: Desk, visit: Visit) -> Response:
    """Show decisions, the newest first; ``state`` and ``verdict`` narrow them."""
    now = desk.now()
    state, verdict = visit.query.get("state", ""), visit.query.get("verdict", "")
    rulings = [
        r for r in read_rulings(desk.book)
        if (not state or state_of(r, now) == state) and (not verdict or r.verdict == verdict)
    ]  # fmt: skip
    pages = max(1, -(-len(rulings) // _PER_PAGE))
    page = visit.number("page", 1, 1, pages)
    first = (page - 1) * _PER_PAGE
    return show(
        desk, visit, "ledger.html.jinja", rulings=rulings[first : first + _PER_PAGE],
        total=len(rulings), page=page, pages=pages, state=state, verdict=verdict,
        state_of=lambda r: state_of(r, now), origin_of=origin_of, at=now,
    )  # fmt: skip


def as_csv(desk: Desk, visit: Visit) -> Response:
    """Return all decisions as CSV."""
    now = desk.now()
    return csv_of("decisions.csv", _HEADER, [_row(r, now) for r in read_rulings(desk.book)])


def _row(r: Ruling, now: Any) -> tuple[Any, ...]:
    return (
        r.id, r.number, r.case_id, r.verdict, r.reason, r.accounts, origin_of(r), r.by,
        r.approved_by, r.at.isoformat(), r.expires.isoformat(), state_of(r, now), r.undoes,
        r.undone_by,
    )  # fmt: skip
