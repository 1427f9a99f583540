"""Does this traffic harvest? One score, read against benign cohorts that act together too."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import numpy as np

from stillwatch.errors import EvidenceError
from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.traits import Traits
from stillwatch.stats import calibrate

__all__ = [
    "SCORED",
    "TEST",
    "USUAL_OWN",
    "Reference",
    "find",
    "score",
    "shipped_reference",
    "usual",
]

TEST = CohortTest(
    name="harvest",
    title="One queue of ever-new topics, each item once",
    claim="extractive",
    null="the cohort is one of the benign cohorts that act together (classes, teams, plug-ins, "
    "workflow platforms, evaluations …)",
    needs=("messages",),
)
SCORED: Final = ("own_topics", "repeats", "dominance")
KAPPA: Final = 0.05
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

    −log(own_topics + two standard errors) − 3·log(1 + repeats/0.05) + log(dominance), and
    log(usual_own/0.12) where customers here are less distinct than the reference's. The errors
    keep a small cohort from looking like one queue by chance; the repeats set classes and
    evaluations apart, where everyone runs the same items; accounts that do much else besides
    weigh less. On development worlds every further trait (breadth, novelty, hints of methods)
    widened the benign tail more than it moved the campaigns (docs/adr/0004-harvest-score.md).
    """
    own = max(traits.own_topics + ERRORS * traits.own_error, _LEAST_OWN)
    return (
        -math.log(own)
        - _REPEATS_WEIGHT * math.log1p(traits.repeats / _USUAL_REPEATS)
        + math.log(max(traits.dominance, 0.01))
        + math.log(usual_own / USUAL_OWN)
    )


@dataclass(frozen=True)
class Reference:
    """Scores of benign coordinated cohorts, and how their upper tail is continued.

    ``tail_start``: the score above which the exponential tail stands; ``tail_share``: the share
    of the reference above it; ``tail_scale``: its mean excess at the upper 95 % limit. The
    p-value never falls below ``floor``. Fit and check are made by `make reference`.
    """

    name: str
    scores: np.ndarray
    worlds: int
    tail_start: float
    tail_share: float
    tail_scale: float
    floor: float
    traits: dict[str, list[float]]
    check: dict[str, float]
    limits: str

    def p_value(self, value: float) -> float:
        """Return P(benign coordinated cohort scores at least this much): rank, then tail."""
        above = int((self.scores >= value).sum())
        rank = (1 + above) / (len(self.scores) + 1)
        if value <= self.tail_start:
            return rank
        tail = self.tail_share * math.exp(-(value - self.tail_start) / self.tail_scale)
        return max(tail, self.floor, rank if above else 0.0)

    def e_value(self, value: float) -> float:
        """Return the calibrated e-value of a score."""
        return float(calibrate(self.p_value(value), KAPPA))

    @property
    def largest_e(self) -> float:
        """Return the largest e-value the claim *extractive* can reach."""
        return float(calibrate(self.floor, KAPPA))


@cache
def shipped_reference() -> Reference:
    """Return the reference in the package. Raises EvidenceError when it is not there."""
    file = resources.files("stillwatch.signals").joinpath("reference.json")
    if not file.is_file():
        raise EvidenceError("the benign reference is missing", hint="run make reference")
    return read_reference(json.loads(file.read_text(encoding="utf-8")))


def read_reference(raw: dict[str, Any]) -> Reference:
    """Return a Reference from the JSON that `make reference` writes."""
    return Reference(
        name=raw["name"],
        scores=np.array(raw["scores"]),
        worlds=raw["worlds"],
        tail_start=raw["tail"]["start"],
        tail_share=raw["tail"]["share"],
        tail_scale=raw["tail"]["scale"],
        floor=raw["tail"]["floor"],
        traits=raw["traits"],
        check=raw["check"],
        limits=raw["limits"],
    )


def find(traits: Traits, n: int, reference: Reference, usual_own: float = USUAL_OWN) -> Finding:
    """Return the finding of the claim *extractive* for one cohort."""
    value = score(traits, usual_own)
    p_value = reference.p_value(value)
    low, mid, high = (float(np.quantile(reference.scores, q)) for q in (0.025, 0.5, 0.975))
    draws = tuple(round(float(q), 4) for q in np.quantile(reference.scores, np.linspace(0, 1, 41)))
    ranges = {name: reference.traits[name] for name in SCORED}
    own = max(traits.own_topics + ERRORS * traits.own_error, 0.0)
    text = (
        f"At most {own:.1%} of the variety of topics lies between the organizations (benign "
        f"cohorts that act together: {_range(ranges['own_topics'])}); {traits.repeats:.1%} of the "
        "prompts were also sent by another organization "
        f"({_range(ranges['repeats'])}); p = {p_value:.2g} against {len(reference.scores):,} "
        "benign coordinated cohorts"
        + (", continued by a fitted tail" if value > reference.tail_start else "")
        + (
            f"; customers' topics are less distinct here than there ({usual_own:.1%} between "
            "carriers of one template), which is allowed for."
            if usual_own < USUAL_OWN
            else "."
        )
    )
    return Finding(
        signal=TEST.name,
        claim=TEST.claim,
        statistic=value,
        p_value=p_value,
        e_value=reference.e_value(value),
        n=n,
        null=Null("benign coordinated cohorts", mid, low, high, draws),
        text=text,
    )


def _range(quantiles: list[float]) -> str:
    low, high = max(quantiles[0], 0.0), quantiles[-1]
    return f"{low:.0%}–{high:.0%}"
