"""A shared mix, direct evidence and the whole claim hold their level, and say what escapes them.

As in ``test_signals.py``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_cohorts import (
    DAY,
    EVERYTHING,
    KINDS,
    SIZE,
    assert_level_holds,
    creation_times,
    members_of,
    people,
    together,
    values,
)
from scipy.stats import binom

from stillwatch.schema import Finding
from stillwatch.signals import (
    ban_waves,
    direct_evidence,
    one_fleet,
    shared_mix,
)
from stillwatch.signals.data import Cohort
from stillwatch.signals.direct_evidence import Coincidences
from stillwatch.signals.step import coordination
from stillwatch.stats import calibrate, mean_e


def choosing(
    rng: np.random.Generator, owners: int, each: int, correlation: float, kinds: int = 3
) -> Cohort:
    """Return a cohort whose members choose among templates by habits of that strength."""
    even = np.full(kinds, 1 / kinds)
    mine = (
        np.tile(even, (owners, 1))
        if correlation == 0
        else rng.dirichlet(even * (1 - correlation) / correlation, owners)
    )
    variant = np.concatenate([rng.choice(kinds, each, p=own / own.sum()) for own in mine])
    return together(np.repeat(np.arange(owners), each), variant=variant)


@pytest.mark.parametrize("correlation", [0.1, 0.25])
def test_shared_mix_holds_its_level_for_customers_of_habit(correlation: float) -> None:
    rng = np.random.default_rng(56)
    population = people()
    assert_level_holds(
        lambda: shared_mix.find(choosing(rng, 20, 6, correlation), population).p_value, 500
    )


def test_shared_mix_sees_one_generator() -> None:
    rng = np.random.default_rng(57)
    assert shared_mix.find(choosing(rng, 45, 20, 0.0), people()).p_value <= 1e-5


def test_shared_mix_does_not_accuse_a_product_whose_customers_have_a_favourite() -> None:
    rng = np.random.default_rng(58)
    assert shared_mix.find(choosing(rng, 60, 20, 0.3), people()).p_value > 0.9


def test_shared_mix_has_nothing_to_say_of_one_template() -> None:
    found = shared_mix.find(together(np.repeat(np.arange(20), 10)), people())
    assert not found.evaluable
    assert np.isnan(found.p_value)


def test_shared_mix_counts_organizations_not_their_accounts() -> None:
    """Twenty accounts of five organizations are five choosers: too few."""
    rng = np.random.default_rng(59)
    population = people(org=np.arange(SIZE) // 4)
    assert not shared_mix.find(choosing(rng, 20, 10, 0.0), population).evaluable


def test_evasion_shared_mix_does_not_see_accounts_with_a_template_each() -> None:
    each = together(np.repeat(np.arange(30), 10), variant=np.repeat(np.arange(30) % 3, 10))
    assert shared_mix.find(each, people()).p_value > 0.9


def coincidence(
    kind: str, inside: int, outside: int, cohort_size: int, exchanges: np.ndarray
) -> float:
    population = people(len(exchanges), volume=exchanges)
    cohort = together(np.arange(cohort_size), direct={kind: inside})
    base = Coincidences({kind: inside + outside}, int(exchanges.sum()))
    return direct_evidence.find(kind, cohort, population, base).p_value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.0, 0.001, 0.02])
def test_direct_evidence_holds_its_level_for_a_small_cohort(kind: str, rate: float) -> None:
    rng = np.random.default_rng(61)
    volume = np.minimum(rng.zipf(1.8, SIZE), 200)
    inside, outside = int(volume[:20].sum()), int(volume[20:].sum())
    assert_level_holds(
        lambda: coincidence(
            kind, rng.poisson(rate * inside), rng.poisson(rate * outside), 20, volume
        ),
        1_000,
    )


@pytest.mark.parametrize("rate", [0.001, 0.02])
def test_direct_evidence_holds_its_level_for_a_cohort_of_half_the_log(rate: float) -> None:
    rng = np.random.default_rng(62)
    volume = np.full(SIZE, 20)
    mean = rate * 20 * SIZE / 2
    assert_level_holds(
        lambda: coincidence("handoff", rng.poisson(mean), rng.poisson(mean), SIZE // 2, volume),
        2_000,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_direct_evidence_sees_a_dozen_where_strangers_show_none(kind: str) -> None:
    assert coincidence(kind, 12, 0, 20, np.full(SIZE, 20)) <= 1e-12
    assert coincidence(kind, 0, 0, 20, np.full(SIZE, 20)) == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_direct_evidence_does_not_accuse_where_strangers_do_it_as_often(kind: str) -> None:
    # 400 exchanges of 12,000 inside; strangers show 290 in the rest
    assert coincidence(kind, 10, 290, 20, np.full(SIZE, 20)) > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_evasion_direct_evidence_does_not_see_accounts_that_keep_apart(kind: str) -> None:
    assert coincidence(kind, 0, 40, 20, np.full(SIZE, 20)) == 1.0


def swept(card: np.ndarray, inside: int, outside: int) -> float:
    """Return the p-value of sixty accounts, fifteen a generation: each is closed, the next comes.

    ``card``: of each account. ``inside``, ``outside``: new accounts that took a template over.
    """
    generation = np.arange(60) // 15
    created, banned = np.full((2, SIZE), np.nan)
    created[:60], banned[:60] = 2 * DAY * generation, 2 * DAY * (generation + 1) - DAY / 24
    population = replace(people(codes={"payment_hash": card}, created_us=created), banned_us=banned)
    cohort = together(np.repeat(np.arange(60), 20), direct={"succession": inside})
    base = Coincidences({"succession": inside + outside}, int(population.volume.sum()))
    return ban_waves.find(cohort, population, base).p_value


@pytest.mark.parametrize("rate", [0.001, 0.02])
def test_ban_waves_hold_their_level_where_strangers_take_over_as_often(rate: float) -> None:
    """Closed in waves, back on the same cards, and new accounts took over as others do."""
    rng = np.random.default_rng(63)
    card = np.where(np.arange(SIZE) < 60, np.arange(SIZE) % 5, np.arange(SIZE))
    inside, outside = 60 * 20, (SIZE - 60) * 20
    assert_level_holds(
        lambda: swept(card, rng.poisson(rate * inside), rng.poisson(rate * outside)), 1_000
    )
    assert swept(card, 45, 0) <= 1e-12


def test_ban_waves_do_not_accuse_people_who_come_back_on_a_card_of_their_own() -> None:
    one_each = np.where(np.arange(SIZE) < 45, np.arange(SIZE) % 15, np.arange(SIZE))
    assert swept(one_each, 45, 0) == 1.0  # three lives a person, and fifteen who are new


def test_evasion_ban_waves_do_not_see_a_card_for_each_account() -> None:
    assert swept(np.arange(SIZE), 45, 0) == 1.0


@pytest.mark.parametrize("null", ["shared_account_values", "signup_burst", "shared_exits"])
def test_one_fleet_averages_at_most_one_where_one_of_three_facts_does_not_hold(null: str) -> None:
    """Cards in turn around the clock, and two facts as strong as any: the third is chance."""
    rng = np.random.default_rng(67)
    facts = ("shared_account_values", "signup_burst", "shared_exits")
    strong = {
        name: Finding(name, "coordinated", 1.0, 0.0, 1e9, 60, None, "Seen.") for name in facts
    }
    dealt = one_fleet.Dealt(cards=4, paid=1.0, largest=0.25, in_turn=1.0, awake=True)

    def drawn() -> float:
        chance = replace(strong[null], e_value=float(calibrate(rng.random())))
        return one_fleet.find(list((strong | {null: chance}).values()), dealt, 900, 0.1).e_value

    e = np.array([drawn() for _ in range(4_000)])
    assert e.mean() <= 1 + 3 * e.std() / np.sqrt(e.size)
    assert (e >= 20).mean() <= binom.isf(1e-4, e.size, 1 / 20) / e.size
    assert e.mean() > 0.3  # a test that always says nothing would pass the rest


def test_e_coordinated_averages_at_most_one_for_independent_customers() -> None:
    rng = np.random.default_rng(71)
    population = people(
        created_us=creation_times(rng, "launch days"),
        codes={"payment_hash": values(rng, "families"), "phone_hash": values(rng, "carrier NATs")},
        exits=values(rng, "carrier NATs"),
        volume=np.full(SIZE, 12),
    )
    inside, outside = 25 * 12, (SIZE - 25) * 12
    e = []
    for _ in range(600):
        members = members_of(rng, 25)
        volume = rng.poisson(12 * rng.gamma(4, 0.25, 25)) + 1
        who = np.repeat(members, volume)
        happened = {kind: int(rng.poisson(0.002 * inside)) for kind in KINDS}
        base = Coincidences(
            {kind: n + int(rng.poisson(0.002 * outside)) for kind, n in happened.items()},
            inside + outside,
        )
        cohort = replace(together(rng.permutation(who)), direct=happened)
        found = coordination(cohort, population, base, EVERYTHING)
        # nothing to read, or no claim
        left = ("shared_mix", "rotating_exits", "dealt_evenly", "crossed_cards", "ban_waves")
        made = [f for f in found if f.signal not in left]
        assert all(f.evaluable for f in made)
        e.append(mean_e([f.e_value for f in made]))
    values_e = np.array(e)
    # Heavy-tailed: the error is that of the sample itself, three standard errors.
    assert values_e.mean() <= 1 + 3 * values_e.std() / np.sqrt(values_e.size)
    assert (values_e >= 20).mean() <= binom.isf(1e-4, values_e.size, 1 / 20) / values_e.size
    assert values_e.mean() > 0.15  # a test that always says nothing would pass the rest
