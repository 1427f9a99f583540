"""The interval of a count in a finite population."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom

from stillwatch.errors import EvidenceError
from stillwatch.stats import clopper_pearson, finite_count_interval


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("population", "sampled"), [(30, 7), (12, 11), (40, 20), (5, 1)])
def test_it_covers_every_count_at_least_as_often_as_it_says(population, sampled, level):
    intervals = [finite_count_interval(x, sampled, population, level) for x in range(sampled + 1)]
    for count in range(population + 1):
        covered = sum(
            hypergeom.pmf(x, population, count, sampled)
            for x, found in enumerate(intervals)
            if found.low <= count <= found.high
        )
        assert covered >= level - 1e-9


def test_it_is_the_set_of_counts_that_neither_tail_refuses():
    population, sampled, level = 60, 15, 0.9
    for seen in range(sampled + 1):
        kept = [
            k
            for k in range(seen, population - (sampled - seen) + 1)
            if hypergeom.sf(seen - 1, population, k, sampled) > 0.05
            and hypergeom.cdf(seen, population, k, sampled) > 0.05
        ]
        found = finite_count_interval(seen, sampled, population, level)
        assert (found.low, found.high) == (kept[0], kept[-1])


def test_a_sample_of_all_is_a_point_and_of_none_everything():
    assert finite_count_interval(3, 10, 10)[:2] == (3.0, 3.0)
    assert finite_count_interval(0, 0, 10)[:2] == (0.0, 10.0)
    assert finite_count_interval(0, 0, 0)[:2] == (0.0, 0.0)


def test_of_a_large_population_it_is_the_binomial_one():
    found = finite_count_interval(5, 100, 10_000_000)
    wanted = clopper_pearson(5, 100)
    assert found.low / 1e7 == pytest.approx(wanted.low, abs=2e-5)
    assert found.high / 1e7 == pytest.approx(wanted.high, abs=2e-5)


def test_it_is_symmetric():
    one, other = finite_count_interval(3, 20, 50), finite_count_interval(17, 20, 50)
    assert (one.low, one.high) == (50 - other.high, 50 - other.low)


@pytest.mark.parametrize(
    "arguments", [(-1, 5, 10), (6, 5, 10), (1, 11, 10), (1, 5, 10, 0.0), (1, 5, 10, np.nan)]
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(EvidenceError):
        finite_count_interval(*arguments)
