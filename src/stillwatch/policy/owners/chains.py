"""The proof of an answer: every holding between an entity and the listed parties, with sources."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from stillwatch.policy.owners.graph import Graph, Holding
from stillwatch.policy.owners.holdings import UNIT, percent

__all__ = ["Step", "cascade_chain", "describe", "product_chain"]

_MOST_STEPS = 200


@dataclass(frozen=True)
class Step:
    """One holding of the proof; ``owner`` None: owners of whom nothing is known.

    ``interest``: under the product method, the listed parties' interest in the owner, in parts.
    ``listed``: the owner is on the list itself; on a step without asset, the entity is.
    """

    owner: str | None
    asset: str | None
    low: int
    high: int
    sources: tuple[str, ...]
    listed: bool
    interest: int | None = None


def cascade_chain(
    graph: Graph, rounds: Mapping[str, int], seeds: Collection[str], entity: str, level: str
) -> tuple[Step, ...]:
    """Return the holdings by parties that were restricted in an earlier round, back to the list.

    Well-founded by construction: an owner's round is smaller than its asset's, so the proof has no
    circle. At most 200 holdings, those nearest to the entity first.
    """

    def earlier(asset: str, holdings: Sequence[Holding]) -> Iterator[tuple[Holding, None]]:
        at = rounds.get(asset, len(rounds) + 1)
        for holding in holdings:
            if holding.high != 0 and rounds.get(holding.owner, at) < at:
                yield holding, None

    return _walk(graph, seeds, entity, level, earlier)


def product_chain(
    graph: Graph, value: Mapping[str, float], seeds: Collection[str], entity: str, level: str
) -> tuple[Step, ...]:
    """Return the holdings through which interest flows, each owner once, nearest first."""

    def flowing(asset: str, holdings: Sequence[Holding]) -> Iterator[tuple[Holding, int]]:
        if level == "unknown" and asset in graph.circular:
            return  # `_unknown` says that of the circle as a whole nothing is known
        for holding in holdings:
            interest = round(value.get(holding.owner, 0.0) * UNIT)
            if holding.high != 0 and interest != 0:
                yield holding, interest

    return _walk(graph, seeds, entity, level, flowing)


def _walk(
    graph: Graph, seeds: Collection[str], entity: str, level: str,
    counted: Callable[[str, Sequence[Holding]], Iterator[tuple[Holding, int | None]]],
) -> tuple[Step, ...]:  # fmt: skip
    """Return the steps from an entity back to the list, breadth first, each owner once.

    ``counted``: of an asset's holdings those that belong to the proof, each with its interest.
    """
    if entity in seeds:
        return (Step(entity, None, UNIT, UNIT, (), True),)
    steps: list[Step] = []
    waiting, seen = [entity], {entity}
    while waiting and len(steps) < _MOST_STEPS:
        asset = waiting.pop(0)
        owned = graph.owned.get(asset)
        if owned is None:
            continue
        for holding, interest in counted(asset, owned.holdings):
            owner, listed = holding.owner, holding.owner in seeds
            steps.append(
                Step(owner, asset, holding.low, holding.high, holding.sources, listed, interest)
            )
            if not listed and owner not in seen:
                seen.add(owner)
                waiting.append(owner)
        steps += _unknown(graph, asset, level)
    return tuple(steps[:_MOST_STEPS])


def _unknown(graph: Graph, asset: str, level: str) -> list[Step]:
    owned = graph.owned[asset]
    if level != "unknown":
        return []
    if asset in graph.circular:
        sources = sorted({s for h in owned.holdings for s in h.sources})
        return [Step(None, asset, 0, UNIT, tuple(sources), False)]
    if owned.unknown_high == 0:
        return []
    return [Step(None, asset, owned.unknown_low, owned.unknown_high, owned.unknown_sources, False)]


def describe(step: Step) -> str:
    """Return one holding as a sentence; identifiers only, never a person's name."""
    if step.asset is None:
        return f"{step.owner} is on the list itself"
    share = percent(step.low)
    if step.high != step.low:
        share = f"{share} to {percent(step.high)}"
    who = "owners of whom nothing is known" if step.owner is None else step.owner
    told = f"{who} {'may hold' if step.owner is None else 'holds'} {share} of {step.asset}"
    if step.listed:
        told += "; it is on the list"
    elif step.interest is not None:
        told += f"; the listed parties' interest in it is {percent(step.interest)}"
    if step.sources:
        told += f" (statement {', '.join(step.sources)})"
    return told
