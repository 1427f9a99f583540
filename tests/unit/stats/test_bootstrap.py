"""The bootstrap ignores the order of rows and needs two."""

from __future__ import annotations

import numpy as np

from stillwatch.stats import (
    bootstrap_interval,
)


def test_bootstrap_does_not_depend_on_row_order() -> None:
    values = np.random.default_rng(1).normal(size=(40, 2))
    shuffled = np.random.default_rng(2).permutation(values)
    one = bootstrap_interval(values, lambda x: float(x[:, 0].mean()), np.random.default_rng(3), 50)
    two = bootstrap_interval(
        shuffled, lambda x: float(x[:, 0].mean()), np.random.default_rng(3), 50
    )
    assert one == two
    assert one.low < values[:, 0].mean() < one.high


def test_bootstrap_of_one_unit_is_undefined() -> None:
    got = bootstrap_interval(np.array([1.0]), np.mean, np.random.default_rng(0))
    assert np.isnan(got.low)
    assert np.isnan(got.high)
