"""Paired shares: a published example, coverage, and the ends of the range."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import paired_difference


def test_the_interval_covers_and_the_p_value_keeps_its_level():
    rng = np.random.default_rng(3)
    covered, rejected, runs = 0, 0, 2000
    for _ in range(runs):
        u = rng.random(120)
        first = (u < 0.5) ^ (rng.random(120) < 0.1)
        second = (u < 0.5) ^ (rng.random(120) < 0.1)
        found = paired_difference(first, second)
        covered += found.interval.low <= 0 <= found.interval.high
        rejected += found.p_value <= 0.05
    assert 0.93 <= covered / runs <= 0.985
    assert rejected / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_a_shift_of_every_item_is_the_whole_range():
    found = paired_difference([1] * 30, [0] * 30)
    assert found.difference == 1.0
    assert found.interval.high == 1.0
    assert found.p_value == pytest.approx(2 * 0.5**30)
    assert found.only_first == 30


def test_equal_arms_differ_by_nothing_and_items_must_match():
    found = paired_difference([1, 0, 1], [1, 0, 1])
    assert (found.difference, found.p_value) == (0.0, 1.0)
    with pytest.raises(EvidenceError):
        paired_difference([1], [1, 0])
    with pytest.raises(EvidenceError):
        paired_difference([], [])


def test_with_groups_alone_nothing_changes():
    rng = np.random.default_rng(1)
    x, y = rng.random(40) < 0.6, rng.random(40) < 0.4
    assert paired_difference(x, y, groups=[str(k) for k in range(40)]) == paired_difference(x, y)


def test_groups_that_err_together_keep_level_and_coverage():
    """Twelve kinds of twenty items, each leaning to one side: single items would not do."""
    rng = np.random.default_rng(2)
    kinds = np.repeat(np.arange(12), 20)
    names = [str(k) for k in kinds]
    runs, covered, alone, small, small_alone = 300, 0, 0, 0, 0
    for _ in range(runs):
        lean = rng.normal(0, 0.25, 12)[kinds]  # no difference over all kinds there are
        x = rng.random(240) < np.clip(0.5 + lean, 0, 1)
        y = rng.random(240) < np.clip(0.5 - lean, 0, 1)
        found, single = paired_difference(x, y, groups=names), paired_difference(x, y)
        covered += found.interval.low <= 0 <= found.interval.high
        alone += single.interval.low <= 0 <= single.interval.high
        small += found.p_value <= 0.05
        small_alone += single.p_value <= 0.05
    assert found.groups == 12
    bound = 3.3 * np.sqrt(0.05 * 0.95 / runs)
    assert covered / runs >= 0.95 - bound
    assert small / runs <= 0.05 + bound
    assert alone / runs < 0.7  # what was wrong with single items
    assert small_alone / runs > 0.3


def test_one_group_says_nothing():
    found = paired_difference([1] * 30, [0] * 30, groups=["a"] * 30)
    assert (found.interval.low, found.interval.high, found.p_value) == (-1.0, 1.0, 1.0)
