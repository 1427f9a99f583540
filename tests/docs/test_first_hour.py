"""The first hour as a newcomer would spend it: every command of the guide, in its order."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.schema.fields import CAMPAIGN_FIELDS, FRAME_FIELDS, RUN_FILES, SUMMARY_FIELDS

GUIDE = Path(__file__).parents[2] / "docs" / "first-hour.md"
pytestmark = pytest.mark.slow


def told(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run one command of the guide through the interpreter that runs the tests."""
    return subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Run all of it once; return the folder and what each command printed."""
    folder = tmp_path_factory.mktemp("hour")
    printed: dict[str, str] = {}
    for line in re.findall(r"^ {4}stillwatch (.+)$", GUIDE.read_text(encoding="utf-8"), re.M):
        if "ACCOUNT" in line:
            table = pq.read_table(folder / "week-47" / "accounts.parquet")
            accused = table.filter(pc.field("standing") == "accused")["account_id"]
            line = line.replace("ACCOUNT", accused[0].as_py())
        done = told(folder, ["-m", "stillwatch.cli", *line.split()])
        assert done.returncode == (3 if line.startswith("scan") else 0), (line, done.stderr)
        printed[line] = done.stdout
        if line.startswith("simulate"):
            [copied] = re.findall(r"^ {4}cp (.+) \.$", GUIDE.read_text(encoding="utf-8"), re.M)
            for name in copied.split():
                shutil.copy(folder / name, folder)
    return folder, printed


def test_every_command_does_what_the_guide_says(hour):
    folder, printed = hour
    assert [line.split()[0] for line in printed] == [
        "simulate", "ingest", "scan", "explain", "scan", "scan",
    ]  # fmt: skip
    texts = list(printed.values())
    assert "0 refused" in texts[1]
    assert "campaign" in texts[2]
    assert "Why this account" in texts[3]
    second = json.loads((folder / "after" / "summary.json").read_text())
    assert second["look"] == 2
    assert second["reference"]["baseline"] == ["before"]
    assert (folder / "week-47" / "report.html").stat().st_size > 100_000


def test_the_python_of_the_guide_runs(hour):
    folder, _ = hour
    code = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code) == 1
    done = told(folder, ["-c", code[0]])
    assert done.returncode == 0, done.stderr
    assert "accused" in done.stdout


def test_the_run_directory_holds_the_fields_that_the_contract_names(hour):
    run = hour[0] / "after"
    made = {p.name + "/" * p.is_dir() for p in run.iterdir()}
    assert made == set(RUN_FILES) - {"shared.jsonl"}  # nothing was shared with this scan
    summary = json.loads((run / "summary.json").read_text())
    assert set(summary) == set(SUMMARY_FIELDS)
    for file, fields in (
        ("campaigns.jsonl", CAMPAIGN_FIELDS),
        ("stages/frames.jsonl", FRAME_FIELDS),
    ):
        lines = [json.loads(x) for x in (run / file).read_text().splitlines()]
        assert lines
        for line in lines:
            assert set(line) == set(fields), file


def test_a_baseline_of_your_own_is_measured_in_the_appendix(hour):
    summary = json.loads((hour[0] / "after" / "summary.json").read_text())
    measured = summary["reference"]["achieved"]
    shipped = [m for m in measured if m["what"].startswith("simulated")]
    local = [m for m in measured if m["what"].startswith("your baseline")]
    assert [m["claimed"] for m in shipped] == [0.05, 0.01, 0.001]
    if summary["reference"]["local_cohorts"]:
        assert {m["cohorts"] for m in local} == {summary["reference"]["local_cohorts"]}
    for m in measured:
        assert m["low"] <= m["value"] <= m["high"]
        assert m["passed"] == round(m["value"] * m["cohorts"])
