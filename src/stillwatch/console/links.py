"""Who is joined to whom: the graph with its list, and what would remain without a kind of link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from starlette.responses import Response

from stillwatch.cases import Line
from stillwatch.console.case import facts_of, missing
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import show
from stillwatch.errors import ConfigError
from stillwatch.report.facts import at, read_facts
from stillwatch.report.numbers import number
from stillwatch.report.pictures import graph_figure, pair_figure, waterfall_figure
from stillwatch.report.svg import Figure
from stillwatch.report.web import read_web
from stillwatch.schema import LINK_KINDS
from stillwatch.store.index import Part

__all__ = ["Knots", "Remains", "show_links", "show_pair", "show_whatif", "tie"]

_MOST_OBJECTS: Final = 40
_MOST_HOLDERS: Final = 100
# The graph is drawn from so many members, the surest first; more would take seconds to lay out and
# not show as more. The list beside it and what remains are of all of them.
_MOST_DRAWN: Final = 3_000


@dataclass(frozen=True)
class Remains:
    """What holds a campaign's accounts together: ``joined`` in the largest piece, of ``pieces``
    with two accounts or more; ``alone`` have no link left to another of them."""

    accounts: int
    links: int
    joined: int
    pieces: int
    alone: int


@dataclass(frozen=True)
class Knots:
    """Links by number: nodes ``a`` and ``b``, the first ``accounts`` of ``nodes`` are accounts."""

    accounts: int
    nodes: int
    a: np.ndarray[Any, Any]
    b: np.ndarray[Any, Any]
    kind: np.ndarray[Any, Any]
    kinds: tuple[str, ...]

    def remains(self, without: frozenset[str]) -> Remains:
        """Return what stays joined when links of some kinds are left out.

        Accounts are joined when a path of links leads from one to the other, through objects too.
        """
        left_out = [i for i, kind in enumerate(self.kinds) if kind in without]
        kept = ~np.isin(self.kind, left_out)
        a, b, n = self.a[kept], self.b[kept], self.accounts
        graph = coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), shape=(self.nodes, self.nodes))
        piece = connected_components(graph, directed=False)[1][:n]
        sizes = np.bincount(piece) if n else np.zeros(0, dtype=np.int64)
        return Remains(n, len(a), int(sizes.max(initial=0)), int((sizes > 1).sum()),
                       int((sizes == 1).sum()))  # fmt: skip

    def count(self, kind: str) -> int:
        """Return how many links of a kind there are."""
        return int((self.kind == self.kinds.index(kind)).sum())


def tie(accounts: pa.ChunkedArray, links: pa.Table) -> Knots:
    """Return the links of accounts by number, so that each question is one pass over integers."""
    chunks = [*accounts.chunks, *links["a"].chunks, *links["b"].chunks]
    names = pa.chunked_array(chunks, pa.string()).combine_chunks().dictionary_encode()
    code = names.indices.to_numpy(zero_copy_only=False)
    kinds = links["kind"].combine_chunks().dictionary_encode()
    n, rows = len(accounts), links.num_rows
    return Knots(
        n, len(names.dictionary), code[n : n + rows], code[n + rows :],
        kinds.indices.to_numpy(zero_copy_only=False), tuple(kinds.dictionary.to_pylist()),
    )  # fmt: skip


def show_links(desk: Desk, visit: Visit) -> Response:
    """Show the graph; ``thing`` is the place in the list of one whose holders are shown, ``node``
    that of a node of the graph."""
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    key = (line.case_id, line.campaign_id, line.seen)
    things, total = desk.once(
        ("things", *key), lambda: desk.index.objects(line.campaign_id, _MOST_OBJECTS)
    )
    place = visit.number("thing", 0, 0, len(things))
    if place:
        return _node(desk, visit, line, things[place - 1][0])
    figure, pair = desk.once(("graph", *key), lambda: _graph(desk, line))
    behind = figure.extra["behind"] if figure else []
    node = visit.number("node", 0, 0, len(behind))
    if node:
        return _node(desk, visit, line, behind[node - 1])
    members = int((desk.campaign_of(line) or {}).get("member_accounts", 0))
    return show(
        desk, visit, "links.html.jinja", line=line, figure=figure, pair=pair, things=things,
        hidden=total - len(things), held=desk.run.has("links"),
        drawn=min(members, _MOST_DRAWN), members=members,
    )  # fmt: skip


def _node(desk: Desk, visit: Visit, line: Line, behind: str | tuple[str, ...]) -> Response:
    """Show what a node stands for: the name of a thing, or accounts with exactly the same links."""
    if isinstance(behind, str):
        kind, total = desk.index.thing(line.campaign_id, behind)
        holders = desk.index.holders(line.campaign_id, behind, _MOST_HOLDERS)
    else:
        kind, total, holders = "", len(behind), list(behind[:_MOST_HOLDERS])
    return show(
        desk, visit, "holders.html.jinja", line=line, kind=kind, total=total, holders=holders,
        ref=desk.index.ref,
    )  # fmt: skip


def _graph(desk: Desk, line: Line) -> tuple[Figure | None, Figure | None]:
    facts = facts_of(desk, line, tables=("links",), members=_MOST_DRAWN)
    campaign = facts.shown[0]
    web = read_web(facts, campaign)
    if web is None:
        return None, None
    return graph_figure(facts, campaign, web), waterfall_figure(campaign, web)


def show_pair(desk: Desk, visit: Visit) -> Response:
    """Show why two accounts are linked: the two that are marked, or the two that are named.

    Raises ConfigError: they are not two, or one is none of the case's campaign.
    """
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    marked = [desk.index.account_of(ref) for ref in visit.many.get("account", ())]
    named = [visit.form.get(name, "").strip() for name in ("one", "other")]
    chosen = list(dict.fromkeys(a for a in (named if all(named) else marked) if a))
    if len(chosen) != 2:
        raise ConfigError("expected two accounts", where="pair",
                          hint="mark two members, or name both")  # fmt: skip
    if any(line.campaign_id not in {n for n, _ in desk.index.memberships(a)} for a in chosen):
        raise ConfigError("an account that is not in the campaign", where="pair")
    return show(desk, visit, "pair.html.jinja", line=line, figure=_pair(desk, line, *chosen))


def _pair(desk: Desk, line: Line, one: str, other: str) -> Figure | None:
    parts = [desk.index.about_account(a) for a in (one, other)]
    if not all(part.has("links") for part in parts):
        return None
    columns = ("a", "b", "kind", "llr")
    links = pa.concat_tables([part.table("links", columns) for part in parts])
    head = {**desk.index.heads[line.campaign_id],
            "members": [{"account_id": a} for a in (one, other)]}  # fmt: skip
    facts = read_facts(Part(desk.run, [head], {"links": lambda: links}))
    web = read_web(facts, facts.shown[0])
    return None if web is None else pair_figure(facts.shown[0], web, one, other)


def show_whatif(desk: Desk, visit: Visit) -> Response:
    """Show what would remain of a case under another threshold or without kinds of links."""
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    without = frozenset(k for k in LINK_KINDS if visit.query.get(f"no-{k}"))
    base = chosen = None
    found: list[tuple[str, int, Remains]] = []
    knots = desk.once(("knots", line.campaign_id, line.seen), lambda: _knots(desk, line))
    if knots is not None and knots.accounts:
        base, found = desk.once(("remains", line.campaign_id, line.seen), lambda: _each(knots))
        chosen = knots.remains(without) if without else base
    return show(
        desk, visit, "whatif.html.jinja", line=line, base=base, chosen=chosen, found=found,
        without=without, threshold=_threshold(desk, line, desk.campaign_of(line) or {}, visit),
    )  # fmt: skip


def _knots(desk: Desk, line: Line) -> Knots | None:
    held = desk.index.core_links(line.campaign_id)
    return None if held is None else tie(held[0]["account_id"], held[1])


def _each(knots: Knots) -> tuple[Remains, list[tuple[str, int, Remains]]]:
    """Return what holds now, and (kind, its links, what holds without it) for every kind."""
    rows = [(k, knots.count(k), knots.remains(frozenset({k}))) for k in knots.kinds]
    return knots.remains(frozenset()), sorted(rows, key=lambda r: (r[2].joined, r[0]))


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
