"""P-values of draws keep their bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import EvidenceError
from stillwatch.stats import (
    TAIL_FLOOR,
    surrogate_p,
    tail_p,
)


@settings(deadline=None, max_examples=60)
@given(st.floats(-1e6, 1e6), st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=120))
def test_tail_p_lies_between_its_floor_and_the_rank_p(observed: float, draws: list[float]) -> None:
    for tail in ("lower", "upper"):
        p = tail_p(observed, draws, tail)
        assert TAIL_FLOOR <= p <= surrogate_p(observed, draws, tail)


def test_tail_p_extends_only_beyond_every_draw() -> None:
    draws = np.random.default_rng(0).normal(size=199)
    assert tail_p(float(draws.max()), draws, "upper") == surrogate_p(draws.max(), draws, "upper")
    assert tail_p(12.0, draws, "upper") < 1e-9
    assert tail_p(-12.0, draws, "lower") < 1e-9
    assert tail_p(12.0, draws[:20], "upper") == pytest.approx(1 / 21)
    assert tail_p(1.0, np.zeros(99), "upper") == pytest.approx(1 / 100)


def test_an_undefined_statistic_has_no_p_value() -> None:
    assert np.isnan(tail_p(float("nan"), [1.0, 2.0], "upper"))
    with pytest.raises(EvidenceError):
        surrogate_p(1.0, [np.nan], "upper")
    with pytest.raises(EvidenceError):
        surrogate_p(1.0, [1.0], "both")  # type: ignore[arg-type]
