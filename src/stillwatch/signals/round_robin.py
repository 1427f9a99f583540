"""Consecutive requests of the pool avoid falling on the same account: a dispatcher at work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.verdicts import evaluated, not_enough
from stillwatch.stats import calibrate, mean_e, same_label_adjacent, turns_e

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
    """Ask whether the next request falls on one of the last accounts less often than by chance.

    Null: any order of the labels is as likely as another. Two statistics share the stake: how many
    neighbours are equal, and how often the next request falls on one of the organizations of the
    last half round (`stats.turns_e`), which sees a dealer who goes round but not a crew that
    works in shifts, whose members come back soon. People work in sittings, which only raises
    both, so independent customers make the test conservative. Not evidence where the accounts
    follow a clock (`hours.on_a_clock`): regular jobs take turns without anybody's hand.
    """
    labels = population.org[cohort.sid]
    if len(labels) < _MIN or len(np.unique(labels)) < 3:
        return not_enough(TEST, len(labels), "fewer than thirty requests or three organizations")
    near, turns = same_label_adjacent(labels), turns_e(labels)
    e_value = float(mean_e([float(calibrate(float(near.p_lower))), turns.e_value]))
    p_value = min(1.0, 2 * min(float(near.p_lower), 1 / max(turns.e_value, 1e-300)))
    spread = 2 * float(np.sqrt(max(near.variance, 0.0)))
    low, high = max(0.0, near.mean - spread), near.mean + spread
    found = evaluated(
        TEST,
        float(near.observed),
        p_value,
        len(labels),
        Null("random order", float(near.mean), low, high),
        f"Consecutive requests of this pool fell on the same organization {near.observed} times "
        f"in {len(labels) - 1:,}; independent customers would give {near.mean:.0f} "
        f"({low:.0f}–{high:.0f}) or more; {turns.seen:.0%} fell on one of the last {turns.lag}, "
        f"where they would give {turns.expected:.0%}",
    )
    return replace(found, e_value=e_value)
