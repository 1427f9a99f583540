"""The p-value of the benign reference: a rank, then a tail; never 0, never up with the score."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stillwatch.signals import e_of_claim, one_source
from stillwatch.signals.claims import acts_speak, weights
from stillwatch.signals.harvest import SCORED, USUAL_OWN, find, score, usual
from stillwatch.signals.reference import KAPPA, Reference, read_reference, shipped_references
from stillwatch.signals.traits import Traits
from stillwatch.stats import calibrate


def reference(n=99, start=0.95, inflate=1.0, **more):
    """Return a reference of exponential scores with the tail that `make reference` would fit."""
    scores = -np.log1p(-(np.arange(n) + 0.5) / n)
    cut = float(np.quantile(scores, start))
    above = scores[scores > cut] - cut
    known = {
        "name": "made", "scores": scores, "worlds": 3, "tail_start": cut,
        "tail_share": len(above) / n,
        "tail_scale": float(above.mean()) * inflate, "floor": 1e-7,
        "traits": {k: [0.0, 0.1, 0.2] for k in SCORED}, "check": {}, "limits": "made",
    }  # fmt: skip
    return Reference(**(known | more))


def test_within_the_reference_p_is_the_rank():
    made = reference()
    assert made.p_value(-1.0) == 1.0
    assert made.p_value(made.scores[0]) == 1.0
    middle = float(np.median(made.scores))
    assert made.p_value(middle) == pytest.approx((1 + (made.scores >= middle).sum()) / 100)
    assert made.p_value(middle) == pytest.approx(0.51)


def test_beyond_the_start_p_follows_the_fitted_tail_and_is_never_below_the_rank():
    made = reference()
    for step in (0.5, 2.0, 5.0):
        value = made.tail_start + step * made.tail_scale
        tail = made.tail_share * math.exp(-step)
        above = int((made.scores >= value).sum())
        assert made.p_value(value) == pytest.approx(max(tail, (1 + above) / 100 if above else 0))
    assert made.p_value(made.tail_start + 5 * made.tail_scale) == pytest.approx(tail)
    assert tail < 1 / 100


def test_p_has_a_floor_and_is_never_zero():
    made = reference(floor=1e-5)
    for value in (made.tail_start + 100, 1e6, 1e300, math.inf):
        assert made.p_value(value) == 1e-5
    assert made.largest_e == pytest.approx(calibrate(1e-5, KAPPA))


@pytest.mark.parametrize(
    "made",
    [
        reference(),
        reference(n=40),
        reference(n=1_000, inflate=1.23),
        shipped_references().together,
    ],
    ids=["99", "40", "1000", "shipped"],
)
def test_p_never_rises_with_the_score(made):
    low, high = float(made.scores[0]) - 1, float(made.scores[-1]) + 10 * made.tail_scale
    edges = np.concatenate([made.scores, made.scores + 1e-9, made.scores - 1e-9])
    values = np.sort(np.concatenate([np.linspace(low, high, 2_000), edges]))
    p = np.array([made.p_value(float(v)) for v in values])
    assert (np.diff(p) <= 1e-12).all()
    assert ((p > 0) & (p <= 1)).all()


def test_p_holds_its_level_for_scores_like_those_of_the_reference():
    rng = np.random.default_rng(3)
    made = reference(n=300)
    p = np.array([made.p_value(float(x)) for x in rng.exponential(size=20_000)])
    for level in (0.1, 0.01, 0.001):
        assert (p <= level).mean() <= level * 1.35  # the tail was fitted on 15 scores


def harvested(own=0.005, repeats=0.0, error=0.005):
    return Traits(
        own_topics=own, own_error=error, breadth=1.0, repeats=repeats, dominance=0.9, novelty=1.0,
        asks=0.2,
    )  # fmt: skip


def test_the_score_rises_as_topics_are_common_new_and_well_known():
    best = score(harvested())
    assert best > score(harvested(own=0.3))
    assert best > score(harvested(repeats=0.5))
    assert best > score(harvested(error=0.2))  # a small cohort knows less


def test_neither_language_nor_what_is_asked_moves_the_score():
    for name, value in (("asks", -1.0), ("novelty", 0.1)):
        assert score(harvested()._replace(**{name: value})) == score(harvested())


def test_a_queue_is_told_from_a_class_and_from_a_plug_in():
    made = shipped_references().together
    queue = find(harvested(), 200, made)
    assert queue.p_value < 0.05
    for other in (harvested(own=0.3), harvested(repeats=0.8)):
        found = find(other, 200, made)
        assert found.p_value > queue.p_value
        assert found.e_value < 1.0


def test_a_finding_holds_numbers_that_agree():
    made = shipped_references().together
    found = find(harvested(), 200, made)
    assert found.evaluable
    assert found.claim == "extractive"
    assert found.n == 200
    assert found.e_value == pytest.approx(calibrate(found.p_value, KAPPA))
    assert found.null is not None
    assert found.null.low <= found.null.expected <= found.null.high
    assert len(found.null.draws) == 41


def test_absurd_traits_still_have_a_score():
    for traits in (harvested(own=-1.0, error=0.0), harvested(own=1.0, repeats=1.0)):
        assert math.isfinite(score(traits))


def test_the_e_value_averages_at_most_one_over_the_reference_itself():
    made = shipped_references().together
    rank = (1 + np.arange(len(made.scores))) / (len(made.scores) + 1)
    assert calibrate(rank, KAPPA).mean() <= 1.0


def test_a_reference_lacks_nothing_it_needs():
    with pytest.raises(KeyError):
        read_reference({"name": "x"})


def test_where_customers_have_no_topics_of_their_own_nothing_stands_out():
    def strangers(*own, repeats=0.0):
        return [harvested(own=share, repeats=repeats) for share in own]

    assert usual(strangers(*[0.15] * 20)) == USUAL_OWN
    assert usual(strangers(*[0.01] * 5)) == USUAL_OWN  # too few to say
    assert usual(strangers(*[0.01] * 9, repeats=0.5)) == USUAL_OWN  # an evaluation's items
    here = usual(strangers(0.0, 0.01, -0.02, 0.02, 0.005, 0.0, 0.4))
    assert here == pytest.approx(0.005)
    one_queue = Traits(0.0, 0.002, 0.5, 0.0, 1.0, 1.0, 0.0)
    reference_ = shipped_references().together
    there = find(one_queue, 400, reference_)
    found = find(one_queue, 400, reference_, here)
    assert found.statistic == pytest.approx(there.statistic + math.log(here / USUAL_OWN))
    assert found.e_value < 20 < there.e_value
    assert "less distinct here" in found.text
    assert "less distinct here" not in there.text


def test_one_source_reads_the_same_score_against_independent_cohorts():
    known = shipped_references()
    queue = one_source.find(harvested(own=0.0, error=0.001), 200, known.apart)
    harvest = find(harvested(own=0.0, error=0.001), 200, known.together)
    assert queue.claim == "coordinated"
    assert queue.statistic == harvest.statistic
    assert queue.p_value == known.apart.p_value(queue.statistic) < 1e-4
    assert "independent members" in queue.text
    for other in (harvested(own=0.15), harvested(own=0.0, repeats=0.8)):
        assert one_source.find(other, 200, known.apart).e_value < 1.0


def test_the_claim_coordinated_leans_to_what_part_a_showed():
    acts = [("round_robin", 12.0), ("signup_burst", 7.0)]
    both = [*acts, ("one_source", 100.0)]
    assert e_of_claim(both, 3.0) == pytest.approx(0.5 * 7.0 + 0.5 * 100.0)
    assert e_of_claim(both, 0.2) == pytest.approx(0.25 * 7.0 + 0.75 * 100.0)
    assert e_of_claim(both, math.nan) == e_of_claim(both, 0.2)
    for screen in (3.0, 0.2):
        assert e_of_claim(acts, screen) == pytest.approx(7.0)
        assert e_of_claim([("one_source", 100.0)], screen) == 0  # topics alone
        assert e_of_claim([("harvest", 7.0)], screen) == pytest.approx(7.0)
        assert math.isnan(e_of_claim([], screen))
    # acts that cannot be read in part B count as none, and let no topics count
    assert e_of_claim([("one_source", 100.0)], 6.0) == 0


@pytest.mark.parametrize(
    "alone",
    [
        {"signup_burst": 1e90, "shared_exits": 1e90, "even_volumes": 1e90, "shared_mix": 1e90,
         "succession": 1e90, "shared_account_values": 1e90},
        {"round_robin": 1e90, "rotating_exits": 1e90, "even_volumes": 1e90},
        {"retry": 1e90},
    ],
)  # fmt: skip
def test_one_kind_of_acts_alone_accuses_nobody(alone):
    """A vendor sets customers up alike, a service serves them in turn, an outage moves prompts."""
    quiet = {"signup_burst": 0.1, "round_robin": 0.1, "retry": 0.1}
    assert e_of_claim((quiet | alone).items(), 9.0) < 1
    assert e_of_claim(alone.items(), 9.0) == 0  # the others could not be read
    second = "round_robin" if "round_robin" not in alone else "signup_burst"
    assert e_of_claim((quiet | alone | {second: 1e9}).items(), 0.2) > 1e7


def test_two_kinds_of_acts_are_an_e_value_whichever_kind_speaks():
    rng = np.random.default_rng(3)
    for loud in ("signup_burst", "round_robin", "retry"):
        drawn = [
            e_of_claim(
                {**dict(zip(("signup_burst", "round_robin", "retry"), e, strict=True)),
                 loud: 1e12}.items(), 0.2,
            )
            for e in rng.exponential(1.0, (4_000, 3))
        ]  # fmt: skip
        assert 0.9 < np.mean(drawn) < 1.1, loud


def test_weights_are_as_part_a_showed_and_for_those_who_acted():
    screen = np.array([3.0, 0.2, float("nan"), 1e30, 8.0])
    acted = np.array([True, False, False, True, True])
    tested = np.array([True, True, True, True, False])
    done, asked = weights(screen, acted, tested, np.ones(5))
    assert done[tested].sum() + asked[tested].sum() == pytest.approx(4)
    assert done[tested].sum() == pytest.approx(1), "a quarter"
    assert done / done[1] == pytest.approx([5, 1, 1, 5, 5])
    assert (asked[[1, 2]] == 0).all()
    assert asked[0] == asked[3] == asked[4] == pytest.approx(1.5), "they share the rest evenly"
    nobody = weights(screen, np.zeros(5, dtype=bool), tested, np.ones(5))
    assert (nobody[1] == 0).all()
    assert nobody[0] == pytest.approx(done)
    assert np.isfinite(weights(screen, acted, np.zeros(5, dtype=bool), np.ones(5))).all()
    part = np.array([0.75, 1.0, 1.0, 0.25, 1.0])
    shared = weights(screen, acted, tested, part)[1]
    assert shared[[0, 3]] == pytest.approx([2.25, 0.75]), "two views of one share what one has"


def test_acts_speak_where_part_b_shows_them_or_topics_may_count():
    read = ("one_source", 0.05)
    assert acts_speak([("round_robin", 90.0), ("signup_burst", 90.0)], ())
    assert not acts_speak([("round_robin", 90.0), ("even_volumes", 90.0)], ["turns"])
    assert acts_speak([("round_robin", 1.2), ("even_volumes", 0.1), read], ["turns"])
    assert not acts_speak([("round_robin", 0.1), ("even_volumes", 0.1), read], ["turns"])
    assert acts_speak([("round_robin", 5.0), ("even_volumes", 0.1), read], ())
    assert not acts_speak([("shared_exits", 1e9), ("round_robin", 0.1), read], ())


def test_a_negative_share_of_own_topics_is_chance_and_gains_nothing():
    assert score(harvested(own=-0.04, error=0.016)) == score(harvested(own=0.0, error=0.016))
