"""A pool of addresses is worth a test when its accounts act together in part A."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.links.pools import Early, act_together, nested

PEOPLE = 400
DAY_S = 86_400.0


def early(*dealt: np.ndarray, seed: int = 1, created_s: np.ndarray | None = None) -> Early:
    """Return a world in which everybody sends at random, and the given sequences in turn."""
    rng = np.random.default_rng(seed)
    own = np.repeat(np.arange(PEOPLE), rng.negative_binomial(1, 0.1, PEOPLE))
    who = np.concatenate([rng.permutation(own), *dealt])
    when = np.concatenate(
        [np.linspace(0, 1, len(own)), *(np.linspace(0, 1, len(d)) for d in dealt)]
    )
    created = rng.uniform(0, 400 * DAY_S, PEOPLE) if created_s is None else created_s
    return Early(np.arange(PEOPLE), created, who[np.argsort(when, kind="stable")])


def in_turn(members: np.ndarray, rounds: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    return np.concatenate([rng.permutation(members) for _ in range(rounds)])


def test_accounts_that_are_dealt_requests_in_turn_act_together() -> None:
    members = np.arange(40)
    world = early(in_turn(members, 60))
    assert act_together(members, world) > 100


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_behind_one_address_do_not(seed: int) -> None:
    assert act_together(np.arange(40), early(seed=seed)) < 1


def test_a_burst_of_sign_ups_is_enough() -> None:
    created = np.random.default_rng(3).uniform(0, 400 * DAY_S, PEOPLE)
    created[:20] = 200 * DAY_S + np.arange(20.0)
    assert act_together(np.arange(40), early(created_s=created)) > 100


def test_nothing_known_is_nan_not_zero() -> None:
    world = Early(np.arange(PEOPLE), np.full(PEOPLE, np.nan), np.array([0, 1, 2]))
    assert np.isnan(act_together(np.arange(3), world))


def test_an_organization_speaks_once_in_a_burst() -> None:
    created = np.random.default_rng(4).uniform(0, 400 * DAY_S, PEOPLE)
    created[:20] = 200 * DAY_S + np.arange(20.0)
    org = np.arange(PEOPLE)
    org[:20] = 0  # one company opened twenty accounts
    world = Early(org, created, early().sid)
    assert act_together(np.arange(40), world) < 1


def test_parts_of_one_pool_become_one_hypothesis() -> None:
    members = np.arange(60)
    world = early(in_turn(members, 40))
    parts = [members[:20], members[20:40], members[40:]]
    assert [g.tolist() for g in nested(parts, [members], world)] == [members.tolist()]


def test_a_pool_among_honest_neighbours_stands_alone() -> None:
    members, everybody = np.arange(30), np.arange(200)
    world = early(in_turn(members, 80))
    parts = [members, everybody[30:120], everybody[120:]]
    assert [g.tolist() for g in nested(parts, [everybody], world)] == [members.tolist()]


def test_honest_neighbours_are_no_hypothesis_at_all() -> None:
    world = early()
    assert nested([np.arange(50), np.arange(50, 90)], [np.arange(90)], world) == []
