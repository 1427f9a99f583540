"""The queue: what must be decided, soonest first; filters, and the same step for several cases."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from starlette.responses import Response

from stillwatch.cases import Line, assign, close_case
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import go, show
from stillwatch.errors import ConfigError
from stillwatch.report.facts import at
from stillwatch.report.numbers import number, parse

__all__ = ["WHY", "Row", "assign_many", "close_many", "show_queue"]

_PER_PAGE: Final = 50
# Why a case is where it stands in the queue, in the words of the page.
WHY: Final = {
    "appeal": "appeal waits",
    "pending": "waits for a second person",
    "reopened": "reopened by an appeal",
    "lapses": "lapses within a day",
    "new": "new",
    "split": "split off",
    "grew": "grew since the decision",
    "changed": "changed since the decision",
    "shrank": "shrank since the decision",
    "lapsed": "no decision in force",
    "decided": "decided",
    "merged": "merged",
    "closed": "closed",
}
_OVER: Final = ("merged", "closed")


@dataclass(frozen=True)
class Row:
    """A line of the queue with what the run says of its campaign."""

    line: Line
    standing: str
    methods: tuple[str, ...]
    exchanges: Any
    output_tokens: Any
    last_seen: datetime | None
    coordinated: Any
    extractive: Any
    recommended: str
    touched: Any
    revenue: Any
    survivors: int


def row_of(desk: Desk, line: Line) -> Row:
    """Return the line with its campaign, empty where the run does not hold it."""
    head = desk.campaign_of(line) or {}
    return Row(
        line, str(head.get("standing", "—")), tuple(str(m) for m in head.get("methods") or ()),
        head.get("exchanges"), head.get("output_tokens"), parse(head.get("last_seen")),
        number(at(head, "claims", "coordinated", "confidence")),
        number(at(head, "claims", "extractive", "confidence")),
        str(at(head, "recommended", "verdict") or "—"),
        at(head, "recommended", "collateral", "accounts"),
        number(at(head, "recommended", "collateral", "revenue_usd")),
        sum(bool(r.get("survives")) for r in head.get("rivals") or () if isinstance(r, dict)),
    )  # fmt: skip


def show_queue(desk: Desk, visit: Visit) -> Response:
    """Show the queue as the address says: ``why``, ``who``, ``find``, ``page``."""
    lines = desk.lines()
    tally = Counter(line.why for line in lines)
    why, who = visit.query.get("why", ""), visit.query.get("who", "")
    words = visit.query.get("find", "").strip().casefold()
    chosen = [line for line in lines if _wanted(desk, visit, line, why, who, words)]
    pages = max(1, -(-len(chosen) // _PER_PAGE))
    page = visit.number("page", 1, 1, pages)
    first = (page - 1) * _PER_PAGE
    facts: dict[str, Any] = {
        "rows": [row_of(desk, line) for line in chosen[first : first + _PER_PAGE]],
        "total": len(chosen), "every": len(lines), "first": first, "page": page, "pages": pages,
        "tally": tally, "WHY": WHY, "why": why, "who": who, "find": visit.query.get("find", ""),
        "at": desk.now(), "summary": desk.run.summary,
        "open": sum(line.why not in _OVER for line in lines),
    }  # fmt: skip
    return show(desk, visit, "rows.html.jinja" if visit.partial else "queue.html.jinja", **facts)


def _wanted(desk: Desk, visit: Visit, line: Line, why: str, who: str, words: str) -> bool:
    if why and line.why != why:
        return False
    if not why and line.why in _OVER:
        return False
    if who == "me" and line.assigned_to != visit.by:
        return False
    if who == "nobody" and line.assigned_to:
        return False
    if not words:
        return True
    head = desk.campaign_of(line) or {}
    told = (line.case_id, line.campaign_id, line.assigned_to or "", *(head.get("methods") or ()))
    return any(words in str(word).casefold() for word in told)


def _chosen(visit: Visit) -> tuple[str, ...]:
    cases = visit.many.get("case", ())
    if not cases:
        raise ConfigError("no case was chosen", where="queue", hint="mark one or more rows")
    return cases


def assign_many(desk: Desk, visit: Visit) -> Response:
    """Give the marked cases to one person."""
    to = visit.form.get("to", "").strip() or visit.by
    for case_id in _chosen(visit):
        assign(desk.book, case_id, to=to, by=visit.by, now=desk.clock())
    return go("/")


def close_many(desk: Desk, visit: Visit) -> Response:
    """Close the marked cases for one reason; their decisions run until they expire."""
    cases = _chosen(visit)
    for case_id in cases:
        close_case(desk.book, case_id, reason=visit.form.get("reason", ""), by=visit.by,
                   now=desk.clock())  # fmt: skip
    return go("/")
