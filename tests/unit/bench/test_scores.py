"""Thresholds, pairs and intervals against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.bench.detector import Outcome
from stillwatch.bench.scores import at_rate, count_pairs, flags, summary_of
from stillwatch.bench.truth import Who
from stillwatch.stats import clopper_pearson

HONEST = Who("chat", None, "honest", None)


def core(campaign: str, rung: int = 1) -> Who:
    return Who(campaign, campaign, "core", rung)


def record(honest: list[float], campaigns: dict[str, list[float]], more: int = 0) -> dict:
    """One detector's record: honest scores, ``more`` honest accounts of score 0, campaigns."""
    score = np.array([*honest, *([0.0] * more), *(s for c in campaigns.values() for s in c)])
    who = [HONEST] * (len(honest) + more) + [core(n) for n, c in campaigns.items() for _ in c]
    return summary_of(Outcome(score, score >= 5.0), who)


def test_threshold_lets_so_many_honest_accounts_pass_and_no_more():
    one = record([9.0, 8.0, 7.0], {"x": [10.0, 8.5, 7.5, 1.0]}, more=1_997)
    at = at_rate([one], 1e-3)
    assert at["threshold"] == 7.0  # two of 2,000 may lie above
    assert at["honest_above"] == 2
    assert at["recall"] == 0.75
    strict = at_rate([one], 1e-4)
    assert strict["honest_above"] == 0
    assert strict["recall"] == 0.25
    assert strict["false_high"] == pytest.approx(clopper_pearson(0, 2_000).high)


def test_an_account_tied_with_the_threshold_is_not_found():
    assert at_rate([record([5.0], {"x": [5.0, 5.0]}, more=10)], 1e-5)["recall"] == 0.0


def test_recall_is_a_mean_over_campaigns_and_its_interval_over_accounts():
    one = record([1.0], {"big": [2.0] * 9 + [0.5], "small": [0.1]})
    at = at_rate([one], 1e-5)
    assert at["recall"] == pytest.approx((0.9 + 0.0) / 2)
    assert (at["accounts"]["found"], at["accounts"]["of"]) == (9, 11)
    exact = clopper_pearson(9, 11)
    assert (at["accounts"]["low"], at["accounts"]["high"]) == (exact.low, exact.high)


def test_one_threshold_holds_for_all_worlds():
    quiet, loud = record([1.0], {"x": [2.0]}, more=5), record([3.0], {"y": [2.0]}, more=5)
    assert at_rate([quiet], 1e-5)["recall"] == 1.0
    assert at_rate([quiet, loud], 1e-5)["recall"] == 0.0


def test_permitted_accounts_count_on_neither_side():
    who = [HONEST, Who("vendor", None, "permitted", None), core("x")]
    kept = summary_of(Outcome(np.array([0.0, 9.0, 1.0]), np.array([False, True, True])), who)
    assert kept["honest"] == 1
    assert kept["honest_flagged"] == {}
    assert at_rate([kept], 1e-5)["recall"] == 1.0


def test_own_threshold_names_the_families_that_it_accuses():
    told = flags([record([6.0, 5.0, 1.0], {"x": [7.0, 1.0]})])
    assert told is not None
    assert told["recall"] == 0.5
    assert told["by_family"] == {"chat": 2}
    assert told["false_rate"] == pytest.approx(2 / 3)
    assert flags([summary_of(Outcome(np.zeros(1)), [HONEST])]) is None


def test_pairs_of_two_campaigns_in_one_group_cost_precision():
    who = [core("x"), core("x"), core("x"), core("y"), core("y"), HONEST]
    group = np.array([0, 0, -1, 0, 1, 1])
    flagged = np.array([True, True, False, True, True, True])
    pairs = count_pairs(group, flagged, who)
    # groups {x, x, y} and {y, honest}: one pair right of 3 + 1; true: 3 of x, 1 of y;
    # found alone: 1 of x, 1 of y
    assert pairs == (1, 4, 4, 2)
