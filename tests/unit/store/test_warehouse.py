"""A run in a real PostgreSQL: all or nothing, once however often, whatever accounts are called."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import adbc_driver_postgresql.dbapi as dbapi
import pyarrow as pa
import pytest

from stillwatch.errors import ConfigError, RunnerError
from stillwatch.store.warehouse import write_tables

HOSTILE = [
    "a'); DROP TABLE held; --",
    'b"c',
    "nul\0here",
    "\u202egnp.exe",
    "\\N",
    "\\.",
    "t\t\n",
    "",
]
TABLES = {
    "held": pa.table({
        "account_id": HOSTILE,
        "at": pa.array([datetime(2026, 11, 27, tzinfo=UTC)] * 8, pa.timestamp("us", "UTC")),
        "n": pa.array([2**63 - 1, None, *range(6)], pa.int64()),
        "e": [float("inf"), 1e-300, None, 0.0, -0.0, 1.5, 2.5, 3.5],
        "why": pa.array([["x\0", "y", None], [], None, *[["z"]] * 5], pa.list_(pa.string())),
        "yes": [True, None, *[False] * 6],
    }),
    "empty": pa.table({"n": pa.array([], pa.int64())}),
}  # fmt: skip


@pytest.fixture(scope="module")
def server(postgres: Any) -> str:
    return str(postgres.database("findings"))


def write(server: str, schema: str, run: str = "r1", tables: Any = None) -> int:
    with dbapi.connect(server) as connection:
        return write_tables(connection, schema, run, tables or TABLES, where="db")


def ask(server: str, sql: str) -> list[tuple[Any, ...]]:
    with dbapi.connect(server) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def test_what_is_written_is_what_is_read_back(server: str) -> None:
    schema = 'odd "name"'
    assert write(server, schema) == 8
    with dbapi.connect(server) as connection, connection.cursor() as cursor:
        cursor.execute('SELECT * FROM "odd ""name""".held')
        got = cursor.fetch_arrow_table()
    want = TABLES["held"].to_pylist()
    want[2]["account_id"], want[0]["why"] = "nul\ufffdhere", ["x\ufffd", "y", None]
    assert [{"run": "r1", **row} for row in want] == got.to_pylist()
    assert ask(server, 'SELECT count(*) FROM "odd ""name""".empty') == [(0,)]


def test_a_run_again_replaces_its_rows_and_no_others(server: str) -> None:
    for run in ("r1", "r2", "r1"):
        write(server, "again", run)
    rows = ask(server, "SELECT run, count(*) FROM again.held GROUP BY run ORDER BY run")
    assert rows == [("r1", 8), ("r2", 8)]


def test_two_that_write_at_once_leave_one_run(server: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: write(server, "race"), range(8))) == [8] * 8
    assert ask(server, "SELECT count(*) FROM race.held") == [(8,)]


def test_what_fails_at_the_last_table_leaves_all_as_it_was(server: str) -> None:
    write(server, "whole")
    ask_only(server, "ALTER TABLE whole.empty ADD CHECK (n < 0)")
    more = {"held": TABLES["held"].slice(0, 3), "empty": pa.table({"n": [7]})}
    with pytest.raises(RunnerError, match=r"^db: the run was not written \(SQLSTATE 23514\)"):
        write(server, "whole", tables=more)
    assert ask(server, "SELECT count(*) FROM whole.held") == [(8,)]


def test_a_table_of_other_columns_is_refused_and_left_alone(server: str) -> None:
    ask_only(server, "CREATE SCHEMA old")
    ask_only(server, "CREATE TABLE old.held (run text, account_id integer, kept text)")
    with pytest.raises(ConfigError, match=r"held is there with other columns: account_id, at, e"):
        write(server, "old")
    assert ask(server, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'old'"
               ) == [(1,)]  # fmt: skip


def test_a_user_without_the_right_is_told_which(server: str) -> None:
    ask_only(server, "CREATE ROLE guest LOGIN")
    with pytest.raises(RunnerError, match=r"SQLSTATE 42501.*CREATE on the database") as caught:
        write(server.replace("hub@", "guest@"), "none")
    assert "guest" not in str(caught.value)
    ask_only(server, "CREATE SCHEMA theirs")
    ask_only(server, "GRANT USAGE, CREATE ON SCHEMA theirs TO guest")
    assert write(server.replace("hub@", "guest@"), "theirs") == 8


def ask_only(server: str, sql: str) -> None:
    with dbapi.connect(server) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        connection.commit()
