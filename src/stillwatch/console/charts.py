"""What uPlot draws of prevalence over time: numbers, and the words that are told of each moment.

All words and ticks are made here, so that the chart says what the SVG and the table say, in UTC.
Times are seconds since 1970, shares from 0 to 1; a share that is not known is null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from stillwatch.report.facts import Facts
from stillwatch.report.numbers import DAY_US, day, share, share_range
from stillwatch.report.palette import HATCHES, HUES
from stillwatch.report.pictures.prevalence import Bar, Week, bars_of, weeks_of
from stillwatch.report.svg import Figure, nice_ticks, time_ticks

__all__ = ["parts_chart", "prevalence_chart"]

_MICROS: Final = 1_000_000
_WIDE, _SLIM = 9, 4  # labels on the axis of time
_ROOM: Final = 0.35  # of the way between two labels, from the last one to the end
_OTHER: Final = [-1, -1]


def prevalence_chart(facts: Facts, figure: Figure | None) -> dict[str, Any] | None:
    """Return the chart beside `prevalence_figure`: shares by campaign, each with its paint."""
    if figure is None or facts.since is None or facts.until is None:
        return None
    weeks = weeks_of(facts, figure.extra["weeks"])
    bars = bars_of(facts, weeks)
    named = facts.of("accused")
    count = len(bars[0].parts) - 1 if bars else 0
    names = [c.name for c in named[:count]] + ["smaller campaigns" if count else "all campaigns"]
    paints = [[c.index % HUES, c.index % HATCHES] for c in named[:count]] + [_OTHER]
    chart = _chart("", "", facts.since, facts.until, bars, weeks, names, paints)
    peaks = [sum(b.parts) for b in bars] + [v for w in weeks for v in (w.high, w.bound) if v]
    return _whole(facts, figure, [chart], nice_ticks(max(peaks, default=0) or 0.01), 240)


def parts_chart(facts: Facts, figure: Figure | None) -> dict[str, Any] | None:
    """Return small charts on one scale: of each model, segment or method that the figure draws."""
    if figure is None or facts.since is None or facts.until is None:
        return None
    charts = []
    for part, name in zip(figure.extra["parts"], figure.extra["names"], strict=True):
        starts = sorted(part.series)
        bars = [
            Bar(s, s + DAY_US, [sum(v for i, v in part.stack.get(s, ()) if i == c.index)
                                for c in facts.of("accused")])
            for s in starts
        ] or [Bar(w.start, w.stop, [w.detected or 0.0]) for w in part.weeks]  # fmt: skip
        known = facts.of("accused") if starts else []
        charts.append(_chart(
            name,
            f"{share(part.detected)} of {figure.extra['of']} detected, {part.corrected} corrected",
            facts.since, facts.until, bars, part.weeks,
            [c.name for c in known] or [""],
            [[c.index % HUES, c.index % HATCHES] for c in known] or [_OTHER],
        ))  # fmt: skip
    bounds = [w.bound for part in figure.extra["parts"] for w in part.weeks if w.bound]
    peak = figure.extra["peak"]  # a bound far above all else is told, and not drawn
    return _whole(facts, figure, charts, nice_ticks(min(max([peak, *bounds]), 3 * peak), 2), 110)


def _whole(
    facts: Facts, figure: Figure, charts: list[dict[str, Any]], ticks: list[float], tall: int
) -> dict[str, Any] | None:
    if not any(chart["x"] for chart in charts):
        return None
    since, until = facts.since or 0, facts.until or 1
    return {
        "label": figure.name, "since": since / _MICROS, "until": until / _MICROS, "tall": tall,
        "ticks": [[t, share(t)] for t in ticks],
        "times": [[[at / _MICROS, label] for at, label in time_ticks(since, until, wanted)
                   if (until - at) * wanted > (until - since) * _ROOM]  # none is cut by the edge
                  for wanted in (_WIDE, _SLIM)],
        "marks": [[e["ts"] / _MICROS, e["n"], e["kind"]] for e in figure.extra["events"]],
        "charts": charts,
    }  # fmt: skip


def _chart(
    name: str, words: str, since: int, until: int, bars: Sequence[Bar], weeks: Sequence[Week],
    names: list[str], paints: list[list[int]],
) -> dict[str, Any]:  # fmt: skip
    """Return one chart: at each start of a bar or a week what holds from there on.

    ``shares``: by campaign, null where no bar starts; those that are nowhere are left out.
    """
    moments = sorted({*(b.start for b in bars), *(w.start for w in weeks)})
    of_bar = {b.start: b for b in bars}
    of_week = [next((w for w in weeks if w.start <= m < w.stop), None) for m in moments]
    used = [k for k in range(len(names)) if any(b.parts[k] for b in bars)]
    return {
        "name": name, "words": words, "x": [m / _MICROS for m in moments],
        "shares": [[round(of_bar[m].parts[k], 9) if m in of_bar else None for m in moments]
                   for k in used],
        "paints": [paints[k] for k in used],
        "low": [w.low if w else None for w in of_week],
        "high": [w.high if w else None for w in of_week],
        "bound": [w.bound if w else None for w in of_week],
        "told": [_told(m, bars, week, names) for m, week in zip(moments, of_week, strict=True)],
    }  # fmt: skip


def _told(moment: int, bars: Sequence[Bar], week: Week | None, names: list[str]) -> str:
    """Return what the chart says of a moment, in words."""
    bar = next((b for b in bars if b.start <= moment < b.stop), None)
    out = []
    if bar is not None:
        weekly = bar.stop - bar.start > DAY_US
        mine = [f"{name or 'campaigns'} {share(part)}"
                for name, part in zip(names, bar.parts, strict=True) if part]  # fmt: skip
        told = f"{share(sum(bar.parts))} detected"
        if len(mine) > 1 or (mine and names[0]):
            told += f" ({', '.join(mine)})"
        out.append(f"{'Week of ' if weekly else ''}{day(bar.start)}: {told}")
    if week is not None and week.low is not None:
        first = "this week" if bar is not None else f"Week of {day(week.start)}:"
        out.append(f"{first} {share_range(week.low, week.high)} corrected, "
                   f"up to {share(week.bound)} not excluded")  # fmt: skip
    elif week is not None and week.bound is not None:
        first = "this week" if bar is not None else f"Week of {day(week.start)}:"
        out.append(f"{first} up to {share(week.bound)} not excluded")
    elif week is not None:
        out.append("what was missed is not known")
    return "; ".join(out) or f"{day(moment)}: nothing was sent"
