"""Each cohort test holds its level under the null it states, and says what escapes it.

For every signal: null worlds (P(p <= t) <= t within binomial error at 0.1, 0.01 and 0.001), an
alternative that it must see, an honest look-alike that it must not accuse, and an evasion that
it cannot see: there the test shows that p is *not* small, so that nobody relies on it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from stillwatch.signals import (
    direct_evidence,
    even_volumes,
    round_robin,
    shared_mix,
    signup_burst,
)
from stillwatch.signals.data import STATIC_KINDS, Cohort, Population
from stillwatch.signals.direct_evidence import Coincidences
from stillwatch.signals.shared_values import find_account_values, find_exits
from stillwatch.signals.step import coordination
from stillwatch.stats import mean_e

LEVELS = (0.1, 0.01, 0.001)
SIZE = 600
DAY = 86_400_000_000
NOBODY = np.zeros(0, dtype=np.int64)
EVERYTHING = frozenset(
    c for test in direct_evidence.TESTS.values() for c in test.needs
) | frozenset(("ts", "ip", *(f"accounts.{kind}" for kind in STATIC_KINDS)))


def people(
    size: int = SIZE,
    *,
    org: np.ndarray | None = None,
    created_us: np.ndarray | None = None,
    codes: dict[str, np.ndarray] | None = None,
    exits: np.ndarray | None = None,
    volume: np.ndarray | None = None,
) -> Population:
    """Return a population of which only the given columns say anything."""
    missing = np.full(size, -1, dtype=np.int64)
    held = codes or {}
    exit_code = missing if exits is None else exits
    return Population(
        sids=np.arange(size),
        org=np.arange(size) if org is None else org,
        segment=np.zeros(size, dtype=np.int64),
        created_us=np.full(size, np.nan) if created_us is None else created_us,
        codes={kind: held.get(kind, missing) for kind in STATIC_KINDS},
        volume=np.full(size, 20) if volume is None else volume,
        exit_code=exit_code,
        background=np.zeros((0, 64), dtype=np.float32),
        harvest_share=0.1,
        span_us=(0, 7 * DAY),
    )


def together(
    sid: Iterable[int],
    ts_us: Iterable[int] | None = None,
    *,
    direct: dict[str, int] | None = None,
    variant: np.ndarray | None = None,
    found_by: Collection[str] = ("frame",),
    members: np.ndarray | None = None,
) -> Cohort:
    """Return a cohort whose exchanges of part B are those of ``sid``, in the order of time."""
    who = np.asarray(list(sid), dtype=np.int64)
    when = np.arange(who.size) if ts_us is None else np.asarray(list(ts_us), dtype=np.int64)
    order = np.argsort(when, kind="stable")
    size = who.size
    return Cohort(
        number=0,
        found_by=frozenset(found_by),
        by_text="frame" in found_by,
        members=np.unique(who) if members is None else members,
        associated=NOBODY,
        trimmed=NOBODY,
        rid=np.arange(size),
        sid=who[order],
        ts_us=when[order],
        payload=np.arange(1, size + 1).astype(np.uint64),
        topic=np.zeros((size, 64), dtype=np.float32),
        raw_topic=np.zeros((size, 64), dtype=np.float32),
        harvest=np.zeros(size, dtype=bool),
        answered=np.ones(size, dtype=bool),
        fresh=np.ones(size, dtype=bool),
        opens=np.ones(size, dtype=bool),
        long=np.ones(size, dtype=bool),
        variant=np.zeros(size, dtype=np.int64) if variant is None else variant[order],
        direct=direct or {},
        direct_total=direct or {},
    )


def assert_level_holds(draw: Callable[[], float], replications: int) -> None:
    """Fail when more p-values lie below a level than chance explains (1 in 10,000)."""
    p = np.array([draw() for _ in range(replications)])
    assert not np.isnan(p).any()
    for level in LEVELS:
        below = int((p <= level).sum())
        assert below <= binom.isf(1e-4, p.size, level), (level, below / p.size)


def members_of(rng: np.random.Generator, n: int, size: int = SIZE) -> np.ndarray:
    return rng.choice(size, n, replace=False)


# --- sign-up burst ------------------------------------------------------------------------------


def creation_times(rng: np.random.Generator, world: str, size: int = SIZE) -> np.ndarray:
    even = rng.uniform(0, 400 * DAY, size)
    if world == "even":
        return even
    if world == "launch days":  # half of everybody came on one of three days
        launch = rng.choice([50, 170, 171], size) * DAY + rng.uniform(0, DAY, size)
        return np.where(rng.random(size) < 0.5, launch, even)
    assert world == "growing, office hours"
    days = np.floor(400 * np.sqrt(rng.random(size)))
    return days * DAY + rng.normal(14, 2, size) * DAY / 24


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


# --- shared account values and exits ------------------------------------------------------------


def values(rng: np.random.Generator, world: str) -> np.ndarray:
    """Return one value code a person; −1 where unknown."""
    if world == "families":  # two or three to a card
        return np.arange(SIZE) // 3
    if world == "carrier NATs":  # four values carry half of everybody
        crowd = rng.integers(0, 4, SIZE)
        return np.where(rng.random(SIZE) < 0.5, crowd, 4 + np.arange(SIZE))
    assert world == "heavy tail, half unknown"
    code = np.minimum(rng.zipf(1.6, SIZE), 400)
    return np.where(rng.random(SIZE) < 0.5, -1, code)


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


# --- round robin --------------------------------------------------------------------------------


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


# --- even volumes -------------------------------------------------------------------------------


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


# --- shared mix ---------------------------------------------------------------------------------


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


# --- direct evidence ----------------------------------------------------------------------------

KINDS = tuple(direct_evidence.TESTS)


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


# --- the whole claim ----------------------------------------------------------------------------


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
        left = ("shared_mix", "rotating_exits", "dealt_evenly", "crossed_cards")
        made = [f for f in found if f.signal not in left]
        assert all(f.evaluable for f in made)
        e.append(mean_e([f.e_value for f in made]))
    values_e = np.array(e)
    # Heavy-tailed: the error is that of the sample itself, three standard errors.
    assert values_e.mean() <= 1 + 3 * values_e.std() / np.sqrt(values_e.size)
    assert (values_e >= 20).mean() <= binom.isf(1e-4, values_e.size, 1 / 20) / values_e.size
    assert values_e.mean() > 0.15  # a test that always says nothing would pass the rest
