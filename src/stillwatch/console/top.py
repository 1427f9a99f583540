"""What grew most: requests, output tokens or accounts by campaign, model or method, and before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import pyarrow.compute as pc
from starlette.responses import Response

from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import csv_of, show
from stillwatch.report.facts import listed

__all__ = ["Riser", "show_top", "top_as_csv"]

_DAY_US: Final = 86_400_000_000
_SHOWN: Final = 50
BY: Final = {"campaign": "campaign", "model": "model", "method": "method"}
OF: Final = {"output_tokens": "output tokens", "requests": "requests"}
SPANS: Final = {"1": "last day", "7": "last 7 days", "14": "last 14 days"}


@dataclass(frozen=True)
class Riser:
    """One name in two spans of equal length: the run's last days, and those before them."""

    name: str
    case_id: str | None
    now: int
    before: int | None

    @property
    def change(self) -> int | None:
        """Return how much more it is than before; None: the run does not reach back so far."""
        return None if self.before is None else self.now - self.before


def show_top(desk: Desk, visit: Visit) -> Response:
    """Show names by what they did in the last days, with the same number of days before."""
    asked = _asked(visit)
    rows = desk.once(("top", *asked.values()), lambda: _risers(desk, **asked))
    return show(
        desk, visit, "top.html.jinja", rows=rows[:_SHOWN], hidden=max(0, len(rows) - _SHOWN),
        total=sum(r.now for r in rows), BY=BY, OF=OF, SPANS=SPANS, asked=asked,
        held=desk.index.volume() is not None,
    )  # fmt: skip


def top_as_csv(desk: Desk, visit: Visit) -> Response:
    """Return all rows as CSV."""
    asked = _asked(visit)
    return csv_of(
        "top.csv", (asked["by"], "case", asked["of"], "before", "change"),
        [(r.name, r.case_id, r.now, r.before, r.change) for r in _risers(desk, **asked)],
    )  # fmt: skip


def _asked(visit: Visit) -> dict[str, str]:
    given = {"by": (BY, "campaign"), "of": (OF, "output_tokens"), "days": (SPANS, "7")}
    return {name: visit.query[name] if visit.query.get(name) in known else otherwise
            for name, (known, otherwise) in given.items()}  # fmt: skip


def _risers(desk: Desk, by: str, of: str, days: str) -> list[Riser]:
    table = desk.index.volume()
    if table is None or not table.num_rows:
        return []
    day = table["day"].cast("int64")
    last = pc.max(day).as_py()
    first = pc.min(day).as_py()
    span = int(days) * _DAY_US
    now: dict[str, int] = defaultdict(int)
    before: dict[str, int] = defaultdict(int)
    wanted = table.filter(pc.greater(day, last - 2 * span))
    columns = (wanted["day"].cast("int64"), wanted["model"], wanted["campaign_id"], wanted[of])
    for at, model, campaign, n in zip(*(c.to_pylist() for c in columns), strict=True):
        held = now if at > last - span else before
        for name in _names(desk, by, model, campaign):
            held[name] += n
    reaches = first <= last - 2 * span + _DAY_US
    case_of = {line.campaign_id: line.case_id for line in desk.lines()}
    rows = [
        Riser(name, case_of.get(name) if by == "campaign" else None, now[name],
              before[name] if reaches else None)
        for name in {**now, **before}
    ]  # fmt: skip
    return sorted(rows, key=lambda r: (-r.now, r.name))


def _names(desk: Desk, by: str, model: str, campaign: str) -> Iterable[str]:
    """Return what a row of traffic counts for: where nobody is accused, for its model alone."""
    if by == "model":
        return [model or "no model"]
    if not campaign:
        return []
    if by == "campaign":
        return [campaign]
    head: dict[str, Any] = desk.index.heads.get(campaign, {})
    return [str(m) for m in listed(head.get("methods"))] or ["none marked"]
