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
