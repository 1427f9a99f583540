"""Cards across exits: a campaign mixes both, an honest payer's accounts are where it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.schema import Finding
from stillwatch.signals import direct_evidence, rotating_exits
from stillwatch.signals.claims import e_of_acts
from stillwatch.signals.crossed_cards import TEST, find, none_pays_for_most
from stillwatch.signals.data import STATIC_KINDS
from stillwatch.signals.direct_evidence import Coincidences
from stillwatch.signals.excuses import ONE_HOST, POOL, SHOP, Reasons, backed, excused
from stillwatch.signals.hours import NOTHING
from stillwatch.signals.step import coordination

EVERYBODY, MEMBERS, CARDS = 600, 48, 12
HOUR = 3_600_000_000
FOUR_EACH = np.arange(MEMBERS) // 4
ACROSS = np.arange(MEMBERS) % 8


def people(stand, card: np.ndarray, exits: np.ndarray, **more):
    """Return a population whose first subjects have these cards and exits, the others their own."""
    own = 1_000 + np.arange(EVERYBODY)
    held = {"payment_hash": np.concatenate([card, own[len(card) :]])}
    codes = dict.fromkeys(STATIC_KINDS, np.full(EVERYBODY, -1)) | held
    left = np.concatenate([exits, own[len(exits) :]])
    more.setdefault("declared", np.ones(EVERYBODY, dtype=bool))
    return stand.population(EVERYBODY, codes=codes, exit_code=left, **more)


def together(stand, members: np.ndarray | None = None, **more):
    sid = np.repeat(np.arange(MEMBERS) if members is None else members, 5)
    return stand.cohort(sid, stand.topics(sid, 0.1), **more)


def test_cards_and_exits_that_cross_speak_with_the_day_of_sign_ups(stand):
    found = find(together(stand), people(stand, FOUR_EACH, ACROSS))
    assert found.p_value < 1e-9
    assert "12 payment instruments each pay for several organizations (48 of 48)" in found.text
    assert "of the 48 prefixes of 12 payers, counted for each, 48 are another payer's" in found.text
    silent = [("round_robin", 0.1), ("handoff", 0.1), ("shared_exits", 0.1)]
    crossed = (TEST.name, found.e_value)
    assert e_of_acts([crossed, ("signup_burst", 1e4), *silent]) > 1e3
    for day in (("signup_burst", 0.1), ("succession", 1e9)):  # an agency, or a company
        assert e_of_acts([crossed, day, *silent]) < 1
    assert e_of_acts([crossed, *silent]) < 1
    assert e_of_acts([("shared_exits", 1e9), ("shared_account_values", 1e9), *silent[:2]]) < 1


def test_organizations_that_a_card_connects_anywhere_in_the_log_are_one_payer(stand):
    """An agency whose other clients, who send nothing of the cohort, link all of its cards."""
    population = people(stand, FOUR_EACH, ACROSS)
    card, org = population.codes["payment_hash"].copy(), population.org.copy()
    for k in range(CARDS):  # one more account of the first organization, on the next card
        card[100 + k], org[100 + k] = (k + 1) % CARDS, org[4 * k]
    linked = replace(population, codes=population.codes | {"payment_hash": card}, org=org)
    assert find(together(stand), population).p_value < 1e-9
    assert find(together(stand), linked).p_value == 1.0


def test_cards_of_a_few_say_nothing_of_the_others(stand):
    """Four small agencies on a cloud that all customers of an app leave through."""
    card = np.where(np.arange(MEMBERS) < 12, np.arange(MEMBERS) // 3, 100 + np.arange(MEMBERS))
    assert find(together(stand), people(stand, card, ACROSS)).p_value == 1.0


def test_without_names_of_organizations_a_card_is_a_firms_own(stand):
    unnamed = people(stand, FOUR_EACH, ACROSS, declared=np.zeros(EVERYBODY, dtype=bool))
    assert not find(together(stand), unnamed).evaluable


def test_where_each_cards_accounts_are_at_one_place_it_says_nothing(stand):
    """An outsourcer's employers, an agency's or a reseller's clients: a card knows its exit."""
    offices = find(together(stand), people(stand, FOUR_EACH, FOUR_EACH))
    assert offices.evaluable
    assert offices.p_value == 1.0
    two = np.arange(MEMBERS) % 2 + 2 * FOUR_EACH  # a host of two prefixes for each card
    assert find(together(stand), people(stand, FOUR_EACH, two)).p_value == 1.0


