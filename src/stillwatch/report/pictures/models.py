"""Picture 3, small multiples: the same share for each model, on one scale."""

from __future__ import annotations

from typing import Any

from stillwatch.report.facts import Facts, at, records, said
from stillwatch.report.numbers import DAY_US, counted, number, share, share_range
from stillwatch.report.palette import fill
from stillwatch.report.pictures.prevalence import events_of
from stillwatch.report.svg import Figure, Scale, Table, box, drawing, el, scale, text
from stillwatch.report.visible import shorten

__all__ = ["models_figure"]

_MOST = 6


def models_figure(facts: Facts) -> Figure | None:
    """Return up to six small charts, hardest-hit model first, and the rest counted."""
    rows = _by_model(facts)
    if not rows or not facts.of("accused") or facts.since is None or facts.until is None:
        return None
    top = rows[0]
    if top["detected"]:
        title = (
            f"Hardest hit is {shorten(top['model'], 32)}: {share(top['detected'])} "
            "of its output tokens"
        )
    else:
        title = f"No model of {len(rows):,} served an accused campaign"
    peak = max(max([*r["series"].values(), r["high"] or 0.0], default=0.0) for r in rows) or 0.01
    events = events_of(facts)
    drawings = tuple(
        _small(facts, row, events, peak, f"model-{i}") for i, row in enumerate(rows[:_MOST])
    )
    hidden = len(rows) - _MOST
    return Figure(
        name="By model",
        title=title,
        drawings=drawings,
        table=Table(
            ("Model", "Detected", "Corrected", "Not excluded, up to"),
            [(r["model"], share(r["detected"]), r["corrected"], share(r["bound"])) for r in rows],
            frozenset({1, 2, 3}),
        ),
        caption=_caption(events, hidden),
    )


def _caption(events: list[dict[str, Any]], hidden: int) -> str:
    words = "Grey band: corrected, over the whole window."
    if events:
        words += " Verticals: releases (dotted) and bans (solid), numbered as under Prevalence."
    return words + (f" {counted(hidden, 'model')} not drawn." if hidden > 0 else "")


def _by_model(facts: Facts) -> list[dict[str, Any]]:
    series = _series(facts)
    rows = []
    for row in records(at(facts.summary, "prevalence", "by_model")):
        tokens = row.get("output_tokens")
        model = said(row.get("model"))
        bound = number(at(tokens, "not_excluded", "high"))
        rows.append(
            {
                "model": model,
                "detected": number(at(tokens, "detected", "value")),
                "corrected": share_range(
                    at(tokens, "corrected", "low"), at(tokens, "corrected", "high")
                ),
                "low": number(at(tokens, "corrected", "low")),
                "high": number(at(tokens, "corrected", "high")),
                "bound": bound,
                "series": series.get(model, {}),
                "stack": _stack(facts, model),
            }
        )
    return sorted(rows, key=lambda r: (-(r["detected"] or 0.0), r["model"]))


def _series(facts: Facts) -> dict[str, dict[int, float]]:
    accused = {c.campaign_id for c in facts.of("accused")}
    total: dict[tuple[str, int], int] = {}
    hit: dict[tuple[str, int], int] = {}
    for (when, model, campaign), tokens in facts.volume.tokens.items():
        total[model, when] = total.get((model, when), 0) + tokens
        if campaign in accused:
            hit[model, when] = hit.get((model, when), 0) + tokens
    out: dict[str, dict[int, float]] = {}
    for (model, when), tokens in sorted(total.items()):
        out.setdefault(model, {})[when] = hit.get((model, when), 0) / tokens if tokens else 0.0
    return out


def _stack(facts: Facts, model: str) -> dict[int, list[tuple[int, float]]]:
    place = {c.campaign_id: c.index for c in facts.of("accused")}
    total: dict[int, int] = {}
    parts: dict[int, dict[int, int]] = {}
    for (when, name, campaign), tokens in facts.volume.tokens.items():
        if name != model:
            continue
        total[when] = total.get(when, 0) + tokens
        if campaign in place:
            slot = parts.setdefault(when, {})
            slot[place[campaign]] = slot.get(place[campaign], 0) + tokens
    return {
        when: [(i, t / total[when]) for i, t in sorted(row.items()) if total[when]]
        for when, row in sorted(parts.items())
    }


def _small(
    facts: Facts, row: dict[str, Any], events: list[dict[str, Any]], peak: float, ident: str
) -> Any:
    width, height, top = 250, 150, 66
    floor = height - 2
    since, until = facts.since or 0, facts.until or 1
    x = scale(since, until, 0, width)
    y = scale(0, peak, floor, top)
    body: list[Any] = [
        text(0, 12, shorten(row["model"], 24), "t strong"),
        text(0, 27, f"{share(row['detected'])} detected, {row['corrected']} corrected", "t"),
    ]
    days = sorted(row["series"])
    if days and days[0] > since:
        body.append(el("rect", x=0, y=top, width=x(days[0]), height=floor - top, cls="absent"))
    low, high = row["low"], row["high"]
    if low is not None and high is not None:
        tall = max(1.0, y(low) - y(high))
        start = max(0.0, x(days[0])) if days else 0.0
        band = el("rect", x=start, y=y(high), width=width - start, height=tall, cls="band")
        body.append(band)
    body += _stacked(row, x, y, max(0.6, x(since + DAY_US) - x(since) - 0.6))
    body.append(el("line", x1=0, x2=width, y1=y(peak), y2=y(peak), cls="grid"))
    body.append(text(0, y(peak) - 4, share(peak), "t"))
    body.append(el("line", x1=0, x2=width, y1=floor, y2=floor, cls="axis"))
    body += _verticals(events, x, floor)
    title = f"{row['model']}: {share(row['detected'])} of its output tokens detected"
    desc = (
        f"Bars by day, stacked by campaign; band: corrected, over the window; the axis of all "
        f"models ends at {share(peak)}. Verticals: releases and bans."
    )
    return drawing(ident, width, height, title, desc, body)


def _stacked(row: dict[str, Any], x: Scale, y: Scale, wide: float) -> list[Any]:
    paths: dict[int, str] = {}
    for when, parts in row["stack"].items():
        base = 0.0
        for index, part in parts:
            high = max(0.3, y(base) - y(base + part))
            paths[index] = paths.get(index, "") + box(x(when), y(base + part), wide, high)
            base += part
    return [el("path", d=d, fill=fill(index)) for index, d in sorted(paths.items())]


def _verticals(events: list[dict[str, Any]], x: Scale, floor: float) -> list[Any]:
    out: list[Any] = []
    free = 0.0
    for event in events:
        at_x = x(event["ts"])
        cls = "ban" if event["kind"] == "ban" else "release"
        out.append(el("line", x1=at_x, x2=at_x, y1=40, y2=floor, cls=cls))
        if at_x >= free:
            out.append(text(at_x + 3, 48, f"{event['n']}", "t tiny ink"))
            free = at_x + 14
    return out
