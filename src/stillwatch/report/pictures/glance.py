"""Picture 4: every campaign on one line: life span, size, confidence, what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stillwatch.report.facts import NO_METHOD, Campaign, Facts, at, listed, recommended
from stillwatch.report.numbers import (
    DAY_US,
    count,
    counted,
    day_range,
    micros,
    number,
    parse,
    plain,
    sure,
    usd,
)
from stillwatch.report.palette import fill
from stillwatch.report.svg import El, box, drawing, el, log_scale, scale, text

__all__ = ["GlanceRow", "glance_rows", "swatch"]

_CLAIMS = ("coordinated", "extractive", "actor")


@dataclass(frozen=True)
class GlanceRow:
    """One line of the table of campaigns."""

    campaign: Campaign
    swatch: El
    life: El | None
    period: str
    dots: El
    bars: El
    methods: str
    verdict: str
    touched: str
    touched_more: str


def swatch(campaign: Campaign, size: int = 14) -> El:
    """Return the campaign's paint as a small square."""
    return el(
        "svg",
        el(
            "rect",
            x=0.5,
            y=0.5,
            width=size - 1,
            height=size - 1,
            rx=2,
            fill=fill(campaign.index),
            cls="edge",
        ),
        width=size,
        height=size,
        viewBox=f"0 0 {size} {size}",
        aria_hidden="true",
        cls="swatch",
    )


def glance_rows(facts: Facts, campaigns: list[Campaign]) -> list[GlanceRow]:
    """Return a row a campaign; all rows share the time axis and the three log scales."""
    top = max(
        [number(c.data.get(k)) or 1 for c in campaigns for k in ("accounts", "exchanges")] + [10]
    )
    return [_row(facts, c, 10 ** math.ceil(math.log10(top))) for c in campaigns]


def _row(facts: Facts, campaign: Campaign, top: float) -> GlanceRow:
    data = campaign.data
    collateral = at(data, "recommended", "collateral")
    methods = [str(m).replace("_", " ") for m in listed(data.get("methods"))]
    users, revenue = at(collateral, "end_users"), number(at(collateral, "revenue_usd"))
    more = []
    if number(users):
        more.append(counted(users, "end user"))
    if revenue:
        more.append(f"{usd(revenue)} revenue")
    return GlanceRow(
        campaign=campaign,
        swatch=swatch(campaign),
        life=_life(facts, campaign),
        period=day_range(parse(data.get("first_seen")), parse(data.get("last_seen"))),
        dots=_dots(campaign, top),
        bars=_bars(campaign),
        methods=", ".join(methods) or NO_METHOD,
        verdict=recommended(data),
        touched=count(at(collateral, "accounts")),
        touched_more=" · ".join(more),
    )


def _life(facts: Facts, campaign: Campaign) -> El | None:
    if facts.since is None or facts.until is None or facts.until <= facts.since:
        return None
    first, last = micros(campaign.data.get("first_seen")), micros(campaign.data.get("last_seen"))
    if first is None or last is None:
        return None
    width, height = 190, 36
    x = scale(facts.since, facts.until, 0, width)
    by_day: dict[int, int] = {}
    for (when, _model, name), asked in facts.volume.requests.items():
        if name == campaign.campaign_id:
            by_day[when] = by_day.get(when, 0) + asked
    peak = max(by_day.values(), default=0)
    body: list[El] = [el("line", x1=0, x2=width, y1=height - 3, y2=height - 3, cls="axis")]
    if peak:
        y = scale(0, peak, 0, height - 5)
        wide = max(0.8, x(facts.since + DAY_US) - x(facts.since) - 0.8)
        bars = (
            box(x(when), height - 3 - y(asked), wide, y(asked))
            for when, asked in sorted(by_day.items())
        )
        body.append(el("path", d="".join(bars), fill=fill(campaign.index)))
    else:
        body.append(
            el(
                "rect",
                x=x(first),
                y=12,
                width=max(2.0, x(last) - x(first)),
                height=height - 15,
                fill=fill(campaign.index),
            )
        )
    days = max(1, math.ceil((last - first) / DAY_US))
    title = f"{campaign.name} was seen on {days:,} days of the window"
    desc = "Bars by day: its requests, on the time axis that all campaigns share."
    return drawing(f"{campaign.ident}-life", width, height, title, desc, body)


def _dots(campaign: Campaign, top: float) -> El:
    data = campaign.data
    accounts, exchanges = number(data.get("accounts")), number(data.get("exchanges"))
    each = exchanges / accounts if accounts and exchanges is not None else None
    width, height = 186, 48
    x = log_scale(1, top, 4, 62)
    body: list[El] = []
    for line, (value, words) in enumerate(
        ((accounts, "accounts"), (exchanges, "exchanges"), (each, "per account"))
    ):
        y = 9 + line * 15
        body.append(el("line", x1=4, x2=62, y1=y, y2=y, cls="grid"))
        if value is not None:
            body.append(el("circle", cx=x(max(1.0, value)), cy=y, r=3.6, cls="dot"))
        shown = plain(value) if words == "per account" else count(value)
        body.append(text(70, y + 4, f"{shown} {words}", "t ink"))
    title = (
        f"{campaign.name}: {count(accounts)} accounts, {count(exchanges)} exchanges, "
        f"{plain(each)} exchanges per account"
    )
    desc = f"Three dots on one logarithmic scale from 1 to {top:,.0f}."
    return drawing(f"{campaign.ident}-dots", width, height, title, desc, body)


def _bars(campaign: Campaign) -> El:
    width, height = 196, 48
    body: list[El] = []
    words = []
    for line, claim in enumerate(_CLAIMS):
        value = number(at(campaign.data, "claims", claim, "confidence"))
        if claim == "actor" and not at(campaign.data, "claims", claim, "claim"):
            value = None  # no actor is named: there is nothing to be confident of
        y = 4 + line * 15
        body.append(text(0, y + 9, claim, "t"))
        body.append(el("rect", x=72, y=y, width=60, height=10, cls="track"))
        if value is not None:
            body.append(
                el(
                    "rect",
                    x=72,
                    y=y,
                    width=max(1.0, 60 * min(1.0, value)),
                    height=10,
                    cls="sure",
                )
            )
        shown = "—" if value is None else sure(value)
        body.append(text(138, y + 9, shown, "t ink"))
        words.append(f"{claim} {shown if value is not None else 'not claimed'}")
    title = f"{campaign.name}, confidence: {', '.join(words)}"
    desc = "Three bars from 0 to 100 %; the three claims are judged apart."
    return drawing(f"{campaign.ident}-bars", width, height, title, desc, body)
