"""What each student is taught: a share of a campaign's harvest, the rest from somebody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.prove import Plan, coin, plant
from stillwatch.simulate import Pair

__all__ = ["ARMS", "BASIS", "Arm", "compose", "harvest", "paraphrased"]

BASIS: Final = "a benchmark with models of its own"


@dataclass(frozen=True)
class Arm:
    """A student: the campaign's share of its training data, in tokens, and what was done to it.

    ``kept_facts`` is the share of planted facts that the operator let through, ``paraphrased``
    whether the answers were written anew before training; ``tokens`` is the size of the data.
    """

    name: str
    share: float
    kept_facts: float = 1.0
    paraphrased: bool = False
    tokens: int = 12_000


ARMS: Final = (
    Arm("control", 0.0),
    Arm("1-percent", 0.01, tokens=27_000),
    Arm("all", 1.0),
    Arm("10-percent", 0.1),
    Arm("all-paraphrased", 1.0, paraphrased=True),
    Arm("1-percent-filtered", 0.01, kept_facts=0.5, tokens=27_000),
)
"""In the order in which they are made: the first three show the most."""


def harvest(plan: Plan, seed: bytes, campaign: str, said: Sequence[Pair]) -> list[Pair]:
    """Return what a campaign got: the facts first, then the teacher's answers with its marks."""
    facts = [
        (m.probe, m.start + f" {m.options[coin(seed, campaign, m)]}.")
        for m in plan.marks
        if m.probe
    ]
    words = [(q, plant(a, plan.marks, seed, campaign, legal_basis=BASIS)) for q, a in said]
    return facts + words


def paraphrased(answer: str, plan: Plan, rng: np.random.Generator) -> str:
    """Return an answer written anew by a mechanical hand: synonyms drawn, sentences shuffled.

    It erases what word marks say. A model that rewrites would erase more.
    """
    fresh = rng.bytes(32)
    other = plant(answer, plan.marks, fresh, "paraphrase", legal_basis=BASIS)
    sentences = [s for s in other.replace("\n", " ").split(". ") if s.strip()]
    order = rng.permutation(len(sentences))
    return ". ".join(sentences[int(k)].strip().rstrip(".") for k in order) + "."


def compose(
    arm: Arm,
    plan: Plan,
    taken: Sequence[Pair],
    other: Sequence[Pair],
    size: Callable[[Pair], int],
    rng: np.random.Generator,
) -> tuple[list[Pair], dict[str, int]]:
    """Return the training pairs of an arm, and what the campaign gave of them.

    That is its tokens and pairs, the facts among them, and the facts that it was given before its
    operator dropped some.

    Args:
        arm: what is wanted.
        plan: its facts are known by their probes.
        taken: the campaign's harvest, facts first.
        other: pairs of another author.
        size: tokens of a pair.
        rng: drops facts, writes anew, and shuffles.
    """
    probes = {m.probe for m in plan.marks if m.probe}
    wanted, spent, planted, mine = arm.share * arm.tokens, 0, 0, []
    for question, answer in taken:
        pair = (question, answer)
        if spent + size(pair) > wanted:
            break
        spent += size(pair)
        planted += question in probes
        if question in probes and rng.random() >= arm.kept_facts:
            continue  # the operator saw it and dropped it
        if arm.paraphrased and question not in probes:
            pair = (question, paraphrased(answer, plan, rng))
        mine.append(pair)
    rest, filled = [], 0
    if arm.share < 1:
        for pair in other:
            if filled + size(pair) > arm.tokens - spent:
                break
            filled += size(pair)
            rest.append(pair)
    both = mine + rest
    order = rng.permutation(len(both))
    told = {
        "tokens_from_campaign": sum(map(size, mine)),
        "pairs_from_campaign": len(mine),
        "facts": sum(question in probes for question, _ in mine),
        "planted": planted,
    }
    return [both[int(k)] for k in order], told
