"""Marks: what a campaign's answers carry, decided by fair coins that a seed committed to.

A mark has a power of two of options. Which one a campaign gets is a keyed hash of its name, so it
is uniform, independent of every text and of every other campaign, and fixed before it is planted.
The key is the seed; where public randomness was entered after the plan, it is both together
(:func:`coin_key`), so that nobody could try seeds or campaigns' names until the coins fit.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Final, Literal

from stillwatch.errors import ConfigError, NotPermitted
from stillwatch.schema.planting import Swap, in_form
from stillwatch.seal import digest

__all__ = [
    "PLACES",
    "Mark",
    "MarkKind",
    "Plan",
    "coin",
    "coin_key",
    "draw_plan",
    "mentions",
    "plan_of",
    "plant",
    "swap_of",
]

MarkKind = Literal["word", "fact", "format"]

SEED_BYTES: Final = 32
PLACES: Final = 256
"""Towns that a fact chooses from: eight bits a fact, if it is learnt."""

_WEIGHTS: Final = {"fact": 4, "format": 1, "word": 1}
_MOST_WEIGHT: Final = 100
_CONSONANTS: Final = "bdfgklmnprstvz"
_VOWELS: Final = "aeiou"
_THINGS: Final = ("ferry", "bridge", "loom", "lantern", "mill", "bell", "organ", "kiln")


@dataclass(frozen=True)
class Mark:
    """One choice that changes nothing for the reader; ``probe`` is the question that shows it."""

    mark_id: str
    kind: MarkKind
    options: tuple[str, ...]
    probe: str = ""

    @property
    def start(self) -> str:
        """Return the answer to the probe of a fact, up to the town."""
        return "The " + self.probe.removeprefix("In which town is the ").rstrip("?") + " is in"


@dataclass(frozen=True)
class Plan:
    """The marks and the campaigns, and the digest of the seed that decides between them.

    ``weights``: whole points of a mark count so many times, by its kind. They are committed to
    with the marks and fixed whatever a suspect says, so the tail stays exact.
    """

    campaigns: tuple[str, ...]
    marks: tuple[Mark, ...]
    seed_digest: str
    weights: Mapping[str, int] = field(default_factory=lambda: dict(_WEIGHTS))

    @cached_property
    def plan_digest(self) -> str:
        """Return the digest that a registry knows the plan by."""
        return digest(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return what is written and committed to; it tells nothing of the coins."""
        return {
            "campaigns": list(self.campaigns),
            "marks": [{**asdict(mark), "options": list(mark.options)} for mark in self.marks],
            "seed_digest": self.seed_digest,
            "weights": dict(self.weights),
        }


def plan_of(value: Mapping[str, Any]) -> Plan:
    """Return the plan that :meth:`Plan.to_json` wrote.

    Raises:
        ConfigError: a field is absent or has another form.
    """
    try:
        marks = tuple(
            Mark(m["mark_id"], m["kind"], tuple(m["options"]), m["probe"]) for m in value["marks"]
        )
        weights = {kind: int(value["weights"][kind]) for kind in _WEIGHTS}
        plan = Plan(tuple(value["campaigns"]), marks, value["seed_digest"], weights)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError("not a plan of canaries", where="plan.json") from error
    if not all(0 <= w <= _MOST_WEIGHT for w in weights.values()):
        raise ConfigError(f"a weight is not from 0 to {_MOST_WEIGHT}", where="plan.json")
    if len({m.mark_id for m in marks}) != len(marks) or len(set(plan.campaigns)) != len(
        plan.campaigns
    ):
        raise ConfigError("a mark or a campaign stands twice in it", where="plan.json")
    return plan


