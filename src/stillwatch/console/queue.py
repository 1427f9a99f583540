"""The queue: what must be decided, soonest first; filters, and the same step for several cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.responses import Response

from stillwatch.cases import Line, assign, claim, close_case, mentions
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.habits import (
    FILTERS,
    drop_view,
    keep_view,
    pass_over,
    passed_over,
    query_of,
    read_views,
)
from stillwatch.console.paper import go, show
from stillwatch.errors import ConfigError
from stillwatch.report.facts import at
from stillwatch.report.numbers import number, parse

__all__ = [
    "WHY", "Row", "assign_many", "choose", "close_many", "forget_view", "row_of", "save_view",
    "show_queue", "skip_one", "take_next",
]  # fmt: skip

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
    """Show the queue as the address says: `habits.FILTERS` and ``page``."""
    lines = desk.lines()
    asked = {name: visit.query.get(name, "").strip() for name in FILTERS}
    chosen = choose(desk, visit, lines, asked)
    pages = max(1, -(-len(chosen) // _PER_PAGE))
    page = visit.number("page", 1, 1, pages)
    first = (page - 1) * _PER_PAGE
    return show(
        desk, visit, "rows.html.jinja" if visit.partial else "queue.html.jinja",
        rows=[row_of(desk, line) for line in chosen[first : first + _PER_PAGE]],
        total=len(chosen), every=len(lines), first=first, page=page, pages=pages,
        tally=Counter(line.why for line in lines), WHY=WHY, asked=asked, query=query_of(asked),
        at=desk.now(), summary=desk.run.summary, sorts=_SORTS,
        since=parse(desk.run.summary.get("since")), until=parse(desk.run.summary.get("until")),
        open=sum(line.why not in _OVER for line in lines),
        today=_today(lines, desk.now()),
        accused=sum(line.accused for line in chosen),
        views=[] if visit.partial else read_views(desk.home, visit.login),
        known=[] if visit.partial else _known(desk, lines),
    )  # fmt: skip


def choose(desk: Desk, visit: Visit, lines: list[Line], asked: Mapping[str, str]) -> list[Line]:
    """Return the lines that filters leave, in the order that they ask for."""
    named = mentions(desk.book, visit.by) if asked["who"] == "named" else None
    least = int(asked["least"]) if asked["least"].isdecimal() else 0
    words = asked["find"].casefold()
    chosen = [
        line for line in lines
        if (line.why == asked["why"] if asked["why"] else line.why not in _OVER)
        and line.accused >= least
        and (named is None or line.case_id in named)
        and not (asked["who"] == "me" and line.assigned_to != visit.by)
        and not (asked["who"] == "nobody" and line.assigned_to)
        and _holds(desk, line, asked["standing"], words)
    ]  # fmt: skip
    key = _ORDER.get(asked["sort"])
    return sorted(chosen, key=lambda line: key(desk, line)) if key else chosen


def _holds(desk: Desk, line: Line, standing: str, words: str) -> bool:
    if not (standing or words):
        return True
    head = desk.campaign_of(line) or {}
    if standing and head.get("standing") != standing:
        return False
    told = (line.case_id, line.campaign_id, line.assigned_to or "", *(head.get("methods") or ()))
    return not words or any(words in str(word).casefold() for word in told)


def _figure(desk: Desk, line: Line, *keys: str) -> float:
    return number(at(desk.campaign_of(line) or {}, *keys)) or 0.0


def _seen_s(desk: Desk, line: Line) -> float:
    moment = parse(at(desk.campaign_of(line) or {}, "last_seen"))
    return moment.timestamp() if moment else 0.0


# Orders beside the queue's own, largest or newest first; of equals the more urgent.
_SORTS: Final = {"accused": "most accused accounts", "tokens": "most output tokens",
                 "seen": "last seen", "sure": "surest extraction",
                 "opened": "longest open"}  # fmt: skip
_ORDER: Final[dict[str, Callable[[Desk, Line], Any]]] = {
    "accused": lambda desk, line: -line.accused,
    "tokens": lambda desk, line: -_figure(desk, line, "output_tokens"),
    "seen": lambda desk, line: -_seen_s(desk, line),
    "sure": lambda desk, line: -_figure(desk, line, "claims", "extractive", "confidence"),
    "opened": lambda desk, line: line.opened,
}


def _today(lines: list[Line], now: datetime) -> list[tuple[str, str, int]]:
    """Return (filter, words, cases) of what happened or will happen within a day."""
    day = timedelta(days=1)
    lapses = sum(line.why == "lapses" for line in lines)
    found = [
        ("new", "opened in the last day",
         sum(line.why == "new" and now - line.opened <= day for line in lines)),
        ("grew", "grew at the last scan", sum(line.why == "grew" for line in lines)),
        ("split", "split off", sum(line.why == "split" for line in lines)),
        ("lapses", "whose decision lapses within a day", lapses),
        ("reopened", "reopened by an appeal", sum(line.why == "reopened" for line in lines)),
    ]  # fmt: skip
    return [row for row in found if row[2]]


def _known(desk: Desk, lines: list[Line]) -> list[str]:
    """Return what the filter can be completed to: methods, and people who have cases."""
    methods = {str(m) for head in desk.index.heads.values() for m in head.get("methods") or ()}
    return sorted(methods | {line.assigned_to for line in lines if line.assigned_to})


def _chosen(visit: Visit) -> tuple[str, ...]:
    cases = tuple(dict.fromkeys(visit.many.get("case", ())))
    if not cases:
        raise ConfigError("no case was chosen", where="queue", hint="mark one or more rows")
    return cases


def assign_many(desk: Desk, visit: Visit) -> Response:
    """Give the marked cases to one person: all, or none where one was closed meanwhile."""
    to = visit.form.get("to", "").strip() or visit.by
    assign(desk.book, *_chosen(visit), to=to, by=visit.by, now=desk.clock())
    return go(_back(visit))


def close_many(desk: Desk, visit: Visit) -> Response:
    """Close the marked cases for one reason; their decisions run until they expire."""
    close_case(desk.book, *_chosen(visit), reason=visit.form.get("reason", ""), by=visit.by,
               now=desk.clock())  # fmt: skip
    return go(_back(visit))


def _back(visit: Visit) -> str:
    """Return the queue as it was: its filters alone, so that no form leads elsewhere."""
    query = query_of(dict(parse_qsl(visit.form.get("query", ""))))
    return f"/?{query}" if query else "/"


def take_next(desk: Desk, visit: Visit) -> Response:
    """Hand the soonest open case that nobody has to the visitor, and go there.

    Of two who ask at once each gets another one. What was passed over within a day is left out.
    """
    passed = passed_over(desk.home, visit.login, now=desk.now())
    asked = dict.fromkeys(FILTERS, "") | dict(parse_qsl(visit.form.get("query", "")))
    for line in choose(desk, visit, desk.lines(), {**asked, "who": "nobody"}):
        if line.case_id in passed or line.why in _OVER:
            continue
        try:
            claim(desk.book, line.case_id, by=visit.by, now=desk.clock())
        except ConfigError:  # somebody was quicker, or closed it
            continue
        return go(f"/cases/{line.case_id}")
    raise ConfigError("nobody's case is left here", where="queue",
                      hint="every open case has somebody, or you passed it over today")  # fmt: skip


def skip_one(desk: Desk, visit: Visit) -> Response:
    """Pass a case over for a day and go to the next one of the queue."""
    lines = [line for line in desk.lines() if line.why not in _OVER]
    names = [line.case_id for line in lines]
    here = visit.path["case"]
    pass_over(desk.home, visit.login, here, now=desk.now())
    after = names[names.index(here) + 1 :] if here in names else names
    return go(f"/cases/{after[0]}" if after else "/")


def save_view(desk: Desk, visit: Visit) -> Response:
    """Keep the filters that are shown under a name."""
    query = query_of(dict(parse_qsl(visit.form.get("query", ""))))
    keep_view(desk.home, visit.login, name=visit.form.get("name", ""), query=query,
              shared=bool(visit.form.get("shared")), now=desk.clock())  # fmt: skip
    return go(f"/?{query}")


def forget_view(desk: Desk, visit: Visit) -> Response:
    """Drop a view of one's own."""
    given = visit.form.get("view", "")
    if not given.isdecimal():
        raise ConfigError("expected a number", where="view")
    drop_view(desk.home, visit.login, int(given))
    return go("/")
