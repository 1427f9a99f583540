"""The p-value of habits: its bound from every way to choose, and never below the exact p."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import dirichlet_multinomial

from stillwatch.stats import habit_p

STEPS = np.geomspace(0.02, 20.0, 60)


def distance(ways: np.ndarray, shares: np.ndarray) -> np.ndarray:
    expected = ways.sum(axis=1, keepdims=True) * shares
    return (np.square(ways - expected) / expected).sum(axis=1)


def every_way(size: int, kinds: int) -> np.ndarray:
    ways = [w for w in product(range(size + 1), repeat=kinds - 1) if sum(w) <= size]
    return np.array([(*w, size - sum(w)) for w in ways])


def slow_p(table: np.ndarray, least: float) -> float:
    """Return the bound, each expectation summed over every way to choose."""
    owners, shares = len(table), table.sum(axis=0) / table.sum()
    seen = float(distance(table, shares).sum()) * owners / (owners - 1)
    exponent = STEPS * seen
    for size, times in zip(*np.unique(table.sum(axis=1), return_counts=True), strict=True):
        ways = every_way(int(size), table.shape[1])
        law = dirichlet_multinomial(shares * (1 - least) / least, int(size))
        exponent += times * np.log(np.exp(-STEPS[:, None] * distance(ways, shares)) @ law.pmf(ways))
    return min(1.0, float(np.exp(min(float(exponent.min()), 0.0))))


@pytest.mark.parametrize("least", [0.1, 0.4])
@pytest.mark.parametrize(
    ("shares", "sizes"),
    [([0.5, 0.5], (2, 24)), ([0.9, 0.05, 0.05], (4, 9)), ([0.3, 0.3, 0.2, 0.1, 0.1], (3, 7))],
    ids=["two kinds", "one kind leads", "five kinds"],
)
def test_p_is_that_of_every_way_to_choose(shares, sizes, least):
    rng = np.random.default_rng(len(shares))
    table = np.vstack([rng.multinomial(size, shares, 15) for size in sizes])
    found = habit_p(table, least)
    assert 0 < found.p_value < 1
    assert found.p_value == pytest.approx(slow_p(table, least), rel=1e-9)


def test_rare_kinds_do_not_make_p_vanish():
    # exp(-t X) of the smallest distance that there is underflows at the largest steps
    table = np.random.default_rng(5).multinomial(3, np.ones(100) / 100, 40)
    found = habit_p(table, 0.3)
    assert found.correlation < 0.3
    assert 1e-9 < found.p_value < 1


def test_p_bounds_how_often_owners_with_habits_agree_as_well():
    rng = np.random.default_rng(3)
    shares, least, owners, size = np.array([0.4, 0.35, 0.25]), 0.1, 12, 6
    own = rng.dirichlet(shares * (1 - least) / least, (40_000, owners))
    worlds = rng.multinomial(size, own)
    scores = np.array([distance(world, world.sum(axis=0) / world.sum()).sum() for world in worlds])
    table = worlds[np.argsort(scores)[40]]
    share_as_low = 41 / 40_000
    assert share_as_low < habit_p(table, least).p_value < 50 * share_as_low
