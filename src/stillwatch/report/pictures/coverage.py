"""Picture 9: distinct topics against requests, the campaign against its segment's band."""

from __future__ import annotations

from typing import Any

from stillwatch.report.facts import Campaign, Facts, at
from stillwatch.report.numbers import count, counted, number
from stillwatch.report.palette import fill
from stillwatch.report.pictures.clock import band_path, swatch
from stillwatch.report.svg import El, Figure, Scale, Table, drawing, el, nice_ticks, scale, text

__all__ = ["coverage_figure"]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 440, 240, 48, 12, 40


def coverage_figure(facts: Facts, campaign: Campaign) -> Figure | None:
    """Return the two curves, or None when the run has no curve of this campaign."""
    rows = [
        r
        for r in facts.coverage.get(campaign.campaign_id, [])
        if number(r.get("requests")) is not None and number(r.get("campaign_topics")) is not None
    ]
    if len(rows) < 2:
        return None
    title = _title(rows)
    desc = (
        "Line: mean number of distinct topics among so many of the campaign's requests. Band and "
        "thin line: the middle 90 % and the median of random pools of its segment."
    )
    return Figure(
        name="Coverage",
        title=title,
        drawings=(
            drawing(
                f"{campaign.ident}-coverage", _WIDTH, _HEIGHT, title, desc, _draw(campaign, rows)
            ),
        ),
        table=Table(
            ("Requests", "Topics, campaign", "Topics, its segment", "Middle 90 %"),
            [
                (
                    count(r["requests"]),
                    _topics(r["campaign_topics"]),
                    _topics(r.get("segment_mid")),
                    _range(r),
                )
                for r in rows
            ],
            frozenset({0, 1, 2, 3}),
        ),
        caption=_caption(campaign),
        legend=(
            (swatch(el("path", d="M0 6h16", cls=_line(campaign))), "campaign"),
            (
                swatch(
                    el("rect", width=16, height=12, cls="band clear"),
                    el("path", d="M0 6h16", cls="segment thin"),
                ),
                "as many requests of random accounts of its segment, with band",
            ),
            (swatch(el("path", d="M0 12L16 0", cls="bound")), "a new topic with every request"),
        ),
    )


def _title(rows: list[dict[str, Any]]) -> str:
    last = rows[-1]
    own, low, high = (
        number(last.get(k)) for k in ("campaign_topics", "segment_low", "segment_high")
    )
    what = f"{count(last['requests'])} of its requests touch {_topics(own)} distinct topics"
    if own is None or low is None or high is None:
        return f"{what}; its segment is too small to compare with"
    side = "more than" if own > high else "fewer than" if own < low else "as"
    return (
        f"{what}, {side} as many requests of random accounts of its segment do ({_range(last)})"
        if side != "as"
        else f"{what}, as do so many requests of random accounts of its segment ({_range(last)})"
    )


def _caption(campaign: Campaign) -> str:
    basis = at(campaign.data, "coverage")
    sampled, anchors = number(at(basis, "requests")), number(at(basis, "anchors"))
    words = (
        "An application stays in its field and its curve bends early; a harvest covers ever new "
        "topics, and so do many strangers taken together. Coverage alone accuses nobody; the test "
        "of one shared queue, under Evidence, does."
    )
    if sampled is None or anchors is None:
        return words
    asked = number(campaign.data.get("exchanges")) or 0
    unseen = max(0, round(asked - sampled))
    return (
        f"{words} Sampled: {counted(sampled, 'request')}, {count(unseen)} not; a topic is the "
        f"nearest of {count(anchors)} requests drawn from the log. Pools are drawn from "
        f"{counted(at(basis, 'peers'), 'account')} outside every campaign."
    )


def _draw(campaign: Campaign, rows: list[dict[str, Any]]) -> list[Any]:
    most = float(rows[-1]["requests"])
    peak = max(number(r.get(k)) or 0.0 for r in rows for k in ("campaign_topics", "segment_high"))
    ticks = nice_ticks(peak)
    x = scale(0, most, _LEFT, _WIDTH - 8)
    y = scale(0, ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    body: list[Any] = []
    for tick in ticks:
        body.append(el("line", x1=_LEFT, x2=_WIDTH - 8, y1=y(tick), y2=y(tick), cls="grid"))
        body.append(text(_LEFT - 6, y(tick) + 4, count(tick), "t end"))
    body += [
        text(x(tick), _HEIGHT - _BOTTOM + 16, count(tick), "t mid")
        for tick in nice_ticks(most, 5)
        if tick <= most
    ]
    body.append(text((_LEFT + _WIDTH) / 2, _HEIGHT - 6, "requests", "t mid"))
    band = band_path(
        [(r["requests"], number(r.get("segment_high"))) for r in rows],
        [(r["requests"], number(r.get("segment_low"))) for r in rows],
        x,
        y,
    )
    if band:
        body.append(el("path", d=band, cls="band clear"))
    edge = min(most, ticks[-1])
    body.append(el("path", d=f"M{x(0):.1f} {y(0):.1f}L{x(edge):.1f} {y(edge):.1f}", cls="bound"))
    body.append(_curve(rows, "segment_mid", "segment thin", x, y))
    body.append(_curve(rows, "campaign_topics", _line(campaign), x, y))
    body.append(el("line", x1=_LEFT, x2=_WIDTH - 8, y1=y(0), y2=y(0), cls="axis"))
    body.append(
        el(
            "rect",
            x=x(most) - 5,
            y=y(float(rows[-1]["campaign_topics"])) - 5,
            width=10,
            height=10,
            fill=fill(campaign.index),
            cls="edge",
        )
    )
    return body


def _line(campaign: Campaign) -> str:
    return f"s{campaign.hue} curve"


def _curve(rows: list[dict[str, Any]], key: str, cls: str, x: Scale, y: Scale) -> El | None:
    points = [(float(r["requests"]), number(r.get(key))) for r in rows]
    steps = "".join(f"L{x(n):.1f} {y(v):.1f}" for n, v in points if v is not None)
    return el("path", d="M" + steps[1:], cls=cls) if steps else None


def _topics(value: Any) -> str:
    return count(value) if (number(value) or 0) >= 20 else _tenths(value)


def _tenths(value: Any) -> str:
    n = number(value)
    return count(value) if n is None else f"{n:.1f}".removesuffix(".0")


def _range(row: dict[str, Any]) -> str:
    if number(row.get("segment_low")) is None:
        return count(None)
    return f"{_topics(row['segment_low'])}–{_topics(row.get('segment_high'))}"
