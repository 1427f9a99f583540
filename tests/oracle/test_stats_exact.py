"""Closed forms of `stillwatch.stats` against brute force, fractions and scipy."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb, log

import numpy as np
import pytest
from scipy import stats as scipy_stats

from stillwatch.stats import (
    between_share,
    calibrate,
    clopper_pearson,
    e_bh,
    hypergeometric_log_pmf,
    hypergeometric_log_tail,
    hypergeometric_log_zero,
    leave_one_out,
    poisson_dispersion_p,
    poisson_interval,
    q_values,
    rarefied_richness,
    round9,
    rule_of_three,
    same_label_adjacent,
    shared_value_test,
    wilson,
)


def tail_by_fractions(k: int, population: int, marked: int, drawn: int) -> Fraction:
    ways = [
        comb(marked, x) * comb(population - marked, drawn - x)
        for x in range(max(k, 0), min(marked, drawn) + 1)
    ]
    return Fraction(sum(ways), comb(population, drawn))


def test_hypergeometric_tails_equal_fractions_for_all_small_cases() -> None:
    for population in (1, 5, 9):
        for marked, drawn in itertools.product(range(population + 1), repeat=2):
            for k in range(-1, population + 2):
                want = float(tail_by_fractions(k, population, marked, drawn))
                got = float(np.exp(hypergeometric_log_tail(k, population, marked, drawn)))
                assert got == pytest.approx(want, abs=1e-13), (k, population, marked, drawn)


@pytest.mark.parametrize(
    "case", [(40, 1000, 100, 60), (5, 1000, 100, 60), (300, 5000, 2500, 600), (60, 500, 60, 60)]
)
def test_hypergeometric_tails_keep_their_digits_far_out(case: tuple[int, int, int, int]) -> None:
    exact = tail_by_fractions(*case)
    want = log(exact.numerator) - log(exact.denominator)
    assert float(hypergeometric_log_tail(*case)) == pytest.approx(want, abs=1e-9)


def test_hypergeometric_mass_and_zero_agree_with_scipy() -> None:
    k = np.arange(0, 31)
    want = scipy_stats.hypergeom.logpmf(k, 10_000, 30, 700)
    assert hypergeometric_log_pmf(k, 10_000, 30, 700) == pytest.approx(want, abs=1e-8)
    marked = np.array([0, 1, 7, 300])
    zero = hypergeometric_log_zero(10_000, marked, 700)
    want = scipy_stats.hypergeom.logpmf(0, 10_000, marked, 700)
    assert zero == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize(
    "labels", ["aab", "aabb", "aaabb", "abcabc", "aaabbc", "aaaabbcd", "aabbccdd"]
)
def test_adjacency_moments_and_tail_against_all_permutations(labels: str) -> None:
    draws = np.array(
        [
            sum(a == b for a, b in itertools.pairwise(order))
            for order in set(itertools.permutations(labels))
        ]
    )
    for order in {labels, labels[::-1], "".join(sorted(labels, key=labels.find))}:
        got = same_label_adjacent(np.array(list(order)))
        assert got.mean == pytest.approx(draws.mean())
        assert got.variance == pytest.approx(draws.var())


@pytest.mark.parametrize("sizes", [(8, 8), (12, 4), (6, 6, 6), (4, 4, 4, 4), (9, 3, 2, 2)])
def test_adjacency_p_is_not_below_the_exact_tail(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    orders = rng.permuted(np.tile(labels, (40_000, 1)), axis=1)
    draws = (orders[:, 1:] == orders[:, :-1]).sum(axis=1)
    seen: dict[int, np.ndarray] = {}
    for row, value in zip(orders, draws, strict=True):
        seen.setdefault(int(value), row)
    for value, row in seen.items():
        exact = float((draws <= value).mean())
        if exact <= 0.1:
            error = 3 * np.sqrt(exact / draws.size)
            assert same_label_adjacent(row).p_lower >= 0.85 * (exact - error)


@pytest.mark.parametrize("pairs, drawn", [(500, 30), (5000, 100), (50_000, 60)])
def test_many_shared_pairs_against_their_exact_law(pairs: int, drawn: int) -> None:
    # j whole pairs among the drawn: C(P, j) C(P-j, n-2j) 2^(n-2j) / C(2P, n)
    law = [
        Fraction(comb(pairs, j) * comb(pairs - j, drawn - 2 * j) * 2 ** (drawn - 2 * j))
        / comb(2 * pairs, drawn)
        for j in range(drawn // 2 + 1)
    ]
    for j in range(1, drawn // 2 + 1):
        labels = np.concatenate([np.repeat(np.arange(j), 2), np.arange(j, drawn - j)])
        exact = float(sum(law[j:]))
        got = shared_value_test(labels, np.full(pairs, 2)).p_many
        assert got >= exact
        if 1e-280 < exact < 0.001:
            assert log(got) <= 0.55 * log(exact), (j, exact, got)
        elif exact < 0.1:
            assert got <= 8 * exact, (j, exact, got)


def test_one_shared_value_bounds_the_exact_law_of_the_birthday() -> None:
    # one value held twice in a cohort of pairs: chance that any pair is complete
    pairs, drawn = 50_000, 20
    none = Fraction(comb(pairs, drawn) * 2**drawn, comb(2 * pairs, drawn))
    got = shared_value_test([0, 0, *range(1, drawn - 1)], np.full(pairs, 2)).p_one
    assert 1.0 <= got / float(1 - none) <= 1.2


def test_dispersion_tends_to_chi_square() -> None:
    counts = np.random.default_rng(0).poisson(5000, 200)
    statistic = ((counts - counts.mean()) ** 2).sum() / counts.mean()
    want = scipy_stats.chi2.sf(statistic, 199)
    assert poisson_dispersion_p(counts, "upper") == pytest.approx(want, rel=0.01)


def test_dispersion_third_moment_against_all_outcomes() -> None:
    # the number of coincident pairs of 5 items in 5 cells, all 3,125 outcomes
    k, total = 5, 5
    outcomes = np.array(list(itertools.product(range(k), repeat=total)))
    cells = np.stack([(outcomes == c).sum(axis=1) for c in range(k)])
    pairs = (cells * (cells - 1) // 2).sum(axis=0)
    q, c2 = 1 / k, total * (total - 1) / 2
    third = c2 * q * (1 - q) * (1 - 2 * q) + 2 * c2 * (total - 2) * (q**2 - q**3)
    assert pairs.mean() == pytest.approx(c2 * q)
    assert pairs.var() == pytest.approx(c2 * q * (1 - q))
    assert ((pairs - pairs.mean()) ** 3).mean() == pytest.approx(third)


def test_richness_is_the_mean_over_all_samples() -> None:
    counts = [4, 2, 1, 1]
    items = np.repeat(np.arange(4), counts)
    for draws in range(9):
        samples = list(itertools.combinations(range(8), draws))
        want = np.mean([len({int(items[i]) for i in s}) for s in samples])
        assert rarefied_richness(counts, draws) == pytest.approx(want)


def test_share_intervals_against_scipy() -> None:
    for k, n in [(0, 7), (3, 20), (20, 20), (450, 1000)]:
        test = scipy_stats.binomtest(k, n)
        for method, mine in (("exact", clopper_pearson), ("wilson", wilson)):
            want = test.proportion_ci(0.9, method=method)
            got = mine(k, n, 0.9)
            assert (got.low, got.high) == pytest.approx((want.low, want.high), abs=1e-12)
    assert (1 - rule_of_three(50)) ** 50 == pytest.approx(0.05)


def test_poisson_interval_inverts_its_tails() -> None:
    low, high, _ = poisson_interval(7, 1.0, 0.95)
    assert scipy_stats.poisson.sf(6, low) == pytest.approx(0.025)
    assert scipy_stats.poisson.cdf(7, high) == pytest.approx(0.025)


def test_e_bh_against_its_definition() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        e = np.exp(rng.normal(1, 2, rng.integers(1, 12)))
        down = np.sort(e)[::-1]
        alpha = float(rng.uniform(0.05, 0.5))
        k = max(
            (j for j in range(1, e.size + 1) if j * down[j - 1] / e.size >= 1 / alpha), default=0
        )
        assert e_bh(e, alpha).indices.size == k
        q = q_values(e)
        want = [min(1.0, min(e.size / (j * down[j - 1]) for j in range(i, e.size + 1)))
                for i in range(1, e.size + 1)]  # fmt: skip
        assert np.sort(q) == pytest.approx(want)


def test_calibrator_integrates_to_one() -> None:
    # p = u**10 spreads the singularity: dp = 10 u**9 du
    u = (np.arange(100_000) + 0.5) / 100_000
    assert (calibrate(u**10) * 10 * u**9).mean() == pytest.approx(1.0, rel=1e-6)


def test_between_share_against_the_textbook_table() -> None:
    rng = np.random.default_rng(0)
    x, group = rng.normal(size=(40, 3)), np.repeat([0, 1, 2, 3], [4, 8, 12, 16])
    x += 0.7 * rng.normal(size=(4, 3))[group]
    means = np.array([x[group == g].mean(axis=0) for g in range(4)])
    sizes = np.bincount(group)
    msb = (sizes[:, None] * (means - x.mean(axis=0)) ** 2).sum() / 3
    msw = ((x - means[group]) ** 2).sum() / 36
    n0 = (40 - (sizes**2).sum() / 40) / 3
    want = (msb - msw) / (msb + (n0 - 1) * msw)
    assert between_share(x, group, rng, 0).share == pytest.approx(want)


def test_leave_one_out_against_a_loop() -> None:
    rng = np.random.default_rng(1)
    x, group = rng.normal(size=(30, 4)), rng.integers(0, 4, 30)
    got = leave_one_out(x, group)
    for i, g in enumerate(got.groups):
        inner, outer = x[group == g], x[group != g]
        gap = ((inner.mean(axis=0) - outer.mean(axis=0)) ** 2).sum()
        noise = sum(r.var(axis=0, ddof=1).sum() / len(r) for r in (inner, outer))
        assert got.distance[i] == pytest.approx(np.sqrt(gap))
        assert got.distance_sq_unbiased[i] == pytest.approx(gap - noise)


def test_round9_equals_the_decimal_of_nine_digits() -> None:
    x = np.random.default_rng(0).lognormal(0, 40, 20_000)
    assert round9(x).tolist() == [float(f"{v:.9g}") for v in x.tolist()]
