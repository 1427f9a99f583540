"""Picture 6: who shares what, collapsed to at most 300 nodes, with what is not shown counted."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final

from stillwatch.report.facts import Campaign, Facts, records, said
from stillwatch.report.numbers import counted, plain
from stillwatch.report.palette import kind_code, kind_hue, kind_place, kind_title
from stillwatch.report.pictures.layout import place_nodes, push_apart
from stillwatch.report.svg import El, Figure, Table, drawing, el, text
from stillwatch.report.visible import shorten, visible
from stillwatch.report.web import Web

__all__ = ["DEGREES", "graph_figure"]

DEGREES: Final = (2, 3, 10)
_WIDTH, _HEIGHT, _PAD = 700, 460, 22
# By the side of core and periphery: the class of a node, and of every line that leads to it.
_ROLES: Final = {True: "core", False: "rim"}


@dataclass(frozen=True)
class _Group:
    """Accounts of one role that share exactly the same objects, drawn as one circle."""

    accounts: tuple[str, ...]
    objects: frozenset[str]
    core: bool


@dataclass(frozen=True)
class _Edge:
    """A line between two nodes by number: shared by at least ``degree`` (one of DEGREES); the
    classes of the accounts at its ends, which hide it with them."""

    a: int
    b: int
    kind: str
    degree: int
    roles: tuple[str, ...]


def graph_figure(facts: Facts, campaign: Campaign, web: Web) -> Figure | None:
    """Return the graph with its list, or None when no two members are linked.

    ``extra``: ``kinds`` and ``roles`` are what a reader may hide; ``nodes`` and ``edges`` the
    drawing in numbers, for a program that draws it anew; ``behind`` what each node stands for: the
    name of an object, or accounts.
    """
    if not web.holders and not web.direct:
        return None
    objects = sorted(web.holders, key=lambda o: (-sum(web.holders[o].values()), o))
    kept = objects[: facts.budget.graph_nodes // 3]
    groups = _groups(web, set(kept), _core(campaign))
    room = facts.budget.graph_nodes - len(kept)
    drawn = sorted(groups, key=lambda g: (-len(g.accounts), -len(g.objects), g.accounts))[:room]
    title = _title(web, objects)
    linked = {a for holders in web.holders.values() for a in holders}
    linked |= {a for link in web.direct for a in (link.a, link.b)}
    hidden = len(linked) - sum(len(g.accounts) for g in drawn)
    lonely = len(web.accounts) - len(linked)
    desc = (
        "Circles are accounts (a number inside: that many with exactly the same links), filled in "
        "the core and hollow at the periphery; marked shapes are the things that they share. "
        "Positions mean only who is joined to whom."
    )
    edges, direct_shown = _edges(web, kept, drawn)
    at = _place(web, kept, drawn, edges)
    return Figure(
        name="Links",
        title=title,
        drawings=(
            drawing(f"{campaign.ident}-graph", _WIDTH, _HEIGHT, title, desc,
                    _draw(web, kept, drawn, edges, at), "min-wide"),
        ),
        table=_things(web, objects, facts.budget.objects),
        caption=(
            f"Not shown: {counted(hidden, 'account')}, "
            f"{counted(len(objects) - len(kept), 'shared thing')}, "
            f"{counted(len(web.direct) - direct_shown, 'direct link')}; "
            f"{counted(lonely, 'account')} without a link to another member and "
            f"{counted(web.alone, 'thing')} that one member alone has."
        ),
        extra={
            "kinds": _kinds(web),
            "roles": _roles(drawn),
            "nodes": _nodes(web, kept, drawn, edges, at),
            "edges": [
                [e.a, e.b, kind_place(e.kind), kind_hue(e.kind), e.degree] for e in edges
            ],
            "behind": [*kept, *(g.accounts for g in drawn)],
        },
    )  # fmt: skip


def _things(web: Web, objects: list[str], most: int) -> Table:
    """Return the list under the graph: the first ``most`` shared things and how many are left."""
    rows = [
        (
            kind_title(web.kinds[o]),
            shorten(o.partition(":")[2] or o, 11),
            f"{len(web.holders[o]):,}",
            plain(sum(web.holders[o].values()) / len(web.holders[o])),
        )
        for o in objects[:most]
    ]
    left = counted(len(objects) - len(rows), "shared thing")
    note = f"{left} not listed: all are in links.parquet."
    return Table(("Kind", "What", "Accounts", "Nats each"), rows, frozenset({2, 3}), note)


def _kinds(web: Web) -> list[dict[str, object]]:
    """Return the kinds of links that there are, as a reader may hide them, the commonest first."""
    present = Counter(web.kinds.values()) + Counter(d.kind for d in web.direct)
    return [
        {
            "place": kind_place(kind),
            "title": kind_title(kind),
            "count": n,
            "swatch": _legend(kind),
        }
        for kind, n in sorted(present.items(), key=lambda i: (-i[1], i[0]))
    ]


def _core(campaign: Campaign) -> frozenset[str]:
    members = records(campaign.data.get("members"))
    return frozenset(said(m.get("account_id")) for m in members if m.get("role") == "core")


def _roles(drawn: list[_Group]) -> list[dict[str, object]]:
    """Return core and periphery as a reader may hide them; nothing where one of them is empty."""
    counts = {core: sum(len(g.accounts) for g in drawn if g.core is core) for core in _ROLES}
    if not all(counts.values()):
        return []
    titles = {True: "core", False: "periphery"}
    return [{"role": _ROLES[core], "title": titles[core], "count": n,
             "swatch": el("svg", el("circle", cx=8, cy=8, r=5, cls=f"account {_ROLES[core]}"),
                          width=16, height=16, viewBox="0 0 16 16", aria_hidden="true",
                          cls="swatch")}
            for core, n in counts.items()]  # fmt: skip


def _title(web: Web, objects: list[str]) -> str:
    if not objects:
        return f"{counted(len(web.direct), 'direct link')} join these accounts"
    most = max(len(web.holders[o]) for o in objects)
    widest = [o for o in objects if len(web.holders[o]) == most]
    kinds = Counter(kind_title(web.kinds[o]) for o in widest)
    named = ", ".join(f"{kind} × {n}" if n > 1 else kind for kind, n in kinds.items())
    what = "one thing" if len(widest) == 1 else counted(len(widest), "thing")
    more = len(objects) - len(widest)
    tail = (
        f", and {counted(more, 'other thing')} {'links' if more == 1 else 'link'} fewer"
        if more
        else ""
    )
    whom = f"{most:,} of {len(web.accounts):,} accounts"
    if len({frozenset(web.holders[o]) for o in widest}) > 1:  # as many accounts, but not the same
        return f"{what} ({named}) link {whom} each{tail}"
    return f"{whom} are linked by {what} ({named}){tail}"


def _groups(web: Web, kept: set[str], core: frozenset[str]) -> list[_Group]:
    named = {d.a for d in web.direct} | {d.b for d in web.direct}
    bundles: dict[tuple[frozenset[str], str, bool], list[str]] = defaultdict(list)
    for account, held in sorted(web.held().items()):
        objects = frozenset(o for o in held if o in kept)
        if objects or account in named:
            alone = account if account in named else ""
            bundles[objects, alone, account in core].append(account)
    return [_Group(tuple(accounts), objects, inner)
            for (objects, _, inner), accounts in bundles.items()]  # fmt: skip


def _bucket(degree: int) -> int:
    return max(d for d in DEGREES if d <= max(degree, DEGREES[0]))


def _edges(web: Web, objects: list[str], groups: list[_Group]) -> tuple[list[_Edge], int]:
    """Return the lines between drawn nodes, objects first, and how many are direct links."""
    place = {o: i for i, o in enumerate(objects)}
    who = {a: len(objects) + i for i, g in enumerate(groups) for a in g.accounts}
    edges = [
        _Edge(place[name], i, web.kinds[name], _bucket(len(web.holders[name])),
              (_ROLES[group.core],))
        for i, group in enumerate(groups, start=len(objects))
        for name in sorted(group.objects)
    ]  # fmt: skip
    direct = [d for d in web.direct if d.a in who and d.b in who]
    for link in direct:
        ends = who[link.a], who[link.b]
        roles = {_ROLES[groups[n - len(objects)].core] for n in ends}
        edges.append(_Edge(*ends, link.kind, DEGREES[0], tuple(sorted(roles))))
    return edges, len(direct)


def _place(
    web: Web, objects: list[str], groups: list[_Group], edges: list[_Edge]
) -> list[tuple[int, int]]:
    """Return where each node is drawn, objects first, in units of the drawing."""
    weighted = [
        (e.a, e.b, 1.0 / math.sqrt(len(web.holders[objects[e.a]])) if e.a < len(objects) else 0.6)
        for e in edges
    ]
    sizes = [1.6] * len(objects) + [1.0 + math.log10(len(g.accounts)) for g in groups]
    at = place_nodes(len(objects) + len(groups), weighted, sizes)
    at = at * [_WIDTH - 2 * _PAD, _HEIGHT - 2 * _PAD] + _PAD
    radii = [13.0] * len(objects) + [_radius(len(g.accounts)) + 1 for g in groups]
    at = push_apart(at, radii, (_WIDTH, _HEIGHT))
    return [(round(float(x)), round(float(y))) for x, y in at]


def _draw(
    web: Web, objects: list[str], groups: list[_Group], edges: list[_Edge],
    at: list[tuple[int, int]],
) -> list[El]:  # fmt: skip
    paths: dict[tuple[str, int, tuple[str, ...]], list[str]] = defaultdict(list)
    for e in edges:
        (x, y), (u, v) = at[e.a], at[e.b]
        paths[e.kind, e.degree, e.roles].append(f"M{x} {y}L{u} {v}")
    body: list[El] = []
    for (kind, degree, roles), lines in sorted(paths.items()):
        cls = f"edge-{kind_hue(kind)} link k{kind_place(kind)} d{degree} {' '.join(roles)}"
        body.append(el("path", d="".join(lines), cls=cls))
    for (x, y), group in zip(at[len(objects) :], groups, strict=True):
        body += _account(x, y, group)
    for (x, y), name in zip(at, objects, strict=False):
        body.append(_object(x, y, web, name))
    return body


def _nodes(
    web: Web, objects: list[str], groups: list[_Group], edges: list[_Edge],
    at: list[tuple[int, int]],
) -> list[dict[str, object]]:  # fmt: skip
    """Return the nodes in numbers: where, how large, and what is written in them and said of them.

    An object has its ``kind`` by place, its hue and the least number that share it; a group its
    role.
    """
    joined: dict[int, Counter[str]] = defaultdict(Counter)
    for e in edges:
        for end in {e.a, e.b}:
            joined[end][kind_title(e.kind)] += 1
    out: list[dict[str, object]] = []
    for (x, y), name in zip(at, objects, strict=False):
        kind, holders = web.kinds[name], len(web.holders[name])
        told = visible(f"{kind_title(kind)}: {counted(holders, 'account')}")
        out.append({"x": x, "y": y, "r": _reach(holders), "kind": kind_place(kind),
                    "hue": kind_hue(kind), "degree": _bucket(holders), "mark": kind_code(kind),
                    "said": told})  # fmt: skip
    for i, group in enumerate(groups, start=len(objects)):
        (x, y), n, role = at[i], len(group.accounts), "core" if group.core else "periphery"
        who = shorten(group.accounts[0], 34) if n == 1 else f"{n:,} accounts with the same links"
        by = ", ".join(f"{kind} ×{k}" if k > 1 else kind for kind, k in joined[i].most_common())
        out.append({"x": x, "y": y, "r": _radius(n), "role": _ROLES[group.core],
                    "mark": f"{n}" if n > 1 else "",
                    "said": visible(f"{who}, {role}; linked by: {by}")})  # fmt: skip
    return out


def _radius(accounts: int) -> float:
    return 3.2 if accounts == 1 else 5 + 3 * math.log10(accounts)


def _account(x: float, y: float, group: _Group) -> list[El]:
    n, role = len(group.accounts), _ROLES[group.core]
    out = [el("circle", cx=x, cy=y, r=_radius(n), cls=f"account {role}")]
    if n > 1:
        out.append(text(x, y + 3.4, f"{n}", f"t tiny mid onacc {role}"))
    return out


def _reach(holders: int) -> int:
    return 8 if holders < 10 else 11


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
    r = _reach(holders)
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
