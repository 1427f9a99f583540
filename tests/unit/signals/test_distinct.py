"""Whether this log's customers have topics of their own, so that topics can say anything."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.runners import LocalRunner
from stillwatch.schema import Settings
from stillwatch.signals import e_of_claim, one_source
from stillwatch.signals.distinct import LEAST_ROWS, least_distinct, own_share


def customers(rng, shares, rows=14, directions=40):
    """Return rows of one customer after another; a share of each one's variance is its own."""
    own = np.asarray(shares)[:, None, None]
    centre = rng.normal(size=(len(own), 1, directions))
    made = np.sqrt(own) * centre + np.sqrt(1 - own) * rng.normal(size=(len(own), rows, directions))
    return made.reshape(-1, directions), np.repeat(np.arange(len(own)), rows)


@pytest.mark.parametrize("own", [0.0, 0.05, 0.2])
def test_customers_of_one_kind_are_as_distinct_as_they_were_made(own):
    found = least_distinct(*customers(np.random.default_rng(1), np.full(800, own)))
    # whose centre is shorter by chance is less distinct, and of the lowest quarter
    assert found == pytest.approx(own, abs=0.015 + own / 4)


def test_a_quarter_without_topics_of_their_own_is_seen_among_distinct_ones():
    rng = np.random.default_rng(2)
    mixed = least_distinct(*customers(rng, np.repeat([0.0, 0.3], [300, 700]), rows=24))
    fewer = least_distinct(*customers(rng, np.repeat([0.0, 0.3], [50, 950]), rows=24))
    assert mixed < one_source.LEAST_DISTINCT < fewer


def test_the_noise_of_few_rows_makes_nobody_less_distinct():
    """The lowest quarter of noisy values lies far below what they measure."""
    found = [
        least_distinct(*customers(np.random.default_rng(seed), np.full(300, 0.1), rows=12))
        for seed in range(10)
    ]
    assert np.mean(found) == pytest.approx(0.1, abs=0.02)


def test_fewer_than_fifty_customers_say_nothing():
    assert math.isnan(least_distinct(*customers(np.random.default_rng(3), np.full(49, 0.1))))
    assert math.isnan(least_distinct(np.zeros((0, 64)), np.zeros(0, dtype=int)))


@pytest.fixture
def desk(tmp_path):
    """Sixty customers of their own, sixty who draw from one source, five with few prompts."""
    rng = np.random.default_rng(4)
    distinct, _ = customers(rng, np.full(60, 0.4), directions=64)
    alike, _ = customers(rng, np.zeros(65), directions=64)
    rows = np.concatenate([distinct, alike])
    sid = np.repeat(np.arange(125), 14)
    keep = (sid < 120) | (np.arange(len(sid)) % 14 < LEAST_ROWS - 1)
    topic = np.clip(rows[keep] * 30, -127, 127).astype(np.int8)
    runner = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    runner.put("exchanges", pa.table({
        "rid": pa.array(np.flatnonzero(keep), pa.int64()), "sid": pa.array(sid[keep], pa.int32()),
        "user_tokens": pa.array(np.full(keep.sum(), 9), pa.uint32()),
        "topic": pa.array([row.tobytes() for row in topic], pa.binary(64)),
    }))  # fmt: skip
    runner.put("follow_ups", pa.table({"rid": pa.array([], pa.int64())}))
    yield runner
    runner.close()


def test_who_acts_together_is_no_measure_of_what_customers_are_like(desk):
    nobody, together = np.zeros(0, dtype=np.int64), np.arange(60, 120)
    assert own_share(desk, nobody) < one_source.LEAST_DISTINCT
    assert own_share(desk, together) == pytest.approx(0.4, abs=0.1)
    assert math.isnan(own_share(desk, np.arange(80)))


def test_a_continued_conversation_is_no_further_topic(desk):
    """With a follow-up each, the sixty have one prompt less than a dozen and two."""
    rows = desk.query("SELECT min(rid) AS rid FROM exchanges GROUP BY sid HAVING sid >= 60")
    desk.put("follow_ups", rows)
    assert own_share(desk, np.zeros(0, dtype=np.int64)) < one_source.LEAST_DISTINCT
    most = desk.query(
        "SELECT rid FROM exchanges QUALIFY row_number() OVER (PARTITION BY sid ORDER BY rid) > 11"
    )
    desk.put("follow_ups", most)
    assert math.isnan(own_share(desk, np.zeros(0, dtype=np.int64)))


def test_topics_alone_accuse_nobody():
    """They count where accounts take turns, hand over or share a card, in part A or in part B."""

    def claimed(screen, early=(), **acts):
        return e_of_claim([*acts.items(), ("one_source", 25_000.0)], screen, early)

    moved = ["hand-overs"]

    assert claimed(0.1, round_robin=0.1, even_volumes=0.1) < 1
    assert claimed(4.9, round_robin=4.9, even_volumes=0.1) < 1
    assert claimed(float("nan")) == 0
    counted = 0.25 * 0.1 + 0.75 * 25_000
    for act in ("round_robin", "shared_account_values"):
        quiet = {"even_volumes": 0.1, "handoff": 0.1, "round_robin": 0.1}
        assert claimed(0.1, **(quiet | {act: 15.0})) == pytest.approx(counted, rel=1e-3), act
    shown = claimed(5.0, moved, even_volumes=0.1, handoff=1.2)
    assert shown == pytest.approx(0.5 * 0.1 + 0.5 * 25_000, rel=1e-4)
    assert claimed(1e9, moved, even_volumes=0.1, handoff=0.9) < 1  # a chance retry, and no more
    assert claimed(1e9, moved, handoff=0.1, blob_replay=0.1, retry=1.9) > 1e4  # one is enough
    # what part A showed is gone in part B, or has an honest reason there
    assert claimed(1e9, moved, even_volumes=0.1, handoff=0.1) < 1
    # an act of another kind is chance: turns that part A showed are excused in part B
    assert claimed(1e9, ["turns"], round_robin=0.1, retry=1.9) < 1


def test_topics_of_accounts_that_are_only_set_up_alike_accuse_nobody():
    """One vendor's customers with one subject: one cloud, one day, equal volumes, one pipeline."""
    vendor = {"signup_burst": 1e90, "shared_exits": 1e90, "even_volumes": 1e90, "shared_mix": 1e90}
    quiet = {"round_robin": 0.1, "handoff": 0.1}
    made = [*vendor.items(), *quiet.items(), ("one_source", 25_000.0)]
    assert e_of_claim(made, 0.1) < 1


def test_why_topics_are_not_asked_is_said():
    assert "few topics of their own (1.0%" in one_source.too_alike(0.01)
    assert "few topics of their own (0.0%" in one_source.too_alike(-0.01)
    assert "too few customers" in one_source.too_alike(float("nan"))
