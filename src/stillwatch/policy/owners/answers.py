"""Rules on a register → one answer an entity, with the chain of holdings that leads to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from stillwatch.policy.owners.cascade import restricted_by_cascade
from stillwatch.policy.owners.chains import Step, cascade_chain, product_chain
from stillwatch.policy.owners.graph import Graph, build_graph
from stillwatch.policy.owners.holdings import UNIT, Note, Register
from stillwatch.policy.owners.interest import SNAP, economic_interest
from stillwatch.policy.owners.mass import LEVELS, held_by
from stillwatch.policy.owners.rules import OwnershipRule

__all__ = ["STRICTNESS", "Answer", "Answers", "answer_all", "strictest"]

ANSWER_AT: Final = {"certain": "restricted", "possible": "possible", "unknown": "undetermined"}
STRICTNESS: Final = ("clear", "undetermined", "possible", "restricted")


@dataclass(frozen=True)
class Answer:
    """What one rule says of one entity through one kind of interest.

    ``low``, ``high``, ``unknown``: the parts that restricted parties hold at least, at most, and at
    most with the unknown owners; of the product method their economic interest.
    """

    entity_id: str
    access: str
    rule_id: str
    interest: str
    low: int
    high: int
    unknown: int
    chain: tuple[Step, ...]
    list_version: str
    as_of: date


@dataclass(frozen=True)
class Answers:
    """Every rule's answer on every entity asked about, and what a person should look at."""

    by_entity: Mapping[str, tuple[Answer, ...]]
    not_in_force: tuple[str, ...]
    notes: tuple[Note, ...]

    def strictest_of(self, entity_id: str) -> Answer | None:
        """Return the strictest answer; None when no rule was in force."""
        return strictest(self.by_entity.get(entity_id, ()))


def strictest(answers: Iterable[Answer]) -> Answer | None:
    """Return the strictest of several answers, of equals that of the first rule by name."""
    ordered = sorted(answers, key=lambda a: (-STRICTNESS.index(a.access), a.rule_id, a.interest))
    return ordered[0] if ordered else None


def answer_all(
    register: Register, rules: Sequence[OwnershipRule], entities: Iterable[str], at: date
) -> Answers:
    """Return what every rule in force on the day says of the entities.

    An entity that no statement mentions is undetermined under every rule that does not list it.
    """
    asked = sorted(set(entities))
    found: dict[str, list[Answer]] = {entity: [] for entity in asked}
    notes = list(register.notes)
    for rule in rules:
        if not rule.in_force_on(at):
            continue
        for kind in rule.interests:
            graph = build_graph(register, kind, remainder_unknown=rule.remainder == "unknown")
            notes += _contradictions(graph)
            for answer in _answers(register, graph, rule, asked, at):
                found[answer.entity_id].append(answer)
    return Answers(
        {entity: tuple(answers) for entity, answers in found.items()},
        tuple(rule.rule_id for rule in rules if not rule.in_force_on(at)),
        tuple(sorted(set(notes), key=lambda n: (n.statement, n.text))),
    )


def _contradictions(graph: Graph) -> list[Note]:
    notes = []
    for owned in graph.owned.values():
        sources = " ".join(sorted({s for h in owned.holdings for s in h.sources}))
        if owned.over:
            notes.append(Note(sources, f"say together of one asset over 100 % ({graph.kind})"))
        if owned.conflict:
            notes.append(Note(sources, f"contradict each other on one holding ({graph.kind})"))
    return notes


def _answers(
    register: Register, graph: Graph, rule: OwnershipRule, asked: Sequence[str], at: date
) -> list[Answer]:
    by_level = {
        level: _parts(graph, _seeds(register, rule, level), rule, level) for level in LEVELS
    }
    listed = _seeds(register, rule, "unknown")
    answers = []
    for entity in asked:
        level = next((name for name in LEVELS if by_level[name].reaches(entity)), None)
        if level is None and entity not in graph.nodes:
            level = "unknown"
        low, high, unknown = (by_level[name].parts(entity) for name in LEVELS)
        if entity not in graph.nodes and entity not in listed:
            unknown = UNIT
        answers.append(
            Answer(
                entity, "clear" if level is None else ANSWER_AT[level], rule.rule_id, graph.kind,
                low, high, unknown,
                by_level[level].chain(entity) if level else (), rule.list_version, at,
            )
        )  # fmt: skip
    return answers


def _seeds(register: Register, rule: OwnershipRule, level: str) -> frozenset[str]:
    """Return whom a rule lists, by name or by place; certainly, or at the upper levels perhaps."""
    perhaps = level != "certain"
    return rule.seeds | {
        p.party_id
        for p in register.parties.values()
        if p.is_in(rule.jurisdictions, perhaps=perhaps)
    }


def _start(graph: Graph, seeds: frozenset[str], level: str) -> frozenset[str]:
    """Return the parties that count as listed: at the last level also whoever owns in circles."""
    return seeds | graph.circular if level == "unknown" else seeds


class _Cascade:
    def __init__(self, graph: Graph, seeds: frozenset[str], rule: OwnershipRule, level: str):
        self._graph, self._level, self._seeds = graph, level, seeds
        self._rounds = restricted_by_cascade(
            graph, _start(graph, seeds, level), rule.threshold, strict=rule.strict, level=level
        )

    def reaches(self, entity: str) -> bool:
        return entity in self._rounds

    def parts(self, entity: str) -> int:
        if self._rounds.get(entity) == 0:
            return UNIT
        owned = self._graph.owned.get(entity)
        return 0 if owned is None else held_by(owned, self._rounds, self._level)

    def chain(self, entity: str) -> tuple[Step, ...]:
        return cascade_chain(self._graph, self._rounds, self._seeds, entity, self._level)


class _Product:
    def __init__(self, graph: Graph, seeds: frozenset[str], rule: OwnershipRule, level: str):
        self._graph, self._level, self._seeds = graph, level, seeds
        self._least, self._strict = rule.threshold / UNIT, rule.strict
        self._value = economic_interest(graph, _start(graph, seeds, level), level)

    def reaches(self, entity: str) -> bool:
        if entity in self._seeds:
            return True
        value = self._value.get(entity, 0.0)
        if abs(value - self._least) <= SNAP:
            return not self._strict
        return value > self._least

    def parts(self, entity: str) -> int:
        return round(self._value.get(entity, 0.0) * UNIT)

    def chain(self, entity: str) -> tuple[Step, ...]:
        return product_chain(self._graph, self._value, self._seeds, entity, self._level)


def _parts(
    graph: Graph, seeds: frozenset[str], rule: OwnershipRule, level: str
) -> _Cascade | _Product:
    made = _Cascade if rule.method == "cascade" else _Product
    return made(graph, seeds, rule, level)
