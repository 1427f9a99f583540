"""Prevalence: detected ≤ corrected ≤ not excluded, for every unit, week and model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.campaigns import measure_prevalence
from stillwatch.campaigns.prevalence import UNITS, _Cohorts, _sizes, _sums

RUNGS = {1: "plain", 2: "harder", 3: "hidden"}


def put(desk, people, found=(12, 12, 0), per_day=2):
    start = datetime(2026, 11, 16, tzinfo=UTC)
    rows = [
        {"ts": start + timedelta(days=day, hours=sid % 20), "model": f"m{sid % 2}", "sid": sid,
         "output_tokens": 100 + sid}
        for sid in range(people) for day in range(0, 10, 10 // per_day)
    ]  # fmt: skip
    schema = pa.schema([("ts", pa.timestamp("us", "UTC")), ("model", pa.string()),
                        ("sid", pa.int32()), ("output_tokens", pa.int64())])  # fmt: skip
    desk.put("exchanges", pa.Table.from_pylist(rows, schema=schema))
    spikes = [
        {"rung": rung, "spike": k, "e_coordinated": 1e5 if k < hits else 1.0, "e_extractive": 1e5}
        for rung, hits in zip(RUNGS, found, strict=True) for k in range(12)
    ]  # fmt: skip
    desk.put("spikes", pa.Table.from_pylist(spikes))
    members = pa.schema([("cohort", pa.int32()), ("sid", pa.int32()), ("how", pa.string())])
    crew = [{"cohort": 0, "sid": sid, "how": "text"} for sid in range(min(people, 6))]
    desk.put("cohort_members", pa.Table.from_pylist(crew, schema=members))
    desk.put("cohort_scores", pa.table({"cohort": pa.array([0], pa.int32()), "tested": [True]}))


def measured(desk, judgement, needed=1_000.0):
    return measure_prevalence(desk, judgement, needed, RUNGS, np.random.default_rng(1))


def sections(found):
    parts = [*found["by_model"], *found["by_segment"], *found["by_method"]]
    return [found, *found["by_week"], *parts, *(week for part in parts for week in part["by_week"])]


def in_order(found):
    for section in sections(found):
        for unit in section.keys() & set(UNITS):
            one = section[unit]
            if one["corrected"]["value"] is None:  # no cohort that was tested sent anything there
                assert "week_start" in section or section.get("segment") in ("free/web", "large")
                continue
            values = [one[k]["value"] for k in ("detected", "corrected", "not_excluded")]
            assert values == sorted(values), (unit, values)
            for k in ("detected", "corrected", "not_excluded"):
                assert 0 <= one[k]["low"] <= one[k]["value"] <= one[k]["high"] <= 1


@pytest.mark.parametrize(
    "found",
    [
        (12, 12, 0),
        (12, 12, 12),
        (8, 6, 2),
        (0, 0, 0),
    ],
)
def test_the_three_numbers_are_ordered(desk, judged, campaign, found):
    put(desk, 100, found)
    people = [(f"a{k}", None, 2) for k in range(100)]
    judgement = judged(
        people,
        campaign({k: "accused" for k in range(6)}),
        campaign({k: "accused" for k in range(6, 9)}, name="c-2"),
    )
    in_order(measured(desk, judgement))


def test_detected_is_the_share_of_the_accused(desk, judged, campaign):
    put(desk, 100)
    judgement = judged(
        [(f"a{k}", None, 2) for k in range(100)], campaign({k: "accused" for k in range(6)})
    )
    found = measured(desk, judgement)
    assert found["requests"]["detected"]["value"] == pytest.approx(0.06)
    assert found["accounts"]["detected"]["value"] == pytest.approx(0.06)
    tokens = sum(100 + k for k in range(6)) / sum(100 + k for k in range(100))
    assert found["output_tokens"]["detected"]["value"] == pytest.approx(tokens)
    assert found["accounts"]["total"] == 100
    assert len(found["by_week"]) == 1
    assert [m["model"] for m in found["by_model"]] == ["m0", "m1"]
    assert found["by_model"][0]["accounts"]["total"] == 50


def test_a_channels_users_are_one_account(desk, judged, campaign):
    put(desk, 10)
    people = [("gate", f"u{k}", 2) for k in range(5)] + [(f"a{k}", None, 2) for k in range(5)]
    found = measured(desk, judged(people, campaign({0: "accused", 1: "accused"})))
    assert found["accounts"]["total"] == 6
    assert found["accounts"]["detected"]["value"] == pytest.approx(1 / 6)


def test_watched_campaigns_are_not_detected_and_nothing_found_is_not_nothing_there(
    desk, judged, campaign
):
    put(desk, 100)
    people = [(f"a{k}", None, 2) for k in range(100)]
    found = measured(desk, judged(people, campaign({0: "watch"}, standing="watch")))
    in_order(found)
    assert found["requests"]["detected"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found["requests"]["not_excluded"]["value"] > 0.03  # 3/100, and what recall misses


def test_recall_is_that_of_the_spikes(desk, judged):
    people = [(f"a{k}", None, 2) for k in range(100)]
    put(desk, 100, (12, 6, 0))
    found = measured(desk, judged(people))
    assert [r["recall"] for r in found["recall"]] == [1.0, 0.5, 0.0]
    assert all(r["low"] <= r["recall"] <= r["high"] for r in found["recall"])


def test_the_worst_recall_is_never_above_what_was_measured(desk, judged):
    people = [(f"a{k}", None, 2) for k in range(100)]
    put(desk, 100, (12, 6, 0))
    some = measured(desk, judged(people))
    none = measured(desk, judged(people), needed=1e9)
    assert [r["recall"] for r in none["recall"]] == [0.0, 0.0, 0.0]
    assert none["worst_recall"] <= some["worst_recall"] <= 0.5


def test_an_empty_log_has_no_numbers(desk, judged):
    put(desk, 0)
    desk.put("spikes", desk.query("SELECT * FROM spikes").slice(0, 0))
    found = measured(desk, judged([]))
    for unit in UNITS:
        assert found[unit]["total"] == 0
        assert found[unit]["detected"]["value"] is None
    assert found["by_week"] == []
    assert [r["recall"] for r in found["recall"]] == [None, None, None]


UNKNOWN = {"value": None, "low": None, "high": None}


@pytest.mark.parametrize("found", [(12, 12, 0), (0, 0, 0)])
def test_where_no_cohort_was_tested_nobody_knows_what_was_missed(desk, judged, found):
    """Nought found among nought that was tested bounds nothing, of the whole log or of a part."""
    put(desk, 100, found)
    desk.put("cohort_scores", pa.table({"cohort": pa.array([0], pa.int32()), "tested": [False]}))
    told = measured(desk, judged([(f"a{k}", None, 2) for k in range(100)]))
    for section in sections(told):
        for unit in section.keys() & set(UNITS):
            assert section[unit]["detected"] == {"value": 0.0, "low": 0.0, "high": 0.0}
            assert section[unit]["corrected"] == section[unit]["not_excluded"] == UNKNOWN
    assert told["text"].endswith("no cohort was tested.")


def test_where_nothing_could_have_been_accused_nobody_knows_what_was_missed(desk, judged):
    put(desk, 100)
    judgement = judged([(f"a{k}", None, 2) for k in range(100)])
    rng = np.random.default_rng(1)
    told = measure_prevalence(desk, judgement, 1_000.0, RUNGS, rng, able=False)
    assert all(told[unit]["not_excluded"] == told[unit]["corrected"] == UNKNOWN for unit in UNITS)
    assert told["text"].endswith("no campaign could have been accused.")
    assert measured(desk, judgement)["requests"]["not_excluded"]["value"] > 0


def test_one_campaign_and_none_have_an_interval_that_misses_are_in(desk, judged, campaign):
    """Half of the spikes were found: as many campaigns may be missed as were seen, or more."""
    people = [(f"a{k}", None, 2) for k in range(100)]
    put(desk, 100, (6, 6, 0))
    one = measured(desk, judged(people, campaign({k: "accused" for k in range(6)})))
    told = one["accounts"]["corrected"]
    assert told["value"] == pytest.approx(0.12)
    assert told["low"] == pytest.approx(0.06)  # nothing missed
    assert 0.2 < told["high"] < 0.8
    none = measured(desk, judged(people))["accounts"]["corrected"]
    assert none["value"] == none["low"] == 0
    assert 0.1 < none["high"] < 0.6  # as large as the cohort of six that was tested
    put(desk, 100, (12, 12, 0))
    sure = measured(desk, judged(people, campaign({k: "accused" for k in range(6)})))
    assert sure["accounts"]["corrected"]["value"] == pytest.approx(0.06)
    assert sure["accounts"]["corrected"]["high"] < told["high"]


@pytest.mark.parametrize("at_once", [4, 1_000_000])
def test_sums_drawn_together_are_those_of_one_call_each(monkeypatch, at_once):
    monkeypatch.setattr("stillwatch.campaigns.prevalence._DRAWN_AT_ONCE", at_once)
    sizes, number = np.array([3.0, 900.0, 77.0]), np.array([2, 0, 5, 1, 9, 0])
    one, other = np.random.default_rng(2), np.random.default_rng(2)
    assert _sums(sizes, number, one).tolist() == [other.choice(sizes, n).sum() for n in number]
    assert one.random() == other.random()


def test_a_cohorts_size_counts_its_members_and_their_accounts_once():
    cohorts = _Cohorts(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 2, 2, 3, 4]))
    account = np.array([0, 0, 1, 2, 3])  # the first two are users of one channel
    sid, tokens = np.array([0, 1, 1, 3]), np.array([5, 7, 1, 20])
    assert _sizes(cohorts, sid, tokens, account).tolist() == [13.0, 20.0]
    assert _sizes(cohorts, sid, None, account).tolist() == [1.0, 1.0]


def test_a_log_of_one_week_has_that_weeks_intervals(desk, judged, campaign):
    """The picture by week and the sentence above it are of the same exchanges."""
    put(desk, 60, per_day=1)  # all on one day
    people = [(f"a{k}", None, 2) for k in range(60)]
    found = measured(desk, judged(people, campaign({k: "accused" for k in range(9)})))
    (week,) = found["by_week"]
    assert {unit: week[unit] for unit in UNITS} == {unit: found[unit] for unit in UNITS}


def test_by_segment_and_by_method_the_parts_are_of_their_own_whole(desk, judged, campaign):
    put(desk, 100)
    people = [(f"a{k}", None, 2, "pro/api" if k < 40 else "free/web") for k in range(100)]
    judgement = judged(
        people, campaign({k: "accused" for k in range(6)}),
        campaign({k: "accused" for k in range(6, 9)}, name="c-2"),
        campaign({k: "watch" for k in range(50, 59)}, name="c-3", standing="watch"),
    )  # fmt: skip
    methods = {"c-1": ["relay", "autograding"], "c-2": ["relay"], "c-3": ["rl_prompts"]}
    found = measure_prevalence(desk, judgement, 1_000.0, RUNGS, np.random.default_rng(1), methods)
    in_order(found)

    def tokens(sids):
        return sum(100 + k for k in sids)

    web, pro = found["by_segment"]
    assert (web["segment"], pro["segment"], found["segments"]) == ("free/web", "pro/api", 2)
    assert web["output_tokens"]["detected"]["value"] == 0
    assert web["output_tokens"]["corrected"]["value"] is None  # no cohort of it was tested
    assert web["output_tokens"]["not_excluded"]["high"] is None
    share = tokens(range(9)) / tokens(range(40))
    assert pro["output_tokens"]["detected"]["value"] == pytest.approx(share)
    assert pro["accounts"]["total"] == 40
    grading, relay = found["by_method"]  # of accused campaigns alone
    assert (grading["method"], relay["method"]) == ("autograding", "relay")
    whole = tokens(range(100))
    assert relay["output_tokens"]["detected"]["value"] == pytest.approx(tokens(range(9)) / whole)
    assert grading["output_tokens"]["detected"]["value"] == pytest.approx(tokens(range(6)) / whole)
    assert relay["output_tokens"] == found["output_tokens"]  # both campaigns, the same draws
    assert grading["output_tokens"]["corrected"]["high"] < 1


def test_parts_over_time_are_the_weeks_of_the_largest(monkeypatch, desk, judged, campaign):
    put(desk, 60, per_day=10)  # ten days from a Monday: two weeks
    people = [(f"a{k}", None, 2, "small" if k < 9 else "large") for k in range(60)]
    judgement = judged(people, campaign({k: "accused" for k in range(9)}))
    monkeypatch.setattr("stillwatch.campaigns.prevalence._OVER_TIME", 1)
    found = measured(desk, judgement)
    in_order(found)
    large, small = found["by_segment"]
    assert (large["segment"], small["by_week"]) == ("large", [])
    weeks = large["by_week"]
    assert [w["week_start"] for w in weeks] == [w["week_start"] for w in found["by_week"]]
    assert sum(w["output_tokens"]["total"] for w in weeks) == large["output_tokens"]["total"]
    assert set(weeks[0]) == {"week_start", "output_tokens"}
    monkeypatch.setattr("stillwatch.campaigns.prevalence._SEGMENTS", 1)
    found = measured(desk, judgement)
    assert [s["segment"] for s in found["by_segment"]] == ["large"]
    assert found["segments"] == 2  # what is not listed is counted
