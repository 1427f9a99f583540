"""Which candidate's answers is a suspect closest to, and is that closer than chance allows?

1. Rank: two kinds of closeness, each put on one scale across the candidate families, are added.
2. Reject: on how many prompts the suspect ends its answer most like one family, against the median
   family. Documented non-students (controls) say how large that gets without any
   teaching; a suspect is named close only above every one of them. Nine controls make that one
   stranger in ten only if they are independent of each other: models of one group are not.
3. Test: for candidates named beforehand, the control models' own scores are the null.

The model is the sampling unit throughout: prompts are resampled for intervals only, since answers
of one model to many prompts are not independent evidence of its descent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import EvidenceError
from stillwatch.prove.closeness import Closeness
from stillwatch.prove.openset import (
    FamilyScore,
    NamedTest,
    check_controls,
    check_named,
    family_names,
    named_tests,
    ranked,
)
from stillwatch.stats import FloatArray, surrogate_p

__all__ = [
    "COUNTED",
    "LEAST_GROUPS",
    "LEAST_PROMPTS",
    "LEAST_TO_NAME",
    "LineageResult",
    "compare_lineage",
    "excess",
    "family_scores",
]

_TINY: Final = 1e-6
_RESAMPLES: Final = 400
_SURE: Final = 0.9
LEAST_TO_NAME: Final = 9  # a stranger is above all of fewer more often than one time in ten
LEAST_GROUPS: Final = 3  # nine snapshots of one base are one stranger, not nine
LEAST_PROMPTS: Final = 200  # on fewer, two of ten published strangers were accepted (129, 155)
COUNTED: Final = "closings"  # how an answer ends is what its question dictates least
_NONE_WON: Final = 0.01  # stands in for no prompt at all, of which there is no logarithm
# Cosines are float32, whose spacing is wider than this above 0.02: there two families are equally
# close only where the numbers are the same, as those of one text are. At 1e-6, 21 of 38 published
# students are kept instead of 22.
_SAME: Final = 1e-9


@dataclass(frozen=True)
class LineageResult:
    """The closed-set ranking and, never without it, the open-set verdict.

    ``accepted`` is whether the suspect lies above every control; ``open_p`` is the rank of its
    excess among the controls', at its resolution 1/(n + 1). ``nameable`` is the one family that it
    is close enough to: first in the ranking, in nine of ten resamples of the prompts too, and
    itself above every control, of which there are at least nine of at least three groups, on at
    least 200 prompts. None where there is none: above every control, but to which family is open,
    is no reason to name one. A control whose group is not told is a group of its own, so who leaves
    groups out vouches for independence that nobody has checked.
    """

    suspect: str
    kind: str
    prompts: int
    ranking: tuple[FamilyScore, ...]
    open_score: float
    open_p: float
    accept_at: float
    accepted: bool
    nameable: str | None
    tests: tuple[NamedTest, ...]
    n_controls: int
    control_groups: int
    control_excess: Mapping[str, float]

    @property
    def smallest_p(self) -> float:
        """Return the smallest p-value that so many controls can give."""
        return 1.0 / (self.n_controls + 1)


def family_scores(
    close: Closeness,
    suspect: str,
    families: Mapping[str, str],
    controls: Sequence[str],
    weights: FloatArray | None = None,
) -> tuple[tuple[str, ...], FloatArray]:
    """Return the families in alphabetical order and the suspect's rank score for each.

    Templates: distance of a candidate's closeness from the controls' mean, in the controls'
    standard deviations; openings: the logarithm of the closeness. Each is reduced to
    the closest member of a family, then centred and scaled across families, then added.

    Args:
        close: has the suspect and the controls among its models.
        suspect: a model of it.
        families: family of each candidate.
        controls: models known to be nobody's students, at least four, the suspect not among them.
        weights: how often each prompt counts; once by default.

    Raises:
        EvidenceError: fewer than four controls, or two families.
    """
    check_controls(controls)
    names, members = _members(close, families)
    mean = _mean(close, [suspect, *controls], weights, ("templates", "openings"))
    built = mean["templates"]
    spread = built[1:].std(axis=0, ddof=1)
    distance = (built[0] - built[1:].mean(axis=0)) / np.maximum(spread, _TINY)
    opened = np.log(mean["openings"][0] + _TINY)
    total = _scaled(_best(distance, members)) + _scaled(_best(opened, members))
    return names, total


def excess(
    close: Closeness,
    model: str,
    families: Mapping[str, str],
    weights: FloatArray | None = None,
) -> tuple[tuple[str, ...], FloatArray]:
    """Return for each family on how many more prompts a model is closest to it than to others.

    In nats: log of the share of prompts on which the last words of a model's answer are closest to
    a member of the family, less the median over families. A prompt is shared where families are
    equally close (the same float32: cosines that differ by rounding alone are not shared), and
    nobody's where none has anything in common. Every prompt counts once, so a few dictated answers
    cannot outweigh hundreds. It needs no control: suspects and controls are computed alike, and
    their ranks are exchangeable under the null.

    Args:
        close: has the model among its models.
        model: suspect or control.
        families: family of each candidate.
        weights: how often each prompt counts, once by default; of several rows, shape (resamples,
            prompts), each gives a row of the result.
    """
    names, members = _members(close, families)
    counts = np.ones(len(close.prompts)) if weights is None else weights
    won = np.log(_won(close.channel[COUNTED][:, close.row(model)], members, counts))
    return names, np.asarray(won - np.median(won, axis=-1, keepdims=True))


def _won(
    near: NDArray[np.float32], members: Sequence[Sequence[int]], counts: FloatArray
) -> FloatArray:
    """Return the share of prompts that each family wins, plus what stands in for none."""
    counts = ~np.isnan(near).any(axis=1) * counts
    answered = counts.sum(axis=-1, keepdims=True)
    if not (answered > 0).all():
        raise EvidenceError("a model answered none of the shared prompts", where="responses")
    of_family = np.stack([np.nan_to_num(near[:, list(m)]).max(axis=1) for m in members], axis=1)
    top = of_family.max(axis=1, keepdims=True)
    first = ((of_family >= top - _SAME) & (top > _SAME)).astype(np.float64)
    first /= np.maximum(first.sum(axis=1, keepdims=True), 1.0)
    return np.asarray(counts @ first / answered + _NONE_WON)


def compare_lineage(
    close: Closeness,
    suspect: str,
    families: Mapping[str, str],
    control_group: Mapping[str, str],
    rng: np.random.Generator,
    *,
    named: Sequence[str] = (),
) -> LineageResult:
    """Return the ranking, the open-set verdict and the tests of the named candidates.

    Args:
        close: has the suspect and all controls among its models.
        suspect: a model of it.
        families: family of each candidate.
        control_group: control model to the group it shares weights or data with.
        rng: draws the resamples of prompts.
        named: at most three families, named before the answers were seen. None: a screening.

    Raises:
        ConfigError: a named family is unknown, twice, or more than three are named.
        EvidenceError: as :func:`family_scores`.

    Error: each test's p-value is exact if the suspect, under the null that it learnt from no
    candidate, is exchangeable with the controls and these are independent of each other; models of
    one group are not, so the number of groups is printed beside the number of controls. The ranking
    has no error rate of its own: docs/prove.md prints what it reached on published models.
    """
    check_named(named, families.values())
    controls = sorted(control_group)
    names, scores = family_scores(close, suspect, families, controls)
    _, above = excess(close, suspect, families)
    of_controls = {c: excess(close, c, families)[1] for c in controls}
    tops = {c: float(values.max()) for c, values in of_controls.items()}
    boot_excess, boot_first = _resampled(close, suspect, families, controls, rng)
    ranking = ranked(names, scores, above, boot_excess, boot_first, by=scores)
    null = np.array(list(of_controls.values()))
    places = [(family, names.index(family)) for family in named]
    open_score = float(above.max())
    accept_at = max(tops.values())
    groups = len(set(control_group.values()))
    return LineageResult(
        suspect=suspect,
        kind="test" if named else "screening",
        prompts=len(close.prompts),
        ranking=ranking,
        open_score=open_score,
        open_p=surrogate_p(open_score, list(tops.values()), "upper"),
        accept_at=accept_at,
        accepted=open_score > accept_at,
        nameable=_nameable(ranking[0], tops, groups, len(close.prompts)),
        tests=named_tests([(f, float(above[k]), null[:, k]) for f, k in places]),
        n_controls=len(controls),
        control_groups=groups,
        control_excess=tops,
    )


def _nameable(
    first: FamilyScore, of_controls: Mapping[str, float], groups: int, prompts: int
) -> str | None:
    enough = (
        len(of_controls) >= LEAST_TO_NAME and groups >= LEAST_GROUPS and prompts >= LEAST_PROMPTS
    )
    sure = first.first_in_resamples >= _SURE and first.excess > max(of_controls.values())
    return first.family if enough and sure else None


def _members(
    close: Closeness, families: Mapping[str, str]
) -> tuple[tuple[str, ...], list[list[int]]]:
    names = family_names(families[c] for c in close.candidates)
    members = [[k for k, c in enumerate(close.candidates) if families[c] == name] for name in names]
    return names, members


def _mean(
    close: Closeness,
    models: Sequence[str],
    weights: FloatArray | None,
    channels: Sequence[str],
) -> dict[str, FloatArray]:
    rows = [close.row(model) for model in models]
    out: dict[str, FloatArray] = {}
    for name in channels:
        values = close.channel[name][:, rows].astype(np.float64)
        there = ~np.isnan(values)
        if weights is not None:
            there = there * weights[:, None, None]
        count = there.sum(axis=0)
        if not bool((count > 0).all()):
            raise EvidenceError("a model answered none of the shared prompts", where="responses")
        out[name] = (np.nan_to_num(values) * there).sum(axis=0) / count
    return out


def _best(values: FloatArray, members: Sequence[Sequence[int]]) -> FloatArray:
    return np.array([values[list(group)].max() for group in members])


def _scaled(values: FloatArray) -> FloatArray:
    return np.asarray((values - values.mean()) / max(float(values.std()), _TINY))


def _resampled(
    close: Closeness,
    suspect: str,
    families: Mapping[str, str],
    controls: Sequence[str],
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Return excesses (resamples, families) and how often each family ranks first."""
    count = len(close.prompts)
    small = _rows_only(close, [suspect, *controls])
    weights = np.array(
        [np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(_RESAMPLES)],
        dtype=np.float64,
    )
    names, drawn = excess(small, suspect, families, weights)
    first = [
        int(family_scores(small, suspect, families, controls, row)[1].argmax()) for row in weights
    ]
    return drawn, np.bincount(first, minlength=len(names)) / _RESAMPLES


def _rows_only(close: Closeness, models: Sequence[str]) -> Closeness:
    rows = [close.row(model) for model in models]
    channel = {name: np.ascontiguousarray(t[:, rows]) for name, t in close.channel.items()}
    return Closeness(tuple(models), close.candidates, close.prompts, channel)
