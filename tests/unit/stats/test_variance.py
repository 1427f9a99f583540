"""The share between groups: clear, order-free, or undefined."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import (
    between_share,
)


def test_groups_that_differ_have_a_share_near_one() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(10), 20)
    vectors = (rng.normal(size=(10, 6))[group] + 0.05 * rng.normal(size=(200, 6))).astype("f4")
    got = between_share(vectors, group, rng)
    assert got.share > 0.95
    assert got.p_upper == pytest.approx(1 / 200)
    assert got.p_upper_fitted == pytest.approx(1e-12)
    assert got.p_lower == 1.0


def test_the_share_does_not_depend_on_row_order() -> None:
    rng = np.random.default_rng(1)
    vectors, group = rng.normal(size=(60, 4)).astype("f4"), rng.integers(0, 6, 60)
    order = rng.permutation(60)
    one = between_share(vectors, group, np.random.default_rng(2), 50)
    two = between_share(vectors[order], group[order], np.random.default_rng(2), 50)
    assert one == two


def test_shares_without_groups_or_variance_are_undefined() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(6, 2))
    assert np.isnan(between_share(vectors, np.zeros(6), rng).share)
    assert np.isnan(between_share(vectors, np.arange(6), rng).share)
    assert np.isnan(between_share(np.ones((6, 2)), np.arange(6) % 2, rng).share)
    assert np.isnan(between_share(vectors, np.arange(6) % 2, rng, 0).p_upper)
    with pytest.raises(EvidenceError):
        between_share(vectors, np.zeros(5), rng)
    with pytest.raises(EvidenceError):
        between_share(np.full((6, 2), np.nan), np.zeros(6), rng)
