"""Who evades bans with a fleet comes back on its cards, wave after wave; others do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.signals.ban_waves import TEST, find
from stillwatch.signals.claims import e_of_acts
from stillwatch.signals.data import STATIC_KINDS
from stillwatch.signals.direct_evidence import Coincidences

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
    assert "40 of 60 accounts were closed against the rules, 4 waves of them" in found.text
    assert "48 of 48 newcomers share a card or device of four and more" in found.text
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
        "no cards": {"card": np.full(EVERYBODY, -1)},
        "nobody follows": {"created_us": np.full(EVERYBODY, -100.0 * DAY)},
        "one organization": {
            "org": np.where(np.arange(EVERYBODY) < FLEET, 0, np.arange(EVERYBODY))
        },
    }


@pytest.mark.parametrize(
    "case",
    ["one wave", "few are closed", "cards of their own", "no cards", "nobody follows",
     "one organization"],
)  # fmt: skip
def test_without_waves_bans_or_ties_it_says_nothing(case, stand):
    found = find(fleet(stand), log(stand, **honest(stand)[case]), BASE)
    assert found.evaluable
    assert found.p_value == 1.0
    assert "are asked for" in found.text


def test_where_hardly_anybody_is_closed_it_is_not_asked(stand):
    banned = np.full(EVERYBODY, np.nan)
    banned[:3] = DAY
    for known in ({"banned_us": banned}, {"banned_us": None}):
        found = find(fleet(stand), log(stand, **known), BASE)
        assert not found.evaluable
        assert "fewer than four accounts were closed against the rules" in found.text
