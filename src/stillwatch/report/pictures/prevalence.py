"""Picture 3: which part of all output tokens went to campaigns, day by day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from stillwatch.report.facts import Facts, at, records, said, standing_of
from stillwatch.report.numbers import DAY_US, counted, day, micros, number, share, share_range
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
    time_ticks,
)
from stillwatch.report.visible import shorten

__all__ = ["Bar", "Week", "bars_of", "events_of", "prevalence_figure", "weeks_of"]

_WEEK = 7 * DAY_US
_PAINTED = 8  # campaigns with a paint of their own; more would be a rainbow
_TOLD: Final = 6  # marks under the picture; of more only the table tells


_EXPLAINED = (
    "Detected is a floor: what was accused. Corrected allows for what detection misses. Not "
    "excluded is the most that could still hide."
)


@dataclass(frozen=True)
class Week:
    """A week's share of output tokens, cut to the window: ``start``, ``stop`` in microseconds."""

    start: int
    stop: int
    detected: float | None
    low: float | None
    high: float | None
    bound: float | None


@dataclass(frozen=True)
class Bar:
    """A day's or a week's share of output tokens, ``parts`` by accused campaign, the first eight of
    the page; the last part is all the others."""

    start: int
    stop: int
    parts: list[float]


def prevalence_figure(facts: Facts) -> Figure | None:
    """Return the stacked bars with the corrected band and the line of what is not excluded."""
    if facts.since is None or facts.until is None or facts.until <= facts.since:
        return None
    weeks = weeks_of(facts, at(facts.summary, "prevalence", "by_week"))
    bars = bars_of(facts, weeks)
    if not weeks and not any(sum(b.parts) for b in bars):
        return None
    title = _title(facts, bars)
    desc = (
        "Bars: share of output tokens by day, stacked by accused campaign. Band: corrected "
        "interval by week. Dashed line: upper bound of what cannot be excluded, by week."
    )
    events = events_of(facts)
    return Figure(
        name="Prevalence",
        title=title,
        drawings=(
            _draw(facts, weeks, bars, events, "prev-wide", title, desc, (1120, 226), "only-wide"),
            _draw(facts, weeks, bars, events, "prev-slim", title, desc, (350, 250), "only-slim"),
        ),
        table=_table(weeks, events),
        caption=" ".join([*([_EXPLAINED] if weeks else []), *_marks(events)]),
        legend=_legend(facts, bars, weeks),
        extra={"events": events, "weeks": at(facts.summary, "prevalence", "by_week")},
    )


def weeks_of(facts: Facts, rows: Any) -> list[Week]:
    """Return the weeks of a `by_week` of summary.json, cut to the window, in order."""
    out = []
    for row in records(rows):
        start = micros(row.get("week_start"))
        tokens = row.get("output_tokens")
        if start is None or facts.since is None or facts.until is None:
            continue
        begin, stop = max(start, facts.since), min(start + _WEEK, facts.until)
        if stop <= begin:
            continue
        bound = number(at(tokens, "not_excluded", "high"))
        out.append(
            Week(
                begin,
                stop,
                number(at(tokens, "detected", "value")),
                number(at(tokens, "corrected", "low")),
                number(at(tokens, "corrected", "high")),
                number(at(tokens, "not_excluded", "value")) if bound is None else bound,
            )
        )
    return sorted(out, key=lambda w: w.start)


def bars_of(facts: Facts, weeks: list[Week]) -> list[Bar]:
    """Return what was detected by day, in a window of more than 70 days by week."""
    accused = facts.of("accused")[:_PAINTED]
    others = {c.campaign_id for c in facts.of("accused")[_PAINTED:]}
    others |= {said(c.get("campaign_id")) for c in facts.rest if standing_of(c) == "accused"}
    place = {c.campaign_id: i for i, c in enumerate(accused)}
    if not facts.volume.days or facts.since is None or facts.until is None:
        return [Bar(w.start, w.stop, [0.0] * len(accused) + [w.detected or 0.0]) for w in weeks]
    step = 1 if (facts.until - facts.since) <= 70 * DAY_US else 7
    origin = facts.volume.days[0]
    total: dict[int, int] = {}
    parts: dict[int, list[int]] = {}
    for (when, _model, campaign), tokens in facts.volume.tokens.items():
        slot = (when - origin) // DAY_US // step
        total[slot] = total.get(slot, 0) + tokens
        row = parts.setdefault(slot, [0] * (len(accused) + 1))
        if campaign in place:
            row[place[campaign]] += tokens
        elif campaign in others:
            row[-1] += tokens
    bars = []
    for slot in sorted(total):
        start = origin + slot * step * DAY_US
        shares = [p / total[slot] if total[slot] else 0.0 for p in parts[slot]]
        begin, stop = max(start, facts.since), min(start + step * DAY_US, facts.until)
        if stop > begin:
            bars.append(Bar(begin, stop, shares))
    return bars


