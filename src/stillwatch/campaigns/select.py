"""Which cohorts are campaigns: e-BH over all hypotheses, at the level of this look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch.stats import alpha_at_look, e_bh, needed_e, q_values

__all__ = ["Choice", "choose"]


@dataclass(frozen=True)
class Choice:
    """The outcome of selection over the K cohorts that were tested.

    ``e``, ``q``: per tested cohort, in the order of ``cohorts``. ``needed``: the e-value that
    was needed given how many were selected, at a weight of 1. ``weights``: by cohort, what its e
    counted with. ``usual``: what one's own hypothesis of weight 1 needed. ``cannot_accuse``: even
    a perfect cohort could not have been selected.
    """

    cohorts: tuple[int, ...]
    e: np.ndarray
    q: np.ndarray
    selected: frozenset[int]
    needed: float
    alpha: float
    largest: float
    weights: Mapping[int, float]
    usual: float = float("nan")

    @property
    def cannot_accuse(self) -> bool:
        """Return whether the largest attainable e-value is below what one selection needs."""
        most = max(self.weights.values(), default=1.0) * self.largest
        return bool(self.cohorts) and most < needed_e(len(self.cohorts), 1, self.alpha)

    def needed_of(self, cohort: int) -> float:
        """Return the e-value that this cohort needed, with its weight."""
        return self.needed / self.weights.get(cohort, 1.0)


def choose(
    scores: pa.Table, *, alpha: float, look: int, largest: float, looks: int | None = None,
    registered: Mapping[int, float] | None = None,
) -> Choice:  # fmt: skip
    """Select by weighted e-BH with e = min(e_coordinated, e_extractive).

    What acted together in part A weighs more (`signals.step.weights`, 1 on average).
    ``registered``: by cohort, the e-value of hypotheses that other providers registered, made on
    data that did not choose them. One's own hypotheses (those of ``scores``) share half of the
    level and the registered ones the other half, the latter evenly; what is on both lists has both
    e-values, each with its share. So one's own needs at most twice what it needed, however long
    the others' list is, and a registered one competes with that list alone.

    The null of an accusation is "not coordinated or not extractive": rejecting one of them
    accuses nobody. The level of look t is alpha·6/(π²t²), or alpha / ``looks``. Error: false
    discovery rate ≤ that level over the cohorts of this look, for any dependence between them: a
    weighted sum of e-values whose weights the data behind each e-value do not choose, all weights
    adding up to the number of hypotheses, has a mean of at most its weight under the null (Wang &
    Ramdas 2022; the weights as in Genovese, Roeder & Wasserman 2006). It does not matter who chose
    the list.
    """
    tested = [row for row in scores.to_pylist() if row["tested"]]
    own = {row["cohort"]: min(row["e_coordinated"], row["e_extractive"]) for row in tested}
    prior = {row["cohort"]: row["weight"] for row in tested}
    total = sum(prior.values())
    listed = dict(registered or {})
    level = alpha_at_look(alpha, look, looks)
    cohorts = tuple(sorted(own.keys() | listed.keys()))
    e = np.array([listed.get(c, own.get(c, 0.0)) for c in cohorts])
    if not cohorts:
        return Choice((), e, e, frozenset(), float("nan"), level, largest, {})
    half = 0.5 if own and listed else 1.0
    weighted = (
        len(cohorts)
        * half
        * np.array(
            [
                (own[c] * prior[c] / total if c in own else 0.0)
                + (listed[c] / len(listed) if c in listed else 0.0)
                for c in cohorts
            ]
        )
    )
    weights = {
        c: float(w / v) if v > 0 else 1.0 for c, w, v in zip(cohorts, weighted, e, strict=True)
    }
    selection = e_bh(weighted, level)
    picked = frozenset(cohorts[k] for k in np.asarray(selection.indices).tolist())
    needed = needed_e(len(cohorts), max(len(picked), 1), level)
    usual = needed / (len(cohorts) * half / len(own)) if own else needed
    return Choice(
        cohorts, e, q_values(weighted), picked, float(needed), level, largest, weights,
        float(usual),
    )  # fmt: skip
