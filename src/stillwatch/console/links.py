"""Who is joined to whom: the graph with its list, and what would remain without a kind of link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from starlette.responses import Response

from stillwatch.cases import Line
from stillwatch.console.case import facts_of, missing
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import show
from stillwatch.report.facts import Facts, at
from stillwatch.report.numbers import number
from stillwatch.report.pictures import graph_figure, waterfall_figure
from stillwatch.report.web import Web, read_web
from stillwatch.schema import LINK_KINDS

__all__ = ["Remains", "remains", "show_links", "show_whatif"]

_MOST_OBJECTS: Final = 40
_MOST_HOLDERS: Final = 100


@dataclass(frozen=True)
class Remains:
    """What holds a campaign's accounts together: ``joined`` in the largest piece, of ``pieces``
    with two accounts or more; ``alone`` have no link left to another of them."""

    accounts: int
    links: int
    joined: int
    pieces: int
    alone: int


def remains(links: pa.Table, accounts: list[str], without: frozenset[str]) -> Remains:
    """Return what stays joined when links of some kinds are left out.

    Accounts are joined when a path of links leads from one to the other, through objects as well.
    """
    kept = links.filter(
        pc.invert(pc.is_in(links["kind"], pa.array(sorted(without), pa.string())))
    )
    names = pa.chunked_array([
        pa.array(accounts, pa.string()),
        *kept["a"].cast(pa.string()).chunks, *kept["b"].cast(pa.string()).chunks,
    ]).combine_chunks().dictionary_encode()  # fmt: skip
    code = names.indices.to_numpy(zero_copy_only=False)
    n, rows = len(accounts), kept.num_rows
    a, b = code[n : n + rows], code[n + rows :]
    size = len(names.dictionary)
    graph = coo_matrix((np.ones(rows, dtype=np.int8), (a, b)), shape=(size, size))
    piece = connected_components(graph, directed=False)[1][code[:n]]
    sizes = np.bincount(piece) if n else np.zeros(0, dtype=np.int64)
    return Remains(
        accounts=n, links=rows, joined=int(sizes.max(initial=0)),
        pieces=int((sizes > 1).sum()), alone=int((sizes == 1).sum()),
    )  # fmt: skip


def _web(desk: Desk, line: Line) -> tuple[Facts, Web | None]:
    def make() -> tuple[Facts, Web | None]:
        facts = facts_of(desk, line, tables=("links",), members=True)
        return facts, read_web(facts, facts.shown[0])

    return desk.once(("web", line.case_id, line.campaign_id, line.seen), make)


def show_links(desk: Desk, visit: Visit) -> Response:
    """Show the graph; ``thing`` is the place in the list of one whose holders are shown."""
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    facts, web = _web(desk, line)
    campaign = facts.shown[0]
    key = (line.case_id, line.campaign_id, line.seen)
    figure = pair = None
    things: list[tuple[str, str, int, float]] = []
    if web is not None:
        figure = desk.once(("graph", *key), lambda: graph_figure(facts, campaign, web))
        pair = desk.once(("pair", *key), lambda: waterfall_figure(campaign, web))
        things = desk.once(("things", *key), lambda: _things(web))
    place = visit.number("thing", 0, 0, len(things))
    holders: list[str] = []
    total = 0
    if web is not None and place:
        every = sorted(web.holders[things[place - 1][0]].items(), key=lambda h: (-h[1], h[0]))
        holders, total = [a for a, _ in every[:_MOST_HOLDERS]], len(every)
    return show(
        desk, visit, "links.html.jinja" if not place else "holders.html.jinja", line=line,
        figure=figure, pair=pair, things=things[:_MOST_OBJECTS], hidden=len(things) - _MOST_OBJECTS,
        place=place, holders=holders, total=total, ref=desk.index.ref, held=facts.links is not None,
        thing=things[place - 1] if place else None,
    )  # fmt: skip


def _things(web: Web) -> list[tuple[str, str, int, float]]:
    """Return (name, kind, accounts, nats of all of them), heaviest first."""
    found = [(o, web.kinds[o], len(h), sum(h.values())) for o, h in web.holders.items()]
    return sorted(found, key=lambda t: (-t[3], t[0]))


def show_whatif(desk: Desk, visit: Visit) -> Response:
    """Show what would remain of a case under another threshold or without kinds of links."""
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    facts, _ = _web(desk, line)
    campaign = facts.shown[0].data
    without = frozenset(k for k in LINK_KINDS if visit.query.get(f"no-{k}"))
    members = [m for m in campaign.get("members") or [] if m.get("role") == "core"]
    core = sorted({str(m["account_id"]) for m in members})
    found: list[tuple[str, int, Remains]] = []
    base = chosen = None
    if facts.links is not None and core:
        links = facts.links.filter(pc.is_in(facts.links["b"], pa.array(core, pa.string())))
        base, found = desk.once(
            ("remains", line.case_id, line.campaign_id, line.seen), lambda: _each(links, core)
        )
        chosen = remains(links, core, without) if without else base
    return show(
        desk, visit, "whatif.html.jinja", line=line, base=base, chosen=chosen, found=found,
        without=without, threshold=_threshold(desk, line, campaign, visit),
    )  # fmt: skip


def _each(links: pa.Table, core: list[str]) -> tuple[Remains, list[tuple[str, int, Remains]]]:
    """Return what holds now, and (kind, its links, what holds without it) for every kind."""
    counts = {row["values"]: row["counts"] for row in links["kind"].value_counts().to_pylist()}
    rows = [(k, int(n), remains(links, core, frozenset({k}))) for k, n in counts.items()]
    return remains(links, core, frozenset()), sorted(rows, key=lambda r: (r[2].joined, r[0]))


def _threshold(desk: Desk, line: Line, campaign: dict[str, Any], visit: Visit) -> dict[str, Any]:
    """Return what a stricter or looser level would make of the campaign and its core."""
    try:
        alpha = min(max(float(visit.query.get("alpha", "")), 1e-9), 0.5)
    except ValueError:
        alpha = number(desk.run.summary.get("alpha_spent")) or 0.01
    try:
        sure = min(max(float(visit.query.get("sure", "")), 0.0), 1.0)
    except ValueError:
        sure = number(at(desk.run.summary, "parameters", "posterior")) or 0.999
    core, kept = desk.index.surer(line.campaign_id, sure)
    q = number(campaign.get("q_value"))
    return {"alpha": alpha, "q": q, "selected": None if q is None else q <= alpha, "sure": sure,
            "core": core, "kept": kept}  # fmt: skip
