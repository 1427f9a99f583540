"""People at one place do much together that is no campaign: what they do counts as nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from stillwatch.schema import Finding
from stillwatch.signals import shared_values
from stillwatch.signals.excuses import ONE_HOST, POOL, excused
from stillwatch.signals.hours import (
    NOTHING,
    at_one_place,
    explained,
    hosted_turns,
    hours_of_their_own,
    on_a_clock,
    one_host,
    people_hours,
    rotate,
)
from stillwatch.signals.step import _no_launch

HOUR = 3_600_000_000
DAY = 24 * HOUR


def seen(*, found_by=("frame", "exit_prefix"), **reasons):
    cohort = SimpleNamespace(found_by=frozenset(found_by))
    quiet = {
        "place": "",
        "clock": "",
        "resting": "",
        "host": "",
        "senders": 20,
        "rotates": False,
        "turns": "",
    }
    return SimpleNamespace(cohort=cohort, **quiet | reasons)


def clock(rng, n, low, high, days=7):
    """Moments between two hours of each of some days."""
    return rng.integers(days, size=n) * DAY + (rng.uniform(low, high, n) * HOUR).astype(np.int64)


def test_a_class_keeps_its_hours_and_a_dispatcher_none():
    rng = np.random.default_rng(1)
    sessions = rng.integers(3, size=400) * 33 * HOUR + rng.integers(2 * HOUR, size=400)
    assert "fall into 6 hours" in people_hours(sessions)
    assert "six hours from" in people_hours(clock(rng, 400, 8, 19))
    assert people_hours(rng.integers(7 * DAY, size=400)) == ""
    assert people_hours(np.zeros(0, dtype=np.int64)) == ""


def test_a_night_is_found_wherever_the_day_begins():
    rng = np.random.default_rng(2)
    day = clock(rng, 500, 8, 23)
    for zone in range(24):
        assert people_hours(day + zone * HOUR), zone


def test_few_requests_of_a_dispatcher_seldom_look_like_people():
    rng = np.random.default_rng(3)
    told = [bool(people_hours(rng.integers(7 * DAY, size=40))) for _ in range(1_000)]
    assert np.mean(told) < 0.02


def test_two_days_without_a_night_are_no_class():
    rng = np.random.default_rng(4)
    assert people_hours(rng.integers(2 * DAY, size=600)) == ""
    assert people_hours(rng.integers(8 * HOUR, size=600)) != ""  # one afternoon


def test_half_behind_one_address_for_a_few_days_are_one_place(stand):
    """A venue that never sleeps; a proxy pool is many places, and a week is no event."""
    sid = np.repeat(np.arange(20), 5)
    for shared, told in ((10, "10 of 20"), (9, ""), (20, "20 of 20")):
        exits = np.arange(60)
        exits[:shared] = 0
        venue = stand.population(60, exit_code=exits)
        for days, wanted in ((2, told), (6, "")):
            ts_us = np.linspace(0, days * DAY, len(sid)).astype(np.int64)
            cohort = stand.cohort(sid, stand.topics(sid, 0.1), ts_us=ts_us)
            assert at_one_place(cohort, venue)[: len(wanted) or None] == wanted, (shared, days)
    unknown = stand.population(60, exit_code=np.full(60, -1))
    assert at_one_place(cohort, unknown) == ""
    night = stand.cohort(sid, stand.topics(sid, 0.1), hours="a night")
    assert at_one_place(night, unknown) == "a night"


def finding(e_value, evaluable=True):
    return Finding("shared_exits", "coordinated", 5.0, 1e-9, e_value, 20, None, "20 of 20.",
                   evaluable)  # fmt: skip


def test_what_people_do_too_counts_as_nothing_and_says_so():
    told = explained(finding(1e6), "a class", "A class does the same.")
    assert told.e_value == NOTHING < 1
    assert (told.excuse, told.e_before) == ("a class", 1e6)
    assert told.p_value == 1.0
    assert told.text == "20 of 20. A class does the same."
    assert explained(finding(NOTHING / 2), "a class", "A class.").e_value == NOTHING / 2
    assert explained(finding(math.nan, False), "a class", "A class.").evaluable is False


@pytest.mark.parametrize("kind", ["signup_ip", "device_hash", "payment_hash"])
def test_a_class_shares_its_room_but_no_card(stand, kind):
    """Devices and sign-up addresses are no evidence, at one place or not; a card is."""
    sid = np.repeat(np.arange(20), 5)
    codes = np.arange(60)
    codes[:20] = 0
    kinds = {k: np.full(60, -1) for k in ("signup_ip", "device_hash", "payment_hash")}
    population = stand.population(60, codes=kinds | {kind: codes})
    for hours in ("", "90% of its requests fall into 6 hours"):
        cohort = stand.cohort(sid, stand.topics(sid, 0.1), hours=hours)
        found = shared_values.find_account_values(cohort, population)
        assert (found.evaluable and found.e_value > 100) == (kind == "payment_hash")


def test_a_burst_of_sign_ups_alone_is_a_launch():
    def kept(others, screen=0.1, found_by=("frame",)):
        acts = {"signup_burst": 1e200, **others}
        made = [replace(finding(e), signal=name) for name, e in acts.items()]
        return _no_launch(made, frozenset(found_by), screen)[0].e_value

    weak = {"round_robin": 0.2, "shared_exits": 0.1}
    assert kept(weak) < 1
    assert kept({}) < 1
    assert kept(weak, found_by=()) < 1
    assert kept({"round_robin": 12.0, "shared_exits": 0.1}) == 1e200
    assert kept(weak, screen=5.0) == 1e200  # part A showed it
    assert kept(weak, found_by=("frame", "exit_prefix")) == 1e200
    assert kept(weak, found_by=("payment",)) == 1e200


def jobs(rng, interval_us, jitter_us, accounts=30, each=20):
    """Jobs that sleep an interval each: whose, and when, by time."""
    start = rng.integers(interval_us, size=accounts)
    late = rng.exponential(jitter_us, (accounts, each)).cumsum(axis=1)
    ts_us = (start[:, None] + np.arange(each) * interval_us + late).astype(np.int64).ravel()
    order = np.argsort(ts_us, kind="stable")
    return np.repeat(np.arange(accounts), each)[order], ts_us[order]


def test_jobs_follow_a_clock_and_dealers_and_people_do_not():
    rng = np.random.default_rng(7)
    quarter = HOUR // 4
    who = rng.integers(30, size=900)
    ticks = rng.integers(7 * 96, size=900) * quarter + rng.integers(60_000_000, size=900)
    order = np.argsort(ticks, kind="stable")
    assert "whole quarter hours" in on_a_clock(who[order], ticks[order])
    assert "its usual one" in on_a_clock(*jobs(rng, 47 * 60_000_000, 10_000_000))
    assert "whole quarter hours" in on_a_clock(*jobs(rng, DAY, 1_000_000, each=7))
    rounds = np.concatenate([rng.permutation(30) for _ in range(30)])
    anyhow = np.sort(rng.integers(7 * DAY, size=900))
    assert on_a_clock(rounds, anyhow) == ""
    assert on_a_clock(np.tile(np.arange(30), 30), anyhow) == ""
    assert on_a_clock(np.tile(np.arange(30), 30), np.arange(900) * 670_000_000) == ""  # one pool
    assert on_a_clock(rng.integers(30, size=900), np.sort(clock(rng, 900, 8, 20))) == ""
    assert on_a_clock(np.arange(5), np.arange(5) * quarter) == ""


def test_a_clock_explains_turns_and_nothing_else():
    turns = replace(finding(1e6), signal="round_robin")
    assert excused(turns, seen(clock="60% of the gaps are whole quarter hours")).e_value == NOTHING
    assert excused(turns, seen()).e_value == 1e6
    assert excused(turns, seen(place="a night")).e_value == 1e6
    assert excused(finding(1e6), seen(clock="a clock")).e_value == 1e6


def test_a_host_takes_turns_and_its_people_help_each_other():
    """A service's server and an office; a relay hands over most of what it sends."""
    host = seen(host="20 of 20 accounts leave through one address prefix")
    turns = replace(finding(1e6), signal="round_robin")
    assert excused(turns, host).e_value == NOTHING
    assert "counts as nothing" in excused(turns, host).text
    assert (excused(turns, host).excuse, excused(turns, host).e_before) == (ONE_HOST, 1e6)
    assert excused(turns, seen(clock="whole hours")).excuse == "a clock"
    for signal in ("handoff", "blob_replay"):
        for moved, left in ((6, NOTHING), (7, 1e6)):
            act = replace(finding(1e6), signal=signal, statistic=float(moved), n=20)
            assert excused(act, host).e_value == left, (signal, moved)
            assert excused(act, seen()).e_value == 1e6
    few = replace(finding(1e6), signal="handoff", statistic=3.0, n=20)
    assert excused(few, seen()).e_value == NOTHING
    assert excused(replace(few, signal="blob_replay"), seen()).e_value == 1e6
    assert excused(finding(1e6), host).e_value == 1e6


