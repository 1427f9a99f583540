"""Who is dealt to, in turn or at random, and who only looks like it."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals import dealt_evenly, round_robin
from stillwatch.signals.claims import e_of_acts, e_of_claim, e_of_dealing

HOUR = 3_600_000_000
ACCOUNTS, REQUESTS = 40, 800


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def at_random(rng, shares=None):
    """Return who sends and when: dealt at random over five days."""
    times = np.sort(rng.integers(0, 120 * HOUR, REQUESTS))
    return rng.choice(ACCOUNTS, REQUESTS, p=shares), times


def find(stand, sid, ts, exits: int = 12):
    cohort = stand.cohort(sid, stand.topics(sid, 0.0), ts_us=ts, members=np.arange(ACCOUNTS))
    code = np.full(60, -1)
    code[:ACCOUNTS] = np.arange(ACCOUNTS) % exits
    return dealt_evenly.find(cohort, stand.population(exit_code=code))


def test_even_dealing_at_random_is_seen(stand, rng):
    found = find(stand, *at_random(rng))
    assert found.evaluable
    assert found.e_value > 1e4
    assert found.statistic < 0.2


def test_appetites_busy_days_and_sittings_lose_the_bet(stand, rng):
    appetite = rng.gamma(4, size=ACCOUNTS)  # rates vary by a half
    assert find(stand, *at_random(rng, appetite / appetite.sum())).e_value < 1
    who = np.repeat(np.arange(ACCOUNTS), REQUESTS // ACCOUNTS)
    day = rng.integers(5, size=ACCOUNTS)[who]  # as much each, all of it on a day of its own
    busy = day * 24 * HOUR + rng.integers(0, 24 * HOUR, REQUESTS)
    order = np.argsort(busy, kind="stable")
    assert find(stand, who[order], busy[order]).e_value < 1
    sittings = rng.integers(0, 119 * HOUR, REQUESTS // 2).repeat(2) + rng.integers(
        0, HOUR // 2, REQUESTS
    )
    order = np.argsort(sittings, kind="stable")
    assert find(stand, rng.permutation(who[::2]).repeat(2)[order], sittings[order]).e_value < 1


def test_one_exit_and_few_requests_are_not_asked(stand, rng):
    assert not find(stand, *at_random(rng), exits=3).evaluable
    who, times = at_random(rng)
    assert not find(stand, who[:80], times[:80]).evaluable


def test_it_is_enough_to_be_looked_at_and_accuses_nobody():
    made = [("shared_exits", 1e6), ("dealt_evenly", 1e6), ("round_robin", 0.1)]
    assert e_of_acts(made) < 1
    assert e_of_acts(made, watch=True) > 1e4
    assert e_of_claim(made, 0.1) < 1
    assert e_of_claim(made, 0.1, watch=True) > 1e4
    assert e_of_dealing(made) < 1


def test_members_in_turn_are_those_who_are_dealt_to(stand, rng):
    """Not who keeps a clock of its own among them, and not who comes in sittings."""
    rounds = np.concatenate([rng.permutation(ACCOUNTS) for _ in range(20)])
    times = np.sort(rng.integers(0, 120 * HOUR, len(rounds)))
    clock = np.arange(12) * 10 * HOUR + HOUR
    sittings = (
        np.sort(rng.integers(0, 110 * HOUR, 4)).repeat(4) + np.tile(np.arange(4), 4) * HOUR // 9
    )
    sid = np.concatenate([rounds, np.full(12, 50), np.full(16, 51)])
    ts = np.concatenate([times, clock, sittings])
    order = np.argsort(ts, kind="stable")
    found = round_robin.members_in_turn(
        stand.cohort(sid[order], stand.topics(sid, 0.0), ts_us=ts[order])
    )
    assert len(np.intersect1d(found, np.arange(ACCOUNTS))) > 0.6 * ACCOUNTS
    assert not np.isin([50, 51], found).any()
