"""Any input becomes Parquet by day, sorted, whole or not at all."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, InputError, RunnerError
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources import IngestResult, ingest, open_inputs
from stillwatch.sources import ingest as ingest_function

T0 = datetime(2026, 1, 30, 22, tzinfo=UTC)
FIXTURE = Path(__file__).parents[2] / "fixtures" / "litellm" / "callbacks.jsonl"


def log(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def some_rows(n: int = 200) -> list[dict[str, Any]]:
    return [
        {
            "exchange_id": f"e{i:04}",
            "ts": T0 + timedelta(minutes=i),
            "account_id": f"a{i % 7}",
            "model": "m",
            "messages": [{"role": "user", "content": f"text {i}"}],
            "tags": [("k", str(i))] if i % 2 else None,
        }
        for i in range(n)
    ]


def typed(rows: list[dict[str, Any]]) -> pa.Table:
    names = list(rows[0])
    return pa.Table.from_pylist(rows, pa.schema([EXCHANGE.field(n) for n in names]))


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    pq.write_table(typed(rows), path)
    return path


def run(source: Path, out: Path, **options: Any) -> IngestResult:
    return ingest(open_inputs([source], max_rejects=1.0), out, **options)


def test_one_file_a_day_sorted_in_the_canonical_schema(tmp_path: Path) -> None:
    rows = some_rows()
    random.Random(1).shuffle(rows)
    result = run(write(tmp_path / "in" / "a", rows), tmp_path, sort_memory_rows=50)
    assert [f.name for f in result.files] == ["2026-01-30.parquet", "2026-01-31.parquet"]
    tables = [pq.read_table(f) for f in result.files]
    assert all(t.schema == EXCHANGE for t in tables)
    whole = pa.concat_tables(tables)
    assert whole["exchange_id"].to_pylist() == [f"e{i:04}" for i in range(200)]
    assert whole["messages"][7].as_py() == [{"role": "user", "content": "text 7"}]
    assert whole["tags"][7].as_py() == [("k", "7")]


def test_the_same_bytes_for_any_order_and_any_spill(tmp_path: Path) -> None:
    rows = some_rows()
    rows += [{**rows[3], "ts": T0 + timedelta(days=1), "account_id": "thief"}]
    written = []
    for seed, limit in ((1, 10), (2, 64), (3, 10_000)):
        random.Random(seed).shuffle(rows)
        result = run(
            write(tmp_path / "in" / f"{seed}", rows), tmp_path / f"{seed}", sort_memory_rows=limit
        )
        written.append([f.read_bytes() for f in result.files])
    assert written[0] == written[1] == written[2]


def test_a_repeated_id_is_dropped_and_counted_the_first_stays(tmp_path: Path) -> None:
    rows = some_rows(5)
    late = {**rows[0], "ts": T0 + timedelta(days=3), "account_id": "late"}
    inputs = open_inputs([write(tmp_path / "in" / "a", [late, rows[1], *rows])])
    result = ingest(inputs, tmp_path)
    assert (result.rows, result.duplicates) == (5, 2)
    assert inputs.ledger.notes["repeated exchange_id dropped"] == 2
    assert pq.read_table(result.files[0])["account_id"][0].as_py() == "a0"


def test_what_was_ingested_reads_back(tmp_path: Path) -> None:
    result = run(FIXTURE, tmp_path)
    inputs = open_inputs([tmp_path / "exchanges"])
    assert sum(b.num_rows for b in inputs.batches()) == result.rows == 20
    assert result.size_bytes > 0


def test_existing_days_are_not_overwritten(tmp_path: Path) -> None:
    run(FIXTURE, tmp_path)
    with pytest.raises(ConfigError, match="exists already"):
        run(FIXTURE, tmp_path)


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    left = tmp_path / ".exchanges.partial" / "spill" / "2020-01-01" / "000000.parquet"
    left.parent.mkdir(parents=True)
    left.write_text("half a file")
    result = run(FIXTURE, tmp_path)
    assert result.rows == 20
    assert [p.name for p in tmp_path.iterdir()] == ["exchanges"]


@pytest.mark.parametrize("writer", ["write_table", "ParquetWriter"])
def test_a_disk_that_fills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    source = write(tmp_path / "in" / "a", some_rows(5))
    monkeypatch.setattr(pq, writer, full)
    with pytest.raises(RunnerError, match="No space left on device"):
        run(source, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_too_many_rejects_leave_nothing(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(FIXTURE.read_bytes() + b"{\n" * 5)
    with pytest.raises(InputError):
        ingest_function(open_inputs([source]), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["in.jsonl"]
