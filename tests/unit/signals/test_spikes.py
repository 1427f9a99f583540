"""Made-up campaigns are harder to find the better they hide."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals.direct_evidence import TESTS, Coincidences
from stillwatch.signals.spikes import RUNGS, _spike
from stillwatch.signals.step import coordination
from stillwatch.signals.traits import traits
from stillwatch.stats import mean_e, turns_e

COLUMNS = frozenset(
    {"ts", "ip", "accounts.created_at", *(c for t in TESTS.values() for c in t.needs)}
)
DAY = 86_400_000_000


@pytest.fixture
def population(stand):
    size = 800
    return stand.population(
        size,
        created_us=-stand.rng.uniform(0, 400 * DAY, size),
        exit_code=np.arange(size) // 2,
    )


def strength(rung, population, rng, in_turn=True):
    cohort, grown = _spike(rung, in_turn, population, population.background, rng)
    base = Coincidences({}, int(population.volume.sum()))
    made = [f for f in coordination(cohort, grown, base, COLUMNS) if f.evaluable]
    return mean_e([f.e_value for f in made])


def test_each_rung_is_harder_than_the_one_before(population):
    rng = np.random.default_rng(1)
    median = {
        rung: float(np.median([strength(rung, population, rng) for _ in range(9)]))
        for rung in RUNGS
    }
    assert median[1] > median[2] > median[3]
    assert median[1] > 1e4
    assert median[3] < 20


@pytest.mark.parametrize("rung", [1, 2])
def test_half_of_the_spikes_take_no_turns(population, rung):
    """Who deals at random is harder to find, and a recall of dispatchers alone would flatter."""
    in_turn, at_random = (
        _spike(rung, way, population, population.background, np.random.default_rng(3))[0].sid
        for way in (True, False)
    )
    assert sorted(in_turn) == sorted(at_random)
    assert turns_e(in_turn).e_value > 1e4
    assert turns_e(at_random).e_value < 20


@pytest.mark.parametrize("rung", RUNGS)
def test_a_spike_looks_like_one_queue_and_leaves_the_population_as_it_was(population, rung):
    before = {k: v.copy() for k, v in vars(population).items() if isinstance(v, np.ndarray)}
    rng = np.random.default_rng(2)
    cohort, grown = _spike(rung, True, population, population.background, rng)
    for name, value in before.items():
        assert np.array_equal(getattr(population, name), value, equal_nan=value.dtype.kind == "f")
    assert len(grown.sids) == len(grown.org) == len(grown.created_us) == len(grown.exit_code)
    assert len(set(grown.org[cohort.members]) & set(population.org)) == 0
    assert (np.diff(cohort.ts_us) >= 0).all()
    found = traits(cohort, grown)
    assert found is not None
    assert found.own_topics < 0.05
    assert found.repeats == 0.0
