"""Picture 6: who shares what, collapsed to at most 300 nodes, with what is not shown counted."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final

from stillwatch.report.facts import Campaign, Facts
from stillwatch.report.numbers import counted, plain
from stillwatch.report.palette import kind_code, kind_hue, kind_place, kind_title
from stillwatch.report.pictures.layout import place_nodes, push_apart
from stillwatch.report.svg import El, Figure, Table, drawing, el, text
from stillwatch.report.visible import shorten
from stillwatch.report.web import Web

__all__ = ["DEGREES", "graph_figure"]

DEGREES: Final = (2, 3, 10)
_WIDTH, _HEIGHT, _PAD = 700, 460, 22


@dataclass(frozen=True)
class _Group:
    """Accounts that share exactly the same objects, drawn as one circle."""

    accounts: tuple[str, ...]
    objects: frozenset[str]


def graph_figure(facts: Facts, campaign: Campaign, web: Web) -> Figure | None:
    """Return the graph with its list, or None when no two members are linked."""
    if not web.holders and not web.direct:
        return None
    objects = sorted(web.holders, key=lambda o: (-sum(web.holders[o].values()), o))
    kept = objects[: facts.budget.graph_nodes // 3]
    groups = _groups(web, set(kept))
    room = facts.budget.graph_nodes - len(kept)
    drawn = sorted(groups, key=lambda g: (-len(g.accounts), -len(g.objects), g.accounts))[:room]
    title = _title(web, objects)
    linked = {a for holders in web.holders.values() for a in holders}
    linked |= {a for link in web.direct for a in (link.a, link.b)}
    hidden = len(linked) - sum(len(g.accounts) for g in drawn)
    lonely = len(web.accounts) - len(linked)
    desc = (
        "Circles are accounts (a number inside: that many with exactly the same links), marked "
        "shapes are the things that they share. Positions mean only who is joined to whom."
    )
    body, direct_shown = _draw(web, kept, drawn)
    listed = objects[: facts.budget.objects]
    present = Counter(web.kinds.values()) + Counter(d.kind for d in web.direct)
    return Figure(
        name="Links",
        title=title,
        drawings=(
            drawing(f"{campaign.ident}-graph", _WIDTH, _HEIGHT, title, desc, body, "min-wide"),
        ),
        table=Table(
            ("Kind", "What", "Accounts", "Nats each"),
            [
                (
                    kind_title(web.kinds[o]),
                    shorten(o.partition(":")[2] or o, 11),
                    f"{len(web.holders[o]):,}",
                    plain(sum(web.holders[o].values()) / len(web.holders[o])),
                )
                for o in listed
            ],
            frozenset({2, 3}),
            f"{counted(len(objects) - len(listed), 'shared thing')} not listed: all are in "
            "links.parquet.",
        ),
        caption=(
            f"Not shown: {counted(hidden, 'account')}, "
            f"{counted(len(objects) - len(kept), 'shared thing')}, "
            f"{counted(len(web.direct) - direct_shown, 'direct link')}; "
            f"{counted(lonely, 'account')} without a link to another member and "
            f"{counted(web.alone, 'thing')} that one member alone has."
        ),
        extra={
            "kinds": [
                {
                    "place": kind_place(kind),
                    "title": kind_title(kind),
                    "count": n,
                    "swatch": _legend(kind),
                }
                for kind, n in sorted(present.items(), key=lambda i: (-i[1], i[0]))
            ]
        },
    )


def _title(web: Web, objects: list[str]) -> str:
    if not objects:
        return f"{counted(len(web.direct), 'direct link')} join these accounts"
    widest = max(objects, key=lambda o: (len(web.holders[o]), o))
    more = len(objects) - 1
    tail = (
        f", and {counted(more, 'other thing')} joins some of them"
        if more == 1
        else (f", and {counted(more, 'other thing')} join some of them" if more else "")
    )
    return (
        f"{len(web.holders[widest]):,} of {len(web.accounts):,} accounts share one thing "
        f"({kind_title(web.kinds[widest])}){tail}"
    )


def _groups(web: Web, kept: set[str]) -> list[_Group]:
    named = {d.a for d in web.direct} | {d.b for d in web.direct}
    bundles: dict[tuple[frozenset[str], str], list[str]] = defaultdict(list)
    for account, held in sorted(web.held().items()):
        objects = frozenset(o for o in held if o in kept)
        if objects or account in named:
            bundles[objects, account if account in named else ""].append(account)
    return [_Group(tuple(accounts), objects) for (objects, _), accounts in bundles.items()]


def _bucket(degree: int) -> int:
    return max(d for d in DEGREES if d <= max(degree, DEGREES[0]))


def _draw(web: Web, objects: list[str], groups: list[_Group]) -> tuple[list[El], int]:
    place = {o: i for i, o in enumerate(objects)}
    who = {a: len(objects) + i for i, g in enumerate(groups) for a in g.accounts}
    edges: list[tuple[int, int, float]] = []
    paths: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for i, group in enumerate(groups, start=len(objects)):
        for name in sorted(group.objects):
            hub = len(web.holders[name])
            edges.append((place[name], i, 1.0 / math.sqrt(hub)))
            paths[web.kinds[name], _bucket(hub)].append((place[name], i))
    shown = 0
    for link in web.direct:
        if link.a in who and link.b in who:
            shown += 1
            edges.append((who[link.a], who[link.b], 0.6))
            paths[link.kind, DEGREES[0]].append((who[link.a], who[link.b]))
    sizes = [1.6] * len(objects) + [1.0 + math.log10(len(g.accounts)) for g in groups]
    at = place_nodes(len(objects) + len(groups), edges, sizes)
    at = at * [_WIDTH - 2 * _PAD, _HEIGHT - 2 * _PAD] + _PAD
    radii = [13.0] * len(objects) + [_radius(len(g.accounts)) + 1 for g in groups]
    at = push_apart(at, radii, (_WIDTH, _HEIGHT))
    xs, ys = [round(float(p)) for p in at[:, 0]], [round(float(p)) for p in at[:, 1]]
    body: list[El] = []
    for (kind, bucket), pairs in sorted(paths.items()):
        d = "".join(f"M{xs[a]} {ys[a]}L{xs[b]} {ys[b]}" for a, b in pairs)
        body.append(
            el("path", d=d, cls=f"edge-{kind_hue(kind)} link k{kind_place(kind)} d{bucket}")
        )
    for i, group in enumerate(groups, start=len(objects)):
        body += _account(xs[i], ys[i], len(group.accounts))
    for name, i in place.items():
        body.append(_object(xs[i], ys[i], web, name))
    return body, shown


def _radius(accounts: int) -> float:
    return 3.2 if accounts == 1 else 5 + 3 * math.log10(accounts)


def _account(x: float, y: float, accounts: int) -> list[El]:
    out = [el("circle", cx=x, cy=y, r=_radius(accounts), cls="account")]
    if accounts > 1:
        out.append(text(x, y + 3.4, f"{accounts}", "t tiny mid onacc"))
    return out


def _shape(kind: str, x: float, y: float, r: float) -> El:
    hue = f"f{kind_hue(kind)} shape"
    which = kind_place(kind) % 4
    if which == 0:
        return el("rect", x=x - r, y=y - r, width=2 * r, height=2 * r, rx=2, cls=hue)
    points = {
        1: "M{x} {t}L{r} {y}L{x} {b}L{l} {y}Z",
        2: "M{i} {t}H{j}L{r} {b}H{l}Z",
        3: "M{l} {h}L{x} {t}L{r} {h}V{g}L{x} {b}L{l} {g}Z",
    }[which]
    far = r * 1.25
    d = points.format(
        x=x,
        y=y,
        t=y - far,
        b=y + far,
        l=x - far,
        r=x + far,
        h=y - far / 2,
        g=y + far / 2,
        i=x - far * 0.62,
        j=x + far * 0.62,
    )
    return el("path", d=d, cls=hue)


def _object(x: float, y: float, web: Web, name: str) -> El:
    kind, holders = web.kinds[name], len(web.holders[name])
    r = 8 if holders < 10 else 11
    return el(
        "g",
        el("title", f"{kind_title(kind)}: {holders:,} accounts"),
        _shape(kind, x, y, r),
        text(x, y + 3.6, kind_code(kind), "t tiny mid onshape"),
        cls=f"thing k{kind_place(kind)} d{_bucket(holders)}",
    )


def _legend(kind: str) -> El:
    return el(
        "svg",
        _shape(kind, 11, 11, 8),
        text(11, 14.6, kind_code(kind), "t tiny mid onshape"),
        width=22,
        height=22,
        viewBox="0 0 22 22",
        aria_hidden="true",
        cls="swatch",
    )
