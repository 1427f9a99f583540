"""Which cohorts are campaigns: e-BH over all hypotheses, at the level of this look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from stillwatch.signals import ALONE_ASKED, e_of_halves
from stillwatch.stats import alpha_at_look, e_bh, needed_e, q_values

__all__ = ["Choice", "choose"]


@dataclass(frozen=True)
class Choice:
    """The outcome of selection over the K cohorts that were tested.

    ``e``, ``q``: per tested cohort, in the order of ``cohorts``. ``needed``: the e-value that
    was needed given how many were selected, at a weight of 1. ``weights``: by cohort, what its e
    counted with. ``watch``: by cohort, the e-value that is enough to be looked at. ``usual``: what
    one's own hypothesis of weight 1 needed. ``asked``: the weight of *extractive* for one that
    acted. ``cannot_accuse``: even a perfect cohort could not have been selected.
    """

    cohorts: tuple[int, ...]
    e: np.ndarray
    q: np.ndarray
    selected: frozenset[int]
    needed: float
    alpha: float
    largest: float
    weights: Mapping[int, float]
    watch: Mapping[int, float] = field(default_factory=dict)
    usual: float = float("nan")
    asked: float = 1.0

    @property
    def usual_asked(self) -> float:
        """Return the e-value of *extractive* that one's own cohort needed where it acted."""
        return self.usual / self.asked

    @property
    def cannot_accuse(self) -> bool:
        """Return whether the largest attainable e-value is below what one selection needs."""
        if not self.cohorts:
            return False
        alone = needed_e(len(self.cohorts), 1, self.alpha) / self.needed * self.usual_asked
        return bool(self.largest < alone)

    def needed_of(self, cohort: int) -> float:
        """Return the e-value that this cohort needed, with its weight (1 where it has none)."""
        return self.needed / (self.weights.get(cohort, 1.0) or 1.0)


def choose(
    scores: pa.Table, *, alpha: float, look: int, largest: float, looks: int | None = None,
    registered: Mapping[int, float] | None = None,
) -> Choice:  # fmt: skip
    """Select by weighted e-BH with the smaller of both claims, each with its weight.

    The weights are those of `signals.claims.weights`; those of both claims over all cohorts add up
    to the number of cohorts.
    ``registered``: by cohort, the e-value of hypotheses that other providers registered, made on
    data that did not choose them. One's own hypotheses (those of ``scores``) share half of the
    level and the registered ones the other half, the latter evenly; what is on both lists has both
    e-values, each with its share. So one's own needs at most twice what it needed, however long
    the others' list is, and a registered one competes with that list alone.

    The null of an accusation is "not coordinated or not extractive": rejecting one of them
    accuses nobody. The level of look t is alpha·6/(π²t²), or alpha / ``looks``. Error: false
    discovery rate ≤ that level over the cohorts of this look, for any dependence between them:
    what counts has a mean of at most the weight of a claim that does not hold, whichever it is,
    and all weights add up to the number of hypotheses (Wang & Ramdas 2022; the weights as in
    Genovese, Roeder & Wasserman 2006). It does not matter who chose the list.
    """
    tested = [row for row in scores.to_pylist() if row["tested"]]
    own = {row["cohort"]: min(row["e_coordinated"], row["e_extractive"]) for row in tested}
    watch = {
        row["cohort"]: min(
            e_of_halves(row["e_acts_watch"], row["e_source"], row["e_screen"]),
            max(row["e_extractive"], row["e_extractive_watch"]),
        )
        for row in tested
    }
    total = sum(row["w_coordinated"] + row["w_extractive"] for row in tested)
    counts = {
        row["cohort"]: min(
            row["w_coordinated"] * row["e_coordinated"], row["w_extractive"] * row["e_extractive"]
        )
        / total
        for row in tested
    }
    asked = max((row["w_extractive"] for row in tested), default=0.0)
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
                counts.get(c, 0.0) + (listed[c] / len(listed) if c in listed else 0.0)
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
        cohorts, e, q_values(weighted), picked, float(needed), level, largest, weights, watch,
        float(usual), float(asked or ALONE_ASKED * len(own) or 1.0),
    )  # fmt: skip
