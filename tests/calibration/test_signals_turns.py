"""Turns and equal volumes hold their level under their null, and say what escapes them.

As in ``test_signals.py``.
"""

from __future__ import annotations

import numpy as np
import pytest
from random_cohorts import (
    DAY,
    EVERYTHING,
    SIZE,
    assert_level_holds,
    people,
    together,
)

from stillwatch.signals import (
    even_volumes,
    round_robin,
)
from stillwatch.signals.data import Cohort
from stillwatch.signals.direct_evidence import Coincidences
from stillwatch.signals.step import coordination


def traffic(rng: np.random.Generator, world: str, accounts: int = 20) -> Cohort:
    """Return the pooled requests of independent customers."""
    if world == "poisson":
        who = rng.integers(0, accounts, 200)
        return together(who, rng.integers(0, 7 * DAY, who.size))
    if world == "heavy tail":
        volume = np.minimum(rng.zipf(1.7, accounts), 100) + 2
        who = np.repeat(np.arange(accounts), volume)
        return together(who, rng.integers(0, 7 * DAY, who.size))
    if world == "sittings":
        start = rng.integers(0, 7 * DAY, (accounts, 4))
        gaps = rng.exponential(90e6, (accounts, 4, 4)).cumsum(axis=2)
        times = (start[:, :, None] + gaps).astype(np.int64)
        return together(np.repeat(np.arange(accounts), 16), times.ravel())
    assert world == "day rhythm of distant zones"
    zone = rng.integers(0, 24, accounts)
    who = rng.integers(0, accounts, 250)
    hour = (rng.normal(14, 2.5, who.size) - zone[who]) % 24
    return together(who, ((rng.integers(0, 7, who.size) + hour / 24) * DAY).astype(np.int64))


@pytest.mark.parametrize(
    "world", ["poisson", "heavy tail", "sittings", "day rhythm of distant zones"]
)
def test_round_robin_holds_its_level_for_independent_customers(world: str) -> None:
    rng = np.random.default_rng(41)
    population = people()
    assert_level_holds(lambda: round_robin.find(traffic(rng, world), population).p_value, 2_500)


def scheduled(rng: np.random.Generator, accounts: int = 12, per_account: int = 20) -> Cohort:
    """Return jobs that run at a fixed period, each customer with a phase of its own."""
    phase = rng.uniform(0, 1, accounts)
    times = (np.arange(per_account)[None, :] + phase[:, None]) * DAY / 24
    return together(np.repeat(np.arange(accounts), per_account), times.ravel().astype(np.int64))


def test_look_alike_jobs_on_clocks_of_their_own_take_turns_and_are_explained() -> None:
    """They reject, and the clock that is seen makes it count as nothing (docs/adr/0021)."""
    rng = np.random.default_rng(42)
    population = people()
    base = Coincidences({}, 12 * SIZE)
    for _ in range(20):
        cohort = scheduled(rng)
        assert round_robin.find(cohort, population).p_value < 1e-3
        found = coordination(cohort, population, base, EVERYTHING)
        (turns,) = [f for f in found if f.signal == "round_robin"]
        assert turns.e_value < 1
        assert "clock" in turns.text


def test_look_alike_a_crew_in_three_shifts_takes_no_turns() -> None:
    """Each worker finishes an item before the next: neighbours differ, half rounds do not."""
    rng = np.random.default_rng(47)
    order: list[int] = []
    for shift in range(15):
        todo = []
        for worker in range(10):
            minute = rng.uniform(0, 20)
            while minute < 480:
                todo.append((minute, 10 * (shift % 3) + worker))
                minute += rng.lognormal(2.7, 0.5)
        order += [worker for _, worker in sorted(todo)]
    assert round_robin.find(together(np.array(order)), people()).p_value > 0.5


def dispatched(rng: np.random.Generator, accounts: int, rounds: int) -> np.ndarray:
    return np.concatenate([rng.permutation(accounts) for _ in range(rounds)])


def test_round_robin_sees_a_dispatcher_with_jitter() -> None:
    rng = np.random.default_rng(43)
    population = people()
    p = [round_robin.find(together(dispatched(rng, 8, 15)), population).p_value for _ in range(200)]
    assert np.quantile(p, 0.9) <= 1e-2
    longer = round_robin.find(together(dispatched(rng, 8, 100)), population)
    assert longer.p_value <= 1e-8


def test_round_robin_does_not_accuse_people_who_work_in_sittings() -> None:
    rng = np.random.default_rng(44)
    p = [round_robin.find(traffic(rng, "sittings"), people()).p_value for _ in range(50)]
    assert min(p) > 0.5


def test_evasion_round_robin_does_not_see_a_dispatcher_that_draws_at_random() -> None:
    rng = np.random.default_rng(45)
    p = [round_robin.find(together(rng.integers(0, 8, 300)), people()).p_value for _ in range(100)]
    assert np.median(p) > 0.2


def test_evasion_round_robin_does_not_see_sticky_sessions() -> None:
    rng = np.random.default_rng(46)
    sticky = np.repeat(dispatched(rng, 8, 20), 5)  # five in a row before the next account
    assert round_robin.find(together(sticky), people()).p_value == pytest.approx(1.0)


@pytest.mark.parametrize("appetite", ["equal", "gamma", "lognormal"])
@pytest.mark.parametrize("mean", [8.0, 30.0])
def test_even_volumes_holds_its_level_for_poisson_customers(appetite: str, mean: float) -> None:
    rng = np.random.default_rng(51)
    population = people()

    def draw() -> float:
        rate = {
            "equal": np.ones(30),
            "gamma": rng.gamma(1.0, 1.0, 30),
            "lognormal": rng.lognormal(0, 1, 30),
        }[appetite]
        counts = np.maximum(rng.poisson(mean * rate / rate.mean()), appetite != "equal")
        found = even_volumes.find(together(np.repeat(np.arange(30), counts)), population)
        return found.p_value if found.evaluable else 1.0

    assert_level_holds(draw, 1_000)


@pytest.mark.parametrize("mean", [1.5, 2.5, 4.0])
def test_even_volumes_holds_its_level_where_some_members_sent_nothing(mean: float) -> None:
    """Whoever sent nothing in part B is a member all the same: without it, zeros are cut off."""
    rng = np.random.default_rng(52)
    population = people()
    members = np.arange(60)

    def draw() -> float:
        cohort = together(np.repeat(members, rng.poisson(mean, 60)), members=members)
        found = even_volumes.find(cohort, population)
        return found.p_value if found.evaluable else 1.0

    assert_level_holds(draw, 1_000)


def test_even_volumes_sees_a_dispatcher() -> None:
    rng = np.random.default_rng(53)
    even = together(dispatched(rng, 20, 10))
    assert even_volumes.find(even, people()).p_value <= 1e-12


def test_even_volumes_does_not_accuse_customers_of_many_appetites() -> None:
    rng = np.random.default_rng(54)
    counts = rng.negative_binomial(1, 0.1, 40) + 1
    assert even_volumes.find(together(np.repeat(np.arange(40), counts)), people()).p_value > 0.99


def test_evasion_even_volumes_does_not_see_quotas_drawn_at_random() -> None:
    rng = np.random.default_rng(55)
    counts = rng.poisson(rng.gamma(2.0, 5.0, 40)) + 1
    assert even_volumes.find(together(np.repeat(np.arange(40), counts)), people()).p_value > 0.1
