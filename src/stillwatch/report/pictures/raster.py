"""Picture 5: one line an account, a tick a request: silences, hand-overs, moves to a new model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stillwatch.report.facts import Campaign, Facts, Tick, at, records
from stillwatch.report.numbers import (
    DAY_US,
    count,
    counted,
    day,
    duration,
    micros,
    number,
    share,
)
from stillwatch.report.svg import El, Figure, Scale, Table, drawing, el, scale, text, time_ticks
from stillwatch.report.visible import shorten, visible

__all__ = ["raster_figure"]

_GROUPS: Final = {
    "ok": "answered",
    "refused": "blocked",
    "filtered": "blocked",
    "denied": "blocked",
    "rate_limited": "limited",
}
_LEGEND: Final = (
    ("answered", "answered (low tick)"),
    ("blocked", "refused, filtered or denied (high tick)"),
    ("limited", "rate limited (middle tick)"),
    ("failed", "error (full height)"),
)
_HOUR: Final = 3_600_000_000
_WIDTH, _LEFT, _RIGHT, _TOP, _SLOT = 760, 34, 8, 44, 30


@dataclass(frozen=True)
class _Read:
    """What the picture shows, in numbers."""

    lines: int
    requests: int
    groups: Counter[str]
    silence: tuple[int, int] | None
    bans: list[tuple[int, int, int]]


def raster_figure(facts: Facts, campaign: Campaign) -> Figure | None:
    """Return the raster of a campaign, or None when the run kept no sample of it."""
    ticks = facts.raster.get(campaign.campaign_id)
    if not ticks:
        return None
    ticks = _thin(ticks, facts.budget.raster_lines)
    while len(ticks) > 12 and _marks(ticks) > facts.budget.raster_marks:
        ticks = _thin(ticks, len(ticks) * 4 // 5)
    low = min(int(t.ts[0]) for t in ticks)
    high = max(int(t.ts[-1]) for t in ticks)
    high = max(high, low + _HOUR)
    read = _read(facts, campaign, ticks, low, high)
    title = _title(campaign, read)
    desc = (
        "Time runs to the right, one line for each account drawn, in the order in which the "
        "accounts take over from one another. Height and colour of a tick tell the outcome."
    )
    total = at(campaign.data, "raster", "subjects") or campaign.data.get("accounts")
    asked = at(campaign.data, "raster", "ticks") or campaign.data.get("exchanges")
    hidden = max(0, round(number(total) or 0) - read.lines)
    unseen = max(0, round(number(asked) or 0) - read.requests)
    return Figure(
        name="Raster",
        title=title,
        drawings=(_draw(facts, campaign, ticks, low, high, title, desc),),
        table=_table(read, low, high),
        wide=True,
        caption=(
            f"{counted(read.lines, 'account')} and {counted(read.requests, 'request')} drawn; "
            f"{counted(hidden, 'account')} and {counted(unseen, 'request')} not shown. "
            + _bans_sentence(read)
        ).strip(),
        legend=_legend(read, campaign),
    )


def _thin(ticks: list[Tick], most: int) -> list[Tick]:
    if len(ticks) <= most:
        return ticks
    places = np.unique(np.linspace(0, len(ticks) - 1, most).round().astype(int))
    return [ticks[i] for i in places]


def _marks(ticks: list[Tick]) -> int:
    span = max(int(t.ts[-1]) for t in ticks) - min(int(t.ts[0]) for t in ticks)
    per_pixel = max(1, span // (_WIDTH - _LEFT - _RIGHT))
    return sum(len(np.unique(t.ts // per_pixel)) for t in ticks)


def _read(facts: Facts, campaign: Campaign, ticks: list[Tick], low: int, high: int) -> _Read:
    merged = np.sort(np.concatenate([t.ts for t in ticks]))
    groups = Counter(_GROUPS.get(s, "failed") for t in ticks for s in t.status)
    silence = None
    if len(merged) > 20:
        gaps = np.diff(merged)
        longest = int(gaps.argmax())
        # Longer than 20 typical gaps and than two hours: not the sampling of the picture.
        if gaps[longest] > max(2 * _HOUR, 20 * float(np.median(gaps))):
            silence = (int(merged[longest]), int(merged[longest + 1]))
    bans = []
    for event in _own_events(facts, campaign):
        ts = micros(event.get("ts"))
        if event.get("kind") == "ban" and ts is not None and low <= ts <= high:
            ends = sum(ts - DAY_US <= int(t.ts[-1]) <= ts + DAY_US for t in ticks)
            starts = sum(ts <= int(t.ts[0]) <= ts + 2 * DAY_US for t in ticks)
            bans.append((ts, ends, starts))
    return _Read(len(ticks), len(merged), groups, silence, sorted(bans))


def _title(campaign: Campaign, read: _Read) -> str:
    accounts = count(campaign.data.get("accounts"))
    if read.silence:
        start, stop = read.silence
        whole = read.lines >= (number(campaign.data.get("accounts")) or 0)
        which = "accounts" if whole else "accounts drawn"
        return (
            f"All {read.lines:,} {which} fall silent together for {duration(stop - start)} "
            f"from {day(start, year=False)}"
        )
    blocked = read.groups["blocked"] + read.groups["limited"]
    return (
        f"{accounts} accounts, one line each: {share(blocked / read.requests)} of the requests "
        "drawn were refused or rate limited"
    )


def _bans_sentence(read: _Read) -> str:
    words = [
        f"around the ban of {day(ts, year=False)} {ends:,} stop (a day either side) and "
        f"{starts:,} start (within two days)"
        for ts, ends, starts in [b for b in read.bans if b[1] or b[2]][:3]
    ]
    if not words:
        return ""
    more = sum(bool(b[1] or b[2]) for b in read.bans) - len(words)
    tail = f"; {counted(more, 'more ban')} in the table" if more > 0 else ""
    return f"Of the accounts drawn, {'; '.join(words)}{tail}."


def _draw(
    facts: Facts, campaign: Campaign, ticks: list[Tick], low: int, high: int, title: str, desc: str
) -> El:
    line = max(3, min(9, 300 // len(ticks)))
    bottom = _TOP + line * len(ticks)
    x = scale(low, high, _LEFT, _WIDTH - _RIGHT)
    body: list[Any] = _models(ticks, x)
    for when, label in time_ticks(low, high, 7):
        body.append(el("line", x1=x(when), x2=x(when), y1=_TOP, y2=bottom + 4, cls="grid"))
        if x(when) < _WIDTH - 38:
            body.append(text(x(when), bottom + 17, label))
    drawn = [_columns(tick, x) for tick in ticks]
    for group, offset, thick in (
        ("answered", 0.72, 0.42),
        ("limited", 0.5, 0.5),
        ("blocked", 0.3, 0.5),
        ("failed", 0.5, 0.9),
    ):
        path = "".join(
            _line(at[group], _TOP + line * (i + offset))
            for i, at in enumerate(drawn)
            if group in at
        )
        if path:
            body.append(el("path", d=path, cls=_stroke(group, campaign), stroke_width=line * thick))
    body += _events(facts, campaign, x, low, high, bottom)
    body.append(text(_LEFT - 6, _TOP + 8, "1", "t end"))
    body.append(text(_LEFT - 6, bottom, f"{len(ticks)}", "t end"))
    body.append(el("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=bottom, y2=bottom, cls="axis"))
    return drawing(f"{campaign.ident}-raster", _WIDTH, bottom + 24, title, desc, body, "min-wide")


def _columns(tick: Tick, x: Scale) -> dict[str, set[int]]:
    """Return in which columns of pixels an account's requests stand, by how they ended."""
    found: dict[str, set[int]] = {}
    for ts, status in zip(tick.ts.tolist(), tick.status, strict=True):
        found.setdefault(_GROUPS.get(status, "failed"), set()).add(int(x(ts)))
    return found


