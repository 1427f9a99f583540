"""A bet on even dealing is fair at the edge of each null, and loses beyond."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import APPETITE, SITTING, dealing_e

HOUR, N = 60, 24


def drawn(rng, rates, n=240, sitting=0.0):
    """Return n labels in the order of time, a share of which repeats one of the last hour."""
    times = np.sort(rng.integers(0, 100 * HOUR, n))
    labels = rng.choice(len(rates), n, p=rates / rates.sum())
    first = np.searchsorted(times, times - HOUR)
    for t in np.flatnonzero(rng.random(n) < sitting).tolist():
        late = np.unique(labels[first[t] : t])
        labels[t] = rng.choice(late) if len(late) else labels[t]
    return labels, times


def test_the_mean_is_one_at_most_at_the_edges():
    """Heavy tails: the mean of a thousand is compared with its own error, from above."""
    rng = np.random.default_rng(1)
    even, again = [], []
    for _ in range(300):
        rates = rng.gamma(1 / APPETITE**2, size=N)
        even.append(dealing_e(*drawn(rng, rates), N, HOUR).e_even)
        again.append(dealing_e(*drawn(rng, np.ones(N), sitting=SITTING), N, HOUR).e_random)
    for found in (even, again):
        low = np.mean(found) - 3 * np.std(found) / np.sqrt(len(found))
        assert low < 1.0
        assert np.mean(np.array(found) >= 20) <= 0.05


def test_dealing_wins_and_what_is_beyond_the_nulls_loses():
    rng = np.random.default_rng(2)
    dealt = dealing_e(*drawn(rng, np.ones(N), 600), N, HOUR)
    assert dealt.e_value == min(dealt.e_even, dealt.e_always, dealt.e_random) > 20
    assert dealing_e(*drawn(rng, rng.gamma(1.0, size=N), 600), N, HOUR).e_even < 0.01
    assert dealing_e(*drawn(rng, np.ones(N), 600, sitting=0.5), N, HOUR).e_random < 0.01
    times = np.arange(600)
    of_a_day = np.sort(np.arange(600) % N)  # as much each, one after another
    assert dealing_e(of_a_day, times, N, HOUR).e_even > 20
    assert dealing_e(of_a_day, times, N, HOUR).e_always < 0.01


def test_bad_input():
    none = np.zeros(0, dtype=np.int64)
    assert dealing_e(none, none, 5, HOUR).e_value == 1.0
    with pytest.raises(EvidenceError):
        dealing_e(np.array([0, 7]), np.array([0, 1]), 5, HOUR)
    with pytest.raises(EvidenceError):
        dealing_e(np.array([0, 1]), np.array([0]), 5, HOUR)
