"""Logs in an object store, read from a real S3 server: prefixes, patterns, odd keys, errors."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys

import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputError
from stillwatch.simulate import simulate
from stillwatch.sources import open_inputs
from stillwatch.sources.files import find_files

HEAD = b"exchange_id,ts,account_id,model\n"


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def put(options: str, key: str, data: bytes) -> None:
    system, _ = pafs.FileSystem.from_uri(f"s3://bucket/x?{options}")
    with system.open_output_stream(f"bucket/{key}", compression=None) as file:
        file.write(data)


def line(name: str) -> bytes:
    return HEAD + f"{name},2026-10-01T00:00:00Z,a,m\n".encode()


@pytest.mark.slow
def test_prefixes_and_patterns_keep_the_endpoint_and_odd_keys_are_read(bucket):
    _, options = bucket
    for key in ("day=1/a b.csv", "day=1/ü%20#.csv", "day=2/c.csv", "day=2/note.txt",
                "_temporary/0/d.csv", "day=2/.part"):  # fmt: skip
        put(options, f"logs/{key}", line(key))
    put(options, "logs/day=3/e.csv.gz", gzip.compress(line("e")))
    whole = f"s3://bucket/logs?{options}"
    found = {f.name: f.size for f in find_files([whole])}
    assert set(found) == {
        "s3://bucket/logs/day=1/a b.csv", "s3://bucket/logs/day=1/ü%20#.csv",
        "s3://bucket/logs/day=2/c.csv", "s3://bucket/logs/day=2/note.txt",
        "s3://bucket/logs/day=3/e.csv.gz",
    }  # fmt: skip
    assert found["s3://bucket/logs/day=2/c.csv"] == len(line("day=2/c.csv"))
    names = [f.name for f in find_files([f"s3://bucket/logs/day=[12]/*.csv?{options}"])]
    assert set(names) == {n for n in found if n.endswith(".csv")}
    assert len(names) == 3
    one = find_files([f"s3://bucket/logs/day=2/c.csv?{options}"])
    assert [f.name for f in one] == ["s3://bucket/logs/day=2/c.csv"]
    read = [
        name for batch in open_inputs([f"s3://bucket/logs/*.csv*?{options}"]).batches()
        for name in batch["exchange_id"].to_pylist()
    ]  # fmt: skip
    assert sorted(read) == ["day=1/a b.csv", "day=1/ü%20#.csv", "day=2/c.csv", "e"]


@pytest.mark.slow
@pytest.mark.parametrize("mark", ["_delta_log/0.json", "metadata/v1.metadata.json"])
def test_a_table_with_a_log_of_its_own_is_not_read_as_its_objects(bucket, mark):
    _, options = bucket
    put(options, "lake/table/a.csv", line("a"))
    put(options, f"lake/table/{mark}", b"{}")
    with pytest.raises(InputError, match="s3://bucket/lake: a table of"):
        find_files([f"s3://bucket/lake?{options}"])
    assert len(find_files([f"s3://bucket/lake/table/a.csv?{options}"])) == 1


@pytest.mark.slow
def test_a_scan_of_a_bucket_says_what_a_scan_of_the_files_says(bucket, tmp_path):
    _, options = bucket
    world = simulate("tiny", seed=3, out=tmp_path / "world")
    for part in sorted((world.out / "exchanges").glob("*.parquet")):
        put(options, f"week/{part.name}", part.read_bytes())
    told = {}
    for name, where in (
        ("files", world.out / "exchanges"),
        ("store", f"s3://bucket/week?{options}"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "stillwatch.cli", "scan", where, "--quiet",
             "--accounts", world.out / "accounts.csv", "--out", tmp_path / name],
            capture_output=True, text=True, env=os.environ,
        )  # fmt: skip
        assert done.returncode in (0, 3), done.stderr
        told[name] = [
            pq.read_table(tmp_path / name / "accounts.parquet"),
            (tmp_path / name / "campaigns.jsonl").read_text(),
        ]
    assert told["files"] == told["store"]
    assert told["store"][0].num_rows > 100


@pytest.mark.slow
@pytest.mark.parametrize("where", ["logs-of-nobody/week", "bucket/nothing", "bucket/week/*.zst"])
def test_what_cannot_be_listed_is_told_without_keys(bucket, where):
    _, options = bucket
    put(options, "week/a.csv", line("a"))
    with pytest.raises(InputError) as told:
        find_files([f"s3://AKIDEXAMPLE:wJalrXUtnFEMI@{where}?{options}"])
    words = str(told.value)
    assert f"s3://{where}" in words
    assert "endpoint_override=HOST" in words
    assert "AKIDEXAMPLE" not in words
    assert "wJalr" not in words
