"""Which cohorts are campaigns: e-BH over all hypotheses, at the level of this look."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch.stats import alpha_at_look, e_bh, needed_e, q_values

__all__ = ["Choice", "choose"]


@dataclass(frozen=True)
class Choice:
    """The outcome of selection over the K cohorts that were tested.

    ``e``, ``q``: per tested cohort, in the order of ``cohorts``. ``needed``: the e-value that
    was needed given how many were selected, at a weight of 1. ``weights``: by cohort, 1 on average:
    what e was multiplied with. ``cannot_accuse``: even a perfect cohort could not
    have been selected.
    """

    cohorts: tuple[int, ...]
    e: np.ndarray
    q: np.ndarray
    selected: frozenset[int]
    needed: float
    alpha: float
    largest: float
    weights: Mapping[int, float]

    @property
    def cannot_accuse(self) -> bool:
        """Return whether the largest attainable e-value is below what one selection needs."""
        most = max(self.weights.values(), default=1.0) * self.largest
        return bool(self.cohorts) and most < needed_e(len(self.cohorts), 1, self.alpha)

    def needed_of(self, cohort: int) -> float:
        """Return the e-value that this cohort needed, with its weight."""
        return self.needed / self.weights.get(cohort, 1.0)


def choose(
    scores: pa.Table, *, alpha: float, look: int, largest: float,
    registered: Collection[int] = (),
) -> Choice:  # fmt: skip
    """Select by weighted e-BH with e = min(e_coordinated, e_extractive).

    What acted together in part A weighs more (`signals.step.weights`). ``registered``: cohorts that
    other providers registered as hypotheses. They share half of the level, whatever their number,
    and the others have the other half: a weight times e enters e-BH, and the weights add up to the
    number of hypotheses. Weights that do not depend on the data under
    test leave the bound as it is, *whoever* chose them; the worst that lying partners can do is to
    double what one's own hypotheses need. Where half of all or more are registered, none weighs
    more.

    The null of an accusation is "not coordinated or not extractive": rejecting one of them
    accuses nobody. The level of look t is alpha·6/(π²t²). Error: false discovery rate ≤ that
    level over the cohorts of this look, for any dependence between them (Wang & Ramdas 2022; with
    weights: Genovese, Roeder & Wasserman 2006, whose argument holds for e-values).
    """
    tested = [row for row in scores.to_pylist() if row["tested"]]
    level = alpha_at_look(alpha, look)
    e = np.array([min(row["e_coordinated"], row["e_extractive"]) for row in tested])
    cohorts = tuple(row["cohort"] for row in tested)
    if not tested:
        return Choice((), e, e, frozenset(), float("nan"), level, largest, {})
    shares = _shares(cohorts, set(registered))
    prior = np.array([row["weight"] * shares[row["cohort"]] for row in tested])
    weights = dict(zip(cohorts, (prior / prior.mean()).tolist(), strict=True))
    weighted = e * np.array([weights[c] for c in cohorts])
    selection = e_bh(weighted, level)
    picked = frozenset(cohorts[k] for k in np.asarray(selection.indices).tolist())
    needed = needed_e(len(tested), max(len(picked), 1), level)
    return Choice(cohorts, e, q_values(weighted), picked, float(needed), level, largest, weights)


def _shares(cohorts: Sequence[int], registered: Collection[int]) -> dict[int, float]:
    """Return how the level is shared with registered hypotheses; adds up to their number."""
    all_of, listed = len(cohorts), sum(c in registered for c in cohorts)
    if not 0 < 2 * listed < all_of:
        return dict.fromkeys(cohorts, 1.0)
    more, less = all_of / (2 * listed), all_of / (2 * (all_of - listed))
    return {c: more if c in registered else less for c in cohorts}