def test_its_accounts_on_one_card_are_one_payer_at_one_exit(stand):
    """Two cards share a prefix: two payers, of 48 organizations."""
    exits = FOUR_EACH.copy()
    exits[0] = exits[4]
    found = find(together(stand), people(stand, FOUR_EACH, exits))
    assert (found.statistic, found.p_value) == (2, 1.0)


@pytest.mark.parametrize("cards", [1, 3])
def test_one_card_or_three_are_not_enough(stand, cards):
    population = people(stand, np.arange(MEMBERS) % cards, ACROSS)
    found = find(together(stand), population)
    assert found.p_value == 1.0
    assert f"{cards} payment instruments each pay for several organizations" in found.text
    assert "4 such instruments of a third of the accounts and 6 prefixes in common" in found.text


@pytest.mark.parametrize(("prefixes", "enough"), [(5, False), (6, True)])
def test_an_agencys_cloud_has_a_few_prefixes(stand, prefixes, enough):
    """Eight cards of an agency pay for 48 clients, all of which leave through its cloud."""
    card, exits = np.arange(MEMBERS) % 6, np.arange(MEMBERS) // 6 % prefixes
    found = find(together(stand), people(stand, card, exits))
    assert (found.p_value < 1e-6) is enough


@pytest.mark.parametrize("largest", [16, 17])
def test_a_holdings_cards_count_where_none_pays_for_a_third(stand, largest):
    """Four cards and more for several organizations each; a franchise has one for most."""
    card = np.where(np.arange(MEMBERS) < largest, 0, 1 + np.arange(MEMBERS) % 6)
    population, cohort = people(stand, card, ACROSS), together(stand)
    many = largest <= MEMBERS / 3
    assert none_pays_for_most(cohort, population) is many
    base = Coincidences({}, int(population.volume.sum()))
    columns = frozenset({*TEST.needs, "accounts.phone_hash", "accounts.email_hash"})
    held = {
        f.signal: f.excuse for f in coordination(cohort, population, base, columns, holding=True)
    }
    assert held["shared_account_values"] == "a holding"
    assert held[TEST.name] == ("" if many else "a holding")
    three = people(stand, np.arange(MEMBERS) % 3, ACROSS)
    assert not none_pays_for_most(cohort, three)


def test_evasion_a_card_or_an_exit_of_ones_own_is_not_seen(stand):
    own = np.arange(MEMBERS)
    assert find(together(stand), people(stand, own, ACROSS)).p_value == 1.0
    assert find(together(stand), people(stand, FOUR_EACH, own)).p_value == 1.0


def test_what_had_suggested_a_cohort_without_a_template_is_no_evidence(stand):
    population = people(stand, FOUR_EACH, ACROSS)
    for kind in ("payment", "exit_prefix"):
        cohort = together(stand, found_by=frozenset({kind}), by_text=False)
        assert not find(cohort, population).evaluable
        cohort = together(stand, found_by=frozenset({"frame", kind}))
        assert find(cohort, population).p_value < 1e-9


def test_its_level_holds_where_only_cards_are_shared(stand):
    """All organizations of eight cards, wherever each is; carriers carry half of everybody."""
    card = np.arange(EVERYBODY) // 5
    crowd = stand.rng.integers(0, 6, EVERYBODY)
    pairs = 6 + stand.rng.permutation(EVERYBODY) // 2
    exits = np.where(stand.rng.random(EVERYBODY) < 0.5, crowd, pairs)
    population = people(stand, card, exits)
    assert_level(
        lambda: find(together(stand, of_values(stand, card, 8)), population), made_at_least=500
    )


def test_its_level_holds_where_only_exits_are_shared(stand):
    """All organizations of five exits; cards are shared by ten of everybody, at random."""
    exits = np.arange(EVERYBODY) // 10
    card = stand.rng.permutation(EVERYBODY) // 10
    population = people(stand, card, exits)
    assert_level(
        lambda: find(together(stand, of_values(stand, exits, 5)), population), made_at_least=400
    )


