"""The register as one graph a kind of interest: who holds how much of what, sources reconciled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stillwatch.policy.owners.holdings import UNIT, Interest, Register

__all__ = ["Graph", "Holding", "Owned", "build_graph"]


@dataclass(frozen=True)
class Holding:
    """What one known owner holds of one asset, in parts."""

    owner: str
    low: int
    high: int
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Owned:
    """Everything known of one asset's owners.

    ``unknown_low``, ``unknown_high``: what owners of whom nothing is known hold together.
    ``over``: parts by which the lower bounds exceed the whole; the statements contradict each
    other, so this much of every holding is uncertain and has been taken off its lower bound.
    ``conflict``: two records of one holding whose intervals do not meet.
    """

    holdings: tuple[Holding, ...]
    unknown_low: int
    unknown_high: int
    over: int
    conflict: bool
    unknown_sources: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """Assets by identifier; ``nodes``: every party that is owned, owns, or is described.

    ``circular``: assets whose chains of owners never leave a circle: stated in full, and still
    nobody knows who is behind them.
    """

    kind: str
    owned: dict[str, Owned]
    nodes: frozenset[str]
    circular: frozenset[str]


def build_graph(register: Register, kind: str, *, remainder_unknown: bool) -> Graph:
    """Return the graph of one kind of interest.

    1. Records of the same owner and asset speak of one holding. Interests inside one record add
       up (classes of shares) or repeat: from the largest to their sum. Several records must all be
       true: their intersection; where they contradict each other, all that any of them allows.
    2. A closed party's holdings get a lower bound of 0.
    3. An owner holds at most what the others' lower bounds leave.
    4. ``remainder_unknown``: what no statement covers may belong to anyone. Otherwise only what
       statements call unknown may; of an asset without statements, and of an arrangement whose
       holders are not named, nothing is known either way.
    """
    by_asset: dict[str, list[Interest]] = {}
    for interest in register.interests:
        if interest.kind == kind:
            by_asset.setdefault(interest.asset, []).append(interest)
    persons = frozenset(p.party_id for p in register.parties.values() if p.kind == "person")
    nodes = {*register.parties, *(i.asset for i in register.interests),
             *(i.owner for i in register.interests if i.owner)}  # fmt: skip
    stated = {i.asset for i in register.interests}
    owned: dict[str, Owned] = {}
    for asset in sorted(nodes - persons):
        party = register.parties.get(asset)
        holds = party is not None and party.kind == "arrangement"
        blank = asset not in stated or (holds and asset not in by_asset)
        owned[asset] = _owned(by_asset.get(asset, []), register, remainder_unknown or blank)
    return Graph(kind, owned, frozenset(nodes), _circular(owned, persons))


def _circular(owned: dict[str, Owned], persons: frozenset[str]) -> frozenset[str]:
    """Return the assets from which neither a person nor an unknown owner can be reached."""
    assets_of: dict[str, list[str]] = {}
    for asset, held in owned.items():
        for holding in held.holdings:
            if holding.high > 0:
                assets_of.setdefault(holding.owner, []).append(asset)
    edge = [*persons, *(asset for asset, held in owned.items() if held.unknown_high > 0)]
    grounded = set(edge)
    while edge:
        edge = [a for o in edge for a in assets_of.get(o, ()) if a not in grounded]
        grounded.update(edge)
    return frozenset(owned) - grounded


def _owned(interests: list[Interest], register: Register, remainder_unknown: bool) -> Owned:
    merged: list[Holding] = []
    conflict = False
    for owner in sorted({i.owner for i in interests if i.owner}):
        low, high, met = _reconciled([i for i in interests if i.owner == owner])
        conflict |= not met
        party = register.parties.get(owner)
        if party is not None and party.ended:  # 2
            low = 0
        sources = sorted({s for i in interests if i.owner == owner for s in i.sources})
        merged.append(Holding(owner, low, high, tuple(sources)))
    unknown = [i for i in interests if i.owner is None]
    unknown_low = sum(low for low, _, _ in map(_reconciled, _by_record(unknown)))
    total = sum(h.low for h in merged) + unknown_low
    over = max(0, total - UNIT)
    merged = [Holding(h.owner, max(0, h.low - over), h.high, h.sources) for h in merged]
    unknown_low = max(0, unknown_low - over)
    floor = sum(h.low for h in merged)
    bounded = [
        Holding(h.owner, h.low, max(h.low, min(h.high, UNIT - (floor - h.low) - unknown_low)),
                h.sources)
        for h in merged
    ]  # fmt: skip  # 3
    stated_high = sum(high for _, high, _ in map(_reconciled, _by_record(unknown)))
    unknown_high = min(UNIT - floor, UNIT if remainder_unknown else stated_high)
    return Owned(
        tuple(bounded), unknown_low, max(unknown_low, unknown_high), over, conflict,
        tuple(sorted({s for i in unknown for s in i.sources})),
    )  # fmt: skip


def _by_record(interests: Iterable[Interest]) -> list[list[Interest]]:
    groups: dict[tuple[str, ...], list[Interest]] = {}
    for interest in interests:
        groups.setdefault(interest.sources, []).append(interest)
    return [groups[key] for key in sorted(groups)]


def _reconciled(interests: list[Interest]) -> tuple[int, int, bool]:
    """Return the bounds of one holding, and whether its records can all be true (rule 1)."""
    bounds = [
        (max(i.low for i in group), min(UNIT, sum(i.high for i in group)))
        for group in _by_record(interests)
    ]
    low, high = max(b[0] for b in bounds), min(b[1] for b in bounds)
    if low <= high:
        return low, high, True
    return min(b[0] for b in bounds), max(b[1] for b in bounds), False
