"""The log of every decision, whoever or whatever took it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from stillwatch.cases import Ruling, read_rulings
from stillwatch.console.case import state_of
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import csv_of, show
from stillwatch.report.numbers import parse

__all__ = ["as_csv", "show_ledger"]

_PER_PAGE: Final = 100
_FILTERS: Final = ("state", "verdict", "origin", "by", "case", "since")
_HEADER: Final = ("decision", "entry", "case", "verdict", "reason", "accounts", "origin", "by",
                  "approved_by", "at_utc", "ends_utc", "state", "undoes", "undone_by")  # fmt: skip


def origin_of(ruling: Ruling) -> str:
    """Return who or what took a decision: a rule, a bulk step, a person, or two people."""
    if ruling.by.startswith("rule:"):
        return "rule"
    if ruling.origin == "bulk":
        return "bulk"
    return "two people" if ruling.approved_by else "person"


def show_ledger(desk: Desk, visit: Visit) -> Response:
    """Show decisions, the newest first, as far as the filters of the address leave them."""
    now = desk.now()
    asked = {name: visit.query.get(name, "").strip() for name in _FILTERS}
    every = read_rulings(desk.book)
    rulings = _filtered(every, asked, now)
    pages = max(1, -(-len(rulings) // _PER_PAGE))
    page = visit.number("page", 1, 1, pages)
    first = (page - 1) * _PER_PAGE
    return show(
        desk, visit, "ledger.html.jinja", rulings=rulings[first : first + _PER_PAGE],
        total=len(rulings), page=page, pages=pages, asked=asked,
        query=urlencode({k: v for k, v in asked.items() if v}), narrowed=any(asked.values()),
        people=sorted({r.by for r in every} | {r.approved_by for r in every if r.approved_by}),
        state_of=lambda r: state_of(r, now), origin_of=origin_of, at=now,
    )  # fmt: skip


def _filtered(every: list[Ruling], asked: dict[str, str], now: datetime) -> list[Ruling]:
    since = parse(asked["since"] and f"{asked['since']}T00:00:00Z")
    return [
        r for r in every
        if (not asked["state"] or state_of(r, now) == asked["state"])
        and (not asked["verdict"] or r.verdict == asked["verdict"])
        and (not asked["origin"] or origin_of(r) == asked["origin"])
        and (not asked["by"] or asked["by"] in (r.by, r.approved_by))
        and (not asked["case"] or r.case_id == asked["case"])
        and (since is None or r.at >= since)
    ]  # fmt: skip


def as_csv(desk: Desk, visit: Visit) -> Response:
    """Return decisions as CSV: all, or those that the filters of the address leave."""
    now = desk.now()
    asked = {name: visit.query.get(name, "").strip() for name in _FILTERS}
    rows = [_row(r, now) for r in _filtered(read_rulings(desk.book), asked, now)]
    return csv_of("decisions.csv", _HEADER, rows)


def _row(r: Ruling, now: Any) -> tuple[Any, ...]:
    return (
        r.id, r.number, r.case_id, r.verdict, r.reason, r.accounts, origin_of(r), r.by,
        r.approved_by, r.at.isoformat(), r.expires.isoformat(), state_of(r, now), r.undoes,
        r.undone_by,
    )  # fmt: skip
