"""What a scan leaves behind when all goes well, when the input is bad, and when it is killed."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch import runners
from stillwatch.errors import ConfigError, InputError, RunnerError
from stillwatch.pipeline import DISCOVERY
from stillwatch.scanner import Progress, ScanResult, scan
from stillwatch.schema import Settings, Step
from stillwatch.simulate import SimulatedWorld, simulate


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    return simulate("tiny", seed=5, out=tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


def scan_tiny(tiny: SimulatedWorld, out: Path, **options: Any) -> ScanResult:
    return scan([tiny.out / "exchanges"], accounts=tiny.accounts_csv, out=out, **options)


def names(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def contents(folder: Path) -> dict[str, bytes]:
    return {n: (folder / n).read_bytes() for n in names(folder) if n != "timing.json"}


# A whole run


def test_a_run_holds_the_files_of_the_contract_and_no_left_overs(
    tiny: SimulatedWorld, out: Path
) -> None:
    result = scan_tiny(tiny, out)
    whole = {"summary.json", "campaigns.jsonl", "accounts.parquet", "signals.parquet",
             "links.parquet", "subjects.parquet", "timing.json", "rejected.jsonl", "report.html",
             "stix.json"}  # fmt: skip
    assert {n for n in names(out) if "/" not in n} == whole
    assert not [n for n in names(out) if n.endswith((".part", ".partial"))]
    assert not (out / "stages" / "features.parquet").exists()
    assert not (out / "stages" / "spill").exists()
    assert result.summary["rows_kept"] == tiny.exchanges
    assert result.exit_code in (0, 3)


def test_a_log_in_which_nothing_is_tested_bounds_nothing_and_says_so(
    tiny: SimulatedWorld, out: Path, tmp_path: Path
) -> None:
    """Fifty exchanges of strangers: no cohort, so no recall that could be assumed."""
    whole = pq.read_table(tiny.out / "exchanges").sort_by("ts")
    first = [
        whole["account_id"].to_pylist().index(a) for a in whole["account_id"].unique().to_pylist()
    ]
    pq.write_table(whole.take(first[:50]), tmp_path / "few.parquet")
    summary = scan([tmp_path / "few.parquet"], out=out).summary
    assert (summary["rows_kept"], summary["cohorts_tested"]) == (50, 0)
    for unit in ("requests", "output_tokens", "accounts"):
        told = summary["prevalence"][unit]
        assert told["detected"]["value"] == 0
        assert told["corrected"]["value"] is told["not_excluded"]["high"] is None
    page = (out / "report.html").read_text()
    assert "nothing was tested" in page
    assert "not an all-clear" in page
    assert "what was missed is not known" in page
    assert "of output tokens cannot be excluded" not in page


def test_every_step_is_timed_and_told(tiny: SimulatedWorld, out: Path) -> None:
    told: list[Progress] = []
    scan_tiny(tiny, out, progress=told.append)
    steps = [step.name for step in DISCOVERY]
    assert [p.stage for p in told if p.stage in steps] == steps
    read = [p.done for p in told if p.stage == "reading"]
    assert read == sorted(read)
    assert read[-1] == tiny.exchanges
    seconds = json.loads((out / "timing.json").read_text())["seconds"]
    assert set(steps) < set(seconds)


def test_the_engine_prints_nothing(
    tiny: SimulatedWorld, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scan_tiny(tiny, out)
    assert capfd.readouterr() == ("", "")


# Bad input


@pytest.fixture
def broken_log(tmp_path: Path) -> Path:
    """Return 90 exchanges of which three cannot be read."""
    lines = ["exchange_id,ts,account_id,model,input_tokens"]
    lines += [f"x{k},2026-11-16T00:00:00Z,a{k % 7},m,{-1 if k % 30 == 7 else 5}" for k in range(90)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_too_many_rejects_stop_the_run_and_leave_what_was_rejected(
    broken_log: Path, out: Path
) -> None:
    with pytest.raises(InputError, match="3 of 90 rows cannot be read"):
        scan([broken_log], out=out)
    assert names(out) == {"rejected.jsonl"}
    rejected = [json.loads(line) for line in (out / "rejected.jsonl").read_text().splitlines()]
    assert [(r["line"], r["field"]) for r in rejected] == [
        (8, "input_tokens"), (38, "input_tokens"), (68, "input_tokens"),
    ]  # fmt: skip


def test_as_many_rejects_as_allowed_are_written_and_counted(broken_log: Path, out: Path) -> None:
    result = scan([broken_log], out=out, max_rejects=0.05)
    assert result.summary["rejected"] == 3
    assert result.summary["rows_kept"] == 87
    assert len((out / "rejected.jsonl").read_text().splitlines()) == 3


def test_a_file_damaged_in_the_middle_stops_the_run_and_keeps_the_folder(
    tiny: SimulatedWorld, tmp_path: Path, out: Path
) -> None:
    day = tiny.files["parquet"][0].read_bytes()
    middle = len(day) // 3
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(day[:middle] + bytes(4000) + day[middle + 4000 :])
    with pytest.raises(InputError, match="damaged"):
        scan([damaged], out=out)
    assert names(out) == {"rejected.jsonl"}


@pytest.mark.parametrize("name", ["exchanges.parquet", "empty.jsonl", "prose.txt", "missing"])
def test_input_without_exchanges_is_an_input_error(
    name: str, tiny: SimulatedWorld, tmp_path: Path, out: Path
) -> None:
    path = tmp_path / name
    if name == "exchanges.parquet":
        pq.write_table(pq.read_table(tiny.files["parquet"][0]).slice(0, 0), path)
    elif name != "missing":
        path.write_text("" if name == "empty.jsonl" else "Nothing of the kind.\n")
    with pytest.raises(InputError):
        scan([path], out=out)


def test_a_window_without_exchanges_is_an_input_error(tiny: SimulatedWorld, out: Path) -> None:
    with pytest.raises(InputError, match="no exchanges in the window"):
        scan_tiny(tiny, out, since=datetime(2031, 1, 1, tzinfo=UTC))


# The folder


@pytest.mark.parametrize("strange", ["notes.txt", "stages/holiday.jpg", "exchanges/day.parquet"])
def test_a_folder_with_other_things_is_refused_and_left_alone(
    strange: str, tiny: SimulatedWorld, out: Path
) -> None:
    for name in (strange, "summary.json", "stages/exchanges.parquet"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    with pytest.raises(ConfigError, match="other things"):
        scan_tiny(tiny, out)
    assert names(out) == {strange, "summary.json", "stages/exchanges.parquet"}


def test_a_file_in_place_of_the_folder_is_refused(tiny: SimulatedWorld, out: Path) -> None:
    out.write_text("mine")
    with pytest.raises(ConfigError, match="no folder can be made"):
        scan_tiny(tiny, out)
    assert out.read_text() == "mine"


def test_a_failed_run_leaves_no_results_of_an_earlier_one(
    tiny: SimulatedWorld, broken_log: Path, out: Path
) -> None:
    scan_tiny(tiny, out)
    with pytest.raises(InputError):
        scan([broken_log], out=out)
    assert names(out) == {"rejected.jsonl"}


@pytest.mark.parametrize("memory", ["four", "10MB"])
def test_a_wrong_size_of_memory_touches_no_earlier_run(
    tiny: SimulatedWorld, out: Path, memory: str
) -> None:
    scan_tiny(tiny, out)
    before = contents(out)
    with pytest.raises(ConfigError):
        scan_tiny(tiny, out, memory=memory)
    assert contents(out) == before


def test_a_wrong_side_table_touches_no_earlier_run(
    tiny: SimulatedWorld, tmp_path: Path, out: Path
) -> None:
    scan_tiny(tiny, out)
    before = contents(out)
    with pytest.raises(InputError):
        scan([tiny.out / "exchanges"], accounts=tmp_path / "none.csv", out=out)
    assert contents(out) == before


# Failure on the way

_KILLED = """
import os, signal, sys
from stillwatch.scanner import scan
exchanges, accounts, out, where = sys.argv[1:]
def at(progress):
    if progress.stage == where:
        os.kill(os.getpid(), signal.SIGKILL)
