"""Common pauses are seen; one series or no span is not enough."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import (
    common_silence,
)


def test_one_switch_for_all_series_is_seen() -> None:
    rng = np.random.default_rng(3)
    times = rng.uniform(0, 172_800, 4000)
    off = (times % 17_280) < 3000  # ten common pauses of 50 minutes
    times = times[~off]
    series = rng.integers(0, 8, times.size)
    got = common_silence(times, series, 120.0, rng, 99, 3600.0)
    assert got.p_value < 1e-4
    assert got.longest_s > 2500
    assert got.total_s > 1.5 * got.expected_total_s


def test_silence_needs_two_series_and_a_span() -> None:
    rng = np.random.default_rng(4)
    times = np.arange(0.0, 1e5, 100.0)
    assert np.isnan(common_silence(times, np.zeros(times.size), 60.0, rng, 99, 900.0).p_value)
    assert np.isnan(common_silence(times[:10], np.arange(10), 60.0, rng, 99, 900.0).p_value)
    assert np.isnan(common_silence([], np.array([]), 60.0, rng, 99, 900.0).p_value)
    with pytest.raises(EvidenceError):
        common_silence(times, np.zeros(times.size), 0.0, rng, 99, 900.0)