def _title(facts: Facts, bars: list[Bar]) -> str:
    peak = max(bars, key=lambda b: sum(b.parts), default=None)
    if not facts.of("accused"):
        bound = number(at(facts.summary, "prevalence", "output_tokens", "not_excluded", "high"))
        if bound is None:
            return "No output tokens went to an accused campaign; what was missed is not known"
        return (
            "No output tokens went to an accused campaign; "
            f"up to {share(bound)} of them cannot be excluded"
        )
    if peak is None or not sum(peak.parts):
        return "Share of output tokens that went to accused campaigns"
    when = (
        f"on {day(peak.start)}"
        if peak.stop - peak.start <= DAY_US
        else (f"in the week of {day(peak.start)}")
    )
    return (
        f"At the peak, {when}, {share(sum(peak.parts))} of output tokens went to accused campaigns"
    )


def events_of(facts: Facts) -> list[dict[str, Any]]:
    """Return releases and bans inside the window, in order, numbered from 1."""
    out = []
    for event in records(facts.summary.get("events")):
        ts = micros(event.get("ts"))
        if ts is None or facts.since is None or facts.until is None:
            continue
        if facts.since <= ts <= facts.until:
            kind = "ban" if event.get("kind") == "ban" else "release"
            out.append({"ts": ts, "kind": kind, "label": said(event.get("label"))})
    out.sort(key=lambda e: (e["ts"], e["kind"], e["label"]))
    for place, event in enumerate(out, start=1):
        event["n"] = place
    return out


def _draw(
    facts: Facts,
    weeks: list[Week],
    bars: list[Bar],
    events: list[dict[str, Any]],
    ident: str,
    title: str,
    desc: str,
    size: tuple[int, int],
    cls: str,
) -> El:
    width, height = size
    left, right, top, bottom = 54, 6, 40 if width > 600 else 24, 24
    peaks = [sum(b.parts) for b in bars] + [v for w in weeks for v in (w.high, w.bound) if v]
    ticks = nice_ticks(max(peaks, default=0) or 0.01)
    x = scale(facts.since or 0, facts.until or 1, left, width - right)
    y = scale(0, ticks[-1], height - bottom, top)
    body: list[Any] = []
    for tick in ticks:
        body += [
            el("line", x1=left, x2=width - right, y1=y(tick), y2=y(tick), cls="grid"),
            text(left - 6, y(tick) + 4, share(tick), "t end"),
        ]
    wanted = 9 if width > 600 else 4
    for when, label in time_ticks(facts.since or 0, facts.until or 1, wanted):
        if x(when) < width - 36:
            body.append(text(x(when), height - 7, label, "t"))
            body.append(el("line", x1=x(when), x2=x(when), y1=y(0), y2=y(0) + 4, cls="axis"))
    body += _band(weeks, x, y)
    body += _stack(facts, bars, x, y)
    body += _bound(weeks, x, y)
    body.append(el("line", x1=left, x2=width - right, y1=y(0), y2=y(0), cls="axis"))
    body += _verticals(events, x, top, y(0), width)
    return drawing(ident, width, height, title, desc, body, cls)


def _band(weeks: list[Week], x: Scale, y: Scale) -> list[El]:
    return [
        el(
            "rect",
            x=x(w.start),
            y=y(w.high),
            width=x(w.stop) - x(w.start),
            height=max(1.0, y(w.low) - y(w.high)),
            cls="band",
        )
        for w in weeks
        if w.low is not None and w.high is not None
    ]


