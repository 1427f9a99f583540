"""Shared values are found singly and in number; popular ones prove nothing."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import Holdings, shared_value_test


def test_one_rare_value_held_by_many() -> None:
    held = np.concatenate([[12], np.ones(100_000, dtype=int)])
    got = shared_value_test([0] * 10 + list(range(1, 91)), held)
    assert got.p_one < 1e-20
    assert (got.top_value, got.top_count, got.n_shared) == (0, 10, 10)


def test_many_values_held_by_two_each() -> None:
    held = np.full(50_000, 2)
    got = shared_value_test(np.repeat(np.arange(20), 2), held)
    assert got.p_many < 1e-30
    assert got.p_one > 1e-4
    assert got.p_value == pytest.approx(2 * got.p_many)


def test_a_value_that_most_of_the_population_has_proves_nothing() -> None:
    held = np.concatenate([[90_000], np.ones(10_000, dtype=int)])
    got = shared_value_test([0] * 90 + list(range(1, 11)), held)
    assert got.p_value == 1.0


def test_missing_never_matches() -> None:
    held = np.full(1000, 2)
    got = shared_value_test([-1] * 50 + [3, 4], held)
    assert (got.n_present, got.n_shared, got.p_value) == (2, 0, 1.0)
    assert np.isnan(shared_value_test([-1, -1, 5], held).p_value)


def test_order_does_not_matter() -> None:
    held = np.full(500, 3)
    labels = np.random.default_rng(0).integers(0, 40, 30)
    labels = labels[np.argsort(labels, kind="stable")]
    keep = np.array([np.count_nonzero(labels[:i] == v) < 3 for i, v in enumerate(labels)])
    labels = labels[keep]
    assert shared_value_test(labels, held) == shared_value_test(labels[::-1], held)


def test_a_cohort_outside_the_population_is_refused() -> None:
    with pytest.raises(EvidenceError, match="population"):
        shared_value_test([0, 0], [1, 5])
    with pytest.raises(EvidenceError, match="code"):
        shared_value_test([7, 0], [1, 5])
    with pytest.raises(EvidenceError):
        shared_value_test([-2, 0], [1, 5])


def test_holdings_summed_up_once_serve_many_tests() -> None:
    counts = np.random.default_rng(5).integers(1, 9, 300)
    held = Holdings(counts)
    for seed in range(8):
        labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(300), counts))[:40]
        assert shared_value_test(labels, held) == shared_value_test(labels, counts)
