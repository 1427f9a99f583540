"""Value at risk: the range of each view on one axis, and the assumptions that move it most."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from stillwatch.report.facts import at, listed, records, said
from stillwatch.report.numbers import compact, number, plain, usd
from stillwatch.report.svg import El, Scale, drawing, el, log_scale, nice_ticks, scale, text
from stillwatch.report.visible import shorten

__all__ = ["assumptions_drawing", "entered", "ranges_drawing"]

_VIEWS: Final = (
    ("harvest_list_price_usd", "Harvest"),
    ("serving_loss_usd", "Loss on serving it"),
    ("training_spend_avoided_usd", "Training spend avoided by the operator"),
    ("revenue_scenario_usd", "Revenue scenario, a year"),
)
_WIDTH, _LINE, _WORDS_ONLY, _BAR_TOP, _BAR = 350, 38, 22, 18, 12
_INDENT: Final = 6  # room for half a dot, and half a label
_APART: Final = 30  # views this many times apart share an axis only if each step is ten times
_MOST_DECADES: Final = 5
_LONGEST_LABEL: Final = 56  # letters, in the picture's width
_LONGEST: Final = 110  # of an assumption's bar: its words stand behind it


class _Row(NamedTuple):
    label: str
    low: float | None
    mid: float | None
    high: float | None
    words: str


def entered(value: Mapping[str, Any]) -> bool:
    """Tell whether somebody entered a revenue that could be displaced; a run that does not say
    counts as yes."""
    return any(listed(at(value, "assumptions", "exposed_usd_per_year")) or [1])


def ranges_drawing(value: Mapping[str, Any]) -> El | None:
    """Return a line a view: its range from 5 % to 95 %, a dot at the middle; None: all are nothing.

    ``value``: a run's `value_at_risk`. A view that is not known has words and no bar. Views more
    than 30 times apart stand on a logarithmic axis, which says so; nothing is at its left edge.
    """
    rows = [_row(value, key, label) for key, label in _VIEWS]
    highs = [r.high for r in rows if r.high]
    if not highs:
        return None
    x, ticks, apart = _axis(rows, highs)
    top, floor = 22, 24
    bars: list[El] = []
    for row in rows:
        bars += _range(row, x, floor - 2)
        floor += _LINE if row.high is not None else _WORDS_ONLY
    body: list[Any] = [text(0, 12, "Range from 5 % to 95 % of the draws, dot at the middle")]
    for tick in ticks:
        body.append(el("line", x1=x(tick), x2=x(tick), y1=top, y2=floor, cls="grid"))
        first, last = tick == ticks[0], tick == ticks[-1]
        cls = "t" if first else "t end" if last else "t mid"
        body.append(text(0 if first else _WIDTH if last else x(tick), floor + 14, usd(tick), cls))
    body += bars
    told = _axis_told(rows, apart)
    body += [text(0, floor + 30 + 14 * i, words) for i, words in enumerate(told)]
    title = "Value at risk: " + "; ".join(f"{r.label.lower()} {r.words}" for r in rows)
    desc = (
        "A line a view of one loss, on one axis of US dollars"
        f"{', logarithmic' if apart else ''}: a bar from the 5 % to the 95 % point of the draws, a "
        "dot at the middle. The views overlap and are never added."
    )
    return drawing("value-ranges", _WIDTH, floor + 20 + 14 * len(told), title, desc, body)


def assumptions_drawing(value: Mapping[str, Any], names: Mapping[str, str]) -> El | None:
    """Return a bar an assumption: by how much the figures move together when it alone goes from its
    low to its high end; None: none of them moves anything.

    ``names``: what each assumption is called.
    """
    moved = [
        (said(m.get("assumption")), effect)
        for m in records(value.get("most_sensitive"))
        if (effect := number(m.get("effect_usd")))
    ]
    if not moved:
        return None
    peak = max(effect for _, effect in moved)
    x = scale(0, peak, 0, _LONGEST)
    body: list[Any] = [text(0, 12, "What moves the figures most, from its low to its high end")]
    told = []
    for i, (name, effect) in enumerate(moved):
        y = 22 + _LINE * i
        label, reach = names.get(name, name), _reach(value, name)
        label = shorten(label[:1].upper() + label[1:], _LONGEST_LABEL)
        body += [
            text(0, y + 12, label, "t ink"),
            el("rect", x=0, y=y + _BAR_TOP, width=max(1.0, x(effect)), height=_BAR, cls="sure"),
            text(x(effect) + 6, y + _BAR_TOP + 10, usd(effect), "t strong"),
        ]
        if reach:
            body.append(text(x(effect) + 54, y + _BAR_TOP + 10, reach))
        told.append(f"{label}{', ' if reach else ''}{reach}: {usd(effect)}")
    title = "What moves the value at risk most: " + "; ".join(told)
    desc = (
        "A bar an assumption: by how many US dollars harvest, loss and revenue scenario together "
        "move when it alone goes from its low to its high end."
    )
    return drawing("value-moves", _WIDTH, 24 + _LINE * len(moved), title, desc, body)


def _row(value: Mapping[str, Any], key: str, label: str) -> _Row:
    low, mid, high = (number(at(value, key, end)) for end in ("low", "mid", "high"))
    if key == "revenue_scenario_usd" and not entered(value):
        return _Row(label, None, None, None, "not entered")
    if low is None or mid is None or high is None:
        return _Row(label, None, None, None, "not known")
    same = usd(low) == usd(high)
    return _Row(label, low, mid, high, usd(mid) if same else f"{usd(low)} to {usd(high)}")


def _axis(rows: list[_Row], highs: list[float]) -> tuple[Scale, list[float], int]:
    """Return the axis, its ticks, and how many powers of ten a tick is from the next; 0: linear."""
    if max(highs) <= _APART * min(highs):
        ticks = nice_ticks(max(highs))
        return scale(0, ticks[-1], _INDENT, _WIDTH - _INDENT), ticks, 0
    least = min(v for r in rows for v in (r.low, r.high) if v)
    first = max(math.floor(math.log10(least)), math.ceil(math.log10(max(highs))) - 9)
    step = max(1, math.ceil((math.log10(max(highs)) - first) / _MOST_DECADES))
    count = math.ceil((math.log10(max(highs)) - first) / step)
    ticks = [10.0 ** (first + step * n) for n in range(count + 1)]
    return log_scale(ticks[0], ticks[-1], _INDENT, _WIDTH - _INDENT), ticks, step


def _axis_told(rows: list[_Row], apart: int) -> list[str]:
    if not apart:
        return []
    times = "ten times" if apart == 1 else f"{10**apart:,} times"
    out = [f"Logarithmic: each line is {times} the one before it."]
    return [*out, "$0 stands at the left edge."] if any(r.low == 0 for r in rows) else out


def _range(row: _Row, x: Scale, y: float) -> list[El]:
    out = [text(0, y + 12, row.label, "t ink")]
    if row.low is None or row.mid is None or row.high is None:
        return [*out, text(_WIDTH, y + 12, row.words, "t end")]
    out.append(text(_WIDTH, y + 12, row.words, "t strong end"))
    start, stop, middle = x(row.low), x(row.high), y + _BAR_TOP + _BAR / 2
    if stop - start >= 1:
        out.append(el("rect", x=start, y=y + _BAR_TOP, width=stop - start, height=_BAR,
                      cls="band clear"))  # fmt: skip
        out += [el("line", x1=end, x2=end, y1=y + _BAR_TOP, y2=y + _BAR_TOP + _BAR,
                   cls="segment thin") for end in (start, stop)]  # fmt: skip
    out.append(el("circle", cx=x(row.mid), cy=middle, r=4, cls="dot"))
    return out


def _reach(value: Mapping[str, Any], name: str) -> str:
    ends = [number(v) for v in listed(at(value, "assumptions", name))]
    if len(ends) != 3 or None in ends:
        return ""
    low, mid, high = (compact(v) if (v or 0) >= 10_000 else plain(v) for v in ends)
    return f"{low} to {high}, most likely {mid}"
