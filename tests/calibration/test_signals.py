"""Each test of how accounts are set up holds its level under its null, and says what escapes it.

For every signal: null worlds (P(p <= t) <= t within binomial error at 0.1, 0.01 and 0.001), an
alternative that it must see, an honest look-alike that it must not accuse, and an evasion that
it cannot see: there the test shows that p is *not* small, so that nobody relies on it.
"""

from __future__ import annotations

import numpy as np
import pytest
from random_cohorts import (
    DAY,
    SIZE,
    assert_level_holds,
    creation_times,
    members_of,
    people,
    together,
    values,
)

from stillwatch.signals import (
    signup_burst,
)
from stillwatch.signals.shared_values import find_account_values, find_exits


@pytest.mark.parametrize("world", ["even", "launch days", "growing, office hours"])
def test_signup_burst_holds_its_level_for_random_customers(world: str) -> None:
    rng = np.random.default_rng(21)
    population = people(created_us=creation_times(rng, world))
    assert_level_holds(
        lambda: signup_burst.find(together(members_of(rng, 25)), population).p_value, 3_000
    )


def test_signup_burst_holds_its_level_where_large_organizations_are_old() -> None:
    """Random *organizations* are drawn; old ones have many accounts, new ones a single one."""
    rng = np.random.default_rng(22)
    org = np.concatenate([np.repeat(np.arange(40), 10), 40 + np.arange(200)])
    created = np.where(org < 40, rng.uniform(0, 390, 600), rng.uniform(390, 400, 600)) * DAY
    population = people(org=org, created_us=created)
    first = np.unique(org, return_index=True)[1]
    assert_level_holds(
        lambda: (
            signup_burst.find(together(rng.choice(first, 25, replace=False)), population).p_value
        ),
        2_000,
    )


def test_signup_burst_sees_accounts_made_within_hours() -> None:
    rng = np.random.default_rng(23)
    created = creation_times(rng, "even")
    created[:12] = 200 * DAY + rng.uniform(0, DAY / 6, 12)
    population = people(created_us=created)
    cohort = together(np.arange(25))
    assert signup_burst.find(cohort, population).p_value <= 1e-9
    [(start, end)] = signup_burst.burst_windows(cohort, population)
    assert ((created[:12] / 1e6 >= start) & (created[:12] / 1e6 <= end)).all()


def test_accounts_made_in_several_batches_are_found_batch_by_batch() -> None:
    rng = np.random.default_rng(26)
    created = creation_times(rng, "even")
    batches = np.split(np.arange(36), 3)
    for k, batch in enumerate(batches):
        created[batch] = (100 + 50 * k) * DAY + rng.uniform(0, DAY / 8, 12)
    found = signup_burst.burst_windows(together(np.arange(60)), people(created_us=created))
    assert len(found) == 3
    for batch in batches:
        moments = created[batch] / 1e6
        assert any(((moments >= a) & (moments <= b)).all() for a, b in found)
    covered = [any(a <= moment <= b for a, b in found) for moment in created[36:60] / 1e6]
    assert sum(covered) <= 2


