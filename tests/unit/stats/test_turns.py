"""A bet on turns is fair in every random order, wins against dealers, loses against people."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import each_own_turns_e, own_turns_e, turns_e


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


@pytest.mark.parametrize(("n", "k"), [(8, 2), (12, 3), (14, 5), (9, 9)])
def test_the_mean_over_all_places_of_one_label_is_one(n, k):
    found = [own_turns_e(np.array(places), n) for places in combinations(range(n), k)]
    assert np.mean(found) == pytest.approx(1.0, abs=1e-9)
    assert k == n or max(found) > 1.1


def test_a_burst_after_a_long_silence_loses_and_is_a_number():
    """Three at once of the last few: a chance that is lost when one takes all others from 1."""
    places = np.r_[np.arange(19_996), 80_000 + np.arange(4)]
    assert 0 <= own_turns_e(places, 100_000) < 1e-6


def test_one_that_is_dealt_to_wins_by_itself():
    rng = np.random.default_rng(4)
    dealt = {
        "shuffled": np.concatenate([rng.permutation(60) for _ in range(20)]),
        "in order": np.tile(rng.permutation(60), 7),
        "with slips": np.tile(rng.permutation(60), 20)[
            np.argsort(np.arange(1_200) + rng.normal(0, 8, 1_200))
        ],
    }
    for name, labels in dealt.items():
        found = [own_turns_e(np.flatnonzero(labels == k), len(labels)) for k in range(60)]
        assert np.median(found) > 100, name


def test_one_that_comes_in_sittings_or_at_random_loses():
    rng = np.random.default_rng(5)
    random = [own_turns_e(np.sort(rng.choice(1_000, 12, replace=False)), 1_000) for _ in range(500)]
    assert np.mean(np.array(random) >= 20) <= 0.05
    sittings = np.sort(rng.choice(20, 4, replace=False) * 50)[:, None] + np.arange(3)
    assert own_turns_e(sittings.ravel(), 1_000) < 0.1
    assert own_turns_e(np.array([3]), 10) == 1.0


@pytest.mark.parametrize("at_once", [1, 60, 50_000])
def test_labels_asked_together_are_worth_what_each_is_alone(monkeypatch, at_once):
    monkeypatch.setattr("stillwatch.stats.turns._TURNS", at_once)
    rng = np.random.default_rng(6)
    for labels in (rng.integers(0, 17, 300), np.tile(np.arange(12), 9)):
        places = [np.flatnonzero(labels == k) for k in range(18)]  # of the last there is none
        alone = [own_turns_e(of, len(labels)) for of in places]
        assert each_own_turns_e(places, len(labels)).tolist() == alone
    assert len(each_own_turns_e([], 5)) == 0
