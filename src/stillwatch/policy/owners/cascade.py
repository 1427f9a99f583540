"""Cascade: an entity is restricted when restricted owners together hold the threshold.

A restricted owner's whole holding counts, so 50 % of 50 % restricts at a threshold of 50 %.
Source: OFAC, revised guidance on entities owned by persons whose property is blocked, 2014-08-13,
and FAQ 401.
"""

from __future__ import annotations

from collections.abc import Collection

from stillwatch.policy.owners.graph import Graph
from stillwatch.policy.owners.mass import held_by

__all__ = ["restricted_by_cascade"]


def restricted_by_cascade(
    graph: Graph, seeds: Collection[str], threshold: int, *, strict: bool, level: str
) -> dict[str, int]:
    """Return each restricted party with the round in which it became so; seeds in round 0.

    The least fixed point: a cycle of owners without a seed restricts nobody. It is reached after
    at most as many rounds as there are parties, whatever the order of the statements. ``strict``:
    the threshold must be exceeded. Error: exact, in whole parts.
    """
    owners_of = {asset: {h.owner for h in owned.holdings} for asset, owned in graph.owned.items()}
    assets_of: dict[str, list[str]] = {}
    for asset in sorted(owners_of):
        for owner in owners_of[asset]:
            assets_of.setdefault(owner, []).append(asset)
    least = threshold + strict
    rounds = dict.fromkeys(sorted(seeds), 0)
    # Without any restricted owner the unknown ones alone may suffice: every asset is tried once.
    candidates = sorted(graph.owned) if level == "unknown" else _held(rounds, assets_of)
    number = 0
    while candidates:
        number += 1
        before = frozenset(rounds)
        new = [
            asset
            for asset in candidates
            if asset not in rounds and held_by(graph.owned[asset], before, level) >= least
        ]
        rounds.update(dict.fromkeys(new, number))
        candidates = _held(new, assets_of)
    return rounds


def _held(owners: Collection[str], assets_of: dict[str, list[str]]) -> list[str]:
    return sorted({asset for owner in owners for asset in assets_of.get(owner, ())})
