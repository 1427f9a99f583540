"""Consecutive requests of the pool avoid falling on the same account: a dispatcher at work."""

from __future__ import annotations

import numpy as np

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.verdicts import evaluated, not_enough
from stillwatch.stats import same_label_adjacent

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
    """Count consecutive requests on one organization; fewer than chance speaks for turns.

    Null: any order of the labels is as likely as another. People work in sittings, which only
    raises the count, so independent customers make the test conservative; a platform's clock
    lowers it too, and rightly: its customers are coordinated by the clock (not extractive).
    """
    labels = population.org[cohort.sid]
    if len(labels) < _MIN or len(np.unique(labels)) < 3:
        return not_enough(TEST, len(labels), "fewer than thirty requests or three organizations")
    result = same_label_adjacent(labels)
    spread = 2 * float(np.sqrt(max(result.variance, 0.0)))
    low, high = max(0.0, result.mean - spread), result.mean + spread
    return evaluated(
        TEST,
        float(result.observed),
        float(result.p_lower),
        len(labels),
        Null("random order", float(result.mean), low, high),
        f"Consecutive requests of this pool fell on the same organization {result.observed} times "
        f"in {len(labels) - 1:,}; independent customers would give {result.mean:.0f} "
        f"({low:.0f}–{high:.0f}) or more",
    )
