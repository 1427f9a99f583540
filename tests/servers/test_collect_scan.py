"""A simulated world, pushed record by record: what is collected accuses whom the file accuses."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from collector import HTTP, Collector

from stillwatch import scan
from stillwatch.simulate import simulate

DIFFER = {"summary.json", "timing.json", "report.html"}  # they name the input's format


@pytest.mark.slow
def test_a_collected_world_is_scanned_as_its_file(tmp_path):
    world = simulate("small", seed=7, out=tmp_path / "world", formats=("litellm",))
    logs = world.files["litellm"]
    lines = [line for log in logs for line in log.read_bytes().splitlines()]
    assert len(lines) > 10_000
    one = Collector(tmp_path / "logs", "--segment-seconds", 2).start()
    try:
        for start in range(0, len(lines), 512):
            body = b"[" + b",".join(lines[start : start + 512]) + b"]"
            for _ in range(2 if start == 512 else 1):  # one delivery is repeated
                answer = HTTP.post(f"{one.url}/v1/litellm", content=body)
                assert answer.status_code == 200
        assert one.metric("records_total") == len(lines) + 512
        assert one.stop() == 0
    finally:
        if one.process.poll() is None:
            one.kill()
    runs = {}
    for name, where in (("file", logs), ("collected", (one.folder,))):
        out = tmp_path / name
        runs[name] = scan(where, accounts=world.accounts_csv, out=out, threads=2).run_dir
    found = pq.read_table(runs["file"] / "accounts.parquet")
    accused = [a for a, s in zip(found["account_id"].to_pylist(), found["standing"].to_pylist(),
                                 strict=True) if s == "accused"]  # fmt: skip
    assert len(accused) > 10, "a world without accusations would prove nothing"
    files = {p.relative_to(runs["file"]) for p in runs["file"].rglob("*") if p.is_file()}
    assert files == {
        p.relative_to(runs["collected"]) for p in runs["collected"].rglob("*") if p.is_file()
    }
    for path in sorted(files):
        if str(path) not in DIFFER:
            assert (runs["file"] / path).read_bytes() == (runs["collected"] / path).read_bytes(), (
                path
            )
    told = {name: json.loads((run / "summary.json").read_text()) for name, run in runs.items()}
    assert told["file"]["inputs"].pop("formats") == ["litellm"]
    assert told["collected"]["inputs"].pop("formats") == ["parquet"]
    assert told["file"] == told["collected"]
