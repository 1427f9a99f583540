"""The p-value of habits, to the last bit what measuring each drawn row by itself gives."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.stats import habit_p
from stillwatch.stats.habits import DRAWS


def slow_p(table: np.ndarray, least: float, rng: np.random.Generator) -> float:
    steps = np.geomspace(0.02, 20.0, 60)
    owners, n = len(table), table.sum(axis=1)
    shares = table.sum(axis=0) / table.sum()
    expected = n[:, None] * shares
    seen = float((np.square(table - expected) / expected).sum()) * owners / (owners - 1)
    exponent = steps * seen
    for size, times in zip(*np.unique(n, return_counts=True), strict=True):
        own = rng.dirichlet(shares * (1 - least) / least, DRAWS)
        drawn = rng.multinomial(size, own / own.sum(axis=1, keepdims=True))
        distance = (np.square(drawn - size * shares) / (size * shares)).sum(axis=1)
        values, often = np.unique(distance, return_counts=True)
        mean = np.exp(-steps[:, None] * values) @ (often / DRAWS)
        exponent += times * np.log(mean)
    return min(1.0, float(np.exp(min(float(exponent.min()), 0.0))))


@pytest.mark.parametrize(
    ("kinds", "sizes"),
    [(2, (2, 24)), (3, (4, 9)), (6, (3, 24)), (11, (8, 12))],
    ids=["two kinds", "three kinds", "six kinds, few ways and many", "more ways than are counted"],
)
def test_p_is_that_of_every_row_measured(kinds, sizes):
    rng = np.random.default_rng(kinds)
    table = np.vstack([rng.multinomial(s, np.ones(kinds) / kinds, 15) for s in sizes])
    found = habit_p(table, 0.1, np.random.default_rng(4))
    assert 0 < found.p_value < 1
    assert found.p_value == slow_p(table, 0.1, np.random.default_rng(4))
