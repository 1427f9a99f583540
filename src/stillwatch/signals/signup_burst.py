"""Accounts of the cohort were created together."""

from __future__ import annotations

import math

import numpy as np

from stillwatch.schema import SIGNUP_WINDOWS_S, CohortTest, Finding, Null, from_micros
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.verdicts import evaluated, not_enough
from stillwatch.stats import scan_cluster

__all__ = ["TEST", "burst_windows", "find"]

TEST = CohortTest(
    name="signup_burst",
    title="Accounts created together",
    claim="coordinated",
    null="creation times of the accounts are a random sample of everybody's creation times",
    needs=("accounts.created_at",),
    own=True,
)
_MIN = 4
_MOST_BURSTS = 8
_BURST_P = 1e-4
_TIMES_CHANCE = 10.0
_FEW = 4


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
    return evaluated(
        TEST,
        float(result.count),
        float(result.p_value),
        len(mine),
        Null("random sign-up times", float(result.expected), 0.0, _upper(float(result.expected))),
        f"{result.count} of {len(mine)} accounts were created within {_hours(result.window_s)} "
        f"from {start:%Y-%m-%d %H:%M} UTC; random customers would give {result.expected:.2g}",
    )


def _hours(window_s: float) -> str:
    """Return the length of a window in words.

    >>> _hours(3_600.0), _hours(86_400.0)
    ('1 hour', '24 hours')
    """
    hours = f"{window_s / 3600:.0f}"
    return f"{hours} hour" if hours == "1" else f"{hours} hours"


def burst_windows(cohort: Cohort, population: Population) -> list[tuple[float, float]]:
    """Return the cohort's bursts of sign-ups as start and end in seconds, the densest first.

    An operator opens its accounts in batches: what is left after a burst is scanned again, up to
    eight times, until none is found at p ≤ 1e-4. Its first account aside, a burst has to be ten
    times what everybody else's rate of sign-ups would put there, so that it names its accounts
    and hardly anybody else's: at five times a proxy's customer was created in one by chance. (The
    cohort is left out of that rate: it may be a third of all accounts.)
    """
    mine, everybody = population.founders.apart(cohort.senders)
    mine = np.sort(mine)
    found: list[tuple[float, float]] = []
    while len(found) < _MOST_BURSTS and len(mine) >= _MIN:
        result = scan_cluster(mine, everybody, SIGNUP_WINDOWS_S)
        window = np.array([result.window_start, result.window_start + result.window_s])
        inside = (mine >= window[0]) & (mine <= window[1])
        made = everybody.until(window[1:]) - everybody.before(window[:1])
        elsewhere = int(made[0]) - int(inside.sum())
        chance = (len(mine) - 1) * elsewhere / max(everybody.size - len(mine), 1)
        rare = result.count > max(_FEW, _TIMES_CHANCE * chance)
        if not result.p_value <= _BURST_P or not rare:
            break
        found.append((float(window[0]), float(window[1])))
        everybody = everybody.exchanged(mine[inside], [])
        mine = mine[~inside]
    return found


def _upper(expected: float) -> float:
    return expected + 2 * math.sqrt(expected) + 1
