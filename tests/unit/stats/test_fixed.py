"""Nine digits: short, close, stable."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.stats import round9

finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None, max_examples=300)
@given(st.lists(finite, max_size=20))
def test_round9_is_idempotent_close_and_short(values: list[float]) -> None:
    x = np.array(values, dtype=np.float64)
    got = round9(x)
    assert (round9(got) == got).all()
    normal = np.abs(x) > 1e-300
    assert (np.abs(got - x)[normal] <= 5.0001e-9 * np.abs(x)[normal]).all()
    for v in got.tolist():
        assert float(f"{v:.9g}") == v


def test_round9_of_special_numbers() -> None:
    got = round9(np.array([np.nan, np.inf, -0.0, 1000.0, 999999999.6]))
    assert np.isnan(got[0])
    assert got[1] == np.inf
    assert not np.signbit(got[2])
    assert got[3:].tolist() == [1000.0, 1e9]
    assert round9(1 / 3) == 0.333333333
    assert isinstance(round9(2.0), float)