def of_values(stand, codes: np.ndarray, number: int) -> np.ndarray:
    """Return all who hold one of so many values, drawn at random."""
    drawn = stand.rng.choice(int(codes.max()) + 1, number, replace=False)
    return np.flatnonzero(np.isin(codes, drawn))


def assert_level(draw, *, made_at_least: int, times: int = 500) -> None:
    found = [draw() for _ in range(times)]
    p = np.array([f.p_value for f in found if f.evaluable])
    assert len(p) >= made_at_least
    for level in (0.1, 0.01):
        allowed = level * times + 3 * np.sqrt(level * (1 - level) * times) + 1
        assert np.count_nonzero(p <= level) <= allowed, level


def test_behind_one_host_it_may_be_one_company_with_several_cards(stand):
    week = np.arange(5 * MEMBERS) * (168 * HOUR // (5 * MEMBERS))
    for behind, told in ((24, ONE_HOST), (23, "")):
        exits = np.where(np.arange(MEMBERS) < behind, 100, ACROSS)
        population, cohort = people(stand, FOUR_EACH, exits), together(stand, ts_us=week)
        found = excused(find(cohort, population), Reasons(cohort, population))
        assert found.excuse == told, behind
        assert (found.e_value == NOTHING) is bool(told)


def test_where_they_rotate_through_a_pool_it_counts_as_nothing(stand):
    for share, told in ((0.4, POOL), (0.5, "")):
        population = people(stand, FOUR_EACH, ACROSS, exit_share=np.full(EVERYBODY, share))
        cohort = together(stand)
        assert excused(find(cohort, population), Reasons(cohort, population)).excuse == told, share


def all_acts(stand, sid: np.ndarray, ts_us: np.ndarray, **more) -> dict[str, Finding]:
    population = people(stand, FOUR_EACH, ACROSS)
    cohort = stand.cohort(sid, stand.topics(sid, 0.0), ts_us=ts_us, **more)
    columns = frozenset((*TEST.needs, "ts"))
    base = Coincidences(dict.fromkeys(direct_evidence.TESTS, 0), 6_000)
    return {f.signal: f for f in coordination(cohort, population, base, columns)}


@pytest.mark.parametrize(("evenly", "by"), [(True, "turns"), (False, "turns"), (False, "frame")])
def test_bought_accounts_count_where_one_hand_deals_evenly(stand, evenly, by):
    ts_us = np.sort(stand.rng.integers(0, 120 * HOUR, 1_000))
    appetite = np.ones(MEMBERS) if evenly else stand.rng.gamma(1, size=MEMBERS) + 0.05
    sid = stand.rng.choice(MEMBERS, 1_000, p=appetite / appetite.sum())
    acts = all_acts(stand, sid, ts_us, found_by=frozenset({by}), by_text=by == "frame")
    assert (acts["dealt_evenly"].e_value >= 20) is evenly
    crossed = acts[TEST.name]
    counts = evenly or by == "frame"
    assert (crossed.e_value > 1e3) is counts
    assert crossed.excuse == ("" if counts else SHOP)
    assert ("no template in common" in crossed.text) is (by != "frame")
    assert ("one hand deals to all of them evenly, so it counts" in crossed.text) is evenly


@pytest.mark.parametrize(
    ("test", "dealt", "counts"),
    [
        ("dealt_evenly", 20.0, True), ("dealt_evenly", 19.0, False),
        ("even_volumes", 1e9, False),
    ],
)  # fmt: skip
def test_the_pool_of_bought_accounts_counts_where_one_hand_deals_evenly(stand, test, dealt, counts):
    def made(signal: str, e_value: float) -> Finding:
        return Finding(signal, "coordinated", 20.0, 1e-9, e_value, 40, None, "Seen.")

    cohort = together(stand, found_by=frozenset({"turns"}), by_text=False)
    pool = excused(
        made(rotating_exits.TEST.name, 1e6), Reasons(cohort, people(stand, FOUR_EACH, ACROSS))
    )
    assert pool.excuse == SHOP
    others = [made(test, dealt), made("shared_exits", 5.0)]
    found = backed([made(rotating_exits.TEST.name, 1e6), *others], [pool, *others])
    assert (found[0].e_value, found[0].excuse) == ((1e6, "") if counts else (NOTHING, SHOP))
    assert found[0].p_value == (1e-9 if counts else 1.0)
