"""What the charts are given: the run's numbers, each moment told once, nothing made up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from stillwatch.console.charts import parts_chart, prevalence_chart
from stillwatch.console.overview import _facts
from stillwatch.report.numbers import micros, share
from stillwatch.report.pictures import (
    methods_figure,
    models_figure,
    prevalence_figure,
    segments_figure,
)


@pytest.fixture
def facts(desk):
    return _facts(desk)


def test_the_shares_of_a_day_are_its_volumes(facts):
    chart = prevalence_chart(facts, prevalence_figure(facts))
    (one,) = chart["charts"]
    accused = [c for c in facts.of("accused")]
    checked = 0
    for place, moment in enumerate(one["x"]):
        day = [(key, n) for key, n in facts.volume.tokens.items() if key[0] == moment * 1e6]
        total = sum(n for _, n in day)
        for k, campaign in enumerate(accused):
            mine = sum(n for key, n in day if key[2] == campaign.campaign_id)
            if one["shares"][k][place] is not None:
                assert one["shares"][k][place] == pytest.approx(mine / total, abs=1e-9)
                checked += mine > 0
    assert checked >= 10
    assert len({tuple(p) for p in one["paints"]}) == len(one["paints"]) == len(accused)
    assert len(one["told"]) == len(one["x"]) == len(one["low"]) == len(one["bound"])
    json.dumps(chart, allow_nan=False)


def test_a_week_holds_from_its_first_moment_to_its_last(facts):
    (one,) = prevalence_chart(facts, prevalence_figure(facts))["charts"]
    weeks = facts.summary["prevalence"]["by_week"]
    for row in weeks:
        start = micros(row["week_start"]) / 1e6
        inside = [i for i, x in enumerate(one["x"]) if start <= x < start + 7 * 86_400]
        assert len(inside) == 7
        told = row["output_tokens"]
        for i in inside:
            assert one["low"][i] == told["corrected"]["low"]
            assert one["bound"][i] == told["not_excluded"]["high"]
            assert f"up to {share(told['not_excluded']['high'])} not excluded" in one["told"][i]
    assert len(weeks) == 4


@pytest.mark.parametrize(
    ("make", "key"),
    [(models_figure, "model"), (segments_figure, "segment"), (methods_figure, "method")],
)
def test_each_part_has_its_own_weeks(facts, make, key):
    chart = parts_chart(facts, make(facts))
    rows = {r[key].replace("_", " ") if key == "method" else r[key]: r
            for r in facts.summary["prevalence"][f"by_{key}"]}  # fmt: skip
    assert {c["name"] for c in chart["charts"]} == set(rows)
    for one in chart["charts"]:
        weeks = rows[one["name"]]["by_week"]
        lows = [w["output_tokens"]["corrected"]["low"] for w in weeks]
        assert list(dict.fromkeys(v for v in one["low"] if v is not None)) == (
            list(dict.fromkeys(lows))
        )
        assert all("corrected" in words for words, low in zip(one["told"], one["low"], strict=True)
                   if low is not None)  # fmt: skip
        assert chart["ticks"][-1][0] >= max(v for v in one["high"] if v is not None)


def test_what_is_not_known_is_said_and_not_drawn(facts):
    summary = json.loads(json.dumps(facts.summary))
    unknown = {"value": None, "low": None, "high": None}
    for row in summary["prevalence"]["by_segment"][0]["by_week"]:
        row["output_tokens"] |= {"corrected": unknown, "not_excluded": unknown}
    changed = replace(facts, summary=summary)
    charts = parts_chart(changed, segments_figure(changed))["charts"]
    (one,) = (c for c in charts if c["name"] == summary["prevalence"]["by_segment"][0]["segment"])
    assert one["low"] == one["bound"] == [None] * len(one["x"])
    assert all("what was missed is not known" in words for words in one["told"])


def test_a_bound_is_told_where_nothing_was_corrected(facts):
    """No made-up campaign fitted: what is corrected is not known, and the bound is drawn."""
    summary = json.loads(json.dumps(facts.summary))
    for row in summary["prevalence"]["by_week"]:
        row["output_tokens"]["corrected"] = {"value": None, "low": None, "high": None}
    changed = replace(facts, summary=summary)
    (one,) = prevalence_chart(changed, prevalence_figure(changed))["charts"]
    for bound, words in zip(one["bound"], one["told"], strict=True):
        assert bound is not None
        assert f"this week up to {share(bound)} not excluded" in words
        assert "not known" not in words
    names = [words for _, words in prevalence_figure(changed).legend]
    assert "up to here not excluded, by week" in names
    assert "corrected, by week" not in names


def test_a_run_of_before_there_were_weeks_has_its_figures(facts):
    """Runs of the version before: no segment, no method, models over the whole window alone."""
    summary = json.loads(json.dumps(facts.summary))
    for key in ("by_segment", "by_method", "segments"):
        del summary["prevalence"][key]
    for row in summary["prevalence"]["by_model"]:
        del row["by_week"]
    old = replace(facts, summary=summary)
    assert segments_figure(old) is None
    assert methods_figure(old) is None
    assert parts_chart(old, None) is None
    chart = parts_chart(old, models_figure(old))
    assert all(low is None for one in chart["charts"] for low in one["low"])
    assert "over the whole window" in models_figure(old).caption


def test_the_overview_has_intervals_by_model_segment_and_method(inside):
    page = inside("Vi").get("/overview").text
    for name in ("By model", "By product (segment)", "By method"):
        assert f"Numbers behind “{name}”" in page
    assert page.count("data-charts=") == 4
    paper = inside("Vi").get("/overview.html").text
    assert "data-charts" not in paper
    assert "uplot" not in paper
    assert "By product (segment)" in paper
