"""Which cohorts are campaigns: e-BH over all hypotheses, at the level of this look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch.stats import alpha_at_look, e_bh, needed_e, q_values

__all__ = ["Choice", "choose"]


@dataclass(frozen=True)
class Choice:
    """The outcome of selection over the K cohorts that were tested.

    ``e``, ``q``: per tested cohort, weighted, in the order of ``cohorts``. ``needed``: the e-value
    that was needed given how many were selected. ``cannot_accuse``: even a perfect cohort could
    not have been selected.
    """

    cohorts: tuple[int, ...]
    e: np.ndarray
    q: np.ndarray
    selected: frozenset[int]
    needed: float
    alpha: float
    largest: float

    @property
    def cannot_accuse(self) -> bool:
        """Return whether the largest attainable e-value is below what one selection needs."""
        return bool(self.cohorts) and self.largest < needed_e(len(self.cohorts), 1, self.alpha)


def choose(scores: pa.Table, *, alpha: float, look: int, largest: float) -> Choice:
    """Select by weighted e-BH with e = weight · min(e_coordinated, e_extractive).

    The null of an accusation is "not coordinated or not extractive": rejecting one of them
    accuses nobody. The level of look t is alpha·6/(π²t²). Error: false discovery rate ≤ that
    level over the cohorts of this look, for any dependence between them (Wang & Ramdas 2022); the
    weights come from other data and are 1 on average.
    """
    tested = [row for row in scores.to_pylist() if row["tested"]]
    level = alpha_at_look(alpha, look)
    e = np.array([r["weight"] * min(r["e_coordinated"], r["e_extractive"]) for r in tested])
    largest *= max((row["weight"] for row in tested), default=1.0)
    cohorts = tuple(row["cohort"] for row in tested)
    if not tested:
        return Choice((), e, e, frozenset(), float("nan"), level, largest)
    selection = e_bh(e, level)
    picked = frozenset(cohorts[k] for k in np.asarray(selection.indices).tolist())
    needed = needed_e(len(tested), max(len(picked), 1), level)
    return Choice(cohorts, e, q_values(e), picked, float(needed), level, largest)
