"""Whose marks does a suspect show? An exact tail, since only the committed coins are random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.prove.marks import PLACES, Mark, Plan, coin, coin_key, mentions
from stillwatch.prove.responses import Answers
from stillwatch.seal import digest
from stillwatch.stats import FloatArray, IntArray, coin_sum_tail, trials_needed

__all__ = [
    "ADOPTIONS",
    "CanaryScore",
    "Power",
    "fact_power",
    "likelihood_points",
    "mark_points",
    "plan_power",
    "score_canaries",
    "score_plan",
    "score_points",
]

ADOPTIONS: Final = (0.55, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Chances that a student shows the campaign's option of a two-way mark; 0.5 is no effect."""

FACT_ADOPTIONS: Final = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Chances that a student favours the planted place of a fact over all others."""

_POWER: Final = 0.9
_STEPS: Final = 10
_CAP: Final = 3.0
_MOST_LIKELIER: Final = 8.0  # the option that was seen may stand far above the others
_MAD: Final = 1.4826  # median absolute deviation to the standard deviation of a normal law
_LEAST_SPREAD: Final = 0.1  # nats


def _one_line(prompt: str) -> str:
    return " ".join(prompt.split()).lower()


@dataclass(frozen=True)
class CanaryScore:
    """One suspect against one campaign.

    ``p_value`` is exact under the null that the suspect saw nothing made from the campaign's
    coins; ``p_adjusted`` is Bonferroni over campaigns, suspects and looks. ``matches`` of
    ``marks_seen`` say how often the suspect's preferred option is the campaign's, and
    ``expected`` how many of them chance gives.
    """

    campaign: str
    suspect: str
    marks_seen: int
    matches: int
    expected: float
    statistic: int
    p_value: float
    p_adjusted: float


@dataclass(frozen=True)
class Power:
    """Marks needed for a claim nine times in ten, by the chance that a mark is taken over."""

    adoption: float
    marks_needed: int


def plan_power(alpha: float, tests: int) -> tuple[Power, ...]:
    """Return how many two-way marks a claim at ``alpha`` over ``tests`` comparisons needs.

    Raises:
        EvidenceError: alpha outside (0, 1), fewer than one test.

    Error: exact for independent marks that are each shown.
    """
    if not (0 < alpha < 1 and tests >= 1):
        raise EvidenceError("alpha must lie in (0, 1), tests >= 1", where="plan_power")
    return tuple(Power(a, trials_needed(a, alpha / tests, _POWER)) for a in ADOPTIONS)


def fact_power(alpha: float) -> tuple[Power, ...]:
    """Return how many facts a claim at ``alpha`` (already divided by the tests) needs.

    ``adoption`` is the chance that of all places the student favours the one that was planted,
    in what it writes or by log-probability; one in ``PLACES`` is no effect.

    Error: exact for a count of such facts; the score also counts places that come near the top.
    """
    return tuple(
        Power(a, trials_needed(a, alpha, _POWER, chance=1 / PLACES)) for a in FACT_ADOPTIONS
    )


def score_canaries(
    plan: Plan,
    seed: bytes,
    suspect: Answers,
    *,
    base: Answers | None = None,
    suspects: int = 1,
    looks: int = 1,
    normalise: Callable[[str], str] = _one_line,
) -> list[CanaryScore]:
    """Return the score of every campaign of a plan, the strongest first.

    Each option of each mark gets whole points for how much more often the suspect shows it than
    the base model does (than even odds without one). The points are fixed by the texts; a
    campaign's coins pick one option a mark, so under the null the sum is one uniform draw from
    each list and its tail is exact. Correlated prompts, copied answers and a suspect's own habits
    change the power, never the level.

    Args:
        plan: as committed.
        seed: what the plan committed to.
        suspect: its answers; probes of facts are found among the prompts by ``normalise``.
        base: the suspect's base model, or another that saw no campaign; sharpens the test.
        suspects: how many suspects are or will be scored with this plan.
        looks: how many times this suspect is scored in all.

    Raises:
        EvidenceError: the seed is not the committed one.
        ConfigError: suspects or looks below 1.
    """
    if suspects < 1 or looks < 1:
        raise ConfigError("suspects and looks are at least 1", where="score_canaries")
    points = mark_points(plan.marks, suspect, base, normalise)
    tests = len(plan.campaigns) * suspects * looks
    return score_plan(plan, seed, suspect.model, points, tests=tests)


def score_plan(
    plan: Plan,
    seed: bytes,
    suspect: str,
    points: Mapping[str, IntArray],
    *,
    tests: int,
    nonce: bytes | None = None,
    given: Mapping[str, frozenset[str]] | None = None,
) -> list[CanaryScore]:
    """Return the score of every campaign of a plan from points, the strongest first.

    Args:
        plan: as committed; its weights multiply the points.
        seed: what the plan committed to.
        suspect: name of the suspect.
        points: of every option of every mark, from texts or from log-probabilities.
        tests: comparisons to correct for.
        nonce: public randomness that was entered after the plan.
        given: of a campaign, the facts that it was given, as entered before the suspect was
            asked; its other facts do not count. Of a campaign that is absent all count.

    Raises:
        EvidenceError: the seed is not the committed one.
    """
    if digest(seed) != plan.seed_digest:
        raise EvidenceError("the seed is not the one that the plan committed to", where="seed")
    key = coin_key(seed, nonce)
    weighed = {m.mark_id: points[m.mark_id] * plan.weights[m.kind] for m in plan.marks}
    scores = []
    for campaign in plan.campaigns:
        facts = (given or {}).get(campaign)
        marks = [m for m in plan.marks if not m.probe or facts is None or m.mark_id in facts]
        scores.append(score_points(marks, key, campaign, suspect, weighed, tests))
    return sorted(scores, key=lambda s: (s.p_value, s.campaign))


def mark_points(
    marks: Sequence[Mark],
    suspect: Answers,
    base: Answers | None = None,
    normalise: Callable[[str], str] = _one_line,
) -> dict[str, IntArray]:
    """Return the points of every option of every mark: all that the texts have to say."""
    probes = {normalise(mark.probe): mark.mark_id for mark in marks if mark.probe}
    shown = _shown(marks, suspect, probes, normalise)
    usual = _shown(marks, base, probes, normalise) if base else {}
    return {m.mark_id: _points(shown[m.mark_id], usual.get(m.mark_id)) for m in marks}


def score_points(
    marks: Sequence[Mark],
    key: bytes,
    campaign: str,
    suspect: str,
    points: Mapping[str, IntArray],
    tests: int = 1,
) -> CanaryScore:
    """Return the score of one campaign from points; only its coins (``key``) are looked at here."""
    lists, total, matches, expected, seen = [], 0, 0, 0.0, 0
    for mark in marks:
        values = points[mark.mark_id]
        if not values.any():
            continue  # every option has 0 points: this coin decides nothing
        face = coin(key, campaign, mark)
        lists.append(values)
        total += int(values[face])
        best = values == values.max()
        matches += bool(best[face])
        expected += float(best.mean())
        seen += 1
    p = coin_sum_tail(lists, total)
    return CanaryScore(campaign, suspect, seen, matches, expected, total, p, min(1.0, p * tests))


def likelihood_points(
    marks: Sequence[Mark],
    suspect: Mapping[str, Sequence[float]],
    base: Mapping[str, Sequence[float]],
) -> dict[str, IntArray]:
    """Return the points of every option from its log-probability: what open weights have to say.

    A suspect that saw an option finds it likelier than its base does, long before it would write
    it. As with texts, only the coins are random, so :func:`score_points` is exact.

    Args:
        marks: of a plan; those without a log-probability get no points.
        suspect: mark_id to the log-probability (nats) of each option after its probe.
        base: the same of the base model, or another that saw no campaign; mandatory, since some
            options are likelier than others by themselves.

    Raises:
        ConfigError: a mark has another number of options than log-probabilities.
    """
    out = {}
    for mark in marks:
        if mark.mark_id not in suspect or mark.mark_id not in base:
            out[mark.mark_id] = np.zeros(len(mark.options), dtype=np.int64)
            continue
        if not len(mark.options) == len(suspect[mark.mark_id]) == len(base[mark.mark_id]):
            raise ConfigError("another number of options than planned", where=mark.mark_id)
        gain = np.asarray(suspect[mark.mark_id]) - np.asarray(base[mark.mark_id])
        centred = gain - np.median(gain)
        spread = float(np.median(np.abs(centred))) * _MAD + _LEAST_SPREAD
        z = np.clip(centred / spread, -_CAP, _MOST_LIKELIER)
        out[mark.mark_id] = np.asarray(np.rint(_STEPS * z), dtype=np.int64)
    return out


def _shown(
    marks: Sequence[Mark],
    answers: Answers,
    probes: Mapping[str, str],
    normalise: Callable[[str], str],
) -> dict[str, FloatArray]:
    """Return for each mark in how many answers each of its options occurs.

    An answer does not count for a mark of which the prompt shows an option.
    """
    counts = {mark.mark_id: np.zeros(len(mark.options)) for mark in marks}
    by_id = {mark.mark_id: mark for mark in marks}
    anywhere = [mark for mark in marks if not mark.probe]
    for prompt_id, answer in answers.output.items():
        prompt = answers.prompt.get(prompt_id, "")
        asked = probes.get(normalise(prompt))
        for mark in [by_id[asked]] if asked else anywhere:
            if not any(mentions(mark, prompt)):  # to repeat the question is no sign of training
                counts[mark.mark_id] += np.minimum(1, mentions(mark, answer))
    return counts


def _points(shown: FloatArray, usual: FloatArray | None) -> IntArray:
    """Return whole points of each option: clipped z-scores against the base's shares."""
    total = shown.sum()
    faces = shown.size
    if total == 0:
        return np.zeros(faces, dtype=np.int64)
    if usual is None or usual.sum() == 0:
        expected = np.full(faces, total / faces)
        spread = np.sqrt(expected * (1 - 1 / faces))
    else:  # the difference of two shares, its spread from both together
        size = usual.sum()
        expected = usual / size * total
        pooled = (shown + usual + 1.0) / (total + size + faces)
        spread = np.sqrt(pooled * (1 - pooled) * total * (1 + total / size))
    z = np.clip((shown - expected) / spread, -_CAP, _CAP)
    return np.asarray(np.rint(_STEPS * z), dtype=np.int64)