def test_who_buys_accounts_buys_the_proxy_too():
    pool = replace(finding(1e6), signal="rotating_exits")
    assert excused(pool, seen(found_by=["exit_prefix"])).e_value == NOTHING
    assert excused(pool, seen()).e_value == 1e6
    assert excused(finding(1e6), seen(found_by=["exit_prefix"])).e_value == 1e6


def test_a_pool_of_a_few_is_a_vpn_that_some_users_have():
    for moved, left in ((3, NOTHING), (4, 1e6)):
        pool = replace(finding(1e6), signal="rotating_exits", statistic=float(moved))
        assert excused(pool, seen(senders=60)).e_value == left, moved


def test_turns_of_one_host_among_others_are_its_own(stand):
    """Fifteen customers of a service in a template that twenty-five others use as they like."""
    rng = np.random.default_rng(4)
    sid = rng.integers(40, size=1_200)
    served = sid < 15
    sid[served] = np.arange(served.sum()) % 15
    exits = np.where(np.arange(60) < 15, 0, np.arange(60))
    share = np.ones(60)
    population = stand.population(60, exit_code=exits, exit_share=share)
    cohort = stand.cohort(sid, stand.topics(sid, 0.1))
    told = hosted_turns(cohort, population)
    assert told == "15 of 40 accounts leave through one prefix, the rest take no turns"
    turns = replace(finding(1e6), signal="round_robin")
    assert excused(turns, seen(turns=told)).excuse == ONE_HOST
    assert excused(finding(1e6), seen(turns=told)).e_value == 1e6
    assert hosted_turns(cohort, replace(population, exit_share=np.full(60, 0.4))) == ""
    every = np.arange(1_200) % 40  # a dealer over three prefixes: the rest goes round as well
    dealt = stand.cohort(every, stand.topics(every, 0.1))
    three = stand.population(60, exit_code=np.arange(60) % 3, exit_share=share)
    assert hosted_turns(dealt, three) == ""


