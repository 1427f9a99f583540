"""Picture 3, small multiples: the share by model, segment (product) or method, on one scale."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from stillwatch.report.facts import Facts, at, records, said
from stillwatch.report.numbers import DAY_US, counted, day, number, share, share_range
from stillwatch.report.palette import fill
from stillwatch.report.pictures.prevalence import Week, events_of, weeks_of
from stillwatch.report.svg import Figure, Scale, Table, box, drawing, el, scale, text
from stillwatch.report.visible import shorten

__all__ = ["MOST", "Part", "methods_figure", "models_figure", "segments_figure"]

MOST: Final = 6


@dataclass(frozen=True)
class Part:
    """One model, segment or method: its share of output tokens over the window and by week.

    ``series``: by day, microseconds → share; ``stack``: the same by campaign, its place and share.
    Both are known of models alone.
    """

    name: str
    detected: float | None
    low: float | None
    high: float | None
    bound: float | None
    weeks: list[Week]
    series: dict[int, float] = field(default_factory=dict)
    stack: dict[int, list[tuple[int, float]]] = field(default_factory=dict)

    @property
    def corrected(self) -> str:
        """Return the corrected interval in words."""
        return share_range(self.low, self.high)

    @property
    def peak(self) -> float:
        """Return the highest share that is drawn of it."""
        weeks = [v for w in self.weeks for v in (w.detected, w.high) if v is not None]
        return max([*self.series.values(), *weeks, self.high or 0.0], default=0.0)


@dataclass(frozen=True)
class _Kind:
    key: str  # of summary.json's prevalence, and of its rows
    word: str
    title: str
    heads: str
    of: str


_MODELS: Final = _Kind("model", "model", "By model", "Model", "its output tokens")
_SEGMENTS: Final = _Kind("segment", "segment", "By product (segment)", "Segment",
                         "its output tokens")  # fmt: skip
_METHODS: Final = _Kind("method", "method", "By method", "Method", "all output tokens")


def models_figure(facts: Facts) -> Figure | None:
    """Return up to six small charts, hardest-hit model first, and the rest counted."""
    return _figure(facts, _MODELS)


def segments_figure(facts: Facts) -> Figure | None:
    """Return up to six small charts, hardest-hit segment first, and the rest counted."""
    return _figure(facts, _SEGMENTS)


def methods_figure(facts: Facts) -> Figure | None:
    """Return up to six small charts, the method of most output tokens first."""
    return _figure(facts, _METHODS)


def _figure(facts: Facts, kind: _Kind) -> Figure | None:
    rows = _parts(facts, kind)
    if not rows or not facts.of("accused") or facts.since is None or facts.until is None:
        return None
    top = rows[0]
    name = top.name if kind is not _METHODS else top.name.replace("_", " ")
    if not top.detected:
        title = f"No {kind.word} of {len(rows):,} served an accused campaign"
    elif kind is _METHODS:
        title = f"Most went to {shorten(name, 32)}: {share(top.detected)} of {kind.of}"
    else:
        title = f"Hardest hit is {shorten(name, 32)}: {share(top.detected)} of {kind.of}"
    drawn = rows[:MOST]
    peak = max(row.peak for row in drawn) or 0.01
    events = events_of(facts)
    hidden = len(rows) - MOST
    if kind is _SEGMENTS:
        every = number(at(facts.summary, "prevalence", "segments")) or len(rows)
        hidden = int(every) - len(drawn)
    return Figure(
        name=kind.title,
        title=title,
        drawings=tuple(
            _small(facts, row, kind, events, peak, f"{kind.key}-{i}") for i, row in enumerate(drawn)
        ),
        table=_table(rows, kind),
        caption=_caption(drawn, kind, events, hidden),
        extra={
            "parts": drawn,
            "names": [_named(row, kind) for row in drawn],
            "peak": peak,
            "of": kind.of,
            "events": events,
        },
    )


def _table(rows: list[Part], kind: _Kind) -> Table:
    """Return the window of each, then its weeks."""
    lines = []
    for row in rows:
        lines.append((_named(row, kind), "whole window", share(row.detected), row.corrected,
                      share(row.bound)))  # fmt: skip
        lines += [
            (_named(row, kind), day(w.start), share(w.detected), share_range(w.low, w.high),
             share(w.bound)) for w in row.weeks
        ]  # fmt: skip
    heads = (kind.heads, "Week of", "Detected", "Corrected", "Not excluded, up to")
    return Table(heads, lines, frozenset({2, 3, 4}))


def _named(row: Part, kind: _Kind) -> str:
    return row.name.replace("_", " ") if kind is _METHODS else row.name


def _caption(
    rows: list[Part], kind: _Kind, events: list[dict[str, Any]], hidden: int
) -> str:  # fmt: skip
    weekly = any(row.weeks for row in rows)
    words = f"Grey band: corrected, {'by week' if weekly else 'over the whole window'}."
    if not any(row.series for row in rows):
        words = f"Bars: detected, by week. {words}"
    if kind is _METHODS:
        words += " A campaign with two methods counts in both. A method is a hint and no part of an"
        words += " accusation."
    if events:
        words += " Verticals: releases (dotted) and bans (solid), numbered as under Prevalence."
    return words + (f" {counted(hidden, kind.word)} not drawn." if hidden > 0 else "")


def _parts(facts: Facts, kind: _Kind) -> list[Part]:
    series = _series(facts) if kind is _MODELS else {}
    rows = []
    for row in records(at(facts.summary, "prevalence", f"by_{kind.key}")):
        tokens, name = row.get("output_tokens"), said(row.get(kind.key))
        rows.append(
            Part(
                name,
                number(at(tokens, "detected", "value")),
                number(at(tokens, "corrected", "low")),
                number(at(tokens, "corrected", "high")),
                number(at(tokens, "not_excluded", "high")),
                weeks_of(facts, row.get("by_week")),
                series.get(name, {}),
                _stack(facts, name) if kind is _MODELS else {},
            )
        )
    return sorted(rows, key=lambda r: (-(r.detected or 0.0), r.name))


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
    facts: Facts, row: Part, kind: _Kind, events: list[dict[str, Any]], peak: float, ident: str
) -> Any:
    width, height, top = 250, 150, 66
    floor = height - 2
    since, until = facts.since or 0, facts.until or 1
    x = scale(since, until, 0, width)
    y = scale(0, peak, floor, top)
    name = _named(row, kind)
    body: list[Any] = [
        text(0, 12, shorten(name, 30), "t strong"),
        text(0, 27, f"{share(row.detected)} detected, {row.corrected} corrected", "t"),
    ]
    starts = sorted(row.series) or [w.start for w in row.weeks]
    if starts and starts[0] > since:
        body.append(el("rect", x=0, y=top, width=x(starts[0]), height=floor - top, cls="absent"))
    body += _bands(row, x, y, max(0.0, x(starts[0])) if starts else 0.0, width)
    if row.series:
        body += _stacked(row, x, y, max(0.6, x(since + DAY_US) - x(since) - 0.6))
    else:
        paths = [
            box(x(w.start), y(w.detected), max(0.6, x(w.stop) - x(w.start) - 1.0),
                max(0.3, y(0) - y(w.detected)))
            for w in row.weeks if w.detected
        ]  # fmt: skip
        body += [el("path", d="".join(paths), cls="other")] if paths else []
    body.append(el("line", x1=0, x2=width, y1=y(peak), y2=y(peak), cls="grid"))
    body.append(text(0, y(peak) - 4, share(peak), "t"))
    body.append(el("line", x1=0, x2=width, y1=floor, y2=floor, cls="axis"))
    body += _verticals(events, x, floor)
    title = f"{name}: {share(row.detected)} of {kind.of} detected"
    by = "day, stacked by campaign" if row.series else "week"
    desc = (
        f"Bars by {by}; band: corrected, {'by week' if row.weeks else 'over the window'}; the axis "
        f"of all {kind.word}s ends at {share(peak)}. Verticals: releases and bans."
    )
    return drawing(ident, width, height, title, desc, body)


def _bands(row: Part, x: Scale, y: Scale, start: float, width: float) -> list[Any]:
    spans = [(x(w.start), x(w.stop), w.low, w.high) for w in row.weeks]
    return [
        el("rect", x=left, y=y(high), width=right - left, height=max(1.0, y(low) - y(high)),
           cls="band")
        for left, right, low, high in spans or [(start, width, row.low, row.high)]
        if low is not None and high is not None
    ]  # fmt: skip


def _stacked(row: Part, x: Scale, y: Scale, wide: float) -> list[Any]:
    paths: dict[int, str] = {}
    for when, parts in row.stack.items():
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
