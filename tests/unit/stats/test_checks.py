"""Inputs that cannot carry a statistic are refused, with the place named."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import (
    as_codes,
    as_floats,
    as_ints,
    canonical_order,
    p_from_log,
    require_tail,
)


def test_floats_are_one_dimensional_and_finite() -> None:
    for bad in ([[1.0]], [np.nan], [np.inf]):
        with pytest.raises(EvidenceError, match="here"):
            as_floats(bad, "here")


def test_ints_take_whole_floats_only() -> None:
    assert as_ints([1.0, 2.0], "here").tolist() == [1, 2]
    assert as_ints([], "here").dtype == np.int64
    for bad in ([0.5], [np.nan], ["a"], [[1]]):
        with pytest.raises(EvidenceError, match="here"):
            as_ints(bad, "here")
    with pytest.raises(EvidenceError, match="expected >= 0"):
        as_ints([-1], "here", at_least=0)


def test_codes_follow_the_sorted_labels() -> None:
    assert as_codes(["b", "a", "b"], 3, "here").tolist() == [1, 0, 1]
    with pytest.raises(EvidenceError):
        as_codes(["a"], 2, "here")


def test_p_values_stay_between_their_floor_and_one() -> None:
    assert p_from_log(-5000.0) == 1e-300
    assert p_from_log(3.0) == 1.0
    with pytest.raises(EvidenceError):
        require_tail("two", "here")


def test_canonical_order_sorts_any_shuffle_alike() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 3, (50, 2)).astype(np.float32)
    shuffled = rng.permutation(rows)
    assert (rows[canonical_order(rows)] == shuffled[canonical_order(shuffled)]).all()
    assert canonical_order(np.empty((0, 2))).size == 0
