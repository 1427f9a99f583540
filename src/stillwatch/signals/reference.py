"""What benign cohorts score, and how likely one of them is to score as high as a suspect one."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any, Final, NamedTuple

import numpy as np

from stillwatch.errors import EvidenceError
from stillwatch.schema import Null
from stillwatch.stats import calibrate

__all__ = ["KAPPA", "Reference", "References", "read_reference", "shipped_references"]

KAPPA: Final = 0.05


@dataclass(frozen=True)
class Reference:
    """Scores of benign cohorts of one kind, and how their upper tail is continued.

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
        """Return P(a benign cohort of this kind scores at least this much): rank, then tail."""
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
        """Return the largest e-value that a score can reach."""
        return float(calibrate(self.floor, KAPPA))

    def null(self, name: str) -> Null:
        """Return the reference as what the null predicts, with 41 quantiles for the picture."""
        (low, mid, high), draws = self._quantiles
        return Null(name, mid, low, high, draws)

    @cached_property
    def _quantiles(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        ends = tuple(float(np.quantile(self.scores, q)) for q in (0.025, 0.5, 0.975))
        draws = np.quantile(self.scores, np.linspace(0, 1, 41))
        return ends, tuple(round(float(q), 4) for q in draws)

    def range_of(self, trait: str) -> str:
        """Return where the central 95 % of a trait lie, for a sentence."""
        quantiles = self.traits[trait]
        return f"{max(quantiles[0], 0.0):.0%}–{quantiles[-1]:.0%}"


class References(NamedTuple):
    """Benign cohorts of two kinds: those that act together, and independent carriers."""

    together: Reference
    apart: Reference

    @property
    def largest_e(self) -> float:
        """Return the largest e-value of an accusation: both claims have to reach it."""
        return self.together.largest_e


@cache
def shipped_references() -> References:
    """Return the references in the package. Raises EvidenceError when they are not there."""
    file = resources.files("stillwatch.signals").joinpath("reference.json")
    if not file.is_file():
        raise EvidenceError("the benign reference is missing", hint="run make reference")
    raw = json.loads(file.read_text(encoding="utf-8"))
    return References(read_reference(raw["together"]), read_reference(raw["apart"]))


def read_reference(raw: dict[str, Any]) -> Reference:
    """Return a Reference from the JSON that `make reference` writes for one kind."""
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
