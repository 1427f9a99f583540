"""A watch on a real S3 server: only what is new is read, late objects count, looks are scans."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, InputError
from stillwatch.scanner import scan
from stillwatch.service import Cadence, Plan, Watch
from stillwatch.simulate import simulate

pytestmark = pytest.mark.slow
DAY = timedelta(days=1)
PIECE = timedelta(hours=12)
CADENCE = Cadence(window=4 * DAY, every=3 * DAY, late=DAY, idle=30 * DAY)


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return simulate("tiny", seed=5, out=tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def pieces(tiny):
    """Return (name, Parquet, when it is complete) of each half day of the world, by time."""
    rows = duckdb.sql(
        f"SELECT * FROM '{tiny.out}/exchanges/*.parquet' ORDER BY ts, exchange_id"
    ).to_arrow_table()
    schema = pq.read_schema(next((tiny.out / "exchanges").glob("*.parquet")))
    size = int(PIECE.total_seconds() * 1e6)
    halves = rows["ts"].cast(pa.int64()).to_numpy() // size
    found = []
    for half in sorted(set(halves.tolist())):
        sink = pa.BufferOutputStream()
        pq.write_table(rows.filter(pa.array(halves == half)).cast(schema), sink)
        end = datetime.fromtimestamp(0, UTC) + (half + 1) * PIECE
        found.append((f"half={half:06d}/a b.parquet", sink.getvalue().to_pybytes(), end))
    return found


class Store:
    """The bucket of the test, and how often each object's content was asked for."""

    def __init__(self, options: str) -> None:
        self.address = f"s3://bucket/logs?{options}"
        self._options = options
        self._system, _ = pafs.FileSystem.from_uri(f"s3://bucket/x?{options}")

    def put(self, key: str, data: bytes) -> None:
        with self._system.open_output_stream(f"bucket/logs/{key}", compression=None) as file:
            file.write(data)

    def pattern(self, names: list[str]) -> list[str]:
        quoted = [name.replace(" ", "%20") for name in names]
        return [f"s3://bucket/logs/{name}?{self._options}" for name in quoted]


@pytest.fixture
def store(bucket):
    return Store(bucket[1])


def plan(folder: Path, world, store, **options) -> Plan:
    given = {
        "sources": (store.address,), "folder": folder / "watch", "cadence": CADENCE,
        "db": str(folder / "cases.db"), "scan": {"accounts": world.accounts_csv, "threads": 1},
    }  # fmt: skip
    return Plan(**given | options)


def contents(run: Path) -> dict[str, bytes]:
    files = [p for p in run.rglob("*") if p.is_file() and p.name != "timing.json"]
    return {str(p.relative_to(run)): p.read_bytes() for p in files}


def test_what_comes_late_and_out_of_order_is_read_once_and_looks_are_the_batch(
    tiny, pieces, store, tmp_path
):
    """Every second object comes after the one behind it: a day late at most."""
    late = [p for k in range(0, len(pieces), 2) for p in reversed(pieces[k : k + 2])]
    assert late != pieces
    now, looks, read = pieces[-1][2], [], 0
    with Watch(plan(tmp_path, tiny, store)) as watch:
        nothing = watch.round(now=now)
        assert (nothing.filled.files, nothing.filled.unlisted) == (0, {})  # an empty prefix
    for name, data, _ in late:
        store.put(name, data)
        with Watch(plan(tmp_path, tiny, store)) as watch:  # each round in a process, as cron does
            cycle = watch.round(now=now)
        assert cycle.filled.files == 1, "only what is new"
        read += cycle.filled.rows
        looks += [cycle.look] if cycle.look else []
    with Watch(plan(tmp_path, tiny, store)) as watch:
        last = watch.round(now=now, ended=True)
    assert last.filled.files == 0
    looks += [last.look] if last.look else []
    assert read == last.status["rows"] > 1_000
    assert len(looks) >= 2
    for look in looks[1:]:
        inside = [n for n, data, end in pieces if end > look.since and end - PIECE < look.until]
        out = tmp_path / f"batch-{look.number}"
        scan(store.pattern(inside), accounts=tiny.accounts_csv, since=look.since,
             until=look.until, look=look.number, out=out, threads=1)  # fmt: skip
        mine, other = contents(tmp_path / "watch" / "runs" / look.name), contents(out)
        assert sorted(n for n in mine.keys() | other.keys() if mine.get(n) != other.get(n)) == []
        assert json.loads(other["summary.json"])["rows_kept"] > 500


