"""Picture 6, for a pair: the weights of its links add up; why are these two linked?"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any, Final

from stillwatch.report.facts import Campaign
from stillwatch.report.numbers import counted, plain
from stillwatch.report.palette import kind_hue, kind_title
from stillwatch.report.svg import El, Figure, Table, drawing, el, nice_ticks, scale, text
from stillwatch.report.visible import shorten
from stillwatch.report.web import Web

__all__ = ["Pair", "pair_figure", "waterfall_figure"]

_MOST_HOLDERS: Final = 40
_MOST_PAIRS: Final = 20_000
_MOST_ROWS: Final = 8


@dataclass(frozen=True)
class Pair:
    """Two accounts and what joins them: (kind, the thing's name, nats), heaviest first."""

    a: str
    b: str
    weights: tuple[tuple[str, str, float], ...]

    @property
    def total(self) -> float:
        """Return the sum in nats; links are added as if independent."""
        return sum(w for _, _, w in self.weights)


def waterfall_figure(campaign: Campaign, web: Web) -> Figure | None:
    """Return the strongest and the typical linked pair, drawn one under the other."""
    pairs = _pairs(web)
    if not pairs:
        return None
    chosen = [("Strongest pair", pairs[0])]
    if len(pairs) > 2:
        chosen.append(("Typical pair (median)", pairs[len(pairs) // 2]))
    top = pairs[0]
    heaviest = _merged(top)[0]
    reason = kind_title(heaviest[0])
    title = (
        f"Why two accounts are linked: the strongest pair has {plain(top.total)} nats, "
        f"most of it from {reason}"
        if heaviest[2] * 2 > top.total
        else f"Why two accounts are linked: the strongest pair has {plain(top.total)} nats from "
        f"{counted(len(top.weights), 'link')}"
    )
    peak = nice_ticks(max(p.total for _, p in chosen))
    rows: list[tuple[str, ...]] = []
    for words, pair in chosen:
        rows += [
            (words, shorten(pair.a, 44), shorten(pair.b, 44), _times(kind_title(kind), n), plain(w))
            for kind, n, w in _merged(pair)
        ]
    return Figure(
        name="Why linked",
        title=title,
        drawings=tuple(
            _draw(f"{campaign.ident}-pair{i}", words, pair, peak)
            for i, (words, pair) in enumerate(chosen)
        ),
        table=Table(("Pair", "Account", "Account", "Link", "Nats"), rows, frozenset({4})),
        caption=(
            "A nat is a natural-log unit of evidence: 2.3 nats make one operator ten times as "
            "likely. Weights are added as if independent; the tests do not rely on that."
        ),
    )


def pair_figure(campaign: Campaign, web: Web, a: str, b: str) -> Figure | None:
    """Return the links of two accounts that somebody chose; None: nothing joins them."""
    found = [p for p in _pairs(web) if {p.a, p.b} == {a, b}]
    if not found:
        return None
    (pair,) = found
    return Figure(
        name="Why these two",
        title=f"{counted(len(pair.weights), 'link')} between these two: {plain(pair.total)} nats, "
        f"most of it from {kind_title(pair.weights[0][0])}",
        drawings=(_draw(f"{campaign.ident}-chosen", "The two that you chose", pair,
                        nice_ticks(pair.total)),),
        table=Table(("Link", "Thing", "Nats"),
                    [(kind_title(k), shorten(o, 30), plain(w)) for k, o, w in pair.weights],
                    frozenset({2})),
        caption="A nat is a natural-log unit of evidence. Weights are added as if independent; the "
        "tests do not rely on that.",
    )  # fmt: skip


def _pairs(web: Web) -> list[Pair]:
    found: dict[tuple[str, str], list[tuple[str, str, float]]] = defaultdict(list)
    for link in web.direct:
        found[min(link.a, link.b), max(link.a, link.b)].append((link.kind, "", link.llr))
    for pair in islice(_candidates(web), _MOST_PAIRS):
        found.setdefault(pair, [])
    held = web.held()
    out = []
    for (a, b), direct in found.items():
        shared = [
            (web.kinds[o], o, min(held[a][o], held[b][o])) for o in held[a].keys() & held[b].keys()
        ]
        weights = tuple(sorted(direct + shared, key=lambda w: (-w[2], w[0], w[1])))
        if weights:
            out.append(Pair(a, b, weights))
    return sorted(out, key=lambda p: (-p.total, p.a, p.b))


def _candidates(web: Web) -> Iterator[tuple[str, str]]:
    """Yield pairs that share a thing few accounts have; without one, pairs of the first thing."""
    small = [o for o in web.holders if len(web.holders[o]) <= _MOST_HOLDERS]
    for name in small or list(web.holders)[:1]:
        yield from combinations(islice(web.holders[name], _MOST_HOLDERS), 2)


def _merged(pair: Pair) -> list[tuple[str, int, float]]:
    """Return kind, how many links of that kind, and their nats together; heaviest kind first."""
    found: dict[str, list[float]] = defaultdict(list)
    for kind, _, nats in pair.weights:
        found[kind].append(nats)
    merged = [(kind, len(nats), sum(nats)) for kind, nats in found.items()]
    return sorted(merged, key=lambda m: (-m[2], m[0]))


def _times(title: str, n: int) -> str:
    return f"{title} × {n:,}" if n > 1 else title


def _draw(ident: str, words: str, pair: Pair, ticks: list[float]) -> El:
    rows = _merged(pair)
    if len(rows) > _MOST_ROWS:
        rest = rows[_MOST_ROWS - 1 :]
        rows = rows[: _MOST_ROWS - 1]
        rows.append(("", sum(n for _, n, _ in rest), sum(w for _, _, w in rest)))
    width, line, top = 350, 33, 42
    floor = top + line * (len(rows) + 1)
    x = scale(0, ticks[-1], 4, width - 40)
    body: list[Any] = [
        text(0, 14, words, "t strong"),
        text(0, 30, f"{shorten(pair.a, 22)} and {shorten(pair.b, 22)}", "t"),
    ]
    for tick in ticks:
        body.append(el("line", x1=x(tick), x2=x(tick), y1=top, y2=floor, cls="grid"))
        label = f"{plain(tick)} nats" if tick == ticks[-1] else plain(tick)
        body.append(text(x(tick), floor + 14, label, "t mid" if tick else "t"))
    base = 0.0
    for i, (kind, n, nats) in enumerate(rows):
        y = top + line * i
        label = _times(kind_title(kind), n) if kind else counted(n, "more link")
        hue = f"f{kind_hue(kind)} shape" if kind else "other"
        start, stop = sorted((base, base + nats))
        body += _bar(x(start), x(stop), y, hue, label)
        body.append(text(x(stop) + 4, y + 26, f"{'+' if nats >= 0 else '−'}{plain(abs(nats))}"))
        base += nats
    y = top + line * len(rows)
    body += _bar(x(min(0.0, base)), x(max(0.0, base)), y, "sum", "together")
    body.append(text(x(max(0.0, base)) + 4, y + 26, plain(base), "t strong"))
    body.append(el("line", x1=x(0), x2=x(0), y1=top, y2=floor, cls="axis"))
    odds = math.exp(min(base, 600.0))
    title = f"{words}: {plain(base)} nats, {plain(odds)} times as likely under one operator"
    desc = "Bars that follow one another: the weight of each kind of link, then the sum."
    return drawing(ident, width, floor + 20, title, desc, body)


def _bar(start: float, stop: float, y: float, cls: str, label: str) -> list[El]:
    return [
        text(8, y + 12, shorten(label, 46), "t ink"),
        el("rect", x=start, y=y + 16, width=max(1.0, stop - start), height=12, cls=cls),
    ]
