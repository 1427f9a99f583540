"""Write SVG (and the little HTML that is not a template) as a tree that escapes itself.

An `El` is markup by construction: tag and attribute names are ours, every value and every text
is escaped and made visible on the way out. Nothing here accepts ready-made markup, so there is
no place where a hostile identifier could become a tag.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from stillwatch.report.numbers import DAY_US, day
from stillwatch.report.visible import visible
from stillwatch.schema import from_micros

__all__ = [
    "El",
    "Figure",
    "Scale",
    "Table",
    "box",
    "coord",
    "drawing",
    "el",
    "log_scale",
    "nice_ticks",
    "scale",
    "text",
    "time_ticks",
]

Scale = Callable[[float], float]


def coord(value: float) -> str:
    """Return a coordinate with at most one decimal, without a trailing zero."""
    out = f"{value:.1f}"
    out = out[:-2] if out.endswith(".0") else out
    return "0" if out == "-0" else out


class El:
    """One element; `__html__` is what Jinja's autoescape asks for."""

    __slots__ = ("attrs", "children", "lines", "tag")

    def __init__(
        self, tag: str, attrs: dict[str, Any], children: tuple[Any, ...], lines: bool = False
    ) -> None:
        self.tag, self.attrs, self.children, self.lines = tag, attrs, children, lines

    def __html__(self) -> str:
        """Return the element's markup."""
        parts: list[str] = []
        self._write(parts)
        return "".join(parts)

    __str__ = __html__

    def _write(self, parts: list[str]) -> None:
        parts.append(f"<{self.tag}")
        for name, value in self.attrs.items():
            if value is None:
                continue
            if isinstance(value, int | float):
                shown = coord(value)
            elif name == "d":  # made of our numbers alone, and longer than a reader's text may be
                shown = escape(str(value))
            else:
                shown = escape(visible(str(value)))
            parts.append(f' {_attribute(name)}="{shown}"')
        if not self.children:
            parts.append("/>" if self.tag in _SELF_CLOSING else f"></{self.tag}>")
            return
        parts.append(">")
        for child in self.children:
            if isinstance(child, El):
                child._write(parts)
            elif child is not None:
                parts.append(escape(visible(str(child), lines=self.lines), quote=False))
        parts.append(f"</{self.tag}>")


_SELF_CLOSING = frozenset({"rect", "path", "circle", "line", "use"})
_ATTRIBUTES = {"cls": "class", "viewBox": "viewBox", "patternUnits": "patternUnits"}


def _attribute(name: str) -> str:
    return _ATTRIBUTES.get(name) or name.replace("_", "-")


def el(tag: str, *children: Any, **attrs: Any) -> El:
    """Return an element; ``cls`` is its class, an underscore in a name a hyphen."""
    flat: list[Any] = []
    for child in children:
        if isinstance(child, list | tuple):
            flat.extend(child)
        else:
            flat.append(child)
    return El(tag, attrs, tuple(flat))


def box(x: float, y: float, width: float, height: float) -> str:
    """Return a rectangle as a piece of a path, so that one paint covers many of them."""
    return f"M{coord(x)} {coord(y)}h{coord(width)}v{coord(height)}h{coord(-width)}z"


def text(x: float, y: float, words: str, cls: str = "t", **attrs: Any) -> El:
    """Return a text at a point."""
    return el("text", words, x=x, y=y, cls=cls, **attrs)


@dataclass(frozen=True)
class Table:
    """The numbers behind a picture. ``numeric`` holds the columns set to the right."""

    headers: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numeric: frozenset[int] = frozenset()
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture: its sentence, its drawings, and the table behind it."""

    name: str
    title: str
    drawings: tuple[El, ...]
    table: Table
    caption: str = ""
    legend: tuple[tuple[El, str], ...] = ()
    wide: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


def drawing(
    ident: str,
    width: float,
    height: float,
    title: str,
    desc: str,
    body: Iterable[Any],
    cls: str = "",
) -> El:
    """Return an svg with role img, a title and a description that name it."""
    return el(
        "svg",
        el("title", title, id=f"{ident}-t"),
        el("desc", desc, id=f"{ident}-d"),
        list(body),
        viewBox=f"0 0 {coord(width)} {coord(height)}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{ident}-t {ident}-d",
        cls=cls or None,
    )


def scale(low: float, high: float, start: float, stop: float) -> Scale:
    """Return the linear map from [low, high] to [start, stop]; a point maps to the start."""
    span = high - low
    factor = (stop - start) / span if span else 0.0
    return lambda value: start + (value - low) * factor


def log_scale(low: float, high: float, start: float, stop: float) -> Scale:
    """Return the logarithmic map from [low, high] (positive) to [start, stop]."""
    inner = scale(math.log10(low), math.log10(high), start, stop)
    return lambda value: inner(math.log10(max(value, low)))


def nice_ticks(high: float, wanted: int = 4) -> list[float]:
    """Return 0 and round steps up to the first that is not below ``high``."""
    if not high > 0:
        return [0.0, 1.0]
    raw = high / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    steps = math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(steps + 1)]


def time_ticks(low: int, high: int, wanted: int = 6) -> list[tuple[int, str]]:
    """Return (microseconds, label) at midnights UTC, evenly apart, or at hours in a short span."""
    days = max((high - low) / DAY_US, 1e-9)
    if days < 2:
        hours = next((h for h in (1, 2, 3, 6, 12) if days * 24 / h <= wanted), 12)
        unit = hours * 3_600_000_000
        first = -(-low // unit) * unit
        return [(t, f"{from_micros(t):%H:%M}") for t in range(first, high + 1, unit)]
    steps = (1, 2, 3, 7, 14, 28, 56, 91, 182, 364)
    step = next((s for s in steps if days / s <= wanted), 364)
    first = -(-low // DAY_US) * DAY_US
    return [(t, day(t, year=False)) for t in range(first, high + 1, step * DAY_US)]
