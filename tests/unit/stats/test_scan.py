"""The scan finds a planted burst, says where, and refuses strangers."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.stats import Times, scan_cluster


def test_a_planted_burst_is_found_where_it_is() -> None:
    rng = np.random.default_rng(0)
    background = rng.uniform(0, 1e6, 20_000)
    burst = 5e5 + rng.uniform(0, 60, 20)
    cohort = np.concatenate([rng.choice(background, 30, replace=False), burst])
    found = scan_cluster(cohort, np.concatenate([background, burst]), [60.0, 600.0])
    assert found.p_value < 1e-20
    assert 5e5 <= found.window_start <= 5e5 + 60
    assert found.count >= 19
    assert found.expected < 1.2


def test_a_rush_that_everybody_joins_is_no_cluster() -> None:
    rng = np.random.default_rng(1)
    population = np.concatenate([rng.uniform(0, 1e6, 2000), 5e5 + rng.uniform(0, 60, 2000)])
    cohort = rng.choice(population, 60, replace=False)
    assert scan_cluster(cohort, population, [60.0]).p_value > 0.05


def test_order_and_duplicate_widths_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    population = rng.uniform(0, 1000, 300)
    cohort = population[:40]
    a = scan_cluster(cohort, population, [10.0, 50.0])
    b = scan_cluster(cohort[::-1], rng.permutation(population), [50.0, 10.0, 10.0])
    assert a == b


def test_the_whole_population_is_never_surprising() -> None:
    times = np.arange(20.0)
    assert scan_cluster(times, times, [5.0]).p_value == 1.0


def test_the_floor_holds_for_absurd_clusters() -> None:
    population = np.concatenate([np.arange(100_000.0) * 100, 5e6 + np.arange(5000) * 1e-3])
    found = scan_cluster(population[100_000:], population, [10.0])
    assert found.p_value == 1e-300


def test_one_time_is_not_enough_data() -> None:
    assert np.isnan(scan_cluster([1.0], [1.0, 2.0], [1.0]).p_value)
    assert np.isnan(scan_cluster([], [1.0, 2.0], [1.0]).p_value)


def test_a_cohort_outside_the_population_is_refused() -> None:
    with pytest.raises(EvidenceError, match="not among"):
        scan_cluster([1.0, 1.0], [1.0, 2.0], [1.0])
    with pytest.raises(EvidenceError):
        scan_cluster([1.0, 2.0], [1.0, 2.0], [])
    with pytest.raises(EvidenceError):
        scan_cluster([1.0, np.nan], [1.0, 2.0], [1.0])


def test_a_population_sorted_once_gives_what_the_exchanged_times_give() -> None:
    rng = np.random.default_rng(4)
    times = rng.integers(0, 3_000, 400).astype(float)  # many ties
    for number in range(2, 30):
        gone = rng.choice(times, number, replace=False)
        come = np.concatenate([rng.integers(0, 3_000, number - 1), [float(times[0])]])
        left = list(times)
        for moment in gone.tolist():
            left.remove(moment)
        whole = np.concatenate([left, come])
        swapped = Times(times).exchanged(gone, come)
        assert swapped.size == whole.size
        assert scan_cluster(come, swapped, [5.0, 60.0]) == scan_cluster(come, whole, [5.0, 60.0])
