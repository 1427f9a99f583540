"""Rows of each owner are thinned evenly, and nobody loses its only ones."""

from __future__ import annotations

import numpy as np

from stillwatch.stats import spread_rows


def test_an_owner_of_few_rows_keeps_them_all() -> None:
    owner = np.array([2, 0, 2, 1])
    assert sorted(spread_rows(owner, 24).tolist()) == [0, 1, 2, 3]


def test_many_rows_are_thinned_from_the_first_to_the_last() -> None:
    owner = np.repeat([0, 1], [100, 3])
    rows = spread_rows(owner, 5)
    assert rows[:5].tolist() == [0, 24, 49, 74, 99]
    assert rows[5:].tolist() == [100, 101, 102]


def test_nobody_is_nobody() -> None:
    assert spread_rows(np.zeros(0, dtype=np.int64), 5).size == 0
