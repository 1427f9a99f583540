"""Files are found in one order and named without the host's directories."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputError
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources import open_inputs
from stillwatch.sources.files import find_files

FIXTURE = Path(__file__).parents[2] / "fixtures" / "litellm" / "callbacks.jsonl"


def table(n: int = 3) -> pa.Table:
    return pa.table(
        {
            "exchange_id": [f"e{i}" for i in range(n)],
            "ts": [1_769_860_800 + i for i in range(n)],
            "account_id": ["a"] * n,
            "model": ["m"] * n,
        }
    )


def test_directories_are_walked_sorted_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/2.x", "b/1.x", "a.x", "_SUCCESS", ".hidden", ".git/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [f.name for f in find_files([tmp_path])] == ["a.x", "b/1.x", "b/2.x"]


@pytest.mark.parametrize(
    ("mark", "kind"),
    [
        ("_delta_log/00000000000000000000.json", "Delta Lake"),
        ("deep/table/_delta_log/00000000000000000000.json", "Delta Lake"),
        (".hoodie/hoodie.properties", "Hudi"),
        ("metadata/00001-aa.metadata.json", "Iceberg"),
        ("table/metadata/v2.metadata.json", "Iceberg"),
        ("metadata/v3.metadata.json.gz", "Iceberg"),
    ],
)
def test_a_table_with_a_log_of_its_own_is_not_read_as_its_files(
    mark: str, kind: str, tmp_path: Path
) -> None:
    """Files that the table's log no longer names hold deleted rows, and would be read."""
    pq.write_table(table(), tmp_path / "part-0.parquet")
    (tmp_path / mark).parent.mkdir(parents=True)
    (tmp_path / mark).write_text("{}")
    with pytest.raises(InputError, match=f"a table of {kind}: ") as caught:
        find_files([tmp_path])
    assert "own connector" in caught.value.hint


@pytest.mark.parametrize("name", ["metadata/day.json", "logs/a.metadata.json", "delta_log/a.json"])
def test_folders_of_like_names_are_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("{}")
    assert [Path(file.path) for file in find_files([tmp_path])] == [tmp_path / name]


def test_a_file_given_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.x").write_text("x")
    found = find_files([tmp_path, str(tmp_path / "*.x"), tmp_path / "a.x"])
    assert len(found) == 1


def test_a_file_of_several_names_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("logs").mkdir()
    Path("logs/a.x").write_text("x")
    Path("b.x").symlink_to("logs/a.x")
    several = find_files(["logs", "./logs", "logs/../logs/a.x", "b.x"])
    assert [f.path for f in several] == ["logs/a.x"]
    assert [f.path for f in find_files(["b.x", "logs"])] == ["b.x"]


def test_names_are_the_same_on_any_host(tmp_path: Path) -> None:
    for host in ("one", "two"):
        for name in ("x/log", "y/log"):
            (tmp_path / host / name).parent.mkdir(parents=True)
            (tmp_path / host / name).write_text("x")
    names = [[f.name for f in find_files([tmp_path / h])] for h in ("one", "two")]
    assert names == [["x/log", "y/log"]] * 2


class Stdin:
    def __init__(self, raw: bytes) -> None:
        self.buffer = io.BytesIO(raw)


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "stream", "csv"])
def test_standard_input(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    out = io.BytesIO()
    if kind == "jsonl":
        out.write(FIXTURE.read_bytes())
    elif kind == "parquet":
        pq.write_table(table(), out)
    elif kind == "stream":
        with pa.ipc.new_stream(out, table().schema) as writer:
            writer.write_table(table())
    else:
        out.write(b"exchange_id,ts,account_id,model\ne1,1769860800,a,m\n")
    monkeypatch.setattr(sys, "stdin", Stdin(out.getvalue()))
    inputs = open_inputs(["-"])
    rows = sum(batch.num_rows for batch in inputs.batches())
    assert rows == {"jsonl": 20, "csv": 1}.get(kind, 3)
    with pytest.raises(InputError, match="read once"):
        next(iter(inputs.batches()))


def test_a_named_pipe_that_gives_a_little_at_a_time(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def feed() -> None:
        with pipe.open("wb", buffering=0) as out:
            raw = FIXTURE.read_bytes()
            for at in range(0, len(raw), 5_000):
                out.write(raw[at : at + 5_000])

    writer = threading.Thread(target=feed)
    writer.start()
    rows = sum(batch.num_rows for batch in open_inputs([pipe]).batches())
    writer.join()
    assert rows == 20


def test_formats_and_columns_are_united(tmp_path: Path) -> None:
    pq.write_table(table().append_column("country", pa.array(["AT"] * 3)), tmp_path / "a")
    (tmp_path / "b").write_bytes(FIXTURE.read_bytes())
    inputs = open_inputs([tmp_path])
    assert inputs.formats == ("litellm", "parquet")
    assert {"country", "messages"} <= inputs.columns
    assert "asn" not in inputs.columns
    (batch,) = inputs.batches()
    assert batch.schema == EXCHANGE
    assert batch["country"].null_count == 20


def test_columns_of_a_table_are_those_present(tmp_path: Path) -> None:
    pq.write_table(table(), tmp_path / "a")
    assert open_inputs([tmp_path]).columns == {"exchange_id", "ts", "account_id", "model"}


def test_small_files_are_joined_into_one_batch(tmp_path: Path) -> None:
    line = FIXTURE.read_text().splitlines()[0]
    for i in range(30):
        (tmp_path / f"{i:03}.json").write_text(line)
    assert [b.num_rows for b in open_inputs([tmp_path]).batches()] == [30]


def test_large_batches_are_cut(tmp_path: Path) -> None:
    big = table(20).append_column("output_text", pa.array(["x" * 4_000_000] * 20))
    with pa.ipc.new_file(tmp_path / "a", big.schema) as writer:
        writer.write_table(big)
    sizes = [b.nbytes for b in open_inputs([tmp_path]).batches()]
    assert sum(sizes) > 80_000_000
    assert max(sizes) <= 64 << 20


def test_summary_of_the_ledger_is_plain_json(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(FIXTURE.read_bytes() + b"{\n")
    inputs = open_inputs([tmp_path], max_rejects=1.0)
    list(inputs.batches())
    summary: dict[str, Any] = json.loads(json.dumps(inputs.ledger.summary()))
    assert summary["rows_read"] == 21
    assert summary["rejected_by_reason"] == {"JSON ends early": 1}
