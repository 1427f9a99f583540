"""Hypotheses are the same however few of them are held at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.runners import LocalRunner
from stillwatch.schema import Settings
from stillwatch.signals import views
from stillwatch.signals.views import load_cohorts

EACH = 12


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LocalRunner]:
    """Four cohorts of five subjects: three by text (one without an exchange), one by objects."""
    rng = np.random.default_rng(3)
    rows = [
        {
            "cohort": cohort, "rid": cohort * 1_000 + k, "template": int(rng.integers(1, 3)),
            "sid": cohort * 5 + k % 5, "part": "AB-"[k % 3], "ts_us": 10**6 * k,
            "h_payload": int(rng.integers(1, 2**60)), "user_tokens": 4 + k,
            "topic": rng.integers(-99, 99, 64).astype(np.int8).tobytes(),
            "harvest": k % 2 == 0, "answered": True, "fresh": k % 4 != 0,
            "opens": k % 8 != 0, "later": 0 if k % 3 else 7 + k % 2 * (k + cohort * 100),
        }
        for cohort in (0, 1, 3)
        for k in range(5 * EACH)
    ]  # fmt: skip
    runner = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    schema = pa.schema(
        [("cohort", pa.int32()), ("rid", pa.int64()), ("template", pa.uint64()),
         ("sid", pa.int32()), ("part", pa.string()), ("ts_us", pa.int64()),
         ("h_payload", pa.uint64()), ("user_tokens", pa.uint32()), ("topic", pa.binary()),
         ("harvest", pa.bool_()), ("answered", pa.bool_()), ("fresh", pa.bool_()),
         ("opens", pa.bool_()), ("later", pa.uint64())]
    )  # fmt: skip
    runner.put("spoken", pa.Table.from_pylist(rows, schema=schema))
    runner.put("cohorts", pa.table({
        "cohort": pa.array(range(4), pa.int32()), "found_by": [["frame"]] * 3 + [["payment"]],
        "by_text": [True] * 3 + [False],
    }))  # fmt: skip
    runner.put("cohort_members", pa.table({
        "cohort": pa.array(np.repeat(np.arange(4), 5), pa.int32()),
        "sid": pa.array(range(20), pa.int32()),
        "how": ["text"] * 4 + ["associated"] + ["text"] * 10 + ["found"] * 5,
    }))  # fmt: skip
    runner.put("direct", pa.table({
        "kind": ["succession"] * 5, "a": pa.array([0, 0, 1, 5, 6], pa.int32()),
        "b": pa.array([1, 4, 2, 6, 5], pa.int32()), "part": ["B", "B", "A", "A", "B"],
    }))  # fmt: skip
    sides = [f"{side}_{n}" for side in ("head", "tail") for n in (6, 8, 10, 12, 16)]
    sent = {"rid": pa.array([row["rid"] for row in rows], pa.int64())}
    sent["head_6"] = pa.array([10 + row["template"] for row in rows], pa.uint64())
    nothing = pa.array([0] * len(rows), pa.uint64())
    sent |= {name: nothing for name in ("h_system", *sides) if name not in sent}
    runner.put("exchanges", pa.table(sent))
    runner.put("frames", pa.table({
        "h": pa.array([11, 12], pa.uint64()), "speaks": [True, True],
    }))  # fmt: skip
    yield runner
    runner.close()


class People:
    """As much of a population as the views read."""

    org = np.arange(20)


def told(desk: LocalRunner) -> list[tuple[object, ...]]:
    found = []
    for three in load_cohorts(desk, People()):
        for one in three:
            columns = {k: v for k, v in vars(one).items() if isinstance(v, np.ndarray)}
            found.append(
                (one.number, one.by_text, one.direct, one.direct_total,
                 {k: (v.dtype.str, v.tobytes()) for k, v in columns.items()})
            )  # fmt: skip
    return found


def test_the_parts_are_apart_and_associates_stay_outside(desk):
    first, spare, empty, last = load_cohorts(desk, People())
    assert (len(first.screen.rid), len(first.test.rid), len(first.whole.rid)) == (20, 20, 40)
    assert not set(first.screen.rid.tolist()) & set(first.test.rid.tolist())
    assert first.whole.members.tolist() == [0, 1, 2, 3]
    assert first.whole.associated.tolist() == [4]
    assert first.test.direct == {"succession": 1}  # that to the associate does not count
    assert first.screen.direct == {"succession": 1}
    assert first.whole.direct == {"succession": 2}
    # two accounts that take over from each other are one customer's
    assert spare.test.direct == spare.screen.direct == spare.whole.direct == {"succession": 0}
    assert first.whole.topic.shape == first.whole.raw_topic.shape == (40, 64)
    assert first.screen.topic.shape == (0, 64)
    assert empty.whole.rid.size == 0
    assert last.whole.found_by == {"payment"}


def test_what_several_say_behind_an_answer_word_for_word_has_no_topic(desk):
    first = next(iter(load_cohorts(desk, People()))).whole
    k = (
        first.rid
    )  # of the first cohort: rid is k, and even k of three say the same behind an answer
    assert first.fresh.tolist() == ((k % 4 != 0) & (k % 6 != 0)).tolist()
    assert (k % 6 == 0).any()


@pytest.mark.parametrize("together", [1, 50, 90, 10**9])
def test_how_many_are_held_at_once_changes_nothing(desk, monkeypatch, together):
    whole = told(desk)
    monkeypatch.setattr(views, "_TOGETHER", together)
    assert told(desk) == whole
    assert len(whole) == 12


@pytest.mark.parametrize(
    ("pairs", "kept", "took_over"),
    [
        ([(0, 1), (2, 3)], 0, 0),  # spares
        ([(k, k + 1) for k in range(9)], 0, 9),  # one circle of ten
        ([(k, k + 1) for k in range(10)], 10, 10),
        ([(g * 6 + k, g * 6 + (k + 1) % 6) for g in range(5) for k in range(6)], 0, 30),  # tables
        ([(k, (k + 7) % 30) for k in range(30)], 30, 30),  # a relay's accounts mix
        ([(g * 12 + k, g * 12 + k + 1) for g in range(20) for k in range(11)], 0, 220),  # teams
    ],
)
def test_circles_are_closed_and_a_dispatchers_pairs_mix(pairs, kept, took_over):
    assert sum(views._hang_together(np.array(pairs), "handoff")) == kept
    assert sum(views._hang_together(np.array(pairs), "succession")) == took_over


@pytest.mark.parametrize(("size", "kept"), [(5, 0), (6, 5)])
def test_reasoning_is_passed_on_in_smaller_circles(size, kept):
    pairs = np.array([(k, k + 1) for k in range(size - 1)])
    assert sum(views._hang_together(pairs, "blob_replay")) == kept
