"""Measures scans of several sizes, for `stillwatch plan` to be fitted to (perf/plan_fit.py).

    nice .venv/bin/python perf/plan_runs.py [--only NAME ...]

Two families of logs, so that what an exchange costs and what an account costs can be told apart:
``x…`` copies the week of the world "demo" (25 exchanges an account), ``d…`` repeats its days for
the same accounts (`perf/days.py`; 110 an account). Every scan is a process of its own with
``--memory 4GB`` and two threads: CPU seconds of it, its largest resident set, and the most bytes
that its run directory held, looked at four times a second. A run that was measured is kept in
bench/work/plan-runs and not repeated; the result goes to bench/results/plan-runs.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import threading
from pathlib import Path
from typing import Any

from days import world as repeated
from machine import commit, describe
from scan_1m import world as copied
from scan_steps import cpu_by_step

WORK = Path(__file__).parents[1] / "bench" / "work"
RESULT = Path(__file__).parents[1] / "bench" / "results" / "plan-runs.json"
COPIES = (1, 4, 13, 26, 40)
DAYS = ((14, 1), (31, 1), (31, 4))


def size_of(folder: Path) -> int:
    """Return the bytes of the files in a folder; what goes while it is looked at counts nothing."""
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.stat(os.path.join(root, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def measured(logs: list[Path], accounts: Path, out: Path) -> dict[str, Any]:
    """Scan once and return what it took."""
    shutil.rmtree(out, ignore_errors=True)
    most, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.25):
            most[0] = max(most[0], size_of(out))

    watcher = threading.Thread(target=watch)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    watcher.start()
    try:
        steps = cpu_by_step({"logs": logs, "accounts": accounts, "out": out, "memory": "4GB",
                             "threads": 2})  # fmt: skip
    finally:
        ended.set()
        watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    summary = json.loads((out / "summary.json").read_text())
    timing = json.loads((out / "timing.json").read_text())
    left = size_of(out)
    shutil.rmtree(out)
    return {
        "rows": summary["rows_in"],
        "accounts": summary["accounts"],
        "log_bytes": sum(log.stat().st_size for log in logs),
        "cpu_s": round(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2
        ),
        "wall_s": timing["seconds"]["total"],
        "peak_mb": timing["peak_memory_mb"],
        "disk_mb": round(most[0] / 1e6, 1),
        "left_mb": round(left / 1e6, 1),
        "hypotheses": summary["cohorts_tested"],
        "steps_cpu_s": {step: round(s, 2) for step, s in steps.items()},
    }  # fmt: skip


def logs_of(name: str) -> tuple[list[Path], Path]:
    """Return the logs and the accounts of a run's name, made now where they are missing."""
    if name.startswith("x"):
        folder = copied(int(name[1:]))
        return sorted((folder / "exchanges").glob("*.parquet")), folder / "accounts.csv"
    days, copies = map(int, name[1:].split("x"))
    folder = repeated(days, copies)
    return sorted(folder.glob("*.parquet")), folder / "accounts.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    kept = WORK / "plan-runs"
    kept.mkdir(parents=True, exist_ok=True)
    names = [*(f"x{k}" for k in COPIES), *(f"d{d}x{k}" for d, k in DAYS)]
    for name in asked.only or names:
        note = kept / f"{name}.json"
        if note.is_file():
            continue
        logs, accounts = logs_of(name)
        load = round(os.getloadavg()[0], 1)
        result = {"name": name, **measured(logs, accounts, kept / f"run-{name}")}
        note.write_text(json.dumps({**result, "load_before": load, "commit": commit()}) + "\n")
        print(name, result["rows"], result["cpu_s"], flush=True)
    runs = [json.loads((kept / f"{n}.json").read_text()) for n in names
            if (kept / f"{n}.json").is_file()]  # fmt: skip
    kept_text = {"command": "make bench-plan", "engine": "local", "memory": "4GB", "threads": 2,
                 "machine": describe(), "runs": runs}  # fmt: skip
    RESULT.write_text(json.dumps(kept_text, indent=1) + "\n")


if __name__ == "__main__":
    main()
