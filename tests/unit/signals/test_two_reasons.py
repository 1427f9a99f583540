"""Where topics tell nothing, acts that take two reasons stand for a harvest, and only there."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from stillwatch.schema import Finding, Settings
from stillwatch.signals import e_of_acts, e_of_claim
from stillwatch.signals.claims import e_of_closer
from stillwatch.signals.one_fleet import Dealt
from stillwatch.signals.step import _Judged, _rows
from stillwatch.signals.traits import Traits
from stillwatch.signals.two_reasons import TEST, find, to_watch

HERE = 0.005  # usual share between carriers of one template, where everybody draws at random
STRONG = [("rotating_exits", 1e9), ("shared_account_values", 1e9), ("handoff", 0.1)]


def seen(**more: float) -> Traits:
    known = {
        "own_topics": 0.001, "own_error": 0.001, "breadth": 1.0, "repeats": 0.0, "dominance": 1.0,
        "novelty": 1.0, "asks": 0.0,
    }  # fmt: skip
    return Traits(**(known | more))


def test_two_kinds_of_acts_speak_with_the_square_root_of_what_they_say():
    found = find(e_of_acts(STRONG), seen(), 900, HERE)
    assert found.e_value == pytest.approx(math.sqrt(found.statistic))
    assert found.e_value > 1e3
    assert found.p_value == pytest.approx(1 / found.e_value)
    assert found.claim == "extractive"


def test_one_kind_of_acts_has_one_reason_and_says_nothing():
    """A vendor, a course or an agency sets accounts up alike, however strongly."""
    alike = [("signup_burst", 1e50), ("shared_account_values", 1e44), ("shared_exits", 1e38)]
    assert find(e_of_acts([*alike, ("handoff", 0.1)]), seen(), 900, HERE).e_value < 1


@pytest.mark.parametrize(
    "honest",
    [{"repeats": 0.06}, {"dominance": 0.4}, {"own_topics": 0.04, "own_error": 0.01}],
    ids=["a class runs the same items", "the template is a side", "customers with own topics"],
)
def test_where_it_is_no_harvest_acts_are_nothing(honest):
    found = find(e_of_acts(STRONG), seen(**honest), 900, HERE)
    assert found.e_value == 0.0
    assert "counts as nothing" in found.text


def test_where_customers_differ_in_their_topics_these_are_asked():
    assert find(e_of_acts(STRONG), seen(), 900, 0.0299).evaluable
    found = find(e_of_acts(STRONG), seen(), 900, 0.03)
    assert not found.evaluable
    assert "which tells more" in found.text


def test_without_any_act_that_could_be_read_it_is_not_made():
    assert not find(e_of_acts([]), seen(), 900, HERE).evaluable


def test_it_never_says_more_than_a_million():
    assert find(e_of_acts([("handoff", 1e200)]), seen(), 900, HERE).e_value == 1e6


def test_the_claim_is_the_mean_of_topics_and_acts():
    assert e_of_claim([("harvest", 10.0), (TEST.name, 1000.0)], 0.0) == 505.0
    assert e_of_claim([("harvest", 10.0)], 0.0) == 10.0


SET_UP = [("signup_burst", 1e20), ("shared_exits", 1e12)]
PAID = ("shared_account_values", 1e9)


def worth(acts: list[tuple[str, float]], usual: float = HERE, **more: float) -> float:
    return to_watch(e_of_acts(acts, watch=True), e_of_closer(acts), seen(**more), usual)


@pytest.mark.parametrize("closer", ["shared_account_values", "ban_waves", "crossed_cards", "retry"])
def test_being_set_up_alike_is_worth_a_look_with_what_strangers_do_not_share(closer):
    """A hackathon signs up in an hour behind one exit, and has neither cards nor hand-overs."""
    assert worth(SET_UP) == 0.0
    assert worth([*SET_UP, (closer, 1e9)]) > 1e3
    assert worth([*SET_UP, (closer, 19.0)]) == 0.0


@pytest.mark.parametrize("other", ["round_robin", "succession", "rotating_exits", "shared_mix"])
def test_turns_and_successors_of_a_hosts_users_are_not_worth_it(other):
    assert worth([*SET_UP, (other, 1e9)]) == 0.0


def test_no_look_where_topics_tell_more_nor_where_it_is_no_harvest():
    assert worth([*SET_UP, PAID], usual=0.03) == 0.0
    assert worth([*SET_UP, PAID], repeats=0.06) == 0.0
    assert worth([*SET_UP, PAID], dominance=0.4) == 0.0
    assert worth([*SET_UP, PAID], own_topics=0.04, own_error=0.01) == 0.0
    assert to_watch(math.nan, math.nan, seen(), HERE) == 0.0


@pytest.mark.parametrize(
    ("usual", "without", "by_topics"),
    [(HERE, (), False), (0.03, (), True), (HERE, (TEST.name,), True)],
    ids=["no topics of their own", "topics of their own", "switched off"],
)
def test_every_row_of_a_cohort_says_whether_topics_tell_its_members_from_others(
    usual, without, by_topics
):
    acts = [Finding(name, "coordinated", 1.0, 0.01, e, 9, None, "Seen.") for name, e in STRONG]
    one = _Judged(
        {"cohort": 3}, 900, True, seen(), 0.1, 0.1, acts, Dealt(0, 0.0, math.nan, math.nan, False)
    )
    desk = SimpleNamespace(settings=Settings(without=without), columns=frozenset(TEST.needs))
    rows = _rows(desk, one, usual, 1.0)
    assert [row["signal"] for row in rows] == [name for name, _ in STRONG] + [
        "one_fleet", "one_source", "harvest", TEST.name,
    ]  # fmt: skip
    assert {row["by_topics"] for row in rows} == {by_topics}
