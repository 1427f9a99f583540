"""How much of the suspect's behaviour the teacher explains: a mixture share with an interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import EvidenceError
from stillwatch.prove.closeness import Closeness
from stillwatch.stats import FloatArray, Interval

__all__ = ["Dependence", "estimate_dependence"]

_RESAMPLES = 1000


@dataclass(frozen=True)
class Dependence:
    """Share of the way from the base to a model that answers as the teacher does, in [0, 1].

    ``share`` 0 is as far from the teacher as the base (or the mean control), 1 as close as
    ``anchor``, another snapshot of the teacher or a documented student. By suite too, where
    suites are known. ``of_controls`` is the same share of models that are nobody's students: what
    comes out without any teaching.
    """

    share: float
    interval: Interval
    anchor: str
    origin: str
    by_suite: Mapping[str, tuple[float, Interval]]
    of_controls: Mapping[str, float]


def estimate_dependence(
    close: Closeness,
    suspect: str,
    teacher: str,
    anchor: str,
    origins: Sequence[str],
    rng: np.random.Generator,
    suite: Mapping[str, str] | None = None,
    controls: Sequence[str] = (),
) -> Dependence:
    """Return where the suspect's phrase and template closeness lies between origin and anchor.

    Args:
        close: has suspect, anchor and origins among its models, the teacher among its candidates.
        suspect: the model in question.
        teacher: one candidate.
        anchor: a model that answers as the teacher does: its other snapshot.
        origins: the base model; several stand for each other (mean).
        rng: draws the resamples of prompts.
        suite: prompt_id to suite, for shares by suite (those with at least 30 prompts).
        controls: models of it that are nobody's students; one that is an origin is read against
            the other origins.

    Raises:
        EvidenceError: the anchor is not closer to the teacher than the origins: no scale.

    Error: percentile bootstrap over prompts (a resample without a scale counts as 0 below and as 1
    above); it covers the draw of prompts, not that of models, nor the choice of anchor and origin:
    ``of_controls`` shows how far models scatter. The share is *consistent with* so much dependence;
    a common source of training data raises it too, and it is no count of tokens.
    """
    triple, kept = _triple(close, suspect, teacher, anchor, origins)
    share = _share(triple)
    if not np.isfinite(share):
        raise EvidenceError(
            "the anchor is not closer to the teacher than the base is: there is no scale",
            where="dependence",
        )
    prompts = [p for p, k in zip(close.prompts, kept, strict=True) if k]
    labels = np.array([(suite or {}).get(p, "") for p in prompts])
    by_suite = {
        str(name): (_share(triple[labels == name]), _interval(triple[labels == name], rng))
        for name in sorted(set(labels) - {""})
        if int((labels == name).sum()) >= 30 and np.isfinite(_share(triple[labels == name]))
    }
    origin = origins[0] if len(origins) == 1 else f"the mean of {len(origins)} models"
    of_controls = {}
    for control in controls:
        others = [o for o in origins if o != control]
        if control not in (suspect, anchor) and others:
            read = _share(_triple(close, control, teacher, anchor, others)[0])
            if np.isfinite(read):
                of_controls[control] = read
    return Dependence(share, _interval(triple, rng), anchor, origin, by_suite, of_controls)


def _triple(
    close: Closeness, model: str, teacher: str, anchor: str, origins: Sequence[str]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return closeness of model, anchor and mean origin to the teacher by prompt, and which."""
    column = close.candidates.index(teacher)
    rows = [close.row(m) for m in (model, anchor, *origins)]
    values: FloatArray = np.log1p(close.channel["templates"][:, rows, column].astype(np.float64))
    values = values + np.log1p(close.channel["phrases"][:, rows, column].astype(np.float64))
    there = ~np.isnan(values[:, 2:]).all(axis=1)
    triple = np.full((values.shape[0], 3), np.nan)
    triple[:, :2] = values[:, :2]
    triple[there, 2] = np.nanmean(values[there, 2:], axis=1)
    kept = ~np.isnan(triple).any(axis=1)
    return triple[kept], kept


def _share(triple: FloatArray) -> float:
    suspect, anchor, origin = triple.mean(axis=0)
    if not anchor > origin:
        return float("nan")
    return float(np.clip((suspect - origin) / (anchor - origin), 0.0, 1.0))


def _interval(triple: FloatArray, rng: np.random.Generator) -> Interval:
    n = triple.shape[0]
    draws = np.array([_share(triple[rng.integers(0, n, n)]) for _ in range(_RESAMPLES)])
    low = np.quantile(np.nan_to_num(draws, nan=0.0), 0.025)
    high = np.quantile(np.nan_to_num(draws, nan=1.0), 0.975)
    return Interval(float(low), float(high), 0.95)
