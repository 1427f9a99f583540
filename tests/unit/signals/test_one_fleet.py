"""All three facts of being set up, by cards in turn and without a night, where topics tell."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stillwatch.schema import Finding
from stillwatch.signals.claims import e_of_acts
from stillwatch.signals.data import STATIC_KINDS, Views
from stillwatch.signals.hours import around_the_clock
from stillwatch.signals.one_fleet import TEST, Dealt, dealt_cards, find

HOUR, DAY = 3_600_000_000, 86_400_000_000
EVERYBODY, FLEET = 600, 60
FACTS = ("shared_account_values", "signup_burst", "shared_exits")
FITS = Dealt(cards=4, paid=1.0, largest=0.25, in_turn=1.0, awake=True)


def act(name: str, e_value: float, **more) -> Finding:
    return Finding(name, "coordinated", 9.0, 0.01, e_value, 60, None, "Seen.", **more)


def acts(**more: float) -> list[Finding]:
    known = dict(zip(FACTS, (1e30, 1e12, 1e20), strict=True)) | more
    return [act(name, e_value) for name, e_value in known.items()]


def test_the_weakest_of_three_facts_speaks_where_topics_tell():
    found = find(acts(), FITS, 900, 0.03)
    assert found.e_value == found.statistic == 1e12
    silent = [("round_robin", 0.1), ("handoff", 0.1)]
    assert e_of_acts([*[(f.signal, f.e_value) for f in acts()], *silent]) < 1
    fleet = (TEST.name, found.e_value)
    assert e_of_acts([*[(f.signal, f.e_value) for f in acts()], fleet, *silent]) > 1e11
    watched = [(f.signal, f.e_value) for f in acts()]
    assert e_of_acts([*watched, fleet], watch=True) == e_of_acts(watched, watch=True)


@pytest.mark.parametrize("fact", FACTS)
def test_two_of_three_facts_have_an_honest_reason(fact):
    assert find(acts(**{fact: 0.1}), FITS, 900, 0.03).e_value == 0.1


def test_cards_that_may_be_a_holdings_count_for_what_they_were():
    excused = act(FACTS[0], 0.1, excuse="a holding", e_before=1e9)
    assert find([excused, *acts()[1:]], FITS, 900, 0.03).e_value == 1e9
    other = replace(excused, excuse="one place")
    assert find([other, *acts()[1:]], FITS, 900, 0.03).e_value == 0.1


@pytest.mark.parametrize("distinct", [0.019, math.nan])
def test_where_customers_have_no_topics_of_their_own_it_is_not_asked(distinct):
    assert not find(acts(), FITS, 900, distinct).evaluable


def test_it_is_not_asked_without_all_three_facts():
    unknown = replace(acts()[0], evaluable=False)
    assert not find([unknown, *acts()[1:]], FITS, 900, 0.03).evaluable
    assert not find(acts()[1:], FITS, 900, 0.03).evaluable


@pytest.mark.parametrize(
    "honest",
    [{"cards": 2}, {"paid": 0.4}, {"largest": 0.6}, {"in_turn": 0.4}, {"in_turn": math.nan},
     {"awake": False}],
    ids=["two cards", "few are on them", "one card for most", "one card after another", "one card",
         "people, who rest"],
)  # fmt: skip
def test_an_agency_a_vendor_or_people_are_no_fleet(honest):
    found = find(acts(), FITS._replace(**honest), 900, 0.03)
    assert found.e_value == 0.0
    assert "it counts as nothing" in found.text


def views(stand, hours: np.ndarray) -> Views:
    sid = np.repeat(np.arange(FLEET), 10)
    made = stand.cohort(sid, stand.topics(sid, 0.1), ts_us=hours * HOUR)
    return Views(made, made, made)


def read(stand, card: np.ndarray, **more) -> Dealt:
    held = np.concatenate([card, 1_000 + np.arange(EVERYBODY - FLEET)])
    codes = dict.fromkeys(STATIC_KINDS, np.full(EVERYBODY, -1)) | {"payment_hash": held}
    known = {
        "created_us": np.arange(EVERYBODY) * 60e6, "declared": np.ones(EVERYBODY, dtype=bool),
    } | more  # fmt: skip
    awake = np.arange(FLEET * 10) % 168
    return dealt_cards(views(stand, awake), stand.population(EVERYBODY, codes=codes, **known))


def test_cards_in_turn_change_as_often_as_at_random_and_blocks_do_not(stand):
    turn = read(stand, stand.rng.permutation(np.arange(FLEET) % 4))
    assert turn.fits
    assert turn == (4, 1.0, 0.25, pytest.approx(1.0, abs=0.3), True)
    assert read(stand, np.arange(FLEET) // 15).in_turn < 0.1
    assert not read(stand, np.arange(FLEET) // 15).fits


def test_one_card_cards_of_two_and_no_names_are_told(stand):
    assert math.isnan(read(stand, np.zeros(FLEET, dtype=int)).in_turn)
    assert read(stand, np.arange(FLEET) // 2).cards == 0
    two = np.where(np.arange(FLEET) < 30, np.arange(FLEET) % 3, 100 + np.arange(FLEET))
    assert read(stand, two).paid == pytest.approx(0.5)
    for declared in (None, np.zeros(EVERYBODY, dtype=bool)):
        assert read(stand, np.arange(FLEET) % 4, declared=declared).cards == 0
    one = np.concatenate([np.zeros(FLEET, dtype=int), np.arange(1, EVERYBODY - FLEET + 1)])
    assert read(stand, np.arange(FLEET) % 4, org=one).cards == 0


def test_who_asks_around_the_clock_knows_no_night():
    rng = np.random.default_rng(7)
    even = rng.integers(0, 7 * DAY, 2_000)
    assert around_the_clock(even)
    assert not around_the_clock(even[:199])
    day = rng.normal(14, 4, 2_000) % 24
    people = rng.integers(0, 7, 2_000) * DAY + (day * HOUR).astype(np.int64)
    assert not around_the_clock(people)
    half = np.concatenate([even, people])  # customers of a continent and a queue
    assert not around_the_clock(half)
