"""What workers do, done here: parts, notes, keys; no engine is needed to see it."""

from __future__ import annotations

import datetime
import json
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.campaigns import ACTS_STEP
from stillwatch.errors import ConfigError, InputError, RunnerError
from stillwatch.pipeline import DISCOVERY
from stillwatch.runners import ENGINES, LocalRunner, check_engine, holds, open_cluster
from stillwatch.runners.tasks import (
    Ground,
    Keyed,
    collect_rows,
    probe,
    raise_noted,
    read_rows,
    run_key,
    write_parts,
)
from stillwatch.runners.wire import ddl, received, sent
from stillwatch.schema import Settings, Step

UTC_US = pa.timestamp("us", tz="UTC")
NUMBERS = pa.schema([pa.field("n", pa.uint64(), nullable=False)])


@pytest.fixture
def ground(tmp_path):
    (tmp_path / "spill").mkdir()
    (tmp_path / "spill" / ".token").write_text("t0")
    return Ground(str(tmp_path / "spill"), "t0", tuple(ENGINES.items()))


def tasks(count):
    return iter([pa.RecordBatch.from_pydict({"id": pa.array(range(count), pa.int64())})])


def counting(item):
    """Yield the numbers below ``item["below"]``, two batches of them; a reader as a worker's."""
    if item["below"] < 0:
        raise InputError("below nothing", where=item["name"])
    for rows in np.array_split(np.arange(item["below"], dtype=np.uint64), 2):
        yield pa.RecordBatch.from_arrays([pa.array(rows)], schema=NUMBERS)
    return {"name": item["name"]}


def notes_of(answers):
    rows = pa.Table.from_batches(list(answers)).to_pylist()
    return {row["item"]: json.loads(row["note"]) for row in rows}


def items(*below):
    return [[{"item": k, "below": n, "name": f"file {k}"}] for k, n in enumerate(below)]


def test_every_item_becomes_a_part_that_its_note_names(ground, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    work = partial(write_parts, ground, items(5, 0, 7), counting, NUMBERS, str(out))
    notes = notes_of(work(tasks(3)))
    assert [(notes[k]["name"], notes[k]["rows"]) for k in range(3)] == [
        ("file 0", 5), ("file 1", 0), ("file 2", 7),
    ]  # fmt: skip
    for k, rows in enumerate((5, 0, 7)):
        assert pq.read_table(out / notes[k]["part"])["n"].to_pylist() == list(range(rows))
    again = notes_of(work(tasks(3)))
    assert {n["part"] for n in notes.values()}.isdisjoint(n["part"] for n in again.values())


def test_a_table_of_parts_is_the_parts_that_its_list_names(ground, tmp_path):
    """Also for a later run; what an attempt left that nobody named does not count."""
    runner = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    out = tmp_path / "stages" / "made.parts"
    out.mkdir()
    work = partial(write_parts, ground, items(5, 4), counting, NUMBERS, str(out))
    lost, notes = notes_of(work(tasks(2))), notes_of(work(tasks(2)))
    assert not holds(tmp_path / "stages", "made")
    runner._settle("made", [notes[k]["part"] for k in range(2)])
    rows = "SELECT n FROM made ORDER BY n"
    assert runner.query(rows)["n"].to_pylist() == [0, 0, 1, 1, 2, 2, 3, 3, 4]
    runner.close()
    assert holds(tmp_path / "stages", "made")
    again = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    again.adopt("made")
    assert again.query(rows).num_rows == 9
    assert not {lost[k]["part"] for k in lost} & {path.name for path in again.parts("made")}
    again.close()


def test_a_wrong_input_is_a_note_and_no_failure_that_an_engine_would_repeat(ground, tmp_path):
    notes = notes_of(write_parts(ground, items(3, -1), counting, NUMBERS, str(tmp_path), tasks(2)))
    assert notes[0]["rows"] == 3
    with pytest.raises(InputError, match="below nothing") as caught:
        raise_noted(notes[1])
    assert caught.value.where == "file 1"


def test_little_is_answered_itself_and_leaves_no_file(ground, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    answers = pa.Table.from_batches(
        list(collect_rows(ground, items(4, 0), counting, tasks(2)))
    ).to_pylist()
    assert pa.ipc.open_stream(answers[0]["rows"]).read_all()["n"].to_pylist() == [0, 1, 2, 3]
    assert answers[1]["rows"] == b""
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"token": "another run's"}, "--out"),
        ({"folder": "/nowhere"}, "--out"),
        ({"versions": (("duckdb", "0.1"),)}, "--engine"),
        ({"versions": (("stillwatch", "0.0"),)}, "--engine"),
    ],
)
def test_a_worker_that_would_work_elsewhere_or_otherwise_says_so(ground, change, where):
    held = {"folder": ground.folder, "token": ground.token, "versions": ground.versions} | change
    notes = notes_of(probe(Ground(**held), tasks(1)))
    with pytest.raises(ConfigError) as caught:
        raise_noted(notes[0])
    assert caught.value.where == where
    raise_noted(notes_of(probe(ground, tasks(1)))[0])


WIDE = pa.table(
    {
        "u8": pa.array([0, 255, None], pa.uint8()),
        "u16": pa.array([0, 65_535, None], pa.uint16()),
        "u32": pa.array([0, 2**32 - 1, None], pa.uint32()),
        "u64": pa.array([0, 2**64 - 1, None], pa.uint64()),
        "i64": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
        "ts": pa.array([datetime.datetime(1969, 1, 1, tzinfo=datetime.UTC)] * 2 + [None], UTC_US),
        "topic": pa.array([b"\x00" * 8, b"\xff" * 8, None], pa.binary(8)),
        "f32": pa.array([1.5, float("inf"), None], pa.float32()),
        "said": pa.array(["", "字", None]),
        "yes": pa.array([True, False, None]),
    }
)


