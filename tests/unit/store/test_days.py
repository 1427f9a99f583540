"""Days kept between runs: whole after any kill, digested, replaced, merged, expired."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from stillwatch.errors import ConfigError, InputError
from stillwatch.schema import to_micros
from stillwatch.store.days import DayStore, SourceFile, erase_account, open_days

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=40)
KEY = {"kernel": "1"}
SCHEMA = pa.schema(
    [
        pa.field("exchange_id", pa.string(), nullable=False),
        pa.field("ts", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)


def rows(first: int, count: int, hours: float = 1.0) -> pa.RecordBatch:
    """Return exchanges numbered from ``first``, one every ``hours``."""
    numbers = range(first, first + count)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([f"x{n:06d}" for n in numbers]),
            pa.array([START + n * timedelta(hours=hours) for n in numbers], SCHEMA.types[1]),
        ],
        schema=SCHEMA,
    )


class NoBatch:
    """Stands for a kernel that fails in the middle of a file."""

    @property
    def num_rows(self) -> int:
        raise TypeError("no batch")


@contextmanager
def opened(folder: Path, key: dict[str, str] | None = None) -> Iterator[DayStore]:
    with open_days(folder, key=KEY if key is None else key, schema=SCHEMA) as store:
        yield store


def put(store: DayStore, path: str, *batches: Any, failed: bool = False) -> None:
    with store.delivery(NOW) as delivery:
        for batch in batches:
            delivery.write(batch)
        delivery.finish(
            SourceFile(path, 1, 1, f"digest of {path}"), format="parquet",
            columns=("exchange_id", "ts"), ledger={"rows_read": 1}, failed=failed,
        )  # fmt: skip


def ids(store: DayStore, since: float = 0, until: float = 40) -> list[str]:
    """Return what a run would read of a window given in days since the start."""
    window = store.window(START + timedelta(days=since), START + timedelta(days=until))
    if not window.parts:
        return []
    low, high = to_micros(window.since), to_micros(window.until)
    found = duckdb.sql(
        f"SELECT exchange_id FROM read_parquet({[str(p) for p in window.parts]}) "
        f"WHERE epoch_us(ts) >= {low} AND epoch_us(ts) < {high} "
        f"AND file NOT IN ({', '.join(map(str, (-1, *window.without)))}) ORDER BY 1"
    ).fetchall()
    return [row[0] for row in found]


def test_a_window_has_the_rows_of_its_days_and_the_files_they_came_from(tmp_path):
    with opened(tmp_path) as store:
        put(store, "/a", rows(0, 30))
        put(store, "/b", rows(30, 30))
        put(store, "/none")
        assert ids(store, 1, 1.5) == [f"x{n:06d}" for n in range(24, 36)]
        window = store.window(START, START + timedelta(days=1))
        assert [file.source.path for file in window.files] == ["/a", "/none"]
        assert store.size()[:2] == (3, 60)
        assert [f.source.path for f in store.files_with(window, ["x000002", "x000055"])] == ["/a"]
    with opened(tmp_path) as store:
        assert len(ids(store)) == 60


def test_a_file_that_changed_stands_for_what_it_was(tmp_path):
    with opened(tmp_path) as store:
        put(store, "/a", rows(0, 5))
        put(store, "/b", rows(50, 5))
        put(store, "/a", rows(2, 6))
        assert ids(store) == [f"x{n:06d}" for n in (*range(2, 8), *range(50, 55))]


def test_a_file_that_could_not_be_read_to_its_end_counts_nowhere(tmp_path):
    with opened(tmp_path) as store:
        put(store, "/a", rows(0, 5))
        put(store, "/a", rows(0, 9), failed=True)
        assert ids(store) == [f"x{n:06d}" for n in range(5)]
        assert [path for path in store.known()] == ["/a"]


def test_a_delivery_that_fails_leaves_the_store_as_it_was(tmp_path):
    with opened(tmp_path) as store:
        put(store, "/a", rows(0, 5))
        with pytest.raises(TypeError, match="no batch"):
            put(store, "/b", rows(5, 50), NoBatch())
        assert len(ids(store)) == 5
    with opened(tmp_path) as store:
        assert len(ids(store)) == 5
        assert len(list(tmp_path.rglob("*.parquet*"))) == 1


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_days import opened, put, rows
from stillwatch.store.day_catalog import Catalog
from stillwatch.store import day_parts

where = {where!r}
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
with opened(Path({folder!r})) as store:
    if where == "in the transaction":
        Catalog.enter_file = die
    elif where == "between the parts":
        day_parts.to_disk = die
    else:
        changing = Catalog.changing
        def then_die(self):
            with changing(self):
                yield
            die()
        from contextlib import contextmanager
        Catalog.changing = contextmanager(then_die)
    put(store, "/b", rows(20, 30))
"""


