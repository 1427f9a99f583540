"""Who evades bans with a fleet comes back on its cards, wave after wave; others do not."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from stillwatch.signals.ban_waves import TEST, TIES, find
from stillwatch.signals.claims import e_of_acts
from stillwatch.signals.data import STATIC_KINDS
from stillwatch.signals.direct_evidence import Coincidences
from stillwatch.signals.step import _WITHOUT_PARTS, coordination, lacking

EVERYBODY, FLEET, WAVES = 600, 60, 4
DAY, HOUR = 86_400_000_000, 3_600_000_000
BASE = Coincidences({"succession": 24}, 6_000)


def log(stand, **more):
    """Return a population whose first accounts come in five generations of twelve on six cards.

    The first four are closed a day after they came, ten of twelve; the next come an hour later.
    """
    generation = np.arange(FLEET) // (FLEET // (WAVES + 1))
    created = np.full(EVERYBODY, -100.0 * DAY)
    created[:FLEET] = generation * (DAY + HOUR)
    banned = np.full(EVERYBODY, np.nan)
    closed = (generation < WAVES) & (np.arange(FLEET) % 12 < 10)
    banned[:FLEET][closed] = created[:FLEET][closed] + DAY
    card = 1_000 + np.arange(EVERYBODY)
    card[:FLEET] = np.arange(FLEET) % 6
    known = {"created_us": created, "banned_us": banned, "card": card} | more
    codes = dict.fromkeys(STATIC_KINDS, np.full(EVERYBODY, -1))
    codes |= {"payment_hash": known.pop("card")}
    return stand.population(EVERYBODY, codes=codes, **known)


def fleet(stand, taken: int = 24):
    sid = np.repeat(np.arange(FLEET), 5)
    cohort = stand.cohort(sid, stand.topics(sid, 0.0))
    return replace(cohort, direct=cohort.direct | {"succession": taken})


def test_a_fleet_that_comes_back_after_each_wave_speaks_with_its_cards(stand):
    found = find(fleet(stand), log(stand), BASE)
    assert found.p_value < 1e-9
    assert "40 of 60 accounts were closed against the rules; waves of bans" in found.text
    assert "within two days: 4;" in found.text
    assert "48 of 48 newcomers share a card or number of four and more" in found.text
    assert re.search(r"would give [0-9.]+ \(p < 1e-\d+\)\.$", found.text)  # told once
    silent = [("round_robin", 0.1), ("handoff", 0.1)]
    back, paid = (TEST.name, found.e_value), ("shared_account_values", 1e9)
    assert e_of_acts([back, paid, *silent]) > 1e3
    assert e_of_acts([back, *silent]) < 1
    for other in (("shared_exits", 1e9), ("signup_burst", 1e9), ("succession", 1e9)):
        assert e_of_acts([back, other, *silent]) < 1  # a host and its users; one act twice


def test_it_says_no_more_than_successions_do(stand):
    assert find(fleet(stand, taken=0), log(stand), BASE).p_value == 1.0
    many = Coincidences({"succession": 1_000}, 6_000)
    assert find(fleet(stand), log(stand), many).p_value > 0.05


def honest(stand) -> dict[str, dict]:
    """What it is asked for, less one thing each."""
    whole = log(stand)
    in_one_night = np.where(np.isfinite(whole.banned_us), 6.0 * DAY, np.nan)
    few = whole.banned_us.copy()
    few[:FLEET][np.arange(FLEET) % 12 > 2] = np.nan  # three of twelve, of four generations in five
    own = np.arange(EVERYBODY) // 2  # who comes back has a card of its own, used twice
    return {
        "one wave": {"banned_us": in_one_night},
        "few are closed": {"banned_us": few},
        "cards of their own": {"card": own},
        "nobody follows": {"created_us": np.full(EVERYBODY, -100.0 * DAY)},
        "one organization": {
            "org": np.where(np.arange(EVERYBODY) < FLEET, 0, np.arange(EVERYBODY))
        },
    }


@pytest.mark.parametrize(
    "case",
    ["one wave", "few are closed", "cards of their own", "nobody follows", "one organization"],
)
def test_without_waves_bans_or_ties_it_says_nothing(case, stand):
    found = find(fleet(stand), log(stand, **honest(stand)[case]), BASE)
    assert found.evaluable
    assert found.p_value == 1.0
    assert "are asked for" in found.text


def two_thirds(closed: list[float], came: list[float], each: int = 8) -> dict[str, np.ndarray]:
    """Return a fleet of which ``each`` are closed at each of those times, and as many come."""
    banned, created = np.full(EVERYBODY, np.nan), np.full(EVERYBODY, -100.0 * DAY)
    banned[: each * len(closed)] = np.repeat(closed, each)
    created[FLEET - each * len(came) : FLEET] = np.repeat(came, each)
    return {"banned_us": banned, "created_us": created}


def test_a_night_of_bans_is_one_wave_whatever_day_midnight_makes_of_it(stand):
    late, early = 10 * DAY - HOUR, 10 * DAY + HOUR
    night = two_thirds([late, early], [late + HOUR / 2, early + HOUR / 2])
    found = find(fleet(stand), log(stand, **night), BASE)
    assert found.p_value == 1.0
    assert "within two days: 1;" in found.text
    again = two_thirds([late, early + DAY], [late + HOUR / 2, early + DAY + HOUR / 2])
    assert "within two days: 2;" in find(fleet(stand), log(stand, **again), BASE).text


def test_who_comes_after_two_waves_follows_one_of_them(stand):
    once = two_thirds([10.0 * DAY, 11.1 * DAY], [11.2 * DAY])
    assert "within two days: 1;" in find(fleet(stand), log(stand, **once), BASE).text
    at_once = two_thirds([10.0 * DAY, 11.1 * DAY], [11.1 * DAY])
    assert "within two days: 1;" in find(fleet(stand), log(stand, **at_once), BASE).text
    a_straggler = once["banned_us"].copy()
    a_straggler[8:16] = np.nan
    a_straggler[8] = 11.1 * DAY  # one ban is no wave, and takes nobody from the one before
    assert (
        "within two days: 1;"
        in find(fleet(stand), log(stand, **once | {"banned_us": a_straggler}), BASE).text
    )


def test_a_company_that_is_closed_is_one_of_three(stand):
    """Twelve accounts at a time are one organization's, as where its own row says that it ended."""
    org = np.arange(EVERYBODY)
    org[:FLEET] = np.arange(FLEET) // 12
    found = find(fleet(stand), log(stand, org=org), BASE)
    assert found.p_value == 1.0
    assert "within two days: 0;" in found.text


