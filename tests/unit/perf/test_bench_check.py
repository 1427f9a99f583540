"""`make bench-check` fails from a ratio on that is more than a tenth worse than the kept one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import bench
import pytest

ROOT = Path(__file__).parents[3]
KEPT = json.loads((ROOT / "bench" / "results" / "bench.json").read_text())


def scaled(path: str, factor: float) -> dict:
    """Return the kept result with one ratio so many times as large."""
    room, name = path.split(".")
    return KEPT | {room: KEPT[room] | {name: KEPT[room][name] * factor}}


@pytest.mark.parametrize("path", bench.RATIOS)
def test_each_kept_ratio_may_get_a_tenth_worse_and_no_more(path: str) -> None:
    assert bench.at(KEPT, path), "a ratio that nobody keeps is never compared"
    assert bench.worse(scaled(path, 1.09), KEPT) == []
    assert bench.worse(scaled(path, 0.2), KEPT) == []
    (said,) = bench.worse(scaled(path, 1.11), KEPT)
    assert said.startswith(f"{path}: ")
    assert KEPT["commit"] in said


@pytest.mark.parametrize(("ratio", "code"), [(1e9, 0), (1e-9, 1)])
def test_the_command_measures_and_ends_with_what_it_found(
    ratio: float, code: int, stillwatch_data: Path, tmp_path: Path
) -> None:
    """Against a kept ratio that nothing exceeds, and one that everything does."""
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps({"commit": "abc1234", "features": {"ratio": ratio},
                                "scan": {"ratio": 1.0}}))  # fmt: skip
    words = ["--rows", "10000", "--repeat", "1", "--scans", "0", "--no-logs", "--check"]
    done = subprocess.run(
        [sys.executable, ROOT / "perf" / "bench.py", *words, "--against", kept,
         "--out", tmp_path / "now.json"],
        capture_output=True, text=True,
        env=os.environ | {"STILLWATCH_DATA": str(stillwatch_data)},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert ("features.ratio: " in done.stdout) == bool(code)
    assert "scan.ratio: not measured now" in done.stdout
