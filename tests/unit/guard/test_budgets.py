"""A campaign's budget: who spent it, when it comes back, what a wrong clock does to it."""

from __future__ import annotations

import pytest

from stillwatch.guard.budgets import BUCKETS, Budget

from .conftest import HOUR, T0, guard, ordered, request

WINDOW_S = 6 * 3600
WIDTH_US = WINDOW_S * 1_000_000 // BUCKETS


def spent_at(hours: list[float], limit: int = 30) -> Budget:
    budget = Budget(limit, WINDOW_S)
    for hour in hours:
        budget.spend(T0 + int(hour * HOUR))
    return budget


@pytest.mark.parametrize(("age_h", "wait_s"), [(0, 21_600), (2, 14_400), (5.5, 1_800)])
def test_who_is_throttled_hears_when_the_oldest_spending_ends(age_h, wait_s):
    budget = spent_at([0] * 30)
    assert budget.spent(T0 + int(age_h * HOUR)) == 30
    assert abs(budget.retry_after_s() - wait_s) <= WIDTH_US // 1_000_000
    later = T0 + int(age_h * HOUR) + (budget.retry_after_s() + 1) * 1_000_000
    assert budget.spent(later) == 0


def test_a_throttled_caller_hears_the_same_up_to_an_hour_and_may_keep_no_answer():
    decider = guard()
    answers = [decider.decide(request("bad-1", T0)) for _ in range(31)]
    assert (answers[-1].verdict, answers[-1].retry_after_s) == ("throttle", 3_600)
    decision = decider.decide(request("bad-2", T0 + 5 * HOUR + HOUR // 2))
    assert 1_500 <= decision.retry_after_s <= 2_100
    assert {d.ttl_s for d in (*answers, decision)} == {0}


def test_a_refusal_may_not_be_kept_as_an_undo_ends_it_within_a_second():
    for verdict in ("deny", "step_up", "summarize", "watch"):
        assert guard(ordered(verdict)).decide(request("bad-1")).ttl_s == 0
    assert guard().decide(request("someone")).ttl_s == 60


def test_what_other_nodes_spent_counts_for_a_window_and_no_longer():
    budget = Budget(30, WINDOW_S)
    budget.others = {T0 // WIDTH_US: 20, T0 // WIDTH_US - BUCKETS + 1: 5, T0 // WIDTH_US + 900: 7}
    assert budget.spent(T0) == 25  # what is far ahead is a wrong clock of theirs
    assert budget.spent(T0 + WIDTH_US) == 20
    assert budget.spent(T0 + 6 * HOUR) == 0


def test_a_clock_that_jumps_back_frees_nothing_at_first():
    for back_h in (1, 5, 900):
        budget = spent_at([900] * 30)
        for _ in range(40):
            assert budget.spent(T0 + (900 - back_h) * HOUR) == 30


def test_a_clock_that_ran_ahead_and_came_back_holds_nobody_until_it_is_that_time():
    """It used to be throttled 500 hours later still."""
    budget = spent_at([900] * 30)
    for _ in range(30):
        budget.spent(T0)
    assert budget.spent(T0 + 5 * HOUR) == 30
    assert budget.spent(T0 + 6 * HOUR) == 0
    budget.spend(T0 + 7 * HOUR)
    assert budget.own() == {(T0 + 7 * HOUR) // WIDTH_US: 1}


def test_single_late_requests_are_no_clock_that_came_back():
    budget = spent_at([900] * 30)
    for k in range(100):
        budget.spent(T0 + k)
        budget.spent(T0 + 900 * HOUR)
    budget.spend(T0)
    assert budget.spent(T0 + 900 * HOUR) == 31
