"""A copied customer among its copiers is told apart, and never more than a third is named."""

from __future__ import annotations

import numpy as np

from stillwatch.signals.topics import distance_ratio, strangers_among

SID = np.repeat(np.arange(20), 10)
ORG = np.arange(40)


def with_strangers(stand, strangers, sid=SID):
    """Return topics of one queue, those of ``strangers`` about one subject of their own each."""
    rows = stand.topics(sid, 0.0)
    for one in strangers:
        rows[sid == one] = stand.topics(np.zeros((sid == one).sum(), dtype=np.int64), 0.8)
    return rows


def test_a_copied_customer_among_its_copiers_is_found(make_stand):
    for seed in range(20):
        rows = with_strangers(make_stand(seed), [7])
        assert strangers_among(SID, ORG, rows).tolist() == [7]


def test_all_accounts_of_the_copied_customer_are_found(stand):
    org = ORG.copy()
    org[8] = 7
    rows = stand.topics(SID, 0.0)
    theirs = np.isin(SID, (7, 8))
    rows[theirs] = stand.topics(np.zeros(theirs.sum(), dtype=np.int64), 0.8)
    assert strangers_among(SID, org, rows).tolist() == [7, 8]


def test_of_one_queue_hardly_anybody_is_named(make_stand):
    named = [strangers_among(SID, ORG, make_stand(k).topics(SID, 0.0)).size for k in range(50)]
    assert sum(named) <= 1


def test_at_most_a_third_is_named_the_farthest_first(stand):
    found = strangers_among(SID, ORG, with_strangers(stand, range(9)))
    assert found.size <= 0.34 * 20
    assert set(found) <= set(range(9))


def test_one_message_is_not_enough_to_be_named(stand):
    sid = np.concatenate([SID, [20, 20]])
    rows = np.concatenate([stand.topics(SID, 0.0), np.tile(np.eye(64)[:1], (2, 1))])
    assert 20 not in strangers_among(sid, np.arange(40), rows)


def test_nothing_is_said_of_nobody_or_two(stand):
    assert strangers_among(np.zeros(0, dtype=np.int64), ORG, np.zeros((0, 64))).size == 0
    sid = np.repeat(np.arange(2), 10)
    assert strangers_among(sid, ORG, stand.topics(sid, 0.5)).size == 0
    assert np.isnan(distance_ratio(stand.topics(sid, 0.5), sid)[1]).all()


def test_the_ratio_is_one_for_the_same_source_and_grows_with_own_topics(make_stand):
    same = [distance_ratio(make_stand(k).topics(SID, 0.0), SID)[1].mean() for k in range(10)]
    apart = [distance_ratio(make_stand(k).topics(SID, 0.3), SID)[1].mean() for k in range(10)]
    assert abs(np.mean(same) - 1) < 0.05
    # 1 + n ρ/(1 − ρ) with n = 10 and ρ = 0.3
    assert 3.5 < np.mean(apart) < 7
