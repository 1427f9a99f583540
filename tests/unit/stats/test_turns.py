"""A bet on turns is fair in every random order, wins against dealers, loses against people."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import turns_e


@pytest.mark.parametrize(
    "labels", [(0, 0, 1, 1, 2, 2), (0, 0, 0, 1, 1, 2), (0, 0, 0, 0, 1, 2), (0, 1, 2, 3, 4, 0, 1)]
)
def test_the_mean_over_all_orders_is_one(labels):
    found = [turns_e(np.array(order)).e_value for order in permutations(labels)]
    assert np.mean(found) == pytest.approx(1.0, abs=1e-9)
    assert max(found) > 1.1  # it can win


def test_random_orders_of_uneven_accounts_seldom_win():
    rng = np.random.default_rng(1)
    share = rng.dirichlet(np.ones(30))
    found = np.array([turns_e(rng.choice(30, 300, p=share)).e_value for _ in range(1_000)])
    assert (found >= 20).mean() <= 0.05
    assert (found >= 100).mean() <= 0.01


def test_dealing_in_rounds_wins():
    rng = np.random.default_rng(2)
    rounds = turns_e(np.concatenate([rng.permutation(100) for _ in range(5)]))
    assert rounds.lag == 50
    assert rounds.e_value > 1e20
    assert rounds.seen < 0.2 < rounds.expected
    uneven = np.concatenate([rng.choice(100, 60, replace=False) for _ in range(10)])
    assert turns_e(uneven).e_value > 100


def test_sittings_lose():
    rng = np.random.default_rng(3)
    assert turns_e(np.repeat(rng.permutation(100), 5)).e_value < 1e-3


def test_what_cannot_be_bet_on():
    for labels in (np.zeros(0, dtype=np.int64), np.zeros(40, dtype=np.int64)):
        found = turns_e(labels)
        assert found.e_value == 1.0
        assert np.isnan(found.seen)
    with pytest.raises(EvidenceError):
        turns_e(np.zeros((2, 2)))
