"""Product: the economic interest that restricted parties have in an entity, along all chains.

x = Wx + b: what seeds hold directly, and their interest in each owner times its share. It is the
probability that a walk from asset to owner, choosing by share, ends at a seed, so it never exceeds
the whole, and a cycle without a way to a seed has none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from stillwatch.errors import EvidenceError
from stillwatch.policy.owners.graph import Graph, Owned
from stillwatch.policy.owners.holdings import UNIT

__all__ = ["SNAP", "economic_interest"]

SNAP: Final = 1e-9  # of the whole; nearer to a threshold than this is at the threshold
_BETTER: Final = 1e-12
_UNKNOWN: Final = ""  # the owners of whom nothing is known, as one more seed
_MOST_ROUNDS: Final = 500


def economic_interest(graph: Graph, seeds: Collection[str], level: str) -> dict[str, float]:
    """Return the interest of the seeds in every party, from 0 to 1.

    ``certain``: every share at its lower bound. ``possible`` and ``unknown``: the largest interest
    over all shares inside the intervals that sum to at most the whole; found by policy iteration,
    the shares of one asset being chosen for whoever has the most interest first.

    Raises:
        EvidenceError: the iteration does not settle in 500 rounds.

    Error: the sparse solve is exact to about 1e-12 for shares above 1e-6; compare with `SNAP`.
    Source: Puterman 1994, Markov Decision Processes, sections 7.1 and 7.2 (reaching a target).
    """
    targets = {*seeds} | ({_UNKNOWN} if level == "unknown" else set())
    if level == "certain":
        return _solve(graph, targets, {a: _lower(o) for a, o in graph.owned.items()})
    near = _nearness(graph, targets, level)
    chosen = {a: _best(o, near, level) for a, o in graph.owned.items()}
    for _ in range(_MOST_ROUNDS):
        value = _solve(graph, targets, chosen)
        changed = False
        for asset, owned in graph.owned.items():
            if asset in targets:
                continue
            better = _best(owned, value, level)
            if _worth(better, value) > value[asset] + _BETTER:
                chosen[asset], changed = better, True
        if not changed:
            value.pop(_UNKNOWN, None)
            return value
    raise EvidenceError("economic interest does not settle", where=f"{graph.kind} holdings")


def _lower(owned: Owned) -> dict[str, int]:
    return {h.owner: h.low for h in owned.holdings}


def _best(owned: Owned, value: Mapping[str, float], level: str) -> dict[str, int]:
    """Return the shares that give the most interest: lower bounds, then the best owners first."""
    bounds = [(h.owner, h.low, h.high) for h in owned.holdings]
    shares = {owner: low for owner, low, _ in bounds}
    free = UNIT - sum(shares.values()) - owned.unknown_low
    if level == "unknown":
        shares[_UNKNOWN] = owned.unknown_low
        bounds.append((_UNKNOWN, owned.unknown_low, owned.unknown_high))
    for owner, low, high in sorted(bounds, key=lambda b: (-value.get(b[0], 0.0), b[0])):
        if value.get(owner, 0.0) <= 0.0 or free <= 0:
            break
        more = min(free, high - low)
        shares[owner] += more
        free -= more
    return shares


def _worth(shares: Mapping[str, int], value: Mapping[str, float]) -> float:
    return sum(parts * value.get(owner, 0.0) for owner, parts in shares.items()) / UNIT


def _nearness(graph: Graph, targets: Collection[str], level: str) -> dict[str, float]:
    """Return a value that falls with the number of holdings between a party and a target.

    A first choice by nearness reaches a target from wherever one can be reached, so that its
    system of equations has one solution even where shares of 100 % go round in a circle.
    """
    assets_of: dict[str, list[str]] = {}
    for asset, owned in graph.owned.items():
        for holding in owned.holdings:
            if holding.high > 0:
                assets_of.setdefault(holding.owner, []).append(asset)
        if level == "unknown" and owned.unknown_high > 0:
            assets_of.setdefault(_UNKNOWN, []).append(asset)
    near, edge, distance = dict.fromkeys(targets, 1.0), sorted(targets), 0
    while edge:
        distance += 1
        edge = sorted({a for o in edge for a in assets_of.get(o, ()) if a not in near})
        near.update(dict.fromkeys(edge, 1.0 / (1.0 + distance)))
    return near


def _solve(
    graph: Graph, targets: Collection[str], shares: Mapping[str, Mapping[str, int]]
) -> dict[str, float]:
    """Return the interest under fixed shares, from those parties that reach a target at all."""
    # Not at the top: the guard reads this room and needs no solver.
    import numpy as np
    from scipy.sparse import csc_array, identity
    from scipy.sparse.linalg import spsolve

    value = dict.fromkeys((*graph.nodes, *targets), 0.0)
    value.update(dict.fromkeys(targets, 1.0))
    reach = _reaching(shares, targets)
    place = {asset: n for n, asset in enumerate(reach)}
    if not place:
        return value
    rows, columns, entries = [], [], []
    direct = np.zeros(len(place))
    for asset, row in place.items():
        for owner, parts in shares[asset].items():
            if owner in targets:
                direct[row] += parts / UNIT
            elif owner in place and parts:
                rows.append(row)
                columns.append(place[owner])
                entries.append(parts / UNIT)
    size = len(place)
    weights = csc_array((entries, (rows, columns)), shape=(size, size))
    solved: Any = np.atleast_1d(spsolve((identity(size, format="csc") - weights).tocsc(), direct))
    value.update({asset: min(1.0, max(0.0, float(solved[n]))) for asset, n in place.items()})
    return value


def _reaching(shares: Mapping[str, Mapping[str, int]], targets: Collection[str]) -> list[str]:
    """Return the assets, no targets, from which positive shares lead to a target."""
    assets_of: dict[str, list[str]] = {}
    for asset, held in shares.items():
        for owner, parts in held.items():
            if parts > 0:
                assets_of.setdefault(owner, []).append(asset)
    seen, edge = set(targets), list(targets)
    while edge:
        edge = [a for o in edge for a in assets_of.get(o, ()) if a not in seen]
        seen.update(edge)
    return sorted(a for a in seen if a in shares and a not in targets)
