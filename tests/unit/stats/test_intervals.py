"""Intervals hold at their ends, and undefined ones are NaN."""

from __future__ import annotations

import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import (
    clopper_pearson,
    poisson_interval,
    rule_of_three,
    wilson,
)


@pytest.mark.parametrize("interval", [clopper_pearson, wilson])
def test_share_intervals_touch_their_ends(interval) -> None:
    assert interval(0, 20).low == 0.0
    assert interval(20, 20).high == 1.0
    assert interval(0, 0)[:2] == (0.0, 1.0)
    low, high, _ = interval(3, 20)
    assert low < 0.15 < high
    with pytest.raises(EvidenceError):
        interval(3, 2)


@pytest.mark.parametrize("n", [3, 30, 3000])
def test_rule_of_three_is_at_most_three_over_n(n: int) -> None:
    assert 1.8 / n < rule_of_three(n) <= 3.0 / n
    assert rule_of_three(0) == 1.0


def test_poisson_interval_scales_with_exposure() -> None:
    one, ten = poisson_interval(4), poisson_interval(4, 10.0)
    assert ten.high == pytest.approx(one.high / 10)
    assert poisson_interval(0).low == 0.0
    with pytest.raises(EvidenceError):
        poisson_interval(1, 0.0)
