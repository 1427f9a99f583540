"""What every ranking of families shares: who may be named, how a ranking and its tests are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.stats import FloatArray, Interval, holm_adjusted, surrogate_p

__all__ = [
    "MIN_CONTROLS",
    "MOST_NAMED",
    "FamilyScore",
    "NamedTest",
    "check_controls",
    "check_named",
    "family_names",
    "named_tests",
    "ranked",
]

MOST_NAMED: Final = 3
MIN_CONTROLS: Final = 4
_LEVEL: Final = 0.95


@dataclass(frozen=True)
class FamilyScore:
    """One candidate family: its rank score, and its excess over the median one (nats)."""

    family: str
    score: float
    excess: float
    excess_interval: Interval
    first_in_resamples: float


@dataclass(frozen=True)
class NamedTest:
    """A candidate named beforehand: conformal p against the controls, Holm over those named."""

    family: str
    statistic: float
    p_value: float
    p_adjusted: float
    n_controls: int


def check_named(named: Sequence[str], families: Iterable[str]) -> None:
    """Check who was named beforehand.

    Raises:
        ConfigError: a family is unknown, twice, or more than three are named.
    """
    known = set(families)
    if unknown := sorted(set(named) - known):
        raise ConfigError(
            f"no family of the references is called {', '.join(unknown)}",
            where="candidates",
            hint=f"name one of {', '.join(sorted(known))}",
        )
    if len(named) > MOST_NAMED or len(set(named)) != len(named):
        raise ConfigError(
            f"name up to {MOST_NAMED} different families of the references",
            where="candidates",
            hint="more than three is a screening: name none",
        )


def check_controls(controls: Sequence[object]) -> None:
    """Check that there are enough controls. Raises EvidenceError below four."""
    if len(controls) < MIN_CONTROLS:
        raise EvidenceError(
            f"got {len(controls)} control models, expected at least {MIN_CONTROLS}",
            where="references",
            hint="add answers of models that are documented to have no outside teacher, with the "
            "role control in models.csv",
        )


def family_names(families: Iterable[str]) -> tuple[str, ...]:
    """Return the names once each, in alphabetical order. Raises EvidenceError below three."""
    names = tuple(sorted(set(families)))
    if len(names) < 3:
        raise EvidenceError(
            f"got {len(names)} candidate families, expected at least 3",
            where="references",
            hint="add answers of teachers of other families: closest of two says nothing",
        )
    return names


def named_tests(rows: Sequence[tuple[str, float, FloatArray]]) -> tuple[NamedTest, ...]:
    """Return a test a row: a rank among the controls, ties against the claim; Holm covers all rows.

    Args:
        rows: family, the suspect's statistic, and the controls' own, shape (controls,).
    """
    raw = [surrogate_p(observed, null, "upper") for _, observed, null in rows]
    return tuple(
        NamedTest(family, observed, p, raised, null.size)
        for (family, observed, null), p, raised in zip(rows, raw, holm_adjusted(raw), strict=True)
    )


def ranked(
    names: Sequence[str],
    score: FloatArray,
    above: FloatArray,
    drawn: FloatArray,
    first: FloatArray,
    by: FloatArray,
) -> tuple[FamilyScore, ...]:
    """Return families from the closest on, ties in the order of their names.

    Args:
        names: shape (families,), as all but ``drawn``.
        score: what the ranking shows of a family.
        above: its excess over the median one.
        drawn: shape (resamples, families), the excess on prompts drawn anew.
        first: in which share of the resamples it was first.
        by: what orders the families, the largest first.
    """
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    order = sorted(range(len(names)), key=lambda k: (-by[k], names[k]))
    return tuple(
        FamilyScore(
            names[k],
            float(score[k]),
            float(above[k]),
            Interval(float(low[k]), float(high[k]), _LEVEL),
            float(first[k]),
        )
        for k in order
    )