def test_a_burst_that_is_a_third_of_all_accounts_is_one_still() -> None:
    rng = np.random.default_rng(27)
    created = creation_times(rng, "even")
    batch = SIZE // 3
    created[:batch] = 200 * DAY + rng.uniform(0, DAY, batch)
    population, cohort = people(created_us=created), together(np.arange(batch))
    found = signup_burst.burst_windows(cohort, population)
    assert len(found) == 1
    created[batch : batch + SIZE // 3] = 200 * DAY + rng.uniform(0, DAY, SIZE // 3)
    assert signup_burst.burst_windows(cohort, people(created_us=created)) == []


def test_signup_burst_does_not_accuse_who_all_came_on_a_launch_day() -> None:
    rng = np.random.default_rng(24)
    created = creation_times(rng, "even")
    created[: SIZE * 2 // 3] = 300 * DAY + rng.uniform(0, DAY, SIZE * 2 // 3)
    population = people(created_us=created)
    cohort = together(np.arange(25))  # all of the launch day, as most of everybody
    assert signup_burst.find(cohort, population).p_value > 1e-3


def test_signup_burst_does_not_count_one_company_that_makes_its_keys_in_a_day() -> None:
    rng = np.random.default_rng(25)
    created = creation_times(rng, "even")
    created[:12] = 200 * DAY + rng.uniform(0, DAY / 6, 12)
    org = np.arange(SIZE)
    org[:12] = 0
    assert (
        signup_burst.find(together(np.arange(25)), people(org=org, created_us=created)).p_value
        > 0.01
    )


def test_evasion_signup_burst_does_not_see_bought_aged_accounts() -> None:
    rng = np.random.default_rng(26)
    population = people(created_us=creation_times(rng, "even"))
    p = [signup_burst.find(together(members_of(rng, 25)), population).p_value for _ in range(50)]
    assert np.median(p) > 0.1


@pytest.mark.parametrize("world", ["families", "carrier NATs", "heavy tail, half unknown"])
def test_shared_values_hold_their_level_for_random_customers(world: str) -> None:
    rng = np.random.default_rng(31)
    codes = {kind: values(rng, world) for kind in ("payment_hash", "phone_hash")}
    population = people(codes=codes, exits=values(rng, world))
    accounts, exits = [], []
    for _ in range(1_000):
        cohort = together(members_of(rng, 25))
        accounts.append(find_account_values(cohort, population).p_value)
        exits.append(find_exits(cohort, population).p_value)
    for found in (accounts, exits):
        drawn = iter(found)
        assert_level_holds(lambda drawn=drawn: next(drawn), len(found))


def test_shared_values_hold_their_level_where_organizations_have_many_accounts() -> None:
    rng = np.random.default_rng(32)
    org = np.arange(SIZE) // 4
    payment = rng.integers(0, 300, SIZE)
    population = people(org=org, codes={"payment_hash": payment})

    def draw() -> float:
        chosen = rng.choice(SIZE // 4, 15, replace=False)
        cohort = together(np.flatnonzero(np.isin(org, chosen)))
        return find_account_values(cohort, population).p_value

    assert_level_holds(draw, 1_000)


def test_shared_values_see_three_cards_for_a_dozen_organizations() -> None:
    codes = np.arange(SIZE)
    codes[:12] = np.arange(12) % 3
    cohort = together(np.arange(25))
    assert find_account_values(cohort, people(codes={"payment_hash": codes})).p_value <= 1e-6
    assert find_exits(cohort, people(exits=codes)).p_value <= 1e-6


def test_shared_values_leave_out_what_had_suggested_the_cohort() -> None:
    codes = np.arange(SIZE)
    codes[:12] = 0
    population = people(codes={"payment_hash": codes})
    suggested = together(np.arange(25), found_by=("payment",))
    assert not find_account_values(suggested, population).evaluable
    assert find_account_values(together(np.arange(25)), population).evaluable
    exits = people(exits=codes)
    assert not find_exits(together(np.arange(25), found_by=("exit_prefix",)), exits).evaluable


@pytest.mark.parametrize("kind", ["payment", "exit_prefix"])
def test_shared_values_are_tested_where_a_template_found_who_shares_a_card_as_well(
    kind: str,
) -> None:
    """Whoever sends the template is a member, whatever it pays with."""
    codes = np.arange(SIZE)
    codes[:12] = np.arange(12) % 3
    cohort = together(np.arange(25), found_by=("frame", kind))
    assert find_account_values(cohort, people(codes={"payment_hash": codes})).p_value <= 1e-6
    assert find_exits(cohort, people(exits=codes)).p_value <= 1e-6


def test_shared_values_do_not_accuse_one_company_or_one_carrier() -> None:
    company, carrier = np.arange(SIZE), np.arange(SIZE)
    company[:12] = 0
    carrier[: SIZE // 2] = 0  # half of everybody leaves through it
    org = np.arange(SIZE)
    org[:12] = 0
    cohort = together(np.arange(25))
    population = people(org=org, codes={"payment_hash": company})
    assert find_account_values(cohort, population).p_value > 0.1
    mixed = together([*range(13), *range(SIZE - 12, SIZE)])
    assert find_exits(mixed, people(exits=carrier)).p_value > 0.1


def test_evasion_shared_values_do_not_see_one_card_and_one_exit_for_each_account() -> None:
    population = people(codes={"payment_hash": np.arange(SIZE)}, exits=np.arange(SIZE))
    cohort = together(np.arange(25))
    assert find_account_values(cohort, population).p_value == 1.0
    assert find_exits(cohort, population).p_value == 1.0