def test_an_object_that_is_replaced_stands_for_itself_and_one_that_moved_is_known(
    tiny, pieces, store, tmp_path
):
    (one, first, _), (two, second, _), (_, third, end) = pieces[:3]
    store.put(one, first)
    store.put(two, second)

    def held(watch) -> int:
        window = watch._store.window(end - 30 * DAY, end + DAY)
        return sum(file.rows for file in window.files)

    with Watch(plan(tmp_path, tiny, store)) as watch:
        watch.round(now=end)
        before = held(watch)
        store.put(one, third)  # the same key, other rows
        after = watch.round(now=end)
        now_held = held(watch)
        again = watch.round(now=end)
    rows = [pq.read_metadata(pa.BufferReader(data)).num_rows for data in (first, second, third)]
    assert before == rows[0] + rows[1]
    assert (after.filled.files, now_held) == (1, rows[2] + rows[1])
    assert again.filled.files == 0
    store._system.move(f"bucket/logs/{two}", "bucket/logs/elsewhere.parquet")
    with Watch(plan(tmp_path, tiny, store)) as watch:
        moved = watch.round(now=end)
    assert (moved.filled.files, moved.filled.moved) == (0, 1)
    assert moved.status["rows"] == after.status["rows"]  # of all that lies in days


def test_while_the_store_is_away_no_look_is_made_and_nothing_is_lost(
    tiny, pieces, store, bucket, tmp_path
):
    cadence = Cadence(window=4 * DAY, every=3 * DAY, late=DAY, idle=timedelta(hours=1))
    for name, data, _ in pieces[:3]:
        store.put(name, data)
    with Watch(plan(tmp_path, tiny, store, cadence=cadence)) as watch:
        held = watch.round(now=pieces[2][2]).status["rows"]
        process = bucket[0]
        process.terminate()
        process.wait(timeout=20)
        later = pieces[2][2] + 5 * DAY  # by the clock it was quiet for long: a look would be due
        away = watch.round(now=later)
    assert list(away.filled.unlisted) == ["s3://bucket/logs"]
    assert (away.look, away.status["rows"]) == (None, held)
    assert away.status["unlisted"] == away.filled.unlisted
    assert "test" not in json.dumps(away.status["unlisted"])


def test_a_bucket_that_is_none_is_told_and_keys_in_an_address_refused(tiny, store, tmp_path):
    wrong = store.address.replace("bucket", "nobodys")
    with Watch(plan(tmp_path, tiny, store, sources=(wrong,))) as watch:
        assert list(watch.round(now=datetime.now(UTC)).filled.unlisted) == ["s3://nobodys/logs"]
    keyed = store.address.replace("s3://", "s3://AKID:wJalr@")
    with (
        Watch(plan(tmp_path, tiny, store, sources=(keyed,))) as watch,
        pytest.raises(ConfigError) as told,
    ):
        watch.round(now=datetime.now(UTC))
    assert "wJalr" not in str(told.value)


def test_a_prefix_with_a_table_of_its_own_log_is_refused_and_not_waited_for(tiny, store, tmp_path):
    store.put("_delta_log/00000000000000000000.json", b"{}")
    with (
        Watch(plan(tmp_path, tiny, store)) as watch,
        pytest.raises(InputError, match="a table of Delta Lake"),
    ):
        watch.round(now=datetime.now(UTC))