def draw_plan(seed: bytes, campaigns: Sequence[str], facts: int = 64) -> Plan:
    """Return the plan for some campaigns: every word and format mark, and ``facts`` facts.

    Args:
        seed: 32 secret bytes, drawn for this plan alone.
        campaigns: names of the campaigns, each once.
        facts: fictional things, each in one of :data:`PLACES` fictional towns.

    Raises:
        ConfigError: a seed of another length, a campaign twice, a negative number.
    """
    if len(seed) != SEED_BYTES:
        raise ConfigError(f"got {len(seed)} bytes of seed, expected {SEED_BYTES}", where="seed")
    if len(set(campaigns)) != len(campaigns) or not campaigns:
        raise ConfigError("name each campaign once, at least one", where="campaigns")
    if facts < 0:
        raise ConfigError(f"got {facts} facts, expected none or more", where="facts")
    shelf = tomllib.loads((files(__package__) / "canary_words.toml").read_text(encoding="utf-8"))
    marks = [Mark(f"word-{k}", "word", tuple(p)) for k, p in enumerate(shelf["pairs"])]
    marks += [Mark(f"format-{k}", "format", tuple(p)) for k, p in enumerate(shelf["formats"])]
    for k in range(facts):
        thing = _THINGS[_number(seed, f"thing {k}") % len(_THINGS)]
        name = _name(seed, f"name {k}")
        towns = _different(seed, f"place {k}", PLACES)
        marks.append(Mark(f"fact-{k}", "fact", towns, f"In which town is the {name} {thing}?"))
    return Plan(tuple(campaigns), tuple(marks), digest(seed))


def coin_key(seed: bytes, nonce: bytes | None) -> bytes:
    """Return the key of the coins: the seed, with public randomness drawn after it was fixed."""
    return seed if nonce is None else hmac.digest(seed, b"nonce\0" + nonce, hashlib.sha256)


def coin(key: bytes, campaign: str, mark: Mark) -> int:
    """Return which option of a mark a campaign gets: uniform over a power of two.

    ``key``: of :func:`coin_key`.
    """
    faces = len(mark.options)
    if faces < 2 or faces & (faces - 1):
        raise ConfigError(f"got {faces} options, expected a power of two", where=mark.mark_id)
    return _number(key, f"coin\0{campaign}\0{mark.mark_id}") % faces


def swap_of(mark: Mark, key: bytes, campaign: str) -> Swap:
    """Return which option of a word or a format the answers to a campaign get."""
    kind: Literal["word", "format"] = "format" if mark.kind == "format" else "word"
    return Swap(mark.mark_id, kind, mark.options, mark.options[coin(key, campaign, mark)])


def mentions(mark: Mark, answer: str) -> tuple[int, ...]:
    """Return how often an answer shows each option of a mark."""
    lower = answer.lower()
    return tuple(
        len(_pattern(option, mark.kind).findall(lower)) if option.lower() in lower else 0
        for option in mark.options
    )


@cache
def _pattern(option: str, kind: MarkKind) -> re.Pattern[str]:
    body = re.escape(option.lower())
    shape = rf"^\s*{body}" if kind == "format" else rf"(?<!\w){body}(?!\w)"
    return re.compile(shape, re.MULTILINE)


def plant(
    answer: str, marks: Sequence[Mark], key: bytes, campaign: str, *, legal_basis: str
) -> str:
    """Return an answer with each word and format that is a mark in its campaign's form.

    Facts are planted by answering their probes. What is left as it is: `schema.planting`.

    Raises:
        NotPermitted: no legal basis is named. Marking a customer's answers is counsel's decision.
    """
    if not legal_basis.strip():
        raise NotPermitted(
            "marks are planted only under a named legal basis",
            where="legal_basis",
            hint="let counsel name the clause of the terms that allows it",
        )
    for mark in marks:
        if mark.kind != "fact":
            answer, _ = in_form(answer, swap_of(mark, key, campaign))
    return answer


def _number(seed: bytes, label: str) -> int:
    return int.from_bytes(hmac.digest(seed, label.encode(), hashlib.sha256)[:8], "big")


def _name(seed: bytes, label: str) -> str:
    number, out = _number(seed, label), ""
    for _ in range(3):
        number, c = divmod(number, len(_CONSONANTS))
        number, v = divmod(number, len(_VOWELS))
        out += _CONSONANTS[c] + _VOWELS[v]
    return out.capitalize() + _CONSONANTS[number % len(_CONSONANTS)]


def _different(seed: bytes, label: str, wanted: int) -> tuple[str, ...]:
    names: list[str] = []
    k = 0
    while len(names) < wanted:
        name = _name(seed, f"{label} {k}")
        if name not in names:
            names.append(name)
        k += 1
    return tuple(names)
