"""Picture 3, small multiples: the same share for each model, on one scale."""

from __future__ import annotations

from typing import Any

from stillwatch.report.facts import Facts, at, records, said
from stillwatch.report.numbers import DAY_US, counted, number, share, share_range
from stillwatch.report.palette import fill
from stillwatch.report.svg import Figure, Table, box, drawing, el, scale, text
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
    peak = max((max(r["series"].values(), default=0.0) for r in rows), default=0.0) or 0.01
    drawings = tuple(_small(facts, row, peak, f"model-{i}") for i, row in enumerate(rows[:_MOST]))
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
        caption=f"{counted(hidden, 'model')} not drawn." if hidden > 0 else "",
    )


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


def _small(facts: Facts, row: dict[str, Any], peak: float, ident: str) -> Any:
    width, height, top = 250, 116, 40
    since, until = facts.since or 0, facts.until or 1
    x = scale(since, until, 0, width)
    y = scale(0, peak, height - 2, top)
    body: list[Any] = [
        text(0, 12, shorten(row["model"], 24), "t strong"),
        text(0, 27, f"{share(row['detected'])} detected, {row['corrected']} corrected", "t"),
    ]
    days = sorted(row["series"])
    if days and days[0] > since:
        body.append(el("rect", x=0, y=top, width=x(days[0]), height=height - 2 - top, cls="absent"))
    wide = max(0.6, x(since + DAY_US) - x(since) - 0.6)
    paths: dict[int, str] = {}
    for when, parts in row["stack"].items():
        base = 0.0
        for index, part in parts:
            high = max(0.3, y(base) - y(base + part))
            paths[index] = paths.get(index, "") + box(x(when), y(base + part), wide, high)
            base += part
    body += [el("path", d=d, fill=fill(index)) for index, d in sorted(paths.items())]
    body.append(el("line", x1=0, x2=width, y1=y(peak), y2=y(peak), cls="grid"))
    body.append(text(width, y(peak) - 4, share(peak), "t end"))
    body.append(el("line", x1=0, x2=width, y1=height - 2, y2=height - 2, cls="axis"))
    title = f"{row['model']}: {share(row['detected'])} of its output tokens detected"
    desc = f"Bars by day, stacked by campaign; the highest bar of all models is {share(peak)}."
    return drawing(ident, width, height, title, desc, body)
