"""Does this traffic harvest? One score, read against benign cohorts that act together too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from stillwatch.schema import CohortTest, Finding
from stillwatch.signals.reference import Reference
from stillwatch.signals.traits import Traits

__all__ = ["SCORED", "TEST", "USUAL_OWN", "against", "find", "score", "usual"]

TEST = CohortTest(
    name="harvest",
    title="One queue of ever-new topics, each item once",
    claim="extractive",
    null="the cohort is one of the benign cohorts that act together (classes, teams, plug-ins, "
    "workflow platforms, evaluations …)",
    needs=("messages",),
)
SCORED: Final = ("own_topics", "repeats", "dominance")
USUAL_OWN: Final = 0.12
_LEAST_COHORTS: Final = 6
ERRORS: Final = 2.0
_LEAST_OWN: Final = 0.003
_USUAL_REPEATS: Final = 0.05
_REPEATS_WEIGHT: Final = 3.0


def usual(strangers: Sequence[Traits]) -> float:
    """Return how much of the variety of topics ordinarily lies between carriers of one template.

    ``strangers``: the traits of every cohort found by text whose members do not act together. The
    median of their own topics, leaving out those that run the same items (repeats above 5 %);
    never above 0.12 (in simulated worlds it lies higher) and never below .003; 0.12 with fewer
    than six. Where this provider's customers have no topics of their own, a cohort without own
    topics is nothing unusual, and nobody can be accused by it.
    """
    own = [seen.own_topics for seen in strangers if seen.repeats <= _USUAL_REPEATS]
    if len(own) < _LEAST_COHORTS:
        return USUAL_OWN
    return float(np.clip(np.median(own), _LEAST_OWN, USUAL_OWN))


def score(traits: Traits, usual_own: float = USUAL_OWN) -> float:
    """Return how far the cohort looks like one queue of ever-new items; larger is more so.

    −log(own_topics, 0 where it is negative, + two standard errors) − 3·log(repeats/0.05), nothing
    below 5 % (people ask the same things), + log(dominance), and log(usual_own/0.12) where
    customers here are less distinct than the reference's. The errors
    keep a small cohort from looking like one queue by chance; the repeats set classes and
    evaluations apart, where everyone runs the same items; accounts that do much else besides
    weigh less. On development worlds every further trait (breadth, novelty, hints of methods)
    widened the benign tail more than it moved the campaigns (docs/adr/0004-harvest-score.md).
    """
    own = max(_at_most(traits), _LEAST_OWN)
    return (
        -math.log(own)
        - _REPEATS_WEIGHT * math.log(max(traits.repeats, _USUAL_REPEATS) / _USUAL_REPEATS)
        + math.log(max(traits.dominance, 0.01))
        + math.log(usual_own / USUAL_OWN)
    )


def _at_most(traits: Traits) -> float:
    """Return own topics at two standard errors; a negative estimate is chance and counts as 0."""
    return max(traits.own_topics, 0.0) + ERRORS * traits.own_error


def find(traits: Traits, n: int, reference: Reference, usual_own: float = USUAL_OWN) -> Finding:
    """Return the finding of the claim *extractive* for one cohort."""
    return against(TEST, traits, n, reference, usual_own, "benign cohorts that act together")


def against(
    test: CohortTest, traits: Traits, n: int, reference: Reference, usual_own: float, whom: str
) -> Finding:  # fmt: skip
    """Return the finding that the score gives against a reference; ``whom`` it consists of."""
    value = score(traits, usual_own)
    p_value = reference.p_value(value)
    own = _at_most(traits)
    text = (
        f"At most {own:.1%} of the variety of topics lies between the organizations ({whom}: "
        f"{reference.range_of('own_topics')}); {traits.repeats:.1%} of the prompts were sent by "
        f"a tenth of the organizations and more ({reference.range_of('repeats')}); "
        f"p = {p_value:.2g} against {len(reference.scores):,} {whom}"
        + (", continued by a fitted tail" if value > reference.tail_start else "")
        + (
            f"; customers' topics are less distinct here than there ({usual_own:.1%} between "
            "carriers of one template), which is allowed for."
            if usual_own < USUAL_OWN
            else "."
        )
    )
    return Finding(
        signal=test.name,
        claim=test.claim,
        statistic=value,
        p_value=p_value,
        e_value=reference.e_value(value),
        n=n,
        null=reference.null(whom),
        text=text,
    )
