"""Collateral: what each rung would interfere with, counted by hand on a small desk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from stillwatch.campaigns.collateral import acted_on, collateral_by_rung

START = datetime(2026, 3, 2, 10, tzinfo=UTC)


def put(desk, rows):
    """rows: (sid, account, end user, minutes after the start, reasoning tokens)."""
    desk.put(
        "exchanges",
        pa.table(
            {
                "rid": pa.array(range(len(rows)), pa.int64()),
                "sid": pa.array([r[0] for r in rows], pa.int32()),
                "org": [f"org-{r[1]}" for r in rows],
                "account_id": [r[1] for r in rows],
                "end_user_id": pa.array([r[2] for r in rows], pa.string()),
                "ts": pa.array(
                    [START + timedelta(minutes=r[3]) for r in rows], pa.timestamp("us", tz="UTC")
                ),
                "output_tokens": pa.array([100] * len(rows), pa.int64()),
                "cost_micro_usd": pa.array([250_000] * len(rows), pa.int64()),
                "reasoning_tokens": pa.array([r[4] for r in rows], pa.int64()),
                "reasoning_bytes": pa.array([0] * len(rows), pa.uint32()),
            }
        ),
    )


@pytest.fixture
def world(desk, judged, campaign):
    """One accused, one linked account with five requests in an hour, two linked users of a
    gateway, one permitted account, one stranger who never sends more than two an hour."""
    rows = [(0, "bad", None, m, 0) for m in range(30)]
    rows += [(1, "near", None, m, 7 if m == 0 else 0) for m in range(5)]
    rows += [(2, "gate", "u1", 0, 0), (3, "gate", "u2", 0, 9), (4, "kept", None, 0, 9)]
    rows += [(5, "far", None, m, 0) for m in (0, 1, 70)]
    put(desk, rows)
    people = [("bad", None, 30), ("near", None, 5), ("gate", "u1", 1), ("gate", "u2", 1),
              ("kept", None, 1), ("far", None, 3)]  # fmt: skip
    standings = {0: "accused", 1: "watch", 2: "watch", 3: "watch", 4: "permitted"}
    return desk, judged(people, campaign(standings))


def test_each_rung_counts_what_it_interferes_with(world):
    rungs = collateral_by_rung(*world)["c-1"]
    assert list(rungs) == ["watch", "throttle", "step_up", "summarize", "deny"]
    keys = ("accounts", "end_users", "exchanges", "revenue_usd", "permitted_exchanges")
    assert {k: tuple(r[n] for n in keys) for k, r in rungs.items()} == {
        "watch": (0, 0, 0, 0.0, 0),
        "throttle": (1, 0, 3, 0.75, 0),  # the third to fifth request of `near` in one hour
        "step_up": (3, 2, 8, 2.0, 1),
        "summarize": (3, 1, 3, 0.75, 1),  # the permitted account is touched, too
        "deny": (3, 2, 8, 2.0, 1),
    }
    assert rungs["throttle"]["text"] == "requests beyond 2 an hour wait"
    assert rungs["deny"]["output_tokens"] == 800


def test_the_accused_are_not_collateral_and_a_campaign_without_others_touches_nobody(
    desk, judged, campaign
):
    put(desk, [(0, "bad", None, 0, 5), (1, "worse", None, 0, 5)])
    judgement = judged(
        [("bad", None, 1), ("worse", None, 1)], campaign({0: "accused", 1: "accused"})
    )
    rungs = collateral_by_rung(desk, judgement)["c-1"]
    assert {n for r in rungs.values() for k, n in r.items() if k != "text"} == {0}


def test_acting_on_a_permitted_campaign_touches_permitted_traffic(desk, judged, campaign):
    put(desk, [(0, "a", None, 0, 5), (1, "b", None, 0, 0)])
    one = campaign({0: "permitted", 1: "permitted"}, standing="permitted")
    assert acted_on(one) == [0, 1]
    rungs = collateral_by_rung(desk, judged([("a", None, 1), ("b", None, 1)], one))["c-1"]
    assert rungs["deny"]["permitted_exchanges"] == 2
    assert rungs["summarize"]["permitted_exchanges"] == 1
    assert rungs["deny"]["accounts"] == 0
