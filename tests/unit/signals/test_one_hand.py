"""Behind one host turns are a service's, unless cards and the day of sign-ups are shared too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.schema import Finding
from stillwatch.signals import (
    crossed_cards,
    direct_evidence,
    round_robin,
    shared_values,
    signup_burst,
)
from stillwatch.signals.excuses import ONE_HOST, POOL, on_one_account
from stillwatch.signals.hours import NOTHING, explained

CARDS, DAY = shared_values.ACCOUNT_TEST.name, signup_burst.TEST.name
TURNS, HANDED = round_robin.TEST.name, direct_evidence.TESTS["handoff"].name


def told(name: str, e_value: float) -> Finding:
    return Finding(name, "coordinated", 1.0, 1e-9, e_value, 40, None, f"{name}.")


def counted(cards: float, day: float, excuse: str = ONE_HOST) -> dict[str, Finding]:
    made = [told(CARDS, cards), told(DAY, day), told(TURNS, 1e30), told(HANDED, 1e9)]
    found = [explained(f, excuse, "A host.") if f.signal in (TURNS, HANDED) else f for f in made]
    return {f.signal: f for f in on_one_account(made, found)}


def test_shared_cards_and_one_day_of_sign_ups_are_no_customers():
    acts = counted(1e6, 1e4)
    assert (acts[TURNS].e_value, acts[HANDED].e_value) == (1e30, 1e9)
    assert not acts[TURNS].excuse
    assert "these share cards and signed up together" in acts[TURNS].text
    assert "A host." not in acts[TURNS].text


@pytest.mark.parametrize(("cards", "day"), [(9e3, 1e60), (1e60, 9e3), (0.1, 1e60), (1e60, 0.1)])
def test_one_of_both_is_what_a_service_may_have(cards, day):
    acts = counted(cards, day)
    assert acts[TURNS].e_value == acts[HANDED].e_value == NOTHING
    assert acts[TURNS].excuse == ONE_HOST


def test_a_company_with_several_cards_is_no_campaign_for_them():
    made = [told(CARDS, 1e60), told(DAY, 1e60), told(crossed_cards.TEST.name, 1e6)]
    found = [made[0], made[1], explained(made[2], ONE_HOST, "A company.")]
    crossed = on_one_account(made, found)[2]
    assert crossed.e_value == NOTHING
    assert crossed.excuse == ONE_HOST


def test_other_reasons_stand():
    assert counted(1e60, 1e60, POOL)[TURNS].e_value == NOTHING


def test_what_could_not_be_read_says_nothing():
    made = [replace(told(CARDS, 1e60), evaluable=False), told(DAY, 1e60), told(TURNS, 1e30)]
    found = [made[0], made[1], explained(made[2], ONE_HOST, "A host.")]
    assert on_one_account(made, found)[2].e_value == NOTHING
