"""accounts.parquet: a channel account is judged by its users, and only by what they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.campaigns.judge import Shown
from stillwatch.campaigns.tables import account_rows


def rows_of(judgement, answers=None):
    accounts, users = account_rows(None, judgement, answers or {})
    return {r["account_id"]: r for r in accounts.to_pylist()}, users.to_pylist()


def test_a_plain_account_has_its_own_standing(judged, campaign):
    found, users = rows_of(judged([("a", None, 5), ("b", None, 7)], campaign({1: "accused"})))
    assert users == []
    assert found["a"]["standing"] == "clear"
    assert found["a"]["campaign_id"] is None
    assert found["b"]["standing"] == "accused"
    assert found["b"]["campaign_id"] == "c-1"
    assert found["b"]["role"] == "core"
    assert found["b"]["top_signals"] == ["round_robin", "harvest"]
    assert found["b"]["p_value"] == 1e-4  # the weaker claim's: both nulls must be rejected


def test_who_is_in_no_campaign_shows_its_strongest_hypothesis(judged, campaign):
    """And who only shares an address prefix with one has no part in what is said of it."""
    one = campaign({1: "accused", 2: "watch"})
    one.members[2] = replace(one.members[2], confidence=0.0)
    judgement = judged([("a", None, 5), ("b", None, 7), ("c", None, 7), ("d", None, 1)], one)
    told = {0: Shown(0.002, 0.4, 1.0), 2: Shown(0.3, 0.1, 1.0)}
    found, _ = rows_of(replace(judgement, strongest=told))
    values = {a: (r["p_value"], r["e_value"], r["q_value"]) for a, r in found.items()}
    assert values["a"] == (0.002, 0.4, 1.0)
    assert values["b"] == (1e-4, 300.0, 0.003)
    assert values["c"] == (0.3, 0.1, 1.0)
    assert found["c"]["campaign_id"] == "c-1"
    assert values["d"] == (None, None, None)


@pytest.mark.parametrize(
    ("accused", "honest", "standing"),
    [(80, 20, "accused"), (79, 21, "watch"), (100, 0, "accused"), (1, 999, "watch")],
)
def test_a_channel_is_accused_from_four_fifths_of_its_traffic(
    judged, campaign, accused, honest, standing
):
    people = [("gate", "u1", honest), ("gate", "u2", accused), ("other", None, 3)]
    people = [p for p in people if p[2]]
    sid = next(k for k, p in enumerate(people) if p[1] == "u2")
    found, users = rows_of(judged(people, campaign({sid: "accused"})))
    assert found["gate"]["standing"] == standing
    assert found["gate"]["exchanges"] == accused + honest
    assert found["gate"]["campaign_id"] == "c-1"
    assert (found["gate"]["role"] == "core") is (standing == "accused")
    assert {u["account_id"]: u["standing"] for u in users}["gate · u2"] == "accused"


def test_many_users_weigh_by_traffic_and_not_by_heads(judged, campaign):
    people = [("gate", f"u{k}", 1) for k in range(19)] + [("gate", "big", 181)]
    found, _ = rows_of(judged(people, campaign({19: "accused"})))
    assert found["gate"]["standing"] == "accused"
    found, _ = rows_of(judged(people, campaign({k: "accused" for k in range(19)})))
    assert found["gate"]["standing"] == "watch"


def test_a_watched_channel_names_the_campaign_it_is_watched_for(judged, campaign):
    people = [("gate", "u1", 50), ("gate", "u2", 50)]
    found, _ = rows_of(judged(people, campaign({1: "watch"}, standing="watch")))
    assert found["gate"]["standing"] == "watch"
    assert found["gate"]["campaign_id"] == "c-1"


def test_a_channel_whose_users_are_clear_is_clear(judged, campaign):
    people = [("gate", "u1", 50), ("gate", "u2", 50), ("x", None, 4)]
    found, _ = rows_of(judged(people, campaign({2: "accused"})))
    assert found["gate"]["standing"] == "clear"
    assert found["gate"]["campaign_id"] is None


def test_ownership_never_changes_a_standing(judged, campaign):
    judgement = judged([("a", None, 5), ("b", None, 7)], campaign({1: "accused"}))
    without, _ = rows_of(judgement)
    given, _ = rows_of(judgement, {"entity": "restricted"})
    assert {k: r["standing"] for k, r in given.items()} == {
        k: r["standing"] for k, r in without.items()
    }
    assert {r["access"] for r in without.values()} == {"clear"}
    assert {r["access"] for r in given.values()} == {"undetermined"}