def test_exits_of_those_who_rotate_count_for_watching_alone():
    exits = excused(finding(1e6), seen(rotates=True))
    assert (exits.e_value, exits.excuse, exits.e_before) == (NOTHING, POOL, 1e6)
    assert excused(finding(1e6), seen()).e_value == 1e6
    assert excused(replace(finding(1e6), signal="signup_burst"), seen(rotates=True)).e_value == 1e6


def test_who_rotates_sends_less_than_half_through_any_one_prefix(stand):
    sid = np.repeat(np.arange(20), 5)
    cohort = stand.cohort(sid, stand.topics(sid, 0.1))
    known = stand.population(60, exit_code=np.arange(60))
    assert not rotate(cohort, known), "not known"
    for share, told in ((0.4, True), (0.5, False)):
        assert rotate(cohort, replace(known, exit_share=np.full(60, share))) is told
    few = stand.cohort(sid[::2], stand.topics(sid[::2], 0.1))  # two or three requests each
    assert not rotate(few, replace(known, exit_share=np.full(60, 0.4)))


def test_one_host_is_half_behind_one_prefix_or_nearly_all_behind_two(stand):
    sid = np.repeat(np.arange(20), 5)
    cohort = stand.cohort(sid, stand.topics(sid, 0.1))
    for first, second, told in ((10, 0, "10 of 20"), (9, 0, ""), (9, 9, "18 of 20"), (9, 8, "")):
        exits = np.arange(60)
        exits[:first] = 0
        exits[first : first + second] = 100
        found = one_host(cohort, stand.population(60, exit_code=exits))
        assert found.startswith(told), (first, second)
        assert bool(found) == bool(told)
    assert not one_host(cohort, stand.population(60, exit_code=np.full(60, -1)))
    shared = stand.population(60, exit_code=np.zeros(60, dtype=np.int64))
    assert one_host(cohort, shared)
    for share, told in ((0.5, True), (0.4, False)):  # a prefix that each uses most, and seldom
        seldom = replace(shared, exit_share=np.full(60, share))
        assert bool(one_host(cohort, seldom)) is told


def test_strangers_keep_hours_of_their_own_and_one_dispatcher_does_not():
    rng = np.random.default_rng(8)
    who = np.repeat(np.arange(40), 8)
    day, of_its_own = rng.integers(0, 5, len(who)), rng.uniform(0, 24, 40)[who]
    people = ((day + 1) * 24 + of_its_own + rng.normal(0, 3, len(who))) * 3_600_000_000
    assert "hours of an account" in hours_of_their_own(who, people.astype(np.int64))
    dealt = rng.uniform(0, 5 * 24, len(who)) * 3_600_000_000
    assert not hours_of_their_own(who, dealt.astype(np.int64))
    office = ((day + 1) * 24 + 14 + rng.normal(0, 3, len(who))) * 3_600_000_000
    assert not hours_of_their_own(who, office.astype(np.int64))  # all rest at the same time
    once = (24 + of_its_own) * 3_600_000_000
    assert not hours_of_their_own(who, once.astype(np.int64))  # one sitting each, and no more
    assert not hours_of_their_own(who[:0], people[:0].astype(np.int64))


def test_hours_of_their_own_explain_a_pool_of_exits_and_nothing_else():
    for signal, left in (("rotating_exits", NOTHING), ("shared_exits", 1e9)):
        finding = Finding(signal, "coordinated", 9.0, 1e-10, 1e9, 40, None, "Seen.")
        assert excused(finding, seen(resting="they rest")).e_value == left
