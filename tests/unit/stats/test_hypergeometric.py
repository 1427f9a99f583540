"""Hypergeometric tails behave at their ends and in bulk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import EvidenceError
from stillwatch.stats import (
    hypergeometric_log_pmf,
    hypergeometric_log_tail,
    hypergeometric_log_zero,
)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 5000), st.data())
def test_the_tail_falls_from_certain_to_impossible(population: int, data: st.DataObject) -> None:
    marked = data.draw(st.integers(0, population))
    drawn = data.draw(st.integers(0, population))
    k = np.arange(-1, min(marked, drawn) + 2)
    tail = hypergeometric_log_tail(k, population, marked, drawn)
    assert tail[0] == 0.0
    assert tail[-1] == -np.inf
    assert (np.diff(tail[:-1]) <= 1e-9).all()
    zero = hypergeometric_log_zero(population, np.array([marked]), drawn)[0]
    assert np.exp(zero) == pytest.approx(
        np.exp(hypergeometric_log_pmf(0, population, marked, drawn))
    )


def test_impossible_populations_are_refused() -> None:
    with pytest.raises(EvidenceError):
        hypergeometric_log_tail(1, 10, 11, 5)
    with pytest.raises(EvidenceError):
        hypergeometric_log_zero(10, np.array([3]), 11)
