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
    assert max(e_of_dealing(made).values()) < 1


def test_one_act_and_one_source_of_topics_are_watched():
    """Customers of one vendor with one subject share its cloud: somebody should look."""
    made = [("shared_exits", 1e6), ("one_source", 2e4), ("round_robin", 0.1)]
    assert e_of_acts(made, watch=True) > 1e3
    assert e_of_acts(made) < 1
    assert e_of_acts(made[1:], watch=True) < 1, "topics alone"


def test_two_acts_of_one_kind_are_watched_and_one_is_not():
    """A vendor's cloud and its launch: an analyst may look, nothing acts."""
    two = [("signup_burst", 1e90), ("shared_exits", 1e30), ("round_robin", 0.1)]
    assert e_of_acts(two) < 1
    assert e_of_acts(two, watch=True) > 1e20
    quiet = [("shared_exits", 0.1), ("round_robin", 0.1)]
    assert e_of_acts([("signup_burst", 1e90), *quiet], watch=True) < 1
    for same in (("signup_burst", "succession"), ("even_volumes", "dealt_evenly")):
        assert e_of_acts([*((name, 1e90) for name in same), *quiet], watch=True) < 1, same


def habits(rng) -> dict[int, np.ndarray]:
    """Honest accounts with clocks and habits of their own, in a week: who, and when."""
    days = np.arange(10) * 24 * HOUR
    return {
        50: np.arange(28) * 6 * HOUR + rng.integers(0, HOUR // 2, 28),
        51: days + 9 * HOUR + rng.integers(-HOUR // 2, HOUR // 2, 10),
        52: np.sort((days[:, None] + np.array([8, 19]) * HOUR).ravel()
                    + rng.integers(0, HOUR, 20)),
        53: np.cumsum(rng.uniform(0.7, 1.3, 20) * 11 * HOUR).astype(np.int64),
        54: np.sort(rng.integers(0, 230 * HOUR, 5)).repeat(4)
            + np.tile(np.arange(4), 5) * HOUR // 9,
    }  # fmt: skip


@pytest.mark.parametrize("pace", ["even", "random", "by day"])
def test_members_in_turn_are_those_who_are_dealt_to(stand, rng, pace):
    """Not who keeps a clock or habits of its own among them, whatever pace the dealer keeps."""
    of_honest = of_members = rounds = 0
    for _ in range(4):
        dealt = np.tile(rng.permutation(ACCOUNTS), 20)
        n = len(dealt)
        times = {
            "even": np.arange(n) * 240 * HOUR // n,
            "random": np.sort(rng.integers(0, 240 * HOUR, n)),
            "by day": np.sort(
                rng.integers(10, size=n) * 24 * HOUR + rng.integers(8 * HOUR, 17 * HOUR, n)
            ),
        }[pace]
        own = habits(rng)
        sid = np.concatenate([dealt, *(np.full(len(ts), who) for who, ts in own.items())])
        ts = np.concatenate([times, *own.values()])
        order = np.argsort(ts, kind="stable")
        found = round_robin.members_in_turn(
            stand.cohort(sid[order], stand.topics(sid, 0.0), ts_us=ts[order])
        )
        of_honest += int((found >= 50).sum())
        of_members += int((found < ACCOUNTS).sum())
        rounds += ACCOUNTS
    assert of_honest == 0
    assert pace == "even" or of_members > 0.5 * rounds
