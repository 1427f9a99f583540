"""New exits out of one pool: proxies reject, a host, an office and own networks do not."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals import rotating_exits
from stillwatch.signals.claims import e_of_acts, e_of_dealing
from stillwatch.signals.data import Moved

PEOPLE, MEMBERS, POOL = 400, 40, 20


def moved(rng: np.random.Generator, draw, people: int = PEOPLE) -> Moved:
    """Return where everybody left from. ``draw(org)`` gives prefixes of both parts, 4 and 3."""
    org, prefix, first = [], [], np.full(people, -1, dtype=np.int64)
    for who in range(people):
        early, late = draw(who)
        for one in set(early):
            org.append(who)
            prefix.append(one)
        new = [one for one in late if one not in set(early)]
        if new:
            first[who] = new[0]
    return Moved(np.array(org), np.array(prefix), first)


def own_network(rng: np.random.Generator, who: int, shared: int = 2000):
    """Half of somebody's exits are of its own, half of what everybody uses now and then."""

    def some(n: int) -> list[int]:
        own = shared + 10 * who + rng.integers(9, size=n)
        return np.where(rng.random(n) < 0.5, rng.integers(shared, size=n), own).tolist()

    return some(4), some(3)


def of_pool(rng: np.random.Generator, prefixes: int):
    """Every request leaves through any prefix of a pool that is nobody else's."""
    drawn = rng.integers(9000, 9000 + prefixes, 7).tolist()
    return drawn[:4], drawn[4:]


def find(stand, of: Moved, members: np.ndarray, **more):
    sid = np.repeat(members, 4)
    cohort = stand.cohort(sid, stand.topics(sid, 0.1), **more)
    return rotating_exits.find(cohort, stand.population(len(of.first_new), moved=of))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_proxies_that_rotate_are_seen_whatever_had_suggested_the_cohort(stand, rng):
    def draw(who):
        if who < MEMBERS:
            return list(rng.integers(9000, 9000 + POOL, 4)), list(
                rng.integers(9000, 9000 + POOL, 3)
            )
        return own_network(rng, who)

    found = find(stand, moved(rng, draw), np.arange(MEMBERS), found_by=frozenset({"exit_prefix"}))
    assert found.p_value < 1e-12
    assert f"of the {POOL} that the cohort had shared before" in found.text


def test_its_level_holds_for_customers_taken_at_random(stand, rng):
    """Cohorts that share prefixes in part A by chance alone: everybody uses a few dozen."""
    ps = []
    for _ in range(400):
        of = moved(rng, lambda who: own_network(rng, who, shared=60), people=150)
        found = find(stand, of, rng.choice(150, 30, replace=False))
        assert found.evaluable
        ps.append(found.p_value)
    for level in (0.1, 0.01):
        allowed = level * 400 + 3 * np.sqrt(level * (1 - level) * 400) + 1
        assert np.count_nonzero(np.array(ps) <= level) <= allowed


@pytest.mark.parametrize(("prefixes", "stays"), [(4, False), (20, True)])
def test_a_host_of_few_prefixes_and_customers_who_stay_are_no_pool(stand, rng, prefixes, stays):
    def draw(who):
        if who >= MEMBERS:
            return own_network(rng, who)
        return ([9000 + who % prefixes],) * 2 if stays else of_pool(rng, prefixes)

    found = find(stand, moved(rng, draw), np.arange(MEMBERS))
    assert not found.evaluable


def test_evasion_exits_of_ones_own_for_each_account_are_not_seen(stand, rng):
    of = moved(rng, lambda who: own_network(rng, who))
    found = find(stand, of, np.arange(MEMBERS))
    assert not found.evaluable or found.p_value > 0.05


def test_it_is_not_read_in_part_a(stand, rng):
    sid = np.repeat(np.arange(MEMBERS), 4)
    found = rotating_exits.find(stand.cohort(sid, stand.topics(sid, 0.1)), stand.population(PEOPLE))
    assert not found.evaluable
    assert "test blocks" in found.text


def test_a_pool_speaks_beside_sign_ups_and_not_beside_its_exits_or_turns():
    """Bots on one serverless cloud; a service that serves from there in turn."""
    silent = [("round_robin", 0.1), ("handoff", 0.1), ("signup_burst", 0.1)]
    pool = [("rotating_exits", 1e9), ("even_volumes", 1e9)]
    assert e_of_acts([*pool, *silent, ("shared_exits", 1e9)]) < 1
    # their exits are excused, where most rotate
    assert e_of_acts([*pool, *silent[1:], ("round_robin", 1e9), ("shared_exits", 0.1)]) < 1
    assert e_of_acts([*silent[1:], ("round_robin", 1e9), ("shared_exits", 1e9)]) > 1e6
    assert e_of_acts([*pool, *silent, ("shared_exits", 1e9)], watch=True) > 1e5
    assert e_of_acts([*pool, *silent[:2], ("signup_burst", 1e9)]) > 1e6
    assert max(e_of_dealing([*pool, *silent]).values()) < 1


def test_moved_conversations_speak_alone_where_a_host_and_retries_do_not():
    silent = [("round_robin", 0.1), ("handoff", 0.1), ("signup_burst", 0.1)]
    assert e_of_acts([("shared_exits", 1e6), *silent]) < 1
    assert e_of_acts([("handoff", 1e6), ("round_robin", 0.1), ("signup_burst", 0.1)]) > 1e5
    assert e_of_acts([("retry", 1e6), ("round_robin", 0.1), ("signup_burst", 0.1)]) < 1
    assert e_of_acts([("rotating_exits", 1.0), ("signup_burst", 1e6), ("round_robin", 1.0)]) <= 1
