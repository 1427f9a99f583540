"""What the pages need of a run, read once and put in the order in which it is shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa

from stillwatch.report.numbers import DAY_US, micros, number
from stillwatch.report.palette import HUES, campaign_letter
from stillwatch.store import Run

__all__ = [
    "MOST_SHOWN",
    "NO_METHOD",
    "Budget",
    "Campaign",
    "Facts",
    "Tick",
    "Volume",
    "at",
    "is_unproven",
    "listed",
    "read_facts",
    "recommended",
    "records",
    "said",
    "smaller",
    "standing_of",
]

MOST_SHOWN: Final = 20
NO_METHOD: Final = "none that its words show"
Made = TypeVar("Made")
_LIKELY: Final = 0.5
_ORDER: Final = {"accused": 0, "permitted": 1, "watch": 2}


@dataclass(frozen=True)
class Budget:
    """How much of one campaign is drawn and listed; the rest is counted."""

    graph_nodes: int = 300
    raster_lines: int = 80
    raster_marks: int = 6_000
    members: int = 40
    objects: int = 25


# Up to so many chapters, so much of each; the last is what always fits.
_BUDGETS: Final = (
    (6, Budget()),
    (12, Budget(150, 60, 2_600, 12, 12)),
    (20, Budget(80, 36, 1_300, 6, 8)),
    (20, Budget(48, 20, 600, 3, 5)),
)


@dataclass(frozen=True)
class Campaign:
    """One campaign that gets a chapter: its record, its letter and its paint."""

    data: dict[str, Any]
    index: int

    @property
    def letter(self) -> str:
        """Return A, B, C … in the order of the page."""
        return campaign_letter(self.index)

    @property
    def name(self) -> str:
        """Return "Campaign A"."""
        return f"Campaign {self.letter}"

    @property
    def ident(self) -> str:
        """Return the anchor of the chapter; never made from data."""
        return f"campaign-{self.letter.lower()}"

    @property
    def hue(self) -> int:
        """Return which of the seven hues it has."""
        return self.index % HUES

    @property
    def campaign_id(self) -> str:
        """Return the identifier of the record."""
        return said(self.data.get("campaign_id"))

    @property
    def standing(self) -> str:
        """Return accused, permitted or watch."""
        return standing_of(self.data)


@dataclass(frozen=True)
class Tick:
    """The sampled requests of one account, in columns."""

    row: int
    core: bool
    ts: np.ndarray[Any, Any]
    status: list[str]
    model: list[str]


@dataclass(frozen=True)
class Volume:
    """Tokens, requests and accounts by day, model and campaign ('' is everything else)."""

    days: list[int] = field(default_factory=list)
    tokens: dict[tuple[int, str, str], int] = field(default_factory=dict)
    requests: dict[tuple[int, str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """Everything on the page, before it becomes pictures and words."""

    summary: dict[str, Any]
    shown: list[Campaign]
    rest: list[dict[str, Any]]
    since: int | None
    until: int | None
    budget: Budget
    volume: Volume
    raster: dict[str, list[Tick]]
    clock: dict[str, list[dict[str, Any]]]
    coverage: dict[str, list[dict[str, Any]]]
    frames: dict[str, list[dict[str, Any]]]
    links: pa.Table | None
    made: dict[tuple[str, str], Any] = field(default_factory=dict, compare=False)

    @property
    def few(self) -> bool:
        """Return whether there are so few chapters that each has room for several templates."""
        return len(self.shown) <= _BUDGETS[0][0]

    def once(self, what: str, campaign: Campaign, make: Callable[[], Made]) -> Made:
        """Return what is made of a campaign alike for several pages: ``what`` tells it apart."""
        key = (what, campaign.ident)
        if key not in self.made:
            self.made[key] = make()
        found: Made = self.made[key]
        return found

    def of(self, standing: str) -> list[Campaign]:
        """Return the shown campaigns of one standing."""
        return [c for c in self.shown if c.standing == standing]


def smaller(facts: Facts) -> Facts | None:
    """Return the same facts with the next smaller budget, then with fewer chapters.

    None when one chapter is left.
    """
    budgets = [budget for _, budget in _BUDGETS]
    place = budgets.index(facts.budget) + 1
    if place < len(budgets):
        return replace(facts, budget=budgets[place])
    kept = len(facts.shown) * 3 // 4
    if not kept:
        return None
    rest = [c.data for c in facts.shown[kept:]] + facts.rest
    return replace(facts, shown=facts.shown[:kept], rest=rest)


def said(value: Any, otherwise: str = "—") -> str:
    """Return a word that a record holds, or ``otherwise`` where it holds none."""
    if value is None or isinstance(value, dict | list) or value == "":
        return otherwise
    return str(value)


def listed(value: Any) -> list[Any]:
    """Return a list that a record holds, or an empty one."""
    return value if isinstance(value, list) else []


def records(value: Any) -> list[dict[str, Any]]:
    """Return the records of a list, leaving out what is none."""
    return [v for v in listed(value) if isinstance(v, dict)]


def standing_of(data: dict[str, Any]) -> str:
    """Return a campaign's standing; what is none of the three is `watch`, never accused."""
    standing = str(data.get("standing"))
    return standing if standing in _ORDER else "watch"