def test_a_card_of_one_organizations_accounts_is_no_fleets(stand):
    org = np.arange(EVERYBODY)
    org[:FLEET] = np.arange(FLEET) // 4  # three for each generation, on cards of their own
    card = 1_000 + np.arange(EVERYBODY)
    card[:FLEET] = org[:FLEET] % 3
    known = log(stand, org=org, card=card)
    assert "48 of 48 newcomers" in find(fleet(stand), known, BASE).text
    card[:FLEET] = org[:FLEET] // 6 * 3 + org[:FLEET] % 3  # two or three organizations to a card
    known = log(stand, org=org, card=card)
    assert "0 of 48 newcomers" in find(fleet(stand), known, BASE).text


def test_who_was_closed_first_may_be_ones_own(stand):
    """The first account that was closed on a card is the newcomer's organization's, others not."""
    org = np.arange(EVERYBODY)
    org[6:12] = np.arange(6)  # two accounts each in the first generation
    org[48:60] = np.arange(12) % 6  # and two in the last
    assert "48 of 48 newcomers" in find(fleet(stand), log(stand, org=org), BASE).text


def test_members_whose_topics_are_not_the_cohorts_are_left_out(stand):
    cohort = replace(fleet(stand), trimmed=np.arange(0, FLEET, 2))
    assert "20 of 30 accounts were closed" in find(cohort, log(stand), BASE).text


@pytest.mark.parametrize(
    ("known", "why"),
    [({"card": np.full(EVERYBODY, -1)}, "fewer than four have a known card"),
     ({"created_us": np.full(EVERYBODY, np.nan)}, "fewer than three creation times are known")],
    ids=["no cards", "no creation times"],
)  # fmt: skip
def test_what_nobody_knows_clears_nobody(known, why, stand):
    found = find(fleet(stand), log(stand, **known), BASE)
    assert not found.evaluable
    assert why in found.text


def test_any_card_phone_or_address_will_do():
    others = frozenset(TEST.needs) - frozenset(TIES)
    assert lacking(TEST, others) == TIES
    assert lacking(TEST, others | {"accounts.phone_hash"}) == ()
    assert "accounts.device_hash" not in TIES, "a class shares devices"
    assert lacking(TEST, frozenset(TIES[:1])) == tuple(c for c in TEST.needs if c not in TIES)


def test_what_is_the_same_in_both_parts_screens_nobody(stand):
    found = coordination(fleet(stand), log(stand), BASE, frozenset(TEST.needs), _WITHOUT_PARTS)
    (waves,) = (f for f in found if f.signal == TEST.name)
    assert waves.text == "Switched off for this scan."


def test_where_hardly_anybody_is_closed_it_is_not_asked(stand):
    banned = np.full(EVERYBODY, np.nan)
    banned[:3] = DAY
    for known in ({"banned_us": banned}, {"banned_us": None}):
        found = find(fleet(stand), log(stand, **known), BASE)
        assert not found.evaluable
        assert "fewer than four accounts were closed against the rules" in found.text