def _line(chosen: set[int], y: float) -> str:
    path, here = "", 0
    columns = sorted(chosen)
    start = stop = columns[0]
    runs = []
    for column in columns[1:]:
        if column > stop + 1:
            runs.append((start, stop))
            start = column
        stop = column
    runs.append((start, stop))
    for start, stop in runs:
        path += f"m{start - here} 0" if path else f"M{start} {y:.1f}"
        path += f"h{stop - start + 1}"
        here = stop + 1
    return path


def _models(ticks: list[Tick], x: Scale) -> list[El]:
    """Draw a strip above the lines: the most used model of each 30 pixels, named where it fits."""
    used = Counter(
        (int((x(ts) - _LEFT) // _SLOT), model)
        for tick in ticks
        for ts, model in zip(tick.ts.tolist(), tick.model, strict=True)
    )
    slots: dict[int, Counter[str]] = {}
    for (slot, model), times in used.items():
        slots.setdefault(slot, Counter())[model] = times
    runs: list[list[Any]] = []
    for slot in sorted(slots):
        top = min(slots[slot].items(), key=lambda item: (-item[1], item[0]))[0]
        if runs and runs[-1][2] == top:
            runs[-1][1] = slot
        else:
            runs.append([slot, slot, top])
    out = []
    for i, (start, stop, model) in enumerate(runs):
        left = _LEFT + start * _SLOT
        right = min(left + (stop - start + 1) * _SLOT, _WIDTH - _RIGHT)
        out.append(
            el(
                "rect",
                el("title", f"most used: {model}"),
                x=left,
                y=26,
                width=right - left - 1,
                height=14,
                cls="model" if i % 2 == 0 else "model odd",
            )
        )
        room = int((right - left) / 7)
        if len(visible(model)) <= room:
            out.append(text(left + 4, 37, model, "t ink"))
    return out


def _own_events(facts: Facts, campaign: Campaign) -> list[dict[str, Any]]:
    """Return what concerns everybody, and the bans of this campaign's own members."""
    mine = (None, campaign.data.get("campaign_id"))
    return [e for e in records(facts.summary.get("events")) if e.get("campaign_id") in mine]


def _events(
    facts: Facts, campaign: Campaign, x: Scale, low: int, high: int, bottom: float
) -> list[El]:
    out: list[El] = []
    free = 0.0
    for event in sorted(_own_events(facts, campaign), key=lambda e: str(e.get("ts"))):
        ts = micros(event.get("ts"))
        if ts is None or not low <= ts <= high:
            continue
        ban = event.get("kind") == "ban"
        out.append(
            el("line", x1=x(ts), x2=x(ts), y1=20, y2=bottom, cls="ban" if ban else "release")
        )
        words = shorten(f"{'ban' if ban else 'new model'}: {event.get('label') or ''}", 26)
        late = x(ts) > _WIDTH - 150
        wide = len(words) * 6.4
        if x(ts) - (wide if late else 0.0) >= free:
            out.append(text(x(ts), 15, words, "t end" if late else "t"))
            free = x(ts) + (0.0 if late else wide)
    return out


def _stroke(group: str, campaign: Campaign) -> str:
    return f"s{campaign.hue}" if group == "answered" else f"tick-{group}"


def _legend(read: _Read, campaign: Campaign) -> tuple[tuple[El, str], ...]:
    spans = {"answered": (7, 11), "blocked": (1, 7), "limited": (3, 9), "failed": (0, 12)}
    out = []
    for group, words in _LEGEND:
        if read.groups[group]:
            top, bottom = spans[group]
            mark = el(
                "path",
                d=f"M4 {(top + bottom) / 2:.1f}h3m2 0h3",
                cls=_stroke(group, campaign),
                stroke_width=bottom - top,
            )
            out.append(
                (
                    el(
                        "svg",
                        mark,
                        width=16,
                        height=12,
                        viewBox="0 0 16 12",
                        aria_hidden="true",
                        cls="swatch",
                    ),
                    words,
                )
            )
    return tuple(out)


def _table(read: _Read, low: int, high: int) -> Table:
    rows = [("First request drawn", day(low)), ("Last request drawn", day(high))]
    rows += [
        (
            f"Requests {words.split(' (')[0]}",
            f"{read.groups[group]:,} ({share(read.groups[group] / read.requests)})",
        )
        for group, words in _LEGEND
    ]
    if read.silence:
        start, stop = read.silence
        rows.append(("Longest common silence", f"{duration(stop - start)} from {day(start)}"))
    rows += [
        (f"Ban of {day(ts)}", f"{ends:,} of the accounts drawn stop, {starts:,} start")
        for ts, ends, starts in read.bans
    ]
    return Table(("In this picture", "Value"), rows, frozenset({1}))
