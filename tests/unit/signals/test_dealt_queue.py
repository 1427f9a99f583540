"""One queue that one hand deals: two kinds of acts, no own topics, no common items."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stillwatch.signals import dealt_queue, e_of_asked, shipped_references
from stillwatch.signals.claims import e_of_claim
from stillwatch.signals.reference import Passed
from stillwatch.signals.traits import Traits

QUEUE = Traits(
    own_topics=0.004, own_error=0.002, breadth=0.5, repeats=0.7, dominance=0.9, novelty=0.4,
    asks=0.0, common=0.01,
)  # fmt: skip
NONE_OF = Passed(cohorts=999, passed=0, worlds=20, limits="")


def test_a_queue_that_asks_each_item_of_a_few_accounts_is_one():
    found = dealt_queue.find(QUEUE, 1e6, 400, NONE_OF)
    assert found.claim == "extractive"
    assert found.e_value == 1000.0
    assert found.p_value == pytest.approx(1e-3)
    assert "of 999 benign cohorts that act together in the reference 0 show this" in found.text


@pytest.mark.parametrize(
    ("changes", "e_acts", "why"),
    [
        ({}, 99.0, "acts of two kinds do not speak"),
        ({}, math.nan, "acts of two kinds do not speak"),
        ({"own_topics": 0.03}, 1e6, "lies between the organizations"),
        ({"common": 0.06}, 1e6, "a fifth of the organizations sent"),
        ({"dominance": 0.2}, 1e6, "of what the usual account asks"),
    ],
)
def test_each_condition_alone_makes_it_none(changes, e_acts, why):
    found = dealt_queue.find(QUEUE._replace(**changes), e_acts, 400, NONE_OF)
    assert (found.e_value, found.p_value) == (0.0, 1.0)
    assert why in found.text


def test_own_topics_within_their_error_are_none():
    unsure = QUEUE._replace(own_topics=0.05, own_error=0.02)
    assert dealt_queue.find(unsure, 1e6, 400, NONE_OF).e_value == 1000.0


def test_the_bet_has_a_mean_of_one_at_most_whatever_share_of_benign_cohorts_passes():
    rng = np.random.default_rng(4)
    n = 200
    for share in (0.0, 0.002, 0.02, 0.3):
        known = rng.binomial(n, share, 40_000)
        shows = rng.random(40_000) < share
        won = np.where(shows, (n + 1) / (known + 1), 0.0)
        assert won.mean() <= 1.0 + 4 * won.std() / 200
    assert Passed(cohorts=200, passed=3, worlds=1, limits="").e_value == 201 / 4


def test_the_claim_is_the_mean_of_what_is_asked_for_and_how_it_is_dealt_out():
    made = [("harvest", 4.0), ("dealt_queue", 1000.0)]
    assert e_of_claim(made, 0.0) == e_of_asked(4.0, 1000.0) == 502.0
    assert e_of_asked(4.0, math.nan) == 4.0
    known = shipped_references()
    assert known.dealt.passed < 0.01 * known.dealt.cohorts
    assert known.largest_e == pytest.approx((known.together.largest_e + known.dealt.e_value) / 2)
