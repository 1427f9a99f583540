"""Value at risk in pictures: bars lie where their dollars are, what is unknown has none."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.campaigns import Assumptions, load_assumptions, value_at_risk
from stillwatch.report.appendix import ASSUMPTIONS
from stillwatch.report.numbers import usd
from stillwatch.report.pictures import assumptions_drawing, ranges_drawing

TOKENS = {
    "input_tokens": 3_000_000_000, "output_tokens": 900_000_000, "cost_micro_usd": 400_000_000,
    "unpriced_input_tokens": 2_000_000_000, "unpriced_output_tokens": 600_000_000,
}  # fmt: skip
REVENUE = (20_000.0, 40_000.0, 60_000.0)


def reckoned(**ranges):
    assumed = Assumptions(dict(load_assumptions().ranges) | ranges)
    return value_at_risk(TOKENS, assumed, np.random.default_rng(7))


def read(drawn):
    root = ElementTree.fromstring(str(drawn))
    return root, [t.text for t in root.iter("text")]


def attribute(root, tag, name, cls=""):
    return [float(e.get(name)) for e in root.iter(tag) if cls in e.get("class", "")]


def test_each_bar_reaches_from_its_low_to_its_high_dollars():
    value = reckoned(exposed_usd_per_year=REVENUE, displaced_share=(0.2, 0.3, 0.5))
    root, texts = read(ranges_drawing(value))
    assert root.get("role") == "img"
    assert root.find("desc").text
    lines = attribute(root, "line", "x1", "grid")
    ticks = [t for t in texts if t and re.fullmatch(r"\$[\d.]+k?", t)]
    step = (lines[-1] - lines[0]) / (len(lines) - 1)
    assert (ticks[0], len(ticks)) == ("$0", len(lines))
    dollars = float(ticks[1].strip("$k")) * 1_000 / step
    views = ("harvest_list_price_usd", "serving_loss_usd", "revenue_scenario_usd")
    lows, wide = attribute(root, "rect", "x"), attribute(root, "rect", "width")
    for key, x, width, dot in zip(views, lows, wide, attribute(root, "circle", "cx"), strict=True):
        v = value[key]
        # coordinates have one decimal
        assert (x - lines[0]) * dollars == pytest.approx(v["low"], abs=0.06 * dollars)
        assert (x + width - lines[0]) * dollars == pytest.approx(v["high"], abs=0.12 * dollars)
        assert (dot - lines[0]) * dollars == pytest.approx(v["mid"], abs=0.06 * dollars)
        assert f"{usd(v['low'])} to {usd(v['high'])}" in texts
        assert f"{usd(v['low'])} to {usd(v['high'])}" in root.find("title").text


def test_what_is_not_known_or_not_entered_has_words_and_no_bar():
    root, texts = read(ranges_drawing(reckoned()))
    assert texts.count("not known") == 1
    assert texts.count("not entered") == 1
    assert len(attribute(root, "circle", "cx")) == 2


def test_views_far_apart_stand_on_an_axis_that_says_that_it_is_logarithmic():
    value = reckoned(exposed_usd_per_year=(0, 0, 9e10))
    root, texts = read(ranges_drawing(value))
    assert "logarithmic" in root.find("desc").text
    assert "Logarithmic: each line is 100 times the one before it." in texts
    assert "$0 stands at the left edge." in texts
    lines, dots = attribute(root, "line", "x1", "grid"), attribute(root, "circle", "cx")
    for key, dot in (("harvest_list_price_usd", dots[0]), ("revenue_scenario_usd", dots[2])):
        decades = 2 * (dot - lines[0]) / (lines[1] - lines[0])
        assert math.log10(value[key]["mid"]) == pytest.approx(2 + decades, abs=0.01)
    assert "logarithmic" not in str(ranges_drawing(reckoned())).lower()


def test_a_harvest_at_the_logs_own_cost_is_a_dot():
    harvest = {"low": 400.0, "mid": 400.0, "high": 400.0, "logged": 400.0}
    root, texts = read(ranges_drawing(reckoned() | {"harvest_list_price_usd": harvest}))
    assert "$400" in texts
    assert len(attribute(root, "rect", "x")) == 1, "the loss alone has a range"


def test_four_times_nothing_is_not_drawn():
    nothing = {name: 0 for name in TOKENS}
    value = value_at_risk(nothing, load_assumptions(), np.random.default_rng(7))
    assert ranges_drawing(value) is None
    assert assumptions_drawing(value, ASSUMPTIONS) is None
    assert ranges_drawing({}) is None
    assert assumptions_drawing({}, ASSUMPTIONS) is None


def test_the_assumption_that_moves_most_has_the_longest_bar_and_its_reach():
    value = reckoned()
    root, texts = read(assumptions_drawing(value, ASSUMPTIONS))
    effects = [m["effect_usd"] for m in value["most_sensitive"]]
    wide = attribute(root, "rect", "width")
    assert [w / wide[0] for w in wide] == pytest.approx([e / effects[0] for e in effects], abs=0.01)
    assert texts[1] == "List price of a million output tokens, US$"
    assert "5 to 25, most likely 15" in texts
    assert usd(effects[0]) in texts


def test_a_hostile_name_of_an_assumption_is_text_and_short():
    name = "<script>alert(1)</script>" + "x" * 5_000
    moved = {"most_sensitive": [{"assumption": name, "effect_usd": 5.0}]}
    drawn = str(assumptions_drawing(moved, ASSUMPTIONS))
    assert "<script" not in drawn
    assert len(drawn) < 2_000


amounts = st.floats(0, 1e13) | st.just(0.0)


@given(st.lists(amounts, min_size=3, max_size=3), st.lists(amounts, min_size=3, max_size=3))
def test_nothing_is_drawn_outside_the_picture(one, other):
    ends = ("low", "mid", "high")
    value = {
        "harvest_list_price_usd": dict(zip(ends, sorted(one), strict=True)),
        "serving_loss_usd": dict(zip(ends, sorted(other), strict=True)),
        "revenue_scenario_usd": None, "training_spend_avoided_usd": None,
    }  # fmt: skip
    drawn = ranges_drawing(value)
    if drawn is None:
        assert max(*one, *other) == 0
        return
    root, _ = read(drawn)
    places = attribute(root, "rect", "x") + attribute(root, "circle", "cx")
    places += attribute(root, "line", "x1")
    places += [x + w for x, w in zip(attribute(root, "rect", "x"),
                                     attribute(root, "rect", "width"), strict=True)]  # fmt: skip
    assert all(0 <= x <= 350 for x in places)
    assert len(attribute(root, "line", "x1", "grid")) <= 12
