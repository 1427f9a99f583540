"""Requests avoid the accounts that had one lately: a dispatcher at work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.verdicts import evaluated, not_enough
from stillwatch.stats import turns_e

__all__ = ["TEST", "find"]

TEST = CohortTest(
    name="round_robin",
    title="Requests take turns over the accounts",
    claim="coordinated",
    null="given the times, the order of the accounts is random or clustered",
    needs=("ts",),
    own=True,
)
_MIN = 30


def find(cohort: Cohort, population: Population) -> Finding:
    """Bet that the next request falls on none of the organizations of the last half round.

    Null: any order of the labels is as likely as another. A dealer that goes round comes back to
    nobody so soon (`stats.turns_e`). People work in sittings and crews in shifts, which
    brings the next request back sooner, so both lose the bet. Regular jobs take turns without
    anybody's hand: where the accounts follow a clock (`hours.on_a_clock`) it counts as nothing.
    """
    labels = population.org[cohort.sid]
    if len(labels) < _MIN or len(np.unique(labels)) < 3:
        return not_enough(TEST, len(labels), "fewer than thirty requests or three organizations")
    turns = turns_e(labels)
    if np.isnan(turns.seen):
        return not_enough(TEST, len(labels), "the order of the accounts cannot matter")
    low, high = (min(max(turns.expected + k * turns.error, 0.0), 1.0) for k in (-2, 2))
    found = evaluated(
        TEST,
        turns.seen,
        1 / max(turns.e_value, 1.0),
        len(labels),
        Null("random order", turns.expected, low, high),
        f"{turns.seen:.0%} of {len(labels):,} requests fell on one of the last {turns.lag} "
        f"organizations; independent customers would give {turns.expected:.0%} "
        f"({low:.0%}–{high:.0%}) or more",
    )
    return replace(found, e_value=turns.e_value)
