"""Selection: both claims count, each with its weight; too weak means *cannot accuse*."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.campaigns import choose
from stillwatch.stats import alpha_at_look

LARGEST = 1e6


def scores(*rows, done=0.5, asked=0.5, look=0.0):
    """Rows of both e-values and whether tested; ``done`` and ``asked``: weights of both claims.

    ``look``: the e-value of *extractive* that is enough to be looked at.
    """
    done, asked = (np.broadcast_to(w, len(rows)).tolist() for w in (done, asked))
    return pa.Table.from_pylist(
        [
            {"cohort": k, "e_coordinated": float(a), "e_extractive": float(b), "tested": t,
             "w_coordinated": done[k], "w_extractive": asked[k], "e_acts_watch": float(a),
             "e_extractive_watch": look, "e_source": math.nan, "e_screen": 0.1}
            for k, (a, b, t) in enumerate(rows)
        ],
        schema=pa.schema([("cohort", pa.int32()), ("e_coordinated", pa.float64()),
                          ("e_extractive", pa.float64()), ("tested", pa.bool_()),
                          ("w_coordinated", pa.float64()), ("w_extractive", pa.float64()),
                          *((n, pa.float64()) for n in ("e_acts_watch", "e_extractive_watch",
                                                        "e_source", "e_screen"))]),
    )  # fmt: skip


def test_both_claims_must_hold():
    made = choose(
        scores((1e9, 0.5, True), (0.5, 1e9, True), (1e4, 1e5, True)),
        alpha=0.01, look=1, largest=LARGEST,
    )  # fmt: skip
    assert made.selected == {2}
    assert made.e.tolist() == [0.5, 0.5, 1e4]
    assert made.q[2] == pytest.approx(3 / (0.5 * 1e4))


def test_what_is_enough_to_be_looked_at_selects_nobody():
    rows = ((1e9, 6.0, True),)
    made = choose(scores(*rows, look=500.0), alpha=0.01, look=1, largest=LARGEST)
    assert made.selected == frozenset()
    assert made.watch == {0: 500.0}
    assert choose(scores(*rows), alpha=0.01, look=1, largest=LARGEST).watch == {0: 6.0}


def test_selection_is_that_of_e_bh_at_the_level_of_the_look():
    needed = 4 / alpha_at_look(0.01, 1)
    at = choose(
        scores(*[(2 * needed * 1.0001, 1e9, True)], *[(1, 1, True)] * 3),
        alpha=0.01, look=1, largest=LARGEST,
    )  # fmt: skip
    assert at.selected == {0}
    assert at.needed == pytest.approx(needed)
    below = choose(
        scores(*[(2 * needed * 0.9999, 1e9, True)], *[(1, 1, True)] * 3),
        alpha=0.01, look=1, largest=LARGEST,
    )  # fmt: skip
    assert below.selected == frozenset()
    # two of them help each other: each then needs half
    two = choose(
        scores(*[(2 * needed * 0.5001, 1e9, True)] * 2, *[(1, 1, True)] * 2),
        alpha=0.01, look=1, largest=LARGEST,
    )  # fmt: skip
    assert two.selected == {0, 1}
    assert two.needed == pytest.approx(needed / 2)


def test_later_looks_ask_for_more():
    rows = scores((2_000, 2_000, True))
    chosen = [choose(rows, alpha=0.01, look=k, largest=LARGEST) for k in (1, 2, 3)]
    assert [bool(c.selected) for c in chosen] == [True, True, False]
    assert [c.alpha for c in chosen] == [alpha_at_look(0.01, k) for k in (1, 2, 3)]
    assert np.diff([c.needed for c in chosen]).min() > 0
    shared = [choose(rows, alpha=0.01, look=k, looks=4, largest=LARGEST) for k in (1, 99)]
    assert [(c.alpha, c.needed) for c in shared] == [(0.0025, 400)] * 2


def test_cannot_accuse_is_said_where_even_a_perfect_cohort_would_fail():
    """One that acts shares what is for *extractive* with those that do, not with everybody."""
    level = alpha_at_look(0.01, 1)
    rows = [(1, 1, True)] * 10
    two = scores(*rows, done=0.25, asked=(3.75, 3.75, *[0.0] * 8))
    for given, needed in (
        (two, 2 / 0.75 / level),
        (scores(*rows, done=1.0, asked=0.0), 1 / 0.75 / level),
    ):
        assert choose(given, alpha=0.01, look=1, largest=needed * 0.99).cannot_accuse
        made = choose(given, alpha=0.01, look=1, largest=needed * 1.01)
        assert not made.cannot_accuse
        assert made.usual_asked == pytest.approx(needed)


def test_what_was_not_tested_is_no_hypothesis():
    untested = [(math.nan, math.nan, False)] * 50
    alone = choose(scores((1_400, 1_400, True), *untested), alpha=0.01, look=1, largest=LARGEST)
    assert alone.cohorts == (0,)
    assert alone.selected == {0}
    none = choose(scores(*untested), alpha=0.01, look=1, largest=LARGEST)
    assert none.selected == frozenset()
    assert math.isnan(none.needed)
    assert not none.cannot_accuse  # nothing was asked


def test_each_claim_counts_with_its_own_weight():
    needed = 4 / alpha_at_look(0.01, 1)
    plain = [(1, 1, True)] * 2
    rows = scores(*[(needed * 0.9, needed * 0.7, True)] * 2, *plain,
                  done=(1.2, 0.3, 0.1, 0.1), asked=(1.5, 0.8, 0.0, 0.0))  # fmt: skip
    made = choose(rows, alpha=0.01, look=1, largest=LARGEST)
    assert made.selected == {0}
    assert made.e[0] == pytest.approx(needed * 0.7), "the evidence is as it was"
    assert made.needed_of(0) == pytest.approx(made.needed / 1.5)
    few = scores(*[(needed * 0.8, 1e9, True)] * 2, *plain,
                 done=(1.2, 0.3, 0.1, 0.1), asked=(1.5, 0.8, 0.0, 0.0))  # fmt: skip
    assert choose(few, alpha=0.01, look=1, largest=LARGEST).selected == frozenset()


def test_whose_acts_do_not_speak_is_asked_nothing_and_selected_by_nothing():
    rows = scores((1e9, 1e9, True), (1e9, 1e9, True), done=0.25, asked=(1.5, 0.0))
    made = choose(rows, alpha=0.01, look=1, largest=LARGEST)
    assert made.selected == {0}
    assert np.isfinite(made.needed_of(1))


def test_registered_hypotheses_share_half_of_the_level_and_ones_own_the_other_half():
    rows = scores(*[(8, 8, True)] * 20)
    made = choose(rows, alpha=0.01, look=1, largest=LARGEST, registered={3: 8.0, 25: 8.0})
    level = alpha_at_look(0.01, 1)
    assert made.cohorts == (*range(20), 25), "25 was not tested by oneself"
    own = sum(made.weights[c] for c in range(20)) - made.weights[25]
    assert 2 * own + 2 * made.weights[25] == pytest.approx(21), "the bound rests on this"
    assert made.needed_of(25) == pytest.approx(2 / (level / 2)), "as if the two were all"
    assert made.usual == pytest.approx(20 / (level / 2))
    assert made.needed_of(0) == pytest.approx(2 * made.usual), "half of it is for each claim"
    assert made.needed_of(3) < made.needed_of(25), "what is on both lists has both shares"


def test_a_registered_hypothesis_is_selected_where_it_was_not_alone():
    needed = 20 / alpha_at_look(0.01, 1)
    rows = scores((needed / 5, 1e9, True), *[(1, 1, True)] * 19)
    assert choose(rows, alpha=0.01, look=1, largest=LARGEST).selected == frozenset()
    made = choose(rows, alpha=0.01, look=1, largest=LARGEST, registered={0: needed / 5})
    assert made.selected == {0}
    assert made.e[0] == pytest.approx(needed / 5), "the evidence is as it was"
    # its own evidence is what is asked for: others' word alone selects nothing
    weak = scores((5, 5, True), *[(1, 1, True)] * 19)
    none = choose(weak, alpha=0.01, look=1, largest=LARGEST, registered={0: 5.0})
    assert none.selected == frozenset()


@pytest.mark.parametrize("listed", [1, 5, 20, 400])
def test_liars_who_register_anything_cost_ones_own_hypotheses_a_factor_of_two_at_most(listed):
    alone = choose(scores(*[(1, 1, True)] * 20), alpha=0.01, look=1, largest=LARGEST)
    made = choose(scores(*[(1, 1, True)] * 20), alpha=0.01, look=1, largest=LARGEST,
                  registered=dict.fromkeys(range(10, 10 + listed), 1.0))  # fmt: skip
    assert made.needed_of(0) == pytest.approx(2 * alone.needed_of(0))
    assert made.needed_of(15) <= made.needed_of(0) * (1 + 1e-9)


def test_an_empty_list_changes_nothing():
    rows = scores(*[(10.0**k, 1e9, True) for k in range(20)])
    alone = choose(rows, alpha=0.01, look=1, largest=LARGEST)
    made = choose(rows, alpha=0.01, look=1, largest=LARGEST, registered={})
    assert set(made.weights.values()) == {0.5}
    assert (made.selected, made.needed, made.q.tolist(), made.usual) == (
        alone.selected, alone.needed, alone.q.tolist(), alone.needed,
    )  # fmt: skip


def worst(e):
    """Ten that do not act and ten that ask for nothing, the other claim beyond doubt in each."""
    rows = [*((1e200, one, True) for one in e[:10]), *((one, 1e200, True) for one in e[10:])]
    done, asked = [1e-9] * 10 + [1.0] * 10, [1.0] * 10 + [1e-9] * 10
    return scores(*rows, done=done, asked=asked)


@pytest.mark.parametrize("listed", [0, 1, 4, 15, 40])
def test_the_bound_holds_whichever_claim_is_false_and_whoever_registers_what(listed):
    """e is 0, or what its selection needs with the chance that leaves its mean at 1: the worst."""
    rng = np.random.default_rng(5)
    level, worlds = alpha_at_look(0.2, 1), 1_000
    names = range(20 - min(listed, 10), 20 - min(listed, 10) + listed)
    total = len(set(range(20)) | set(names))
    made = choose(worst([1.0] * 20), alpha=0.2, look=1, largest=LARGEST,
                  registered=dict.fromkeys(names, 1.0))  # fmt: skip
    at = {c: total / level / made.weights[c] * (1 + 1e-9) for c in made.cohorts}
    hits = 0
    for _ in range(worlds):
        e = {c: at[c] if rng.random() < 1 / at[c] else 0.0 for c in made.cohorts}
        hits += bool(
            choose(worst([e[c] for c in range(20)]), alpha=0.2, look=1,
                   largest=LARGEST, registered={c: e[c] for c in names}).selected
        )  # fmt: skip
    slack = 4 * math.sqrt(level / worlds)
    assert level - slack < hits / worlds < level + slack
