"""A member's topics: the campaign's one queue or its own, and little said from few rows."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from stillwatch.campaigns.topics import Topics, _habits, _spread_sql, topic_nats

HABITS = np.linspace(0.05, 0.6, 10)


def nats(likeness, rows, habits=HABITS):
    return topic_nats(np.atleast_1d(np.array(likeness, dtype=float)), np.atleast_1d(rows), habits)


def test_the_queue_speaks_for_a_member_and_topics_of_its_own_against_it():
    assert nats(0.0, 24)[0] > 1
    assert nats(0.4, 24)[0] < -1


def test_nothing_known_says_nothing_and_one_row_neither():
    assert nats([np.nan, 0.0, 0.9], np.array([24, 0, 1])).tolist() == [0, 0, 0]
    assert nats([], np.zeros(0, dtype=int)).shape == (0,)


def test_few_rows_say_less_than_many():
    near = nats(np.zeros(4), np.array([1, 3, 8, 24]))
    assert (np.diff(near) > 0).all()
    assert near[0] == 0


def test_the_more_alike_its_rows_the_less_for_the_queue_and_never_beyond_the_cap():
    found = nats(np.linspace(-0.5, 1, 400), np.full(400, 6))
    assert np.isfinite(found).all()
    assert (np.diff(found) <= 1e-12).all()
    assert found[-1] == -5
    assert nats(0.0, 10**6)[0] == 5


@pytest.mark.parametrize("rows", [2, 3, 8, 24])
def test_rows_as_the_queue_draws_them_speak_for_it_and_narrow_ones_against(rows):
    """Real rows: n vectors in 40 directions, of which a share is the subject's own."""
    rng = np.random.default_rng(5)
    for own, sign in ((0.0, 1), (0.45, -1)):
        centre = rng.normal(size=(2_000, 1, 40))
        row = np.sqrt(own) * centre + np.sqrt(1 - own) * rng.normal(size=(2_000, rows, 40))
        row /= np.sqrt(40)
        sums = (row.sum(axis=1) ** 2).sum(axis=1) - (row**2).sum(axis=(1, 2))
        found = nats(sums / (rows * (rows - 1)), np.full(2_000, rows))
        assert sign * np.median(found) > 0
        assert sign * found.mean() > 0


def test_two_dozen_rows_of_a_subject_are_kept_spread_over_all_of_them():
    group = np.random.default_rng(2).permutation(np.repeat([3, 5, 8], [100, 24, 1]))
    rows = pa.table({"rid": np.arange(len(group)), "sid": group})
    with duckdb.connect() as engine:
        engine.register("rows", rows)
        found = engine.sql(_spread_sql("rid, sid", "sid", "rows")).to_arrow_table()
    kept = found["rid"].to_numpy()
    assert kept.tolist() == sorted(kept.tolist())
    for name, size in ((3, 100), (5, 24), (8, 1)):
        mine = np.flatnonzero(group == name)
        nth = np.arange(1, size + 1)
        wanted = mine[(size <= 24) | (nth * 24 // size > (nth - 1) * 24 // size)]
        assert kept[group[kept] == name].tolist() == wanted.tolist()
        assert len(wanted) == min(size, 24)


def test_likeness_does_not_depend_on_how_many_rows_are_read_at_once(monkeypatch):
    rng = np.random.default_rng(3)
    topics = Topics(rng.integers(-99, 99, (3_000, 64)).astype(np.int8))
    sid = rng.integers(0, 200, 3_000)
    whole = _habits(topics, sid)
    monkeypatch.setattr("stillwatch.campaigns.topics._BLOCK", 130)
    assert _habits(topics, sid).tobytes() == whole.tobytes()
    assert len(whole) == 10
