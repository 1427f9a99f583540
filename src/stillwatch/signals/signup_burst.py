"""Accounts of the cohort were created together."""

from __future__ import annotations

import math

from stillwatch.schema import SIGNUP_WINDOWS_S, CohortTest, Finding, Null, from_micros
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.verdicts import evaluated, not_enough
from stillwatch.stats import scan_cluster

__all__ = ["TEST", "burst_window", "find"]

TEST = CohortTest(
    name="signup_burst",
    title="Accounts created together",
    claim="coordinated",
    null="creation times of the accounts are a random sample of everybody's creation times",
    needs=("accounts.created_at",),
    own=True,
)
_MIN = 4


def find(cohort: Cohort, population: Population) -> Finding:
    """Test the densest window of creation times; one account per organization counts.

    Null: members' creation times are drawn without replacement from the population's. Exact
    hypergeometric tail per window, Bonferroni over windows: P(p ≤ t) ≤ t. Of an organization in
    the cohort its first sender there stands in the population too.
    """
    mine, everybody = population.founders.apart(cohort.senders)
    if len(mine) < _MIN:
        return not_enough(TEST, len(mine), "fewer than four creation times are known")
    result = scan_cluster(mine, everybody, SIGNUP_WINDOWS_S)
    start = from_micros(int(result.window_start * 1e6))
    hours = result.window_s / 3600
    return evaluated(
        TEST,
        float(result.count),
        float(result.p_value),
        len(mine),
        Null("random sign-up times", float(result.expected), 0.0, _upper(float(result.expected))),
        f"{result.count} of {len(mine)} accounts were created within {hours:.0f} hours from "
        f"{start:%Y-%m-%d %H:%M} UTC; random customers would give {result.expected:.2g}",
    )


def burst_window(cohort: Cohort, population: Population) -> tuple[float, float] | None:
    """Return the burst's start and end in seconds, or None when there is none at p ≤ 1e-4."""
    mine, everybody = population.founders.apart(cohort.senders)
    if len(mine) < _MIN:
        return None
    result = scan_cluster(mine, everybody, SIGNUP_WINDOWS_S)
    if not result.p_value <= 1e-4:
        return None
    return float(result.window_start), float(result.window_start + result.window_s)


def _upper(expected: float) -> float:
    return expected + 2 * math.sqrt(expected) + 1