def test_nothing_changes_on_the_wire_whatever_an_engine_makes_of_its_types():
    batch = WIDE.to_batches()[0]
    wire = sent(batch)
    assert ddl(WIDE.schema).startswith("`u8` TINYINT, `u16` SMALLINT, `u32` INT, `u64` BIGINT")
    assert received(wire, WIDE.schema).equals(batch)
    kinds = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}
    large = pa.RecordBatch.from_arrays(
        [c.cast(kinds.get(c.type, c.type)) for c in wire.columns], names=wire.schema.names
    )
    assert received(large, WIDE.schema).equals(batch)


def test_what_has_no_place_on_the_wire_is_refused_by_the_name_of_its_column():
    with pytest.raises(RunnerError) as caught:
        ddl(pa.schema([("sid", pa.int32()), ("hours", pa.list_(pa.int32()))]))
    assert caught.value.where == "hours"


KEYED = [step for step in (*DISCOVERY, ACTS_STEP) if step.key]
US = 1_000_000


def generated(rows):
    """Return features-like and exchanges-like rows: few ids, times and hashes, many repeats."""
    rng = np.random.default_rng(11)
    number = partial(rng.integers, size=rows)
    ts = pa.array(1_770_000_000 * US + number(6) * 50_000 * US).cast(UTC_US)
    names = np.array(["a", "b", "c"])
    return {
        "exchange_id": pa.array([f"x{k}" for k in number(rows // 2)]),
        "ts": ts,
        "digest": pa.array(number(3).astype(np.uint64) + np.uint64(2**63)),
        "sid": pa.array(number(40).astype(np.int32)),
        "rid": pa.array(np.arange(rows)),
        **{name: pa.array(number(4).astype(np.uint64)) for name in (
            "prefix_full", "prefix_before_last_user", "h_payload", "h_system", "h_tools",
            "h_client", "h_prefix")},
        "status": pa.array(np.array(["ok", "denied", "rate_limited"])[number(3)]),
        "n_turns": pa.array(number(3).astype(np.uint16)),
        **{name: pa.array(number(9)) for name in (
            "input_tokens", "output_tokens", "cost_micro_usd")},
        "model": pa.array(names[number(3)]),
    }  # fmt: skip


def test_some_steps_have_a_key():
    assert {step.name for step in KEYED} == {"repeats", "follow_ups", "subjects"}


@pytest.mark.parametrize("step", KEYED, ids=lambda step: step.name)
def test_a_step_split_by_its_key_gives_what_it_gives_whole(step, ground, tmp_path):
    """Through the readers and the SQL of workers, by another split than any engine's."""
    runner = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    runner.put(step.inputs[0], pa.table(generated(900)))
    for name in step.inputs[1:]:
        runner.put(name, pa.table({"sid": pa.array(range(40), pa.int32()), "org": ["o"] * 40}))
    runner.run(step)
    whole = pq.read_table(runner.path(step.output))
    assert whole.num_rows > 0
    source = runner.path(step.inputs[0])
    schema = pa.schema([pq.read_schema(source).field(name) for name in step.reads])
    read = [[{"path": str(source), "first": 0, "stop": 1, "item": 0}]]
    rows = pa.Table.from_batches(list(read_rows(read, schema, tasks(1))))
    values = rows[step.key].to_pylist()
    parts = np.array([hash(value) % 3 for value in values])
    out = tmp_path / "out"
    out.mkdir()
    beside = tuple((name, (str(runner.path(name)),)) for name in step.inputs[1:])
    keyed = Keyed(step.sql(Settings()), step.inputs[0], schema, beside, str(out))
    notes = [
        notes_of(run_key(ground, keyed, iter(rows.filter(pa.array(parts == k)).to_batches())))[0]
        for k in range(3)
    ]
    assert sum(note["seen"] for note in notes) == 900
    made = pa.concat_tables(pq.read_table(out / note["part"]) for note in notes)
    made = made.sort_by([(name, "ascending") for name in step.order_by])
    assert made.to_pylist() == whole.to_pylist()
    runner.close()


def test_a_partition_without_rows_says_nothing(ground):
    keyed = Keyed("SELECT n FROM t", "t", NUMBERS, (), ground.folder)
    empty = pa.RecordBatch.from_pydict({"n": pa.array([], pa.int64())})
    assert list(run_key(ground, keyed, iter([]))) == []
    assert list(run_key(ground, keyed, iter([empty]))) == []


def test_a_step_whose_key_it_does_not_read_is_refused():
    with pytest.raises(ValueError, match="a key is one of the columns"):
        Step("s", ("t",), "o", sql=lambda _: "SELECT 1", key="sid", reads=("rid",))
    with pytest.raises(ValueError, match="a key is one of the columns"):
        Step("s", ("t",), "o", sql=lambda _: "SELECT 1", key="sid")


@pytest.mark.parametrize(
    "engine", ["local", "sail", "sc://host:15002/;token=x", "spark://a:7077,b:7077",
               "local-cluster[2,1,1024]"],
)  # fmt: skip
def test_engines_that_a_scan_runs_on(engine):
    check_engine(engine)


@pytest.mark.parametrize(
    "engine", ["", "spark", "yarn", "local[2]", "k8s://host", "databricks", "sc://", "Sail"]
)
def test_other_engines_are_refused(engine):
    with pytest.raises(ConfigError) as caught:
        check_engine(engine)
    assert caught.value.where == "--engine"


def test_an_engine_that_is_not_installed_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"stillwatch\[sail\]"), open_cluster("sail"):
        pass