scan([exchanges], accounts=accounts, out=out, progress=at)
"""


@pytest.mark.parametrize("where", ["reading", "exchanges", "objects", "findings", "report"])
def test_a_killed_run_leaves_whole_tables_and_can_be_run_again(
    where: str, tiny: SimulatedWorld, tmp_path: Path, out: Path
) -> None:
    words = [tiny.out / "exchanges", tiny.accounts_csv, out, where]
    dead = subprocess.run([sys.executable, "-c", _KILLED, *map(str, words)], check=False)
    assert dead.returncode == -signal.SIGKILL
    assert not (out / "report.html").exists()
    for table in (out / "stages").glob("*.parquet"):
        pq.read_table(table)
    scan_tiny(tiny, out)
    scan_tiny(tiny, tmp_path / "clean")
    assert contents(out) == contents(tmp_path / "clean")


def test_a_full_disk_is_a_runner_error_and_leaves_no_half_table(
    tiny: SimulatedWorld, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", full)
    with pytest.raises(RunnerError, match="table features: cannot be written"):
        scan_tiny(tiny, out)
    assert names(out) == {"rejected.jsonl"}


def fail(_: Any) -> pa.Table:
    raise RuntimeError("a defect")


@pytest.mark.parametrize(
    ("step", "error", "match"),
    [
        (Step("s", (), "t", function=fail), RuntimeError, "a defect"),
        (Step("s", (), "t", sql=lambda _: "SELECT nobody FROM nothing"), RunnerError, "step s"),
        (
            Step("s", (), "t", function=lambda desk: desk.query("SELECT nobody")),
            RunnerError,
            "step s",
        ),
        (
            Step("s", (), "t", sql=lambda _: "SELECT error('at row ' || i) FROM range(90000) r(i)"),
            RunnerError,
            "step s",
        ),
    ],
    ids=["function", "sql", "query", "row"],
)
def test_a_step_that_fails_leaves_the_earlier_table_and_nothing_aside(
    step: Step, error: type[Exception], match: str, tmp_path: Path
) -> None:
    runner = runners.LocalRunner(tmp_path, Settings())
    try:
        runner.put("t", pa.table({"whole": [1]}))
        with pytest.raises(error, match=match):
            runner.run(step)
        assert names(tmp_path) == {"t.parquet"}
        assert runner.query("SELECT whole FROM t").to_pylist() == [{"whole": 1}]
    finally:
        runner.close()
