"""Measures scans of several sizes on Spark and on Sail, for `stillwatch plan` to be fitted to.

    PYTHONPATH=tests/fixtures nice .venv/bin/python perf/engine_runs.py [--only ENGINE:NAME ...]

Logs are those of `perf/plan_runs.py`. Every scan has an engine of its own, on the same two cores:
the master and two workers of examples/spark-standalone, or a server of Sail. What is kept:

- ``node_cpu_s``, ``workers_cpu_s``: CPU seconds of the process that scans and of what it starts
  (Spark's driver is one), and of the engine's processes, from the beginning of the scan. They are
  read off /proc four times a second, so that what a process spends last may be missed.
- ``node_mb``: the largest resident set of the scanning process. ``workers_mb``: the largest sum, at
  one moment, of those of all processes of the engine, daemons and JVMs with them.
- ``shuffle_mb``: bytes that Spark's tasks wrote for a shuffle, by its event log. Sail tells none.
- ``disk_mb``, ``left_mb``: the most bytes of the run directory, and those of the end.

A run that was measured is kept in bench/work/engine-runs and not repeated; the result goes to
bench/results/engine-runs.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines_bench import started
from environments import environment
from machine import commit, cpu_of, describe
from plan_runs import WORK, logs_of, size_of
from scan_steps import cpu_by_step

RESULT = Path(__file__).parents[1] / "bench" / "results" / "engine-runs.json"
ENGINES = {"spark": "spark", "sail": "server"}  # by the name that engines_bench.py starts
LOGS = ("x1", "d14x1", "x4", "d31x1", "x13")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def children() -> dict[int, list[int]]:
    """Return the processes below each process of this machine."""
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                found.setdefault(int(parent), []).append(int(folder.name))
    return found


def tree(root: int, below: Mapping[int, list[int]], without: int = 0) -> list[int]:
    """Return a process and all below it, without another's."""
    found = []
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        if pid != without:
            found.append(pid)
            waiting += below.get(pid, [])
    return found


class Watch:
    """What the processes of the node and of the engine take while a scan runs."""

    def __init__(self, engine: int, out: Path) -> None:
        self.engine, self.out = engine, out
        self.cpu: dict[str, dict[int, float]] = {"node": {}, "workers": {}}
        self.before: dict[int, float] = {}
        self.workers_mb = self.disk_mb = 0.0

    def look(self) -> None:
        below = children()
        mine, here = os.getpid(), self.engine
        pids = {"workers": tree(here, below), "node": tree(mine, below, without=here)[1:]}
        resident = 0
        for side, some in pids.items():
            for pid in some:
                with contextlib.suppress(OSError):
                    self.cpu[side][pid] = cpu_of(pid)
                    if side == "workers":
                        resident += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
        self.workers_mb = max(self.workers_mb, resident / 1e6)
        self.disk_mb = max(self.disk_mb, size_of(self.out) / 1e6)

    def begin(self) -> None:
        self.look()
        self.before = self.cpu["workers"] | self.cpu["node"]

    def spent(self, side: str) -> float:
        return sum(at - self.before.get(pid, 0.0) for pid, at in self.cpu[side].items())


def shuffled_mb(events: Path) -> float:
    """Return the bytes that tasks wrote for a shuffle, of an event log of Spark."""
    total = 0
    for file in events.iterdir():
        for line in file.read_text("utf-8").splitlines():
            metrics = json.loads(line).get("Task Metrics") or {}
            total += metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
    return total / 1e6


def measured(engine: str, name: str) -> dict[str, Any]:
    """Scan once on an engine of its own and return what it took."""
    logs, accounts = logs_of(name)
    python = environment("engines") / "python"
    out = WORK / f"run-{engine}"
    shutil.rmtree(out, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        started(python, [ENGINES[engine]]) as engines,
    ):
        events = Path(folder) / "events"
        events.mkdir()
        (Path(folder) / "spark-defaults.conf").write_text(
            f"spark.eventLog.enabled true\nspark.eventLog.dir file:{events}\n"
            "spark.eventLog.compress false\nspark.eventLog.rolling.enabled false\n"
        )
        address, pid = engines[ENGINES[engine]]
        env = os.environ | {"PYSPARK_PYTHON": str(python), "SPARK_LOCAL_IP": "127.0.0.1",
                            "SPARK_CONF_DIR": folder}  # fmt: skip
        watch, ended = Watch(pid, out), threading.Event()
        watch.begin()

        def looking() -> None:
            while not ended.wait(0.25):
                watch.look()

        watcher = threading.Thread(target=looking)
        watcher.start()
        try:
            told = {"logs": logs, "accounts": accounts, "out": out, "engine": address,
                    "memory": "4GB", "threads": 2}  # fmt: skip
            steps = cpu_by_step(told, python, env)
        finally:
            ended.set()
            watcher.join()
        shuffle = round(shuffled_mb(events), 2) if engine == "spark" else None
    summary = json.loads((out / "summary.json").read_text())
    timing = json.loads((out / "timing.json").read_text())
    left = size_of(out) / 1e6
    shutil.rmtree(out)
    return {
        "engine": engine,
        "name": name,
        "rows": summary["rows_in"],
        "accounts": summary["accounts"],
        "files": len(logs),
        "wall_s": timing["seconds"]["total"],
        "node_cpu_s": round(watch.spent("node"), 2),
        "workers_cpu_s": round(watch.spent("workers"), 2),
        "node_mb": timing["peak_memory_mb"],
        "workers_mb": round(watch.workers_mb, 1),
        "shuffle_mb": shuffle,
        "disk_mb": round(watch.disk_mb, 1),
        "left_mb": round(left, 1),
        "steps_cpu_s": {step: round(s, 2) for step, s in steps.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    kept = WORK / "engine-runs"
    kept.mkdir(parents=True, exist_ok=True)
    names = [f"{engine}:{log}" for log in LOGS for engine in ENGINES]
    for name in asked.only or names:
        engine, _, log = name.partition(":")
        note = kept / f"{engine}-{log}.json"
        if note.is_file():
            continue
        logs_of(log)
        load = round(os.getloadavg()[0], 1)
        result = {**measured(engine, log), "load_before": load, "commit": commit()}
        note.write_text(json.dumps(result) + "\n")
        print(name, result["rows"], result["node_cpu_s"], result["workers_cpu_s"], flush=True)
    notes = [kept / f"{name.replace(':', '-')}.json" for name in names]
    runs = [json.loads(note.read_text()) for note in notes if note.is_file()]
    text = {"command": "make bench-engine-runs", "memory": "4GB", "threads": 2, "workers": 2,
            "machine": describe(), "runs": runs}  # fmt: skip
    RESULT.write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main()