def is_unproven(member: dict[str, Any]) -> bool:
    """Tell whether a member looks like the campaign's others and is not proven to be one.

    A core member that is not accused, and periphery that is a member by a probability of a half
    and more. Who is linked only, such as an honest customer of the same proxy, is none.
    """
    if member.get("role") == "core":
        return member.get("standing") == "watch"
    return (number(member.get("confidence")) or 0.0) >= _LIKELY


def at(data: Any, *keys: str) -> Any:
    """Return a value deep in a record, or None where any step is absent."""
    for key in keys:
        if not isinstance(data, dict):
            return None
        data = data.get(key)
    return data


def recommended(data: dict[str, Any]) -> str:
    """Return what to do about a campaign's record, in words; nothing where it is permitted."""
    if standing_of(data) == "permitted":
        return "nothing"
    return said(at(data, "recommended", "verdict"), "none").replace("_", " ")


def read_facts(run: Run) -> Facts:
    """Read a run. Raises InputError when a file that exists cannot be read."""
    ordered = sorted(
        run.campaigns,
        key=lambda c: (
            _ORDER[standing_of(c)],
            -(number(c.get("output_tokens")) or 0),
            str(c.get("campaign_id")),
        ),
    )
    shown = [Campaign(c, i) for i, c in enumerate(ordered[:MOST_SHOWN])]
    wanted = {c.campaign_id for c in shown}
    volume = _volume(run)
    since, until = micros(run.summary.get("since")), micros(run.summary.get("until"))
    if volume.days and (since is None or until is None):
        since, until = volume.days[0], volume.days[-1] + DAY_US
    return Facts(
        summary=run.summary,
        shown=shown,
        rest=ordered[MOST_SHOWN:],
        since=since,
        until=until,
        budget=next(budget for most, budget in _BUDGETS if len(shown) <= most),
        volume=volume,
        raster=_raster(run, wanted),
        clock=_by_campaign(run, "clock", "hour", wanted),
        coverage=_by_campaign(run, "coverage", "requests", wanted),
        frames=_frames(run, wanted),
        links=run.table("links") if run.has("links") else None,
    )


def _column(table: pa.Table, name: str) -> list[Any]:
    return list(table.column(name).to_pylist())


def _micros_column(table: pa.Table, name: str) -> list[int]:
    column = table.column(name)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz))
    return [0 if v is None else int(v) for v in column.cast(pa.int64()).to_pylist()]


def _volume(run: Run) -> Volume:
    if not run.has("volume"):
        return Volume()
    table = run.table("volume")
    tokens: dict[tuple[int, str, str], int] = defaultdict(int)
    requests: dict[tuple[int, str, str], int] = defaultdict(int)
    days = [d // DAY_US * DAY_US for d in _micros_column(table, "day")]
    names = ("model", "campaign_id", "output_tokens", "requests")
    for day, model, campaign, out, asked in zip(
        days, *(_column(table, n) for n in names), strict=True
    ):
        key = (day, model or "", campaign or "")
        tokens[key] += int(out or 0)
        requests[key] += int(asked or 0)
    return Volume(sorted(set(days)), dict(tokens), dict(requests))


def _raster(run: Run, wanted: set[str]) -> dict[str, list[Tick]]:
    if not run.has("raster"):
        return {}
    table = run.table("raster")
    grouped: dict[tuple[str, int], list[tuple[int, str, str, bool]]] = defaultdict(list)
    names = ("campaign_id", "row", "status", "model", "core")
    moments = _micros_column(table, "ts")
    for ts, campaign, row, status, model, core in zip(
        moments, *(_column(table, n) for n in names), strict=True
    ):
        if campaign in wanted:
            grouped[campaign, int(row or 0)].append((ts, status or "ok", model or "", bool(core)))
    out: dict[str, list[Tick]] = defaultdict(list)
    for campaign, row in sorted(grouped):
        ticks = sorted(grouped[campaign, row])
        out[campaign].append(
            Tick(
                row=row,
                core=ticks[0][3],
                ts=np.array([t[0] for t in ticks], dtype=np.int64),
                status=[t[1] for t in ticks],
                model=[t[2] for t in ticks],
            )
        )
    return dict(out)


def _by_campaign(
    run: Run, name: str, key: str, wanted: set[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a small table by campaign, in the order of ``key``."""
    if not run.has(name):
        return {}
    out: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in run.table(name).to_pylist():
        if row["campaign_id"] in wanted and row[key] is not None:
            out[row["campaign_id"]].append(row)
    return {k: sorted(v, key=lambda r: int(r[key])) for k, v in out.items()}


def _frames(run: Run, wanted: set[str]) -> dict[str, list[dict[str, Any]]]:
    out: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for frame in run.frames:
        if frame.get("campaign_id") in wanted:
            out[str(frame["campaign_id"])].append(frame)
    return dict(out)
