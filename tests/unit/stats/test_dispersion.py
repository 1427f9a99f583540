"""Even counts are told from mixed ones, few counts from enough."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import (
    fano,
    poisson_dispersion_p,
)


def test_equal_volumes_are_under_dispersed_and_mixed_ones_over() -> None:
    even, mixed = np.full(40, 100), np.array([10, 1000] * 20)
    assert fano(even) == 0.0
    assert poisson_dispersion_p(even, "lower") < 1e-20
    assert poisson_dispersion_p(even, "upper") > 0.99
    assert poisson_dispersion_p(mixed, "upper") < 1e-100
    assert poisson_dispersion_p(mixed, "upper") >= 1e-300


def test_too_few_counts_are_not_enough_data() -> None:
    assert np.isnan(fano([3]))
    assert np.isnan(fano([0, 0]))
    assert np.isnan(poisson_dispersion_p([1, 2, 3, 4], "lower"))
    assert np.isnan(poisson_dispersion_p([0, 0, 0, 0, 1], "lower"))
    with pytest.raises(EvidenceError):
        poisson_dispersion_p([1.5, 2.0], "lower")
    with pytest.raises(EvidenceError):
        poisson_dispersion_p([1, -2], "lower")
