"""Turns are seen; blocks, single labels and names of labels are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.stats import (
    same_label_adjacent,
)


def test_round_robin_is_seen() -> None:
    got = same_label_adjacent(np.tile(np.arange(5), 40))
    assert got.observed == 0
    assert got.p_lower < 1e-8


def test_blocks_and_single_labels_are_not_round_robin() -> None:
    assert same_label_adjacent(np.repeat(np.arange(5), 40)).p_lower == pytest.approx(1.0)
    assert same_label_adjacent(np.zeros(9)).p_lower == 1.0
    assert same_label_adjacent(np.arange(9)).p_lower == 1.0
    assert np.isnan(same_label_adjacent(np.array([1])).p_lower)
    assert np.isnan(same_label_adjacent(np.array([])).mean)


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=60))
def test_adjacency_ignores_the_names_of_labels(labels: list[int]) -> None:
    array = np.array(labels)
    assert same_label_adjacent(array) == same_label_adjacent(np.array(list("edcba"))[array])
    assert 0.0 < same_label_adjacent(array).p_lower <= 1.0
