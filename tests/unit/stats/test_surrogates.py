"""Shifted copies keep each series' gaps; p-values of draws keep their bounds."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import (
    interior_span,
    shifted_surrogates,
)


def test_each_series_keeps_its_gaps_and_moves_by_at_most_the_shift() -> None:
    rng = np.random.default_rng(0)
    times, series = rng.uniform(0, 1e5, 200), rng.integers(0, 5, 200)
    (copy,) = shifted_surrogates(times, series, 600.0, rng, 1)
    assert (np.diff(copy.times_s) >= 0).all()
    offsets = set()
    for label in range(5):
        before = np.sort(times[series == label])
        after = copy.times_s[copy.labels == label]
        assert np.allclose(after - before, after[0] - before[0], atol=1e-6)
        assert abs(after[0] - before[0]) <= 600.0
        offsets.add(round(float(after[0] - before[0]), 3))
    assert len(offsets) == 5


def test_the_order_of_events_does_not_matter_and_inputs_stay() -> None:
    rng = np.random.default_rng(1)
    times, series = rng.uniform(0, 1e4, 50), rng.choice(np.array(["a", "b", "c"]), 50)
    kept, order = times.copy(), rng.permutation(50)
    one = list(shifted_surrogates(times, series, 10.0, np.random.default_rng(2), 3))
    two = list(shifted_surrogates(times[order], series[order], 10.0, np.random.default_rng(2), 3))
    for a, b in zip(one, two, strict=True):
        assert (a.times_s == b.times_s).all()
        assert (a.labels == b.labels).all()
    assert (times == kept).all()


def test_a_span_cuts_the_edges() -> None:
    times = np.arange(100.0)
    span = interior_span(times, 10.0)
    assert span == (10.0, 89.0)
    (copy,) = shifted_surrogates(times, np.zeros(100), 10.0, np.random.default_rng(0), 1, span)
    assert copy.times_s.min() >= 10.0
    assert copy.times_s.max() <= 89.0
    assert np.isnan(interior_span(times, 50.0)).all()
    assert np.isnan(interior_span([], 1.0)).all()


def test_bad_parameters_are_refused_before_the_first_draw() -> None:
    with pytest.raises(EvidenceError):
        shifted_surrogates([1.0], np.array([1]), 0.0, np.random.default_rng(0), 1)
    with pytest.raises(EvidenceError):
        shifted_surrogates([1.0], np.array([1, 2]), 1.0, np.random.default_rng(0), 1)
