"""Selection: the smaller claim counts, at the level of the look; too weak means *cannot accuse*."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.campaigns import choose
from stillwatch.stats import alpha_at_look

LARGEST = 1e6


def scores(*rows, weight=1.0):
    return pa.Table.from_pylist(
        [
            {"cohort": k, "e_coordinated": float(a), "e_extractive": float(b), "tested": t,
             "weight": weight if np.isscalar(weight) else weight[k]}
            for k, (a, b, t) in enumerate(rows)
        ],
        schema=pa.schema([("cohort", pa.int32()), ("e_coordinated", pa.float64()),
                          ("e_extractive", pa.float64()), ("tested", pa.bool_()),
                          ("weight", pa.float64())]),
    )  # fmt: skip


def test_both_claims_must_hold():
    made = choose(
        scores((1e9, 0.5, True), (0.5, 1e9, True), (1e4, 1e5, True)),
        alpha=0.01, look=1, largest=LARGEST,
    )  # fmt: skip
    assert made.selected == {2}
    assert made.e.tolist() == [0.5, 0.5, 1e4]
    assert made.q[2] == pytest.approx(3 / 1e4)


def test_selection_is_that_of_e_bh_at_the_level_of_the_look():
    needed = 4 / alpha_at_look(0.01, 1)
    at = choose(
        scores(*[(needed * 1.0001, 1e9, True)], *[(1, 1, True)] * 3),
        alpha=0.01, look=1, largest=LARGEST,
    )  # fmt: skip
    assert at.selected == {0}
    assert at.needed == pytest.approx(needed)
    below = choose(
        scores(*[(needed * 0.9999, 1e9, True)], *[(1, 1, True)] * 3),
        alpha=0.01, look=1, largest=LARGEST,
    )  # fmt: skip
    assert below.selected == frozenset()
    # two of them help each other: each then needs half
    two = choose(
        scores(*[(needed * 0.5001, 1e9, True)] * 2, *[(1, 1, True)] * 2),
        alpha=0.01, look=1, largest=LARGEST,
    )  # fmt: skip
    assert two.selected == {0, 1}
    assert two.needed == pytest.approx(needed / 2)


def test_later_looks_ask_for_more():
    rows = scores((1_000, 1_000, True))
    chosen = [choose(rows, alpha=0.01, look=k, largest=LARGEST) for k in (1, 2, 3)]
    assert [bool(c.selected) for c in chosen] == [True, True, False]
    assert [c.alpha for c in chosen] == [alpha_at_look(0.01, k) for k in (1, 2, 3)]
    assert np.diff([c.needed for c in chosen]).min() > 0


def test_cannot_accuse_is_said_where_even_a_perfect_cohort_would_fail():
    rows = scores(*[(1, 1, True)] * 10)
    needed = 10 / alpha_at_look(0.01, 1)
    assert choose(rows, alpha=0.01, look=1, largest=needed * 0.99).cannot_accuse
    assert not choose(rows, alpha=0.01, look=1, largest=needed * 1.01).cannot_accuse


def test_what_was_not_tested_is_no_hypothesis():
    untested = [(math.nan, math.nan, False)] * 50
    alone = choose(scores((700, 700, True), *untested), alpha=0.01, look=1, largest=LARGEST)
    assert alone.cohorts == (0,)
    assert alone.selected == {0}
    none = choose(scores(*untested), alpha=0.01, look=1, largest=LARGEST)
    assert none.selected == frozenset()
    assert math.isnan(none.needed)
    assert not none.cannot_accuse  # nothing was asked


def test_what_is_weighted_more_needs_less():
    needed = 4 / alpha_at_look(0.01, 1)
    rows = scores(*[(needed * 0.6, needed * 0.7, True)] * 2, *[(1, 1, True)] * 2,
                  weight=(1.7, 0.3, 1.0, 1.0))  # fmt: skip
    made = choose(rows, alpha=0.01, look=1, largest=LARGEST)
    assert made.selected == {0}
    assert made.e[0] == pytest.approx(1.7 * needed * 0.6)
    assert made.largest == pytest.approx(1.7 * LARGEST)
