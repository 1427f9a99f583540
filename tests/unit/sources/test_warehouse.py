"""A query to a real PostgreSQL as input: the rows of a file, in batches, and nothing told."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.errors import ConfigError, InputError
from stillwatch.sources import ingest, open_inputs

TABLE = """
CREATE TABLE log (
  exchange_id text, ts timestamptz, account_id text, model text, stream boolean,
  temperature real, max_tokens bigint, tools text[], messages jsonb, status text,
  http_status smallint, output_text text, input_tokens bigint, output_tokens integer,
  cost_usd numeric(12, 6), latency_ms double precision, ip inet, region text
);
INSERT INTO log SELECT
  'x-' || i, timestamptz '2026-01-31 12:00+00' + i * interval '1 second', 'a-' || i % 5, 'm-1',
  i % 2 = 0, 0.5, 64, ARRAY['search', 'read'],
  jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'asked ' || i)),
  CASE WHEN i % 3 = 0 THEN NULL ELSE 'ok' END, 200, 'said ' || i, i, NULL, 0.0125, 12.5,
  CASE WHEN i % 2 = 0 THEN inet '192.0.2.1' ELSE inet '2001:db8::7' END, 'eu'
FROM generate_series(1, 1000) i;
"""
COLUMNS = (
    "exchange_id, ts, account_id, model, stream, temperature, max_tokens, tools, messages, "
    "status, http_status, output_text, input_tokens, output_tokens, cost_usd, latency_ms, ip"
)


@pytest.fixture(scope="module")
def database(postgres):
    import adbc_driver_postgresql.dbapi as dbapi

    address = postgres.database("logs")
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'Asia/Kolkata'")
        for statement in TABLE.split(";\n"):
            if statement.strip():
                cursor.execute(statement)
        connection.commit()
    return address


def query(folder: Path, text: str) -> Path:
    path = folder / "log.sql"
    path.write_text(text, encoding="utf-8")
    return path


def rows_of(database: str, folder: Path, text: str, **more: object) -> list[dict[str, object]]:
    opened = open_inputs([database], query=query(folder, text), **more)  # type: ignore[arg-type]
    return pa.Table.from_batches(list(opened.batches())).to_pylist()


def test_a_query_gives_exchanges_in_their_types(database, tmp_path):
    opened = open_inputs([database], query=query(tmp_path, f"SELECT {COLUMNS} FROM log"))
    rows = pa.Table.from_batches(list(opened.batches())).to_pylist()
    assert len(rows) == 1000
    assert opened.formats == ("arrow",)
    assert "org_id" not in opened.columns
    first = {k: v for k, v in min(rows, key=lambda r: r["ts"]).items() if v is not None}
    assert first == {
        "exchange_id": "x-1", "ts": datetime(2026, 1, 31, 12, 0, 1, tzinfo=UTC),
        "account_id": "a-1", "model": "m-1", "stream": False, "temperature": 0.5,
        "max_tokens": 64, "tools": ["search", "read"],
        "messages": [{"role": "user", "content": "asked 1"}], "status": "ok", "http_status": 200,
        "output_text": "said 1", "input_tokens": 1, "cost_usd": 0.0125, "latency_ms": 12.5,
        "ip": "2001:db8::7",
    }  # fmt: skip


def test_it_gives_what_a_file_of_the_same_rows_gives(database, tmp_path):
    rows = rows_of(database, tmp_path, f"SELECT {COLUMNS} FROM log ORDER BY input_tokens")
    opened = open_inputs([database], query=tmp_path / "log.sql")
    ingest(opened, tmp_path / "out")
    again = open_inputs([tmp_path / "out" / "exchanges"])
    assert pa.Table.from_batches(list(again.batches())).to_pylist() == rows


def test_other_names_go_through_a_mapping_file(database, tmp_path):
    mapping = tmp_path / "own.toml"
    mapping.write_text(
        "[columns]\nexchange_id = 'nr'\nts = 'at'\naccount_id = 'who'\nmodel = 'engine'\n"
        "messages = 'asked'\ncost_usd = 'price'\n",
        encoding="utf-8",
    )
    text = (
        "SELECT exchange_id AS nr, ts AS at, account_id AS who, model AS engine, "
        "messages AS asked, cost_usd AS price FROM log"
    )
    rows = rows_of(database, tmp_path, text, format=str(mapping))
    assert len(rows) == 1000
    first = min(rows, key=lambda r: str(r["ts"]))
    assert first["messages"] == [{"role": "user", "content": "asked 1"}]
    assert first["cost_usd"] == 0.0125


def test_the_query_may_only_read(database, tmp_path):
    with pytest.raises(InputError, match="25006"):  # read_only_sql_transaction
        rows_of(database, tmp_path, "DELETE FROM log RETURNING exchange_id, ts, account_id, model")
    assert len(rows_of(database, tmp_path, f"SELECT {COLUMNS} FROM log")) == 1000


@pytest.mark.parametrize(
    "text, said",
    [
        ("SELECT SECRET FROM log", "SQLSTATE 42703"),
        ("SELECT * FROM secret_table", "SQLSTATE 42P01"),
        ("SELEC 'SECRET'", "SQLSTATE 42601"),
        (f"SELECT {COLUMNS}, 1 / (input_tokens - 500) FROM log", "22012|broke"),
        (f"SELECT {COLUMNS}, point '(1,2)' AS region FROM log", "::text"),
        ("SELECT 1 AS nothing", "no column exchange_id, ts, account_id or model"),
    ],
)
def test_errors_quote_nothing(database, tmp_path, text, said):
    with pytest.raises(InputError, match=said) as caught:
        rows_of(database, tmp_path, text)
    error: BaseException | None = caught.value
    told = ""
    while error is not None:
        told += str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert "secret" not in told.lower()
    assert database not in told


def test_a_password_is_in_no_message(database, tmp_path):
    address = database.replace("hub@", "hub:SECRET@").replace(":" + database.split(":")[-1], ":1/x")
    done = subprocess.run(
        [sys.executable, "-m", "stillwatch.cli", "scan", address, "--query",
         query(tmp_path, "SELECT 1"), "--out", tmp_path / "run"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "cannot connect" in done.stderr
    assert "PGPASSWORD" in done.stderr
    assert "SECRET" not in done.stdout + done.stderr
    for wrong in (["mysql://u:SECRET@h/d"], ["http://u:SECRET@h/d"]):
        with pytest.raises(InputError) as caught:
            open_inputs(wrong)
        assert "SECRET" not in str(caught.value)
    for paths, asked in (([address], None), (["x.jsonl"], "log.sql"), ([address, "x"], "log.sql")):
        with pytest.raises(ConfigError, match="go together") as wrongly:
            open_inputs(paths, query=asked and tmp_path / asked)
        assert "SECRET" not in str(wrongly.value)


def test_a_run_directory_does_not_hold_the_address(database, tmp_path):
    address = database.replace("hub@", "hub:SECRET@")
    done = subprocess.run(
        [sys.executable, "-m", "stillwatch.cli", "scan", address, "--query",
         query(tmp_path, f"SELECT {COLUMNS} FROM log"), "--out", tmp_path / "run", "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows_in"] == 1000
    for path in (tmp_path / "run").rglob("*"):
        if path.is_file():
            assert b"SECRET" not in path.read_bytes(), path


@pytest.mark.slow
def test_memory_does_not_grow_with_the_result(database, tmp_path):
    """Ten times the rows, some 300 MB of text, in a process of its own."""
    code = (
        "import resource, sys; from stillwatch.sources import open_inputs\n"
        "opened = open_inputs([sys.argv[1]], query=sys.argv[2])\n"
        "rows = sum(b.num_rows for b in opened.batches())\n"
        "print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    peaks = []
    for count in (20_000, 200_000):
        text = query(
            tmp_path,
            "SELECT 'x-' || i AS exchange_id, now() AS ts, 'a' AS account_id, 'm' AS model, "
            f"repeat(md5(i::text), 48) AS output_text FROM generate_series(1, {count}) i",
        )
        done = subprocess.run(
            [sys.executable, "-c", code, database, text], capture_output=True, text=True, check=True
        )
        rows, peak = map(int, done.stdout.split())
        assert rows == count
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 60, peaks
