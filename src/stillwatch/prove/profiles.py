"""Whose habits does a suspect have: how it refuses, and its idiosyncrasies, as tests of their own.

A profile is the mean of each habit (`habits`) over the prompts of each kind. The frame is that of
`lineage`: rank of families, an open-set score against controls, tests of families named beforehand.
1. Each number is put in standard deviations of the *candidates*, less their mean, so that suspect
   and controls are computed alike and controls set nothing but the null.
2. Closeness to a family: minus the root mean square difference to its closest member.
3. Excess: closeness to a family less that to the median family; the largest is the open-set score.

The model is the sampling unit; prompts are resampled for intervals only. Weak by design: habits are
few, and training on anything with headings gives headings. docs/prove.md says how weak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import EvidenceError
from stillwatch.prove.closeness import MIN_PROMPTS
from stillwatch.prove.habits import HABITS, PROFILES, habits
from stillwatch.prove.openset import (
    FamilyScore,
    NamedTest,
    check_controls,
    check_named,
    family_names,
    named_tests,
    ranked,
)
from stillwatch.prove.responses import Answers
from stillwatch.stats import FloatArray, surrogate_p

__all__ = [
    "ProfileResult",
    "Profiles",
    "compare_profiles",
    "habit_rates",
    "measure_habits",
    "profile_excess",
]

_RESAMPLES: Final = 400
_LEAST_SPREAD: Final = 0.02  # of a share or a rate: below it candidates do not differ


@dataclass(frozen=True)
class Profiles:
    """Habits of answers: ``values`` has shape (prompts, models, habits), NaN where not answered.

    ``kind`` numbers the kind of each prompt among ``kinds``; kinds of fewer than 20 prompts are
    one kind together, ''.
    """

    models: tuple[str, ...]
    prompts: tuple[str, ...]
    kinds: tuple[str, ...]
    kind: NDArray[np.int64]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class ProfileResult:
    """One profile's ranking and, never without it, the open-set verdict.

    ``accepted``: the suspect lies above every control. Nobody is named by a profile alone.
    ``ranking``: ``score`` is minus the distance in candidates' standard deviations.
    """

    profile: str
    ranking: tuple[FamilyScore, ...]
    open_score: float
    open_p: float
    accept_at: float
    accepted: bool
    tests: tuple[NamedTest, ...]
    n_controls: int
    control_groups: int
    control_excess: Mapping[str, float]

    @property
    def smallest_p(self) -> float:
        """Return the smallest p-value that so many controls can give."""
        return 1.0 / (self.n_controls + 1)


def measure_habits(models: Sequence[Answers], prompts: Sequence[str]) -> Profiles:
    """Return the habits of every model on these prompts; kinds are the suites of the first model.

    Raises:
        EvidenceError: fewer than 20 prompts.
    """
    if len(prompts) < MIN_PROMPTS:
        raise EvidenceError(
            f"got {len(prompts)} prompts, expected at least {MIN_PROMPTS}", where="responses"
        )
    suite = [models[0].suite.get(p, "") for p in prompts]
    large = sorted({s for s in suite if suite.count(s) >= MIN_PROMPTS})
    told = [s if s in large else "" for s in suite]
    kinds = tuple(sorted(set(told)))
    values = np.full((len(prompts), len(models), len(HABITS)), np.nan, dtype=np.float32)
    for column, model in enumerate(models):
        for row, prompt in enumerate(prompts):
            if prompt in model.output:
                values[row, column] = habits(model.output[prompt])
    kind = np.array([kinds.index(t) for t in told], dtype=np.int64)
    return Profiles(tuple(m.model for m in models), tuple(prompts), kinds, kind, values)


def profile_excess(
    held: Profiles,
    profile: str,
    models: Sequence[str],
    families: Mapping[str, str],
    weights: FloatArray | None = None,
) -> tuple[tuple[str, ...], FloatArray, FloatArray]:
    """Return the families, closeness and excess of models, shape (resamples, models, families).

    Args:
        held: has the models and all candidates among its models.
        profile: ``refusals`` or ``idiosyncrasies``.
        models: suspect, controls.
        families: family of each candidate.
        weights: shape (resamples, prompts), how often each prompt counts; once by default.

    Raises:
        EvidenceError: fewer than three families, or a model answered nothing of a kind.
    """
    names = family_names(families.values())
    candidates = sorted(families)
    counts = np.ones((1, len(held.prompts))) if weights is None else weights
    columns = [HABITS.index(h) for h in PROFILES[profile]]
    rows = [held.models.index(m) for m in [*candidates, *models]]
    means = _means(held, rows, columns, counts)
    known, asked = means[:, : len(candidates)], means[:, len(candidates) :]
    spread = np.maximum(known.std(axis=1, ddof=1, keepdims=True), _LEAST_SPREAD)
    squares = [
        (((asked - known[:, [k]]) / spread) ** 2).mean(axis=2) for k in range(len(candidates))
    ]
    near = -np.sqrt(np.stack(squares, axis=2))
    close = np.stack(
        [near[:, :, [families[c] == name for c in candidates]].max(axis=2) for name in names],
        axis=2,
    )
    return names, close, close - np.median(close, axis=2, keepdims=True)


def compare_profiles(
    held: Profiles,
    suspect: str,
    families: Mapping[str, str],
    control_group: Mapping[str, str],
    rng: np.random.Generator,
    *,
    named: Sequence[str] = (),
) -> tuple[ProfileResult, ...]:
    """Return ranking, open-set verdict and tests for each profile.

    Args:
        held: habits of suspect, controls and candidates on the prompts that all have answered.
        suspect: a model of it.
        families: family of each candidate.
        control_group: control model to the group it shares weights or data with; at least four.
        rng: draws the resamples of prompts.
        named: at most three families, named before the answers were seen. None: a screening.

    Raises:
        ConfigError: a named family is unknown, twice, or more than three are named.
        EvidenceError: fewer than four controls, or as :func:`profile_excess`.

    Error: each p-value is a rank among the controls, exact if the suspect, under the null that it
    learnt from no candidate, is exchangeable with them; Holm covers profiles and named families.
    """
    check_named(named, families.values())
    controls = sorted(control_group)
    check_controls(controls)
    draws = _resampled(held, rng)
    found, rows = [], []
    for profile in PROFILES:
        names, close, above = profile_excess(held, profile, [suspect, *controls], families)
        _, _, drawn = profile_excess(held, profile, [suspect], families, draws)
        places = [(family, names.index(family)) for family in named]
        rows += [(f, float(above[0, 0, k]), above[0, 1:, k]) for f, k in places]
        found.append((profile, names, close[0, 0], above[0], drawn[:, 0]))
    tests = named_tests(rows)
    out = []
    for place, (profile, names, close, above, drawn) in enumerate(found):
        tops = dict(zip(controls, above[1:].max(axis=1).tolist(), strict=True))
        score, limit = float(above[0].max()), max(tops.values())
        first = np.bincount(drawn.argmax(axis=1), minlength=len(names)) / len(drawn)
        out.append(
            ProfileResult(
                profile=profile,
                ranking=ranked(names, close, above[0], drawn, first, by=above[0]),
                open_score=score,
                open_p=surrogate_p(score, list(tops.values()), "upper"),
                accept_at=limit,
                accepted=score > limit,
                tests=tests[place * len(named) : (place + 1) * len(named)],
                n_controls=len(controls),
                control_groups=len(set(control_group.values())),
                control_excess=tops,
            )
        )
    return tuple(out)


def habit_rates(held: Profiles, models: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """Return kind of prompt to habit to its mean by model, in the order given; '' is all prompts.

    A kind '' of `Profiles` that holds several small kinds is not told apart from all prompts here.
    """
    rows = [held.models.index(m) for m in models]
    out = {}
    for name in ("", *(k for k in held.kinds if k)):
        chosen = held.kind == held.kinds.index(name) if name else np.ones(len(held.kind), bool)
        means = np.nanmean(held.values[chosen][:, rows], axis=0)
        out[name] = {h: [float(v) for v in means[:, k]] for k, h in enumerate(HABITS)}
    return out


def _means(
    held: Profiles, rows: Sequence[int], columns: Sequence[int], weights: FloatArray
) -> FloatArray:
    """Return means, shape (resamples, rows, kinds · columns)."""
    parts = []
    for place in range(len(held.kinds)):
        chosen = held.kind == place
        values = held.values[chosen][:, rows][:, :, columns].astype(np.float64)
        there = ~np.isnan(values[:, :, 0])
        counts = weights[:, chosen] @ there
        sums = np.tensordot(weights[:, chosen], np.nan_to_num(values), axes=1)
        if not there.any(axis=0).all():
            raise EvidenceError("a model answered none of a kind of prompts", where="responses")
        parts.append(sums / np.maximum(counts, 1.0)[:, :, None])
    return np.concatenate(parts, axis=2)


def _resampled(held: Profiles, rng: np.random.Generator) -> FloatArray:
    """Return how often each prompt counts: drawn anew within its kind, so that none is empty."""
    out = np.zeros((_RESAMPLES, len(held.prompts)))
    for place in range(len(held.kinds)):
        chosen = np.flatnonzero(held.kind == place)
        for row in out:
            row[chosen] = np.bincount(
                rng.integers(0, chosen.size, chosen.size), minlength=chosen.size
            )
    return out
