"""Richness grows with the draws and stops at the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.stats import rarefied_curve, rarefied_richness


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(0, 60))
def test_richness_grows_with_draws_up_to_the_categories(counts: list[int], draws: int) -> None:
    total, seen = sum(counts), sum(c > 0 for c in counts)
    got = rarefied_richness(counts, draws)
    if draws > total:
        assert np.isnan(got)
        return
    assert -1e-12 <= got <= min(seen, draws) + 1e-9
    assert rarefied_richness(counts, total) == pytest.approx(seen)
    if draws > 0:
        assert got >= rarefied_richness(counts, draws - 1) - 1e-12


def test_a_curve_is_the_richness_at_each_number_of_draws():
    rng = np.random.default_rng(6)
    for _ in range(20):
        counts = rng.integers(0, 12, 30)
        draws = np.unique(rng.integers(0, counts.sum() + 3, 9))
        with np.errstate(all="raise"):
            curve = rarefied_curve(counts, draws)
        alone = [rarefied_richness(counts, int(n)) for n in draws]
        assert np.array_equal(curve, alone, equal_nan=True)
        assert np.isnan(curve[draws > counts.sum()]).all()
