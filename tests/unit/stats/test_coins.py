"""Exact tails against enumeration, and the power search against its definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from stillwatch.errors import EvidenceError
from stillwatch.stats import binomial_tail, coin_sum_tail, holm_adjusted, trials_needed

DICE = st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=4), min_size=1, max_size=5)


@given(DICE, st.integers(-50, 50))
def test_the_tail_is_that_of_all_outcomes(dice, observed):
    outcomes = [sum(faces) for faces in itertools.product(*dice)]
    wanted = sum(value >= observed for value in outcomes) / len(outcomes)
    assert coin_sum_tail(dice, observed) == pytest.approx(max(wanted, 1e-300), rel=1e-9)


def test_two_faces_give_the_binomial_far_into_the_tail():
    assert coin_sum_tail([(0, 1)] * 200, 190) == pytest.approx(binom.sf(189, 200, 0.5), rel=1e-9)
    assert binomial_tail(190, 200, 0.5) == pytest.approx(binom.sf(189, 200, 0.5))


def test_what_no_die_can_reach_has_the_floor_and_no_die_gives_one():
    assert coin_sum_tail([(0, 1)], 2) == 1e-300
    assert coin_sum_tail([], 0) == 1.0
    with pytest.raises(EvidenceError):
        coin_sum_tail([()], 0)


def test_trials_needed_is_the_first_number_with_the_power():
    n = trials_needed(0.7, 1e-6, 0.9)

    def power(trials: int) -> float:
        k = next(k for k in range(trials + 2) if binom.sf(k - 1, trials, 0.5) <= 1e-6)
        return float(binom.sf(k - 1, trials, 0.7))

    assert power(n) >= 0.9
    assert power(n - 1) < 0.9 or power(n - 2) < 0.9
    with pytest.raises(EvidenceError):
        trials_needed(0.5, 0.05, 0.9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_lies_between_the_raw_value_and_bonferroni(p):
    raised = np.array(holm_adjusted(p))
    assert (raised >= np.array(p) - 1e-12).all()
    assert (raised <= np.minimum(1, np.array(p) * len(p)) + 1e-12).all()


def test_holm_rejects_nothing_that_lies_outside():
    with pytest.raises(EvidenceError):
        holm_adjusted([1.2])
