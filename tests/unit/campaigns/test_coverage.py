"""Coverage: a narrow campaign lies below its segment's band, a wide one above it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.campaigns.coverage import coverage_table

SUBJECTS, EACH = 400, 12


def topics(rng: np.random.Generator, centres: np.ndarray) -> np.ndarray:
    rows = centres + rng.normal(0, 0.02, centres.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def world(desk, judged, campaign):
    """Return what makes a judgement: 400 subjects with three of 60 topics each, and a campaign of
    the first ten that draws from ``pool`` topics of its own."""

    def make(pool: int) -> Any:
        rng = np.random.default_rng(3)
        common, own = rng.normal(size=(60, 64)), rng.normal(size=(300, 64))
        sid = np.repeat(np.arange(SUBJECTS), EACH)
        habit = rng.integers(0, 60, (SUBJECTS, 3))
        centres = common[habit[sid, rng.integers(0, 3, len(sid))]]
        mine = sid < 10
        centres[mine] = own[rng.integers(0, pool, mine.sum())]
        judgement = judged(
            [(f"a{k}", None, EACH) for k in range(SUBJECTS)],
            campaign({k: "accused" for k in range(10)}),
        )
        crowd = replace(
            judgement.crowd, org=np.arange(SUBJECTS), segment=np.zeros(SUBJECTS, dtype=np.int64),
            topic_sid=sid, topic_rid=np.arange(len(sid)) * 2, topics=topics(rng, centres),
        )  # fmt: skip
        desk.put("carried", pa.table({"rid": pa.array([], pa.int64()),
                                      "template": pa.array([], pa.uint64())}))  # fmt: skip
        return replace(judgement, crowd=crowd)

    return make


@pytest.mark.parametrize(("pool", "side"), [(3, "below"), (300, "above")])
def test_the_curve_of_a_pool_stands_where_its_topics_put_it(desk, world, pool, side):
    table, basis = coverage_table(desk, world(pool))
    assert basis == {"c-1": {"requests": 120, "anchors": 512, "peers": 390, "pools": 40}}
    rows = table.to_pylist()
    assert [r["requests"] for r in (rows[0], rows[-1])] == [1, 120]
    assert rows[0]["campaign_topics"] == rows[0]["segment_mid"] == 1.0
    for name in ("campaign_topics", "segment_low", "segment_mid", "segment_high"):
        curve = [r[name] for r in rows]
        assert curve == sorted(curve)
        assert all(v <= r["requests"] for v, r in zip(curve, rows, strict=True))
    last = rows[-1]
    assert last["segment_low"] <= last["segment_mid"] <= last["segment_high"]
    if side == "below":
        assert last["campaign_topics"] < last["segment_low"]
    else:
        assert last["campaign_topics"] > last["segment_high"]


def test_the_same_world_gives_the_same_curve(desk, world):
    judgement = world(30)
    assert coverage_table(desk, judgement) == coverage_table(desk, judgement)


def test_what_a_shared_template_says_is_no_topic(desk, world):
    """All the campaign's rows pushed towards one template's words: the curve stays up."""
    judgement = world(300)
    crowd = judgement.crowd
    mine = crowd.topic_sid < 10
    pushed = crowd.topics.astype(np.float64)
    pushed[mine] += 6 * np.ones(64) / 8
    pushed /= np.linalg.norm(pushed, axis=1, keepdims=True)
    crowd = replace(crowd, topics=pushed.astype(np.float32))
    collapsed, _ = coverage_table(desk, replace(judgement, crowd=crowd))
    label = pa.array([9] * int(mine.sum()), pa.uint64())
    rid = pa.array(crowd.topic_rid[mine], pa.int64())
    desk.put("carried", pa.table({"rid": rid, "template": label}))
    freed, _ = coverage_table(desk, replace(judgement, crowd=crowd))
    assert freed["campaign_topics"][-1].as_py() > 2 * collapsed["campaign_topics"][-1].as_py()


def test_too_few_requests_give_no_curve(desk, world, campaign):
    judgement = world(300)
    few = replace(judgement, campaigns=(campaign({0: "accused"}, name="c-few"),))
    table, basis = coverage_table(desk, few)
    assert (table.num_rows, basis) == (0, {})
    crowd = judgement.crowd
    tiny = replace(crowd, topic_sid=crowd.topic_sid[:100], topic_rid=crowd.topic_rid[:100],
                   topics=crowd.topics[:100])  # fmt: skip
    assert coverage_table(desk, replace(judgement, crowd=tiny))[0].num_rows == 0


def test_a_segment_too_small_for_pools_leaves_the_band_out(desk, world):
    judgement = world(300)
    crowd = judgement.crowd
    keep = crowd.topic_sid < 15  # five outsiders: sixty requests, the campaign has 120
    small = replace(crowd, topic_sid=crowd.topic_sid[keep], topic_rid=crowd.topic_rid[keep],
                    topics=crowd.topics[keep])  # fmt: skip
    table, basis = coverage_table(desk, replace(judgement, crowd=small))
    assert basis["c-1"]["pools"] == 0
    assert set(table["segment_mid"].to_pylist()) == {None}
    assert table["campaign_topics"][-1].as_py() > 10