def _bound(weeks: list[Week], x: Scale, y: Scale) -> list[El]:
    path = ""
    for w in weeks:
        if w.bound is None:
            continue
        joint = "L" if path else "M"
        path += f"{joint}{x(w.start):.1f} {y(w.bound):.1f}H{x(w.stop):.1f}"
    return [el("path", d=path, cls="bound")] if path else []


def _stack(facts: Facts, bars: list[Bar], x: Scale, y: Scale) -> list[El]:
    accused = facts.of("accused")[:_PAINTED]
    paths = [""] * (len(accused) + 1)
    for bar in bars:
        base = 0.0
        gap = 1.0 if x(bar.stop) - x(bar.start) > 5 else 0.4
        wide = max(0.5, x(bar.stop) - x(bar.start) - gap)
        for i, part in enumerate(bar.parts):
            if part > 0:
                high = max(0.3, y(base) - y(base + part))
                paths[i] += box(x(bar.start) + gap / 2, y(base + part), wide, high)
                base += part
    out = [el("path", d=d, fill=fill(c.index)) for c, d in zip(accused, paths, strict=False) if d]
    return out + ([el("path", d=paths[-1], cls="other")] if paths[-1] else [])


def _verticals(
    events: list[dict[str, Any]], x: Scale, top: float, bottom: float, width: float
) -> list[El]:
    out: list[El] = []
    free = [0.0, 0.0]  # the first free x of two rows of labels
    for event in events[:12]:
        at_x, ban = x(event["ts"]), event["kind"] == "ban"
        words = f"{event['n']}"
        if width > 600:
            words += f" {shorten(_happened(event), 33)}"
        long = len(words) * 7.0 + 10
        late = at_x + long > width
        start = at_x - long if late else at_x
        row = 0 if free[0] <= start else 1
        if free[row] > start:
            words, row, long = f"{event['n']}", 1, 12
        free[row] = at_x + (0 if late else long)
        y = top - 28 + 15 * row if width > 600 else top - 16 + 11 * row
        cls = "ban" if ban else "release"
        out.append(el("line", x1=at_x, x2=at_x, y1=y - 9, y2=bottom, cls=cls))
        out.append(
            text(at_x + (-4 if late else 4), y, words, "t strong end" if late else "t strong")
        )
    return out


def _legend(facts: Facts, bars: list[Bar], weeks: list[Week]) -> tuple[tuple[El, str], ...]:
    def swatch(child: El) -> El:
        return el(
            "svg", child, width=16, height=12, viewBox="0 0 16 12", aria_hidden="true", cls="swatch"
        )

    accused = facts.of("accused")
    rest = sum(standing_of(c) == "accused" for c in facts.rest) + len(accused[_PAINTED:])
    items = [
        (swatch(el("rect", width=16, height=12, fill=fill(c.index))), c.name)
        for c in accused[:_PAINTED]
    ]
    if any(b.parts[-1] for b in bars):
        items.append(
            (
                swatch(el("rect", width=16, height=12, cls="other")),
                counted(rest, "smaller campaign") if rest else "all campaigns",
            )
        )
    if any(w.high is not None for w in weeks):
        items.append((swatch(el("rect", width=16, height=12, cls="band")), "corrected, by week"))
    if any(w.bound is not None for w in weeks):
        items.append(
            (swatch(el("path", d="M0 6H16", cls="bound")), "up to here not excluded, by week")
        )
    return tuple(items)


def _happened(event: dict[str, Any]) -> str:
    if event["kind"] == "ban":
        return f"ban: {event['label'].removesuffix(' banned')}"
    return f"new model: {event['label']}"


def _marks(events: list[dict[str, Any]], most: int = _TOLD) -> list[str]:
    """Return what the numbered verticals are, or nothing where there are more than ``most``."""
    told = [f"{e['n']} = {day(e['ts'])}, {_happened(e)}" for e in events]
    return [f"Marks: {'; '.join(told)}."] if 0 < len(told) <= most else []


def _table(weeks: list[Week], events: list[dict[str, Any]]) -> Table:
    rows = [
        (
            day(w.start),
            share(w.detected),
            share_range(w.low, w.high),
            share(w.bound),
        )
        for w in weeks
    ]
    return Table(
        ("Week of", "Detected", "Corrected", "Not excluded, up to"),
        rows,
        frozenset({1, 2, 3}),
        " ".join(_marks(events, len(events))),
    )
