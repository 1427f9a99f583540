"""The traits of a harvest: topics, breadth, repeats; None where too little is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.signals.traits import MIN_EVENTS, traits

SID = np.repeat(np.arange(20), 8)


def seen(stand, own, sid=SID, **more):
    found = traits(stand.cohort(sid, stand.topics(sid, own), **more), stand.population())
    assert found is not None
    return found


def seen_of(stand, topic, **more):
    found = traits(stand.cohort(SID, topic, **more), stand.population())
    assert found is not None
    return found


def test_own_topics_are_near_zero_for_one_queue_and_high_for_own_topics(make_stand):
    queue = [seen(make_stand(k), 0.0).own_topics for k in range(20)]
    owned = [seen(make_stand(k), 0.5).own_topics for k in range(20)]
    assert abs(np.mean(queue)) < 0.01
    assert max(np.abs(queue)) < 0.05
    assert min(owned) > 0.4
    assert max(queue) < min(owned)


def test_the_error_of_own_topics_is_that_of_many_cohorts(make_stand):
    for own in (0.0, 0.3):
        found = [seen(make_stand(k), own) for k in range(60)]
        spread = np.std([t.own_topics for t in found])
        assert 0.6 < np.mean([t.own_error for t in found]) / spread < 1.7


def test_a_small_cohort_does_not_look_like_one_queue_by_chance(make_stand):
    sid = np.repeat(np.arange(5), 6)
    found = [seen(make_stand(k), 0.2, sid) for k in range(60)]
    assert np.mean([t.own_topics + t.own_error < 0.05 for t in found]) <= 0.05


def test_breadth_is_that_of_strangers_for_a_queue_and_small_for_a_narrow_job(stand):
    assert seen(stand, 0.0).breadth == pytest.approx(1.0, abs=0.1)
    assert seen(stand, 0.8).breadth < 0.35


def test_traits_do_not_depend_on_the_order_of_rows(stand):
    cohort = stand.cohort(
        SID, stand.topics(SID, 0.3),
        payload=stand.rng.integers(1, 60, SID.size).astype(np.uint64),
        answered=stand.rng.random(SID.size) < 0.8, harvest=stand.rng.random(SID.size) < 0.3,
    )  # fmt: skip
    population = stand.population()
    mixed = stand.rng.permutation(SID.size)
    fields = ("sid", "topic", "raw_topic", "payload", "answered", "fresh", "long", "harvest")
    other = replace(cohort, **{name: getattr(cohort, name)[mixed] for name in fields})
    forth, back = traits(cohort, population), traits(other, population)
    assert forth is not None
    assert back == pytest.approx(forth, rel=1e-6)


def test_the_input_is_not_changed(stand):
    topic = stand.topics(SID, 0.3)
    cohort = stand.cohort(SID, topic.copy())
    traits(cohort, stand.population())
    assert np.array_equal(cohort.topic, topic)
    assert np.array_equal(cohort.sid, SID)


@pytest.mark.parametrize(
    "sid",
    [
        np.repeat(np.arange(20), 1),  # fewer than 24 exchanges
        np.repeat(np.arange(3), 20),  # three subjects
        np.concatenate([np.repeat(np.arange(3), 8), np.arange(3, 20)]),  # three with two or more
        np.zeros(0, dtype=np.int64),
    ],
)
def test_too_small_a_cohort_has_no_traits(stand, sid):
    topic = stand.topics(sid, 0.0) if sid.size else np.zeros((0, 64), dtype=np.float32)
    assert traits(stand.cohort(sid, topic), stand.population()) is None


def test_the_smallest_cohort_has_traits(stand):
    sid = np.repeat(np.arange(4), MIN_EVENTS // 4)
    assert traits(stand.cohort(sid, stand.topics(sid, 0.0)), stand.population()) is not None


def test_one_organization_has_no_traits(stand):
    cohort = stand.cohort(SID, stand.topics(SID, 0.0))
    assert traits(cohort, stand.population(org=np.zeros(60, dtype=np.int64))) is None


def test_repeats_count_what_three_organizations_sent(stand):
    payload = np.arange(1, SID.size + 1).astype(np.uint64)
    payload[[8, 16]] = payload[0]  # subjects 0, 1 and 2
    payload[24] = payload[32]  # two subjects
    payload[3:6] = payload[2]  # one subject, four times: its own affair
    found = seen(stand, 0.0, payload=payload)
    assert found.repeats == pytest.approx(3 / SID.size)
    assert found.novelty == pytest.approx((SID.size - 6) / SID.size)


def test_a_refused_and_retried_payload_is_no_repeat(stand):
    payload = np.arange(1, SID.size + 1).astype(np.uint64)
    payload[[8, 16]] = payload[0]
    answered = np.ones(SID.size, dtype=bool)
    answered[0] = False
    assert seen(stand, 0.0, payload=payload, answered=answered).repeats == 0.0
    assert seen(stand, 0.0, payload=payload).repeats > 0.0


def test_a_conversation_that_goes_on_says_nothing_new_of_topics(stand):
    """Follow-up turns stay with their subject: counted, they would make topics look owned."""
    topic = stand.topics(SID, 0.0)
    fresh = np.arange(SID.size) % 2 == 0
    topic[1::2] = topic[::2]
    lasting = seen_of(stand, topic)
    assert lasting.own_topics > 0.05
    assert seen_of(stand, topic, fresh=fresh).own_topics < lasting.own_topics - 0.03
    nothing = stand.cohort(SID, topic, fresh=np.zeros(SID.size, dtype=bool))
    assert traits(nothing, stand.population()) is None


def test_a_short_prompt_is_no_repeat(stand):
    """Everybody writes "continue"."""
    payload = np.arange(1, SID.size + 1).astype(np.uint64)
    payload[[8, 16]] = payload[0]
    brief = np.ones(SID.size, dtype=bool)
    brief[[0, 8, 16]] = False
    assert seen(stand, 0.0, payload=payload, long=brief).repeats == 0.0
    assert seen(stand, 0.0, payload=payload).repeats > 0.0


def test_an_empty_payload_is_no_repeat(stand):
    payload = np.arange(1, SID.size + 1).astype(np.uint64)
    payload[::8] = 0
    assert seen(stand, 0.0, payload=payload).repeats == 0.0


def test_a_cohort_that_was_never_answered_repeats_nothing(stand):
    assert seen(stand, 0.0, answered=np.zeros(SID.size, dtype=bool)).repeats == 0.0


def test_asks_is_what_exceeds_everybodys_share(stand):
    harvest = np.arange(SID.size) < SID.size * 3 // 4
    assert seen(stand, 0.0, harvest=harvest).asks == pytest.approx(0.75 - 0.1)
    assert seen(stand, 0.0).asks == pytest.approx(-0.1)


def test_dominance_is_the_cohorts_share_of_its_members_traffic(stand):
    assert seen(stand, 0.0).dominance == pytest.approx(0.8)


def test_an_evaluation_that_each_runs_twice_is_repeated(stand):
    items = np.tile(np.arange(1, 13), 10).astype(np.uint64)  # five people, twelve items, twice
    sid = np.repeat(np.arange(5), 24)
    again = np.tile(np.repeat([True, False], 12), 5)  # one's second run is no fresh prompt
    cohort = stand.cohort(sid, stand.topics(sid, 0.0), payload=items, fresh=again)
    late = replace(cohort, rid=cohort.rid[~again])
    found = traits(cohort, stand.population(), late)
    assert found is not None
    assert found.repeats == 1.0


def test_what_all_ran_in_one_part_counts_when_one_runs_it_in_the_other(stand):
    sid = np.repeat(np.arange(6), 8)
    items = np.tile(np.arange(1, 9), 6).astype(np.uint64)
    cohort = stand.cohort(sid, stand.topics(sid, 0.0), payload=items)
    late = replace(cohort, rid=cohort.rid[sid == 5])
    found = traits(cohort, stand.population(), late)
    assert found is not None
    assert found.repeats == 1.0


def test_what_a_tenth_of_the_organizations_sent_is_repeated(stand):
    """A class has the same items; best-of-three asks each item of three accounts among sixty."""
    sid = np.repeat(np.arange(60), 8)
    at, nth = sid, np.arange(sid.size) % 8
    for of, share in ((60, 1.0), (6, 1.0), (5, 0.0), (3, 0.0)):
        payload = (1 + at // of * 8 + nth).astype(np.uint64)
        assert seen(stand, 0.0, sid, payload=payload).repeats == share, of


def test_in_a_small_cohort_a_queue_that_is_drawn_from_again_repeats_nothing(stand):
    """Twenty organizations draw 300 requests from 400 items: a few come to three, none to many."""
    sid = np.repeat(np.arange(20), 15)
    drawn = stand.rng.integers(1, 401, sid.size).astype(np.uint64)
    dealt = traits(stand.cohort(sid, stand.topics(sid, 0.0), payload=drawn), stand.population())
    every = np.tile(np.arange(1, 16, dtype=np.uint64), 20)
    class_ = traits(stand.cohort(sid, stand.topics(sid, 0.0), payload=every), stand.population())
    assert dealt is not None
    assert class_ is not None
    _, place = np.unique(drawn, return_inverse=True)
    senders = np.array([len(np.unique(sid[place == k])) for k in range(place.max() + 1)])
    assert (senders[place] >= 3).mean() > 0.02, "three of twenty sent an item by chance"
    assert dealt.repeats < 0.02
    assert class_.repeats == 1
