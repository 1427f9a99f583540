"""E-values: mean at most one under the null, honest about their largest value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import EvidenceError
from stillwatch.stats import calibrate, conformal_e, max_attainable

scores = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


def test_calibrate_needs_a_p_value_above_zero() -> None:
    for bad in (0.0, -0.1, 1.5, float("nan")):
        with pytest.raises(EvidenceError, match="p-value"):
            calibrate(bad)
    with pytest.raises(EvidenceError, match="kappa"):
        calibrate(0.5, 1.0)


def test_calibrate_is_finite_at_the_floor_and_keeps_the_shape() -> None:
    e = calibrate(np.array([[1e-300, 1.0]]))
    assert e.shape == (1, 2)
    assert np.isfinite(e).all()
    assert e[0, 1] == pytest.approx(0.1)


@settings(deadline=None)
@given(st.floats(1e-300, 1.0), st.floats(1e-300, 1.0))
def test_smaller_p_never_gives_smaller_e(a: float, b: float) -> None:
    assert calibrate(min(a, b)) >= calibrate(max(a, b))


@settings(deadline=None)
@given(scores)
def test_the_conformal_e_values_of_all_positions_average_to_one(values: list[float]) -> None:
    e = [conformal_e(v, values[:i] + values[i + 1 :]).e for i, v in enumerate(values)]
    assert np.mean(e) == pytest.approx(1.0)
    assert max(e) <= len(values)


def test_conformal_e_of_huge_scores_and_of_no_reference() -> None:
    assert conformal_e(1e5, np.zeros(99)) == (100.0, 100.0)
    assert conformal_e(3.0, []) == (1.0, 1.0)
    assert conformal_e(-np.inf, [0.0, 1.0]).e == 0.0
    assert np.isnan(conformal_e(-np.inf, [-np.inf]).e)
    with pytest.raises(EvidenceError):
        conformal_e(np.nan, [0.0])


def test_max_attainable_names_one_method() -> None:
    assert max_attainable(99) == 100.0
    assert max_attainable(smallest_p=1e-6) == calibrate(1e-6)
    with pytest.raises(EvidenceError):
        max_attainable()
    with pytest.raises(EvidenceError):
        max_attainable(9, smallest_p=0.1)
    with pytest.raises(EvidenceError):
        max_attainable(-1)
