"""Evidence adds in logarithms; certainty stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import EvidenceError
from stillwatch.stats import log_sum_exp, posterior


@settings(deadline=None)
@given(st.floats(0.01, 0.99), st.floats(-20, 20), st.floats(-10, 10))
def test_evidence_adds(prior: float, a: float, b: float) -> None:
    assert posterior(posterior(prior, a), b) == pytest.approx(posterior(prior, a + b), rel=1e-5)


def test_certain_priors_stay_and_contradictions_are_refused() -> None:
    got = posterior(np.array([0.0, 1.0, 0.5]), np.array([50.0, -50.0, 0.0]))
    assert got.tolist() == [0.0, 1.0, 0.5]
    with pytest.raises(EvidenceError):
        posterior(0.0, float("inf"))
    with pytest.raises(EvidenceError):
        posterior(1.1, 0.0)


def test_log_sum_exp_of_huge_and_of_no_numbers() -> None:
    assert log_sum_exp([1e5, 1e5]) == pytest.approx(1e5 + np.log(2))
    assert log_sum_exp([]) == -np.inf
    with pytest.raises(EvidenceError):
        log_sum_exp([np.nan])
