"""A finding is one test's result about one subject or cohort, in numbers and one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["CohortTest", "Finding", "Null"]


@dataclass(frozen=True)
class CohortTest:
    """What a signal is, fixed once: its claim, its null, and what it needs to be evaluated."""

    name: str
    title: str
    claim: str  # coordinated | extractive
    null: str  # the null hypothesis in words
    needs: tuple[str, ...]  # exchange or account columns
    own: bool = False  # True: others cannot create this evidence for an account


@dataclass(frozen=True)
class Null:
    """What the null predicts: its mean and a central 95 % range, and a few of its quantiles.

    ``draws`` holds at most 41 evenly spaced quantiles of the null distribution for the
    picture, or is empty where the null is exact and only its range is drawn.
    """

    name: str
    expected: float
    low: float
    high: float
    draws: tuple[float, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "expected": self.expected,
            "low": self.low,
            "high": self.high,
            "draws": list(self.draws),
        }


@dataclass(frozen=True)
class Finding:
    """One test's result. ``p_value`` is NaN where ``evaluable`` is False, never 1.

    ``text`` is a sentence with the numbers; it holds no text of prompts. ``excuse``: the honest
    reason, in a word or two, for which an act counts as nothing, empty without one; ``e_value`` is
    then that of no evidence, and ``e_before`` what it was.
    """

    signal: str
    claim: str
    statistic: float
    p_value: float
    e_value: float
    n: int
    null: Null | None
    text: str
    evaluable: bool = True
    missing: tuple[str, ...] = ()
    excuse: str = ""
    e_before: float = float("nan")
