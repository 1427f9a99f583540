"""A step cut along time: the same bytes as in one go, whatever the order of the log."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from here import Here

from stillwatch.errors import RunnerError
from stillwatch.pipeline import DISCOVERY, FEATURES, features
from stillwatch.profiles import EXCHANGES_STEP, PEOPLE_STEP, REPEATS_STEP
from stillwatch.runners import LocalRunner
from stillwatch.runners.cluster import Cluster
from stillwatch.runners.engine import EngineRunner
from stillwatch.runners.stretches import Place, _between, _numbers, layout, stretches
from stillwatch.schema import Along, Settings, Step, to_micros
from stillwatch.schema.arrow import ACCOUNT, EXCHANGE, ORGANIZATION

GROUP = 2_048
ROWS = 22_000
STEP = dataclasses.replace(EXCHANGES_STEP, group_rows=GROUP)
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
BEGIN_US = to_micros(BEGIN)
HOUR_US = 3_600_000_000


def log(seed: int, *, moments: int, doubled: int = 0) -> pa.RecordBatch:
    """Return exchanges at so many moments of two days, in order; the last ``doubled`` come twice.

    Of those, half come a second time with other words, half as they were.
    """
    rng = np.random.default_rng(seed)
    gap = 48 * HOUR_US // moments
    us = np.sort(BEGIN_US + gap * rng.integers(moments, size=ROWS))
    ids = np.array([f"é{n:06d}" for n in rng.permutation(ROWS)])
    who = rng.integers(300, size=ROWS)
    words = np.array([f"question {n}" for n in rng.integers(4_000, size=ROWS)])
    again = np.arange(ROWS - doubled, ROWS)
    us, ids, who = (np.concatenate([a, a[again]]) for a in (us, ids, who))
    later = np.where(again % 2 == 0, words[again], "other words")
    words = np.concatenate([words, later])
    given = {
        "exchange_id": pa.array(ids),
        "ts": pa.array(us).cast(EXCHANGE.field("ts").type),
        "account_id": pa.array([f"a{n}" for n in who]),
        "model": pa.array(np.where(who % 2, "m1", "m2")),
        "org_id": pa.array([f"o{n // 3}" for n in who]),
        "messages": pa.array(
            [[{"role": "user", "content": w}] for w in words], EXCHANGE.field("messages").type
        ),
    }
    columns = [given.get(f.name, pa.nulls(len(us), f.type)) for f in EXCHANGE]
    return pa.RecordBatch.from_arrays(columns, schema=EXCHANGE)


class Made(NamedTuple):
    """The step in one process and on a cluster."""

    alone: bytes
    spread: bytes
    dealt: int


Both = Callable[..., Made]


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    """Return what makes the step of a log in both ways, its row groups as they are given."""
    opened: list[LocalRunner] = []

    def make(batches: list[pa.RecordBatch], settings: Settings | None = None) -> Made:
        settings = settings or Settings()
        cluster = Here()
        alone = LocalRunner(tmp_path / "alone", settings, threads=2)
        spread = EngineRunner(
            tmp_path / "spread", settings, cluster=cast("Cluster", cluster), threads=1
        )
        opened.extend((alone, spread))
        for runner in (alone, spread):
            runner.map("features", features, batches, FEATURES)
            runner.put("accounts", ACCOUNT.empty_table())
            runner.put("organizations", ORGANIZATION.empty_table())
            for step in (REPEATS_STEP, PEOPLE_STEP, STEP):
                runner.run(step)
        return Made(
            alone.path("exchanges").read_bytes(), spread.path("exchanges").read_bytes(),
            sum(what.endswith("dealing") for what in cluster.asked),
        )  # fmt: skip

    yield make
    for runner in opened:
        runner.close()


def cut_up(rows: pa.RecordBatch, size: int) -> list[pa.RecordBatch]:
    return [rows.slice(first, size) for first in range(0, rows.num_rows, size)]


def mixed(rows: pa.RecordBatch, seed: int) -> pa.RecordBatch:
    order = np.random.default_rng(seed).permutation(rows.num_rows)
    return rows.take(pa.array(order))


def rows_of(data: bytes) -> int:
    return int(pq.read_metadata(pa.BufferReader(data)).num_rows)


def test_only_exchanges_stand_in_an_order() -> None:
    assert [step.name for step in DISCOVERY if step.along is not None] == ["exchanges"]


def test_a_log_in_order_is_read_where_it_lies(both: Both) -> None:
    made = both(cut_up(log(1, moments=10**9), 1_500))
    assert made.alone == made.spread
    assert rows_of(made.spread) == ROWS
    assert made.dealt == 0


def test_a_log_in_no_order_is_dealt_first(both: Both) -> None:
    made = both(cut_up(mixed(log(2, moments=10**9), 2), 5_000))
    assert made.alone == made.spread
    assert made.dealt == 1


@pytest.mark.parametrize("moments", [1, 3, 500])
def test_of_equal_times_the_ids_decide_where_a_stretch_begins(both: Both, moments: int) -> None:
    made = both(cut_up(mixed(log(3, moments=moments), 3), 5_000))
    assert made.alone == made.spread


def test_what_comes_twice_is_in_one_stretch_and_counts_once(both: Both) -> None:
    made = both(cut_up(mixed(log(4, moments=900, doubled=3_000), 4), 5_000))
    assert made.alone == made.spread
    assert rows_of(made.spread) == ROWS


@pytest.mark.parametrize("order", ["given", "mixed"])
def test_a_window_is_cut_as_its_rows_are(both: Both, order: str) -> None:
    """Rows outside of it lie before the first stretch and after the last one."""
    rows = log(5, moments=10**9, doubled=500)
    window = Settings(since=BEGIN + timedelta(hours=7), until=BEGIN + timedelta(hours=41))
    made = both(cut_up(rows if order == "given" else mixed(rows, 5), 3_000), window)
    assert made.alone == made.spread
    assert 0.6 * ROWS < rows_of(made.spread) < 0.8 * ROWS


def test_a_window_without_rows_is_an_empty_table(both: Both) -> None:
    later = Settings(since=BEGIN + timedelta(days=9))
    made = both(cut_up(log(6, moments=100), 5_000), later)
    assert made.alone == made.spread
    assert rows_of(made.spread) == 0


ALONG = Along(("ts", "word"), "n", lambda _: "SELECT ts, word FROM given")


def places(runner: LocalRunner, us: list[int], words: list[str]) -> list[dict[str, Any]]:
    given = pa.table(
        {"ts": pa.array(us).cast(EXCHANGE.field("ts").type), "word": words}
    )  # fmt: skip
    runner.put("given", given)
    return stretches(runner.query, ALONG.places(None), ALONG, 4)


def test_stretches_are_of_one_size_whatever_the_traffic(tmp_path: Path) -> None:
    """A quiet hour, a burst in one second, another at one moment; times before 1970, too."""
    rng = np.random.default_rng(7)
    us = [
        *rng.integers(-5_000_000, 5_000_000, 23).tolist(),
        *range(6_000_000, 6_000_050),
        *[7] * 40,
    ]
    words = [f"{n}" for n in rng.permutation(len(us))]
    runner = LocalRunner(tmp_path, Settings(), threads=1)
    cut = places(runner, us, words)
    runner.close()
    ranked = sorted(Place(*one) for one in zip(us, words, strict=True))
    assert [one["first"] for one in cut] == list(range(0, len(us), 8))
    assert [one["low"] for one in cut] == ranked[::8]
    assert sum(one["rows"] for one in cut) == len(us)
    assert {one["rows"] for one in cut[:-1]} == {8}
    assert cut[-1]["high"] > ranked[-1]


def test_dealing_and_reading_agree_on_whose_a_row_is() -> None:
    rng = np.random.default_rng(8)
    us, words = rng.integers(12, size=400), [f"{n}é" for n in rng.integers(30, size=400)]
    rows = pa.record_batch(
        {"ts": pa.array(us).cast(EXCHANGE.field("ts").type), "word": words}
    )  # fmt: skip
    ends = sorted({Place(int(u), f"{w}é") for u, w in zip(rng.integers(12, size=20),
                   rng.integers(30, size=20), strict=True)})  # fmt: skip
    number = _numbers(pa.Table.from_batches([rows]), ("ts", "word"), ends)
    for k, (low, high) in enumerate(pairwise(ends)):
        within = _between(rows, ("ts", "word"), low, high).to_numpy(zero_copy_only=False)
        assert (number == k).tolist() == within.tolist()
    assert 0 < int((number == -1).sum()) < 400


def test_row_groups_are_read_by_the_stretches_that_they_touch(tmp_path: Path) -> None:
    column = pa.array([0, 10, 20, 30, 35, 39, 0, 50, 99, 99]).cast(EXCHANGE.field("ts").type)
    path = tmp_path / "given.parquet"
    with pq.ParquetWriter(path, pa.schema([("ts", column.type)])) as writer:
        for first, size in ((0, 2), (2, 4), (6, 2), (8, 2)):
            writer.write_table(pa.table({"ts": column.slice(first, size)}))
    cut = [
        {"low": Place(low, "m"), "high": Place(low + 10, "m")} for low in (10, 20, 30, 40)
    ]  # fmt: skip
    read, wide = layout([path], "ts", cut)
    assert [one.get(path, []) for one in read] == [[0, 1], [1], [1], []]
    assert [(group.number, group.rows) for group in wide] == [(2, 2)]


class Losing(Here):
    """A cluster whose workers read a file whose last rows are others since it was counted."""

    def __init__(self, path: Path, lost: int) -> None:
        super().__init__()
        self.path = path
        self.lost = lost

    def each(self, task: Any, tasks: int, what: str) -> list[tuple[int, str, bytes]]:
        if what == "step exchanges":
            held = pq.read_table(self.path)
            kept = held.num_rows - self.lost
            others = pa.concat_tables([held.slice(0, kept), held.slice(0, self.lost)])
            pq.write_table(others, self.path, row_group_size=5_000)
        return super().each(task, tasks, what)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (10, "^step exchanges: 1 of 6 stretches have other rows"),
        (2_000, "a stretch without rows"),
    ],
)
def test_rows_that_go_missing_stop_the_step(tmp_path: Path, lost: int, said: str) -> None:
    batches = cut_up(log(9, moments=10**9), 5_000)
    losing = Losing(tmp_path / "features.parquet", lost)
    runner = EngineRunner(tmp_path, Settings(), cluster=cast("Cluster", losing), threads=1)
    runner.map("features", features, batches, FEATURES)
    runner.put("accounts", ACCOUNT.empty_table())
    runner.put("organizations", ORGANIZATION.empty_table())
    runner.run(REPEATS_STEP)
    runner.run(PEOPLE_STEP)
    with pytest.raises(RunnerError, match=said):
        runner.run(STEP)
    assert not runner.path("exchanges").exists()
    runner.close()


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (REPEATS_STEP, "^table features: a file of it cannot be read"),
        (STEP, "^step exchanges: the engine failed"),
    ],
)
def test_a_damaged_table_is_told_with_its_place(tmp_path: Path, step: Step, said: str) -> None:
    runner = EngineRunner(tmp_path, Settings(), cluster=cast("Cluster", Here()), threads=1)
    runner.map("features", features, cut_up(log(10, moments=100), 5_000), FEATURES)
    runner.put("accounts", ACCOUNT.empty_table())
    runner.put("organizations", ORGANIZATION.empty_table())
    if step is STEP:
        runner.run(REPEATS_STEP)
        runner.run(PEOPLE_STEP)
    path = runner.path("features")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(RunnerError, match=said):
        runner.run(step)
    runner.close()


@pytest.mark.parametrize(("step", "column"), [(REPEATS_STEP, "digest"), (STEP, "topic")])
@pytest.mark.parametrize("groups", ["in order", "mixed"])
def test_a_damaged_column_is_told_by_the_workers_that_read_it(
    tmp_path: Path, step: Step, column: str, groups: str
) -> None:
    """The footer is whole, so that the node sees nothing; an engine tries again before it ends."""
    runner = EngineRunner(tmp_path, Settings(), cluster=cast("Cluster", Here()), threads=1)
    given = log(10, moments=10_000)
    given = given if groups == "in order" else mixed(given, seed=3)
    runner.map("features", features, cut_up(given, 5_000), FEATURES)
    runner.put("accounts", ACCOUNT.empty_table())
    runner.put("organizations", ORGANIZATION.empty_table())
    if step is STEP:
        runner.run(REPEATS_STEP)
        runner.run(PEOPLE_STEP)
    zero_column(runner.path("features"), column)
    with pytest.raises(OSError, match=r"^features\.parquet: a file of a table cannot be read"):
        runner.run(step)
    runner.close()


def zero_column(path: Path, name: str) -> None:
    """Overwrite one column of a Parquet file with zeros, in every row group."""
    whole = bytearray(path.read_bytes())
    with pq.ParquetFile(path) as file:
        number = file.schema_arrow.names.index(name)
        chunks = [file.metadata.row_group(k).column(number) for k in range(file.num_row_groups)]
    for chunk in chunks:
        size = chunk.total_compressed_size
        whole[chunk.data_page_offset : chunk.data_page_offset + size] = bytes(size)
    path.write_bytes(whole)


def test_a_step_that_a_key_splits_needs_no_order() -> None:
    with pytest.raises(ValueError, match="SQL alone says"):
        Step(name="x", inputs=("a",), output="x", sql=lambda _: "", along=ALONG, order_by=("n",))
