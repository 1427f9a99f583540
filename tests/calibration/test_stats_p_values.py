"""P(p <= t) <= t within binomial error, for each p-value whose null can be drawn."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from scipy.stats import binom

from stillwatch.stats import (
    between_share,
    bootstrap_interval,
    calibrate,
    conformal_e,
    e_bh,
    habit_p,
    poisson_dispersion_p,
    same_label_adjacent,
    scan_cluster,
    shared_value_test,
)

LEVELS = (0.1, 0.01, 0.001)


def assert_super_uniform(p_values: Iterable[float]) -> None:
    """Fail when more p-values lie below a level than chance explains (1 in 10,000)."""
    p = np.asarray(list(p_values))
    assert not np.isnan(p).any()
    for level in LEVELS:
        below = int((p <= level).sum())
        assert below <= binom.isf(1e-4, p.size, level), (level, below / p.size)


def test_scan_of_random_members_of_an_uneven_population() -> None:
    rng = np.random.default_rng(11)
    population = np.concatenate([rng.uniform(0, 1e5, 800), rng.normal(3e4, 200, 200)])
    assert_super_uniform(
        scan_cluster(rng.choice(population, 30, replace=False), population, [50, 5000]).p_value
        for _ in range(10_000)
    )


def test_scan_of_a_sparse_population_where_the_anchor_would_mislead() -> None:
    # windows so small that they hold little but their own first event
    rng = np.random.default_rng(12)
    population = np.arange(500.0) * 1000 + rng.uniform(0, 400, 500)
    assert_super_uniform(
        scan_cluster(rng.choice(population, 8, replace=False), population, [500.0]).p_value
        for _ in range(5000)
    )


@pytest.mark.parametrize("name", ["mixed", "pairs", "rare pairs"])
def test_sharing_of_random_members(name: str) -> None:
    rng = np.random.default_rng(13)
    held = {
        "mixed": np.concatenate([np.full(500, 2), np.full(200, 5), [100, 300]]),
        "pairs": np.full(1000, 2),
        # one shared pair has chance 1 in 200: a Bonferroni over pairs seen would fail here
        "rare pairs": np.full(20_000, 2),
    }[name]
    labels = np.repeat(np.arange(held.size), held)
    size = 20 if name == "rare pairs" else 40
    results = [
        shared_value_test(labels[rng.choice(labels.size, size, replace=False)], held)
        for _ in range(4000)
    ]
    for field in ("p_value", "p_one", "p_many"):
        assert_super_uniform(getattr(r, field) for r in results)
    shared = np.array([r.n_shared for r in results])
    error = 4 * shared.std() / np.sqrt(shared.size) + 1e-3
    assert abs(shared.mean() - results[0].expected_shared) <= error


@pytest.mark.parametrize(
    "sizes", [(10, 10), (200, 200), (5,) * 10, (40,) * 50, (300, 20, 10, 5, 1, 1), (990, *[1] * 10)]
)
def test_adjacency_of_random_orders(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(14)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    assert_super_uniform(same_label_adjacent(rng.permutation(labels)).p_lower for _ in range(4000))


@pytest.mark.parametrize("k", [5, 10, 50, 500])
@pytest.mark.parametrize("mean", [0.5, 2, 5, 50])
def test_dispersion_of_multinomial_counts(k: int, mean: float) -> None:
    rng = np.random.default_rng(15)
    counts = rng.multinomial(int(k * mean), [1 / k] * k, size=5000)
    for tail in ("lower", "upper"):
        assert_super_uniform(poisson_dispersion_p(row, tail) for row in counts)


def choices(
    rng: np.random.Generator, owners: int, size: int, shares: list[float], correlation: float
) -> np.ndarray:
    """Return counts (owners x kinds) of owners whose choices correlate."""
    mine = rng.dirichlet(np.array(shares) * (1 - correlation) / correlation, owners)
    return np.stack([rng.multinomial(size, own / own.sum()) for own in mine])


@pytest.mark.parametrize("correlation", [0.1, 0.3])
@pytest.mark.parametrize(
    ("owners", "size", "shares"), [(8, 5, [0.6, 0.4]), (30, 3, [0.5, 0.3, 0.2])]
)
def test_habits_of_owners_that_have_them(
    owners: int, size: int, shares: list[float], correlation: float
) -> None:
    rng = np.random.default_rng(18)
    assert_super_uniform(
        result.p_value
        for result in (
            habit_p(choices(rng, owners, size, shares, correlation), 0.1) for _ in range(500)
        )
        if not np.isnan(result.p_value)
    )


def test_between_share_of_random_labels() -> None:
    rng = np.random.default_rng(16)
    vectors = rng.normal(size=(60, 8)).astype(np.float32)
    group = np.repeat(np.arange(6), [2, 4, 8, 16, 20, 10])
    got = [between_share(vectors, rng.permutation(group), rng, 99) for _ in range(2000)]
    for field in ("p_upper", "p_lower", "p_upper_fitted"):
        assert_super_uniform(getattr(g, field) for g in got)
    assert abs(np.mean([g.share for g in got])) < 0.002


def test_e_values_average_at_most_one_and_e_bh_holds_its_rate() -> None:
    rng = np.random.default_rng(17)
    e = calibrate(1.0 - rng.random(200_000), 0.5)
    assert e.mean() == pytest.approx(1.0, abs=0.05)
    scores = rng.normal(size=(5000, 20))
    conformal = [conformal_e(row[0], row[1:]).e for row in scores]
    assert np.mean(conformal) == pytest.approx(1.0, abs=0.06)
    # 50 nulls, 50 alternatives, all nulls dependent through one common factor
    shares = []
    for _ in range(500):
        null = np.full(50, calibrate(1.0 - rng.random()))
        chosen = e_bh(np.concatenate([null, np.full(50, 1e4)]), 0.1).indices
        shares.append((chosen < 50).sum() / max(1, chosen.size))
    assert np.mean(shares) <= 0.05 + 0.02


def test_bootstrap_coverage_is_what_its_docstring_prints() -> None:
    rng = np.random.default_rng(18)
    for units, low, high in ((10, 0.82, 0.88), (30, 0.89, 0.945)):
        hits = 0
        for _ in range(800):
            got = bootstrap_interval(rng.exponential(size=units), np.mean, rng, 300)
            hits += got.low <= 1.0 <= got.high
        assert low <= hits / 800 <= high
