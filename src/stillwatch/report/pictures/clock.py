"""Picture 5, beside the raster: the campaign's 24 hours against its segment's band."""

from __future__ import annotations

from typing import Any

from stillwatch.report.facts import Campaign, Facts
from stillwatch.report.numbers import number, share, share_range
from stillwatch.report.palette import fill
from stillwatch.report.svg import (
    El,
    Figure,
    Scale,
    Table,
    box,
    drawing,
    el,
    nice_ticks,
    scale,
    text,
)

__all__ = ["band_path", "clock_figure", "swatch"]

_QUIET_H = 6


def clock_figure(facts: Facts, campaign: Campaign) -> Figure | None:
    """Return the clock, or None when the run has not all of its 24 hours."""
    rows = facts.clock.get(campaign.campaign_id) or []
    hours = {int(r["hour"]): r for r in rows}
    if set(hours) != set(range(24)):
        return None
    own = [number(hours[h].get("campaign_share")) or 0.0 for h in range(24)]
    mid = [number(hours[h].get("segment_mid")) for h in range(24)]
    low = [number(hours[h].get("segment_low")) for h in range(24)]
    high = [number(hours[h].get("segment_high")) for h in range(24)]
    title = _title(own, mid)
    desc = "Bars: share of the campaign's requests by hour UTC. Band and line: its segment."
    width, height, left, top, bottom = 380, 220, 48, 10, 24
    ticks = nice_ticks(max([*own, *(v for v in high + mid if v)]))
    x = scale(0, 24, left, width - 4)
    y = scale(0, ticks[-1], height - bottom, top)
    body: list[Any] = []
    for tick in ticks:
        body.append(el("line", x1=left, x2=width - 4, y1=y(tick), y2=y(tick), cls="grid"))
        body.append(text(left - 6, y(tick) + 4, share(tick), "t end"))
    wide = x(1) - x(0) - 3
    bars = (box(x(h) + 1.5, y(own[h]), wide, y(0) - y(own[h])) for h in range(24))
    body.append(el("path", d="".join(bars), fill=fill(campaign.index)))
    band = band_path(
        [(h + 0.5, v) for h, v in enumerate(high)], [(h + 0.5, v) for h, v in enumerate(low)], x, y
    )
    if band:
        body.append(el("path", d=band, cls="band clear"))
    line = "".join(
        f"{'L' if i else 'M'}{x(h + 0.5):.1f} {y(m):.1f}"
        for i, (h, m) in enumerate((h, m) for h, m in enumerate(mid) if m is not None)
    )
    if line:
        body.append(el("path", d=line, cls="segment"))
    body.append(el("line", x1=left, x2=width - 4, y1=y(0), y2=y(0), cls="axis"))
    for h in (0, 6, 12, 18, 24):
        cls = "t mid" if 0 < h < 24 else ("t end" if h else "t")
        body.append(text(x(h), height - 8, f"{h:02d} h" if h else "00 h UTC", cls))
    return Figure(
        name="24-hour clock",
        title=title,
        drawings=(drawing(f"{campaign.ident}-clock", width, height, title, desc, body),),
        table=Table(
            ("Hour UTC", "Campaign", "Its segment", "Segment's band"),
            [
                (f"{h:02d}–{h + 1:02d}", share(own[h]), share(mid[h]), share_range(low[h], high[h]))
                for h in range(24)
            ],
            frozenset({1, 2, 3}),
        ),
        legend=(
            (swatch(el("rect", x=2, width=12, height=12, fill=fill(campaign.index))), "campaign"),
            (
                swatch(
                    el("rect", width=16, height=12, cls="band clear"),
                    el("path", d="M0 6h16", cls="segment"),
                ),
                "its segment, with band",
            ),
        ),
    )


def swatch(*children: Any) -> El:
    """Return a legend's mark."""
    return el(
        "svg", *children, width=16, height=12, viewBox="0 0 16 12", aria_hidden="true", cls="swatch"
    )


def _title(own: list[float], mid: list[float | None]) -> str:
    known = [m or 0.0 for m in mid]
    if not any(known):
        return "The campaign's day, hour by hour; its segment's is not known"

    def window(values: list[float], start: int) -> float:
        return sum(values[(start + i) % 24] for i in range(_QUIET_H))

    start = min(range(24), key=lambda h: (window(known, h), h))
    return (
        f"From {start:02d} to {(start + _QUIET_H) % 24:02d} h UTC, its segment's quietest hours, "
        f"the campaign makes {share(window(own, start))} of its requests; "
        f"the segment {share(window(known, start))}"
    )


def band_path(
    high: list[tuple[float, float | None]],
    low: list[tuple[float, float | None]],
    x: Scale,
    y: Scale,
) -> str:
    """Return the path between two lines of points, or nothing where either is hardly known."""
    upper = [(at, v) for at, v in high if v is not None]
    lower = [(at, v) for at, v in low if v is not None]
    if len(upper) < 2 or len(lower) < 2:
        return ""
    points = upper + lower[::-1]
    steps = (f"{'L' if i else 'M'}{x(at):.1f} {y(v):.1f}" for i, (at, v) in enumerate(points))
    return "".join(steps) + "Z"