@pytest.mark.parametrize(
    "where, kept", [("between the parts", 20), ("in the transaction", 20), ("behind it", 50)]
)
def test_a_kill_leaves_what_was_or_what_is(tmp_path, where, kept):
    folder = tmp_path / "days"
    with opened(folder) as store:
        put(store, "/a", rows(0, 20))
    code = _KILLED.format(here=str(Path(__file__).parent), folder=str(folder), where=where)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with opened(folder) as store:
        assert len(ids(store)) == kept
        named = {p.name for p in store.window(START, NOW).parts}
        assert {p.name for p in folder.rglob("parts/*/*")} == named
        put(store, "/b", rows(20, 30))
        assert len(ids(store)) == 50


def test_many_small_parts_become_one_without_dead_rows(tmp_path):
    with opened(tmp_path) as store:
        for n in range(40):
            put(store, f"/{n % 35}", rows(n, 1, hours=0.1))
        before = ids(store)
        assert store.merge() == 40
        window = store.window(START, NOW)
        assert (len(window.parts), window.rows) == (1, 35)
        assert ids(store) == before == [f"x{n:06d}" for n in range(5, 40)]
        assert store.merge() == 0
    with opened(tmp_path) as store:
        assert ids(store) == before


def test_days_expire_whole_and_their_files_are_not_read_again(tmp_path):
    with opened(tmp_path) as store:
        put(store, "/old", rows(0, 10))
        put(store, "/both", rows(20, 10))
        assert store.expire(START + timedelta(days=1, hours=5)) == 2
        assert ids(store) == [f"x{n:06d}" for n in range(24, 30)]
        assert {p: state for p, (_, _, state) in store.known().items()} == {
            "/old": "expired", "/both": "live",
        }  # fmt: skip
        store.forget_gone({"/both"})
        assert set(store.known()) == {"/both"}
        assert len(list(tmp_path.rglob("*.parquet"))) == 1


def _other_bytes(path: Path) -> None:
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held)


@pytest.mark.parametrize("harm", [_other_bytes, Path.unlink], ids=["changed", "gone"])
def test_a_part_that_is_not_what_was_written_is_told(tmp_path, harm: Any):
    with opened(tmp_path) as store:
        put(store, "/a", rows(0, 5))
        put(store, "/b", rows(30, 5))
        (part,) = tmp_path.glob("parts/2026-03-02/*")
        harm(part)
        assert len(ids(store, 0, 1)) == 5, "other days are not asked for"
        with pytest.raises(InputError, match=r"other bytes|cannot be read") as told:
            store.window(START, NOW)
        assert told.value.where == f"2026-03-02/{part.name}"


def test_a_second_process_is_refused(tmp_path):
    with opened(tmp_path), pytest.raises(ConfigError, match="another process"), opened(tmp_path):
        pass


def test_days_read_in_another_way_are_refused_by_name(tmp_path):
    with opened(tmp_path):
        pass
    with pytest.raises(ConfigError, match="another way: kernel"), opened(tmp_path, {"kernel": "2"}):
        pass
    with opened(tmp_path):
        pass


def test_a_damaged_catalogue_is_told(tmp_path):
    with opened(tmp_path):
        pass
    (tmp_path / "catalog.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match="catalogue cannot be opened"), opened(tmp_path):
        pass


def test_an_account_is_erased_from_every_part(tmp_path):
    """Also from parts where it is alone, and the store still verifies."""
    schema = SCHEMA.append(pa.field("account_id", pa.string()))

    def of(first: int, *accounts: str) -> pa.RecordBatch:
        held = rows(first, len(accounts))
        return pa.RecordBatch.from_arrays([*held.columns, pa.array(accounts)], schema=schema)

    with open_days(tmp_path, key=KEY, schema=schema) as store:
        put(store, "/a", of(0, "acct-1", "acct-2", "acct-1"))
        put(store, "/b", of(30, "acct-1"))
        put(store, "/c", of(60, "acct-3"))
        with pytest.raises(ConfigError, match="another process"):
            erase_account(tmp_path, "acct-1")
    assert erase_account(tmp_path, "acct-1") == 3
    assert erase_account(tmp_path, "acct-1") == 0
    with open_days(tmp_path, key=KEY, schema=schema) as store:
        assert ids(store) == ["x000001", "x000060"]
    assert b"acct-1" not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_erasing_from_what_is_no_store_is_told(tmp_path):
    with pytest.raises(ConfigError, match="no day store"):
        erase_account(tmp_path, "acct-1")
