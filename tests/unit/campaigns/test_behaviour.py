"""Membership by behaviour: nobody speaks for itself, no trait decides alone, doubt stays doubt."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.campaigns.behaviour import (
    _ANYBODY,
    TRAIT_NAMES,
    TraitCounts,
    binned_traits,
    log_likelihood_ratios,
    posteriors,
)

WIDTH = len(TRAIT_NAMES)


def everybody(n):
    return np.ones(n, dtype=bool)


def counted(rows):
    """Return the (traits × bins) counts of everybody in ``rows``."""
    nobody = np.zeros(0, dtype=np.int64)
    return TraitCounts(rows, np.zeros(len(rows), dtype=np.int64)).outside(nobody, np.array([0]))


def kinds(n, number=1):
    return np.full(n, number)


def test_no_trait_is_a_link_or_reads_language_country_or_text():
    forbidden = ("language", "country", "script", "text", "payment", "device", "prefix_hash")
    assert not [t for t in TRAIT_NAMES if t in forbidden]


def test_members_that_all_act_alike_and_unlike_others_gain_and_strangers_lose():
    campaign = np.full((30, WIDTH), 3)
    campaign[0] = 1  # acts like everybody else
    others = np.full((500, WIDTH), 1)
    found = log_likelihood_ratios(campaign, everybody(30), counted(others))
    assert (found[1:] > 1).all()
    assert (found[0] < -0.5).all()
    assert found[0].sum() < -6


def test_a_member_does_not_vouch_for_itself():
    """The only member of its kind gains nothing from being in the campaign."""
    campaign = np.full((30, WIDTH), 2)
    campaign[0] = 5
    others = np.tile(np.arange(6)[:, None], (100, WIDTH))
    found = log_likelihood_ratios(campaign, everybody(30), counted(others))
    # left out: half a count of 29 + 6/2; counted in, it would be one and a half
    fit, plain = 0.5 / (29 + 0.5 * 6), (100 + 0.5) / (600 + 0.5 * 6)
    expected = math.log((1 - _ANYBODY) * fit / plain + _ANYBODY)
    assert found[0, 0] == pytest.approx(max(expected, -2.5))
    assert (found[0] < 0).all()


def test_who_does_not_speak_is_judged_by_those_who_do():
    members = np.full((20, WIDTH), 2)
    members[10:] = 4
    speaks = np.arange(20) < 10
    found = log_likelihood_ratios(members, speaks, counted(np.full((300, WIDTH), 4)))
    assert (found[:10] > 1).all()
    assert (found[10:] < -0.5).all()
    assert (found[10:].sum(axis=1) < -6).all()


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 12))
def test_ratios_are_finite_capped_and_zero_where_unknown(seed, n):
    rng = np.random.default_rng(seed)
    members = rng.integers(-1, 9, (n, WIDTH))
    others = rng.integers(-1, 9, (60, WIDTH))
    found = log_likelihood_ratios(members, rng.random(n) < 0.7, counted(others))
    assert np.isfinite(found).all()
    assert (np.abs(found) <= 2.5).all()
    assert (found >= math.log(_ANYBODY) - 1e-12).all()  # a bought account keeps its old traits
    assert (found[members == -1] == 0).all()


def test_the_cap_is_reached_and_not_passed():
    found = log_likelihood_ratios(
        np.full((2_000, WIDTH), 7), everybody(2_000), counted(np.full((2_000, WIDTH), 1))
    )
    assert (found == 2.5).all()


@settings(max_examples=60)
@given(st.lists(st.floats(-500, 500), min_size=1, max_size=40))
def test_posteriors_are_probabilities_in_the_order_of_the_ratios(ratios):
    values = np.array(ratios)
    found = posteriors(values, everybody(values.size), kinds(values.size))
    assert ((found >= 0) & (found <= 1)).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= -1e-12).all()


def test_in_a_cohort_of_strangers_nobody_inherits_certainty():
    """A member without evidence of its own (the last) gets the prior itself."""
    ratios = np.full(51, -4.0)
    ratios[0], ratios[-1] = 3.0, 0.0
    found = posteriors(ratios, everybody(51), kinds(51))
    assert found[-1] < 0.1
    assert found[0] < 0.9
    assert found[1:-1].max() < 0.01


def test_in_a_cohort_that_acts_as_one_the_prior_still_has_a_ceiling():
    ratios = np.concatenate([np.full(50, 10.0), [0.0]])
    found = posteriors(ratios, everybody(51), kinds(51))
    assert found[:-1].min() >= 0.999
    assert 0.9 < found[-1] <= 0.998  # without evidence of its own nobody reaches 0.999


def test_the_merely_associated_do_not_move_the_prior_nor_inherit_it():
    ratios = np.concatenate([np.full(20, 8.0), np.full(200, -8.0), [0.0, 0.0]])
    linked = np.concatenate([np.arange(220) < 20, [True, False]])
    found = posteriors(ratios, linked, kinds(222))
    assert found[-2] > 0.9
    assert found[-1] < 0.1
    together = posteriors(ratios, everybody(222), kinds(222))
    assert together[-2] == together[-1] < 0.2


def test_one_kind_of_link_does_not_inherit_the_certainty_of_two():
    ratios = np.concatenate([np.full(20, 8.0), np.full(20, -8.0), [0.0, 0.0, 0.0]])
    shown = np.concatenate([np.full(20, 2), np.full(20, 1), [2, 3, 1]])
    found = posteriors(ratios, everybody(43), shown)
    assert found[-3] == found[-2] > 0.9
    assert found[-1] < 0.1


def test_the_reference_is_the_segment_where_it_is_large_and_everybody_else_where_it_is_not():
    segment = np.repeat([0, 1], [300, 100])
    traits = np.random.default_rng(1).integers(-1, 5, (400, WIDTH))
    found = TraitCounts(traits, segment)
    members = np.arange(10)

    def counts(rows):
        return [np.bincount(column[column >= 0], minlength=5).tolist() for column in rows.T]

    assert found.outside(members, np.array([0])).tolist() == counts(traits[10:300])
    assert found.outside(members, np.array([1])).tolist() == counts(traits[10:])


def test_a_single_exchange_says_nothing_of_days_addresses_clients_or_span():
    utc = pa.timestamp("us", tz="UTC")
    numbers = ("single_turn", "with_system", "with_tools", "payloads", "output_tokens", "days",
               "input_tokens", "clients", "prefixes")  # fmt: skip
    subjects = pa.table(
        {"exchanges": [1, 2]}
        | {name: [1, 1] for name in numbers}
        | {name: pa.array([0, 0], utc) for name in ("created_at", "first_ts", "last_ts")}
    )
    bins = dict(zip(TRAIT_NAMES, binned_traits(subjects).T.tolist(), strict=True))
    told = {name for name, (one, _) in bins.items() if one < 0}
    assert told == {"novelty", "days", "clients", "prefixes", "span"}
    assert all(two >= 0 for _, two in bins.values())
