"""CPU seconds of the table `exchanges`: in one process, and by stretches, on the node and beside.

    nice .venv/bin/python perf/stretches.py [--copies 2] [--rounds 3] [--keep]

The features of the amplified world (``perf/scan_1m.py``) are made once, in the order of its files
and in no order at all. Then the step runs on one thread, and as an engine has it run: what workers
do is done here, one task after the other, and counted apart from what stays on the node. What an
engine spends itself is not in it (``perf/engines_bench.py``). Least of the rounds; fails where
bytes differ.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow.parquet as pq
from here import Here
from machine import commit, describe
from scan_1m import WORK, world

from stillwatch.enrich import read_accounts
from stillwatch.pipeline import FEATURES, features
from stillwatch.profiles import EXCHANGES_STEP, PEOPLE_STEP, REPEATS_STEP
from stillwatch.runners import EngineRunner, LocalRunner
from stillwatch.runners.cluster import Cluster, Task
from stillwatch.schema import Settings
from stillwatch.schema.arrow import ORGANIZATION
from stillwatch.sources import open_inputs

RESULT = Path(__file__).parents[1] / "bench" / "results" / "stretches.json"
MIXED_ROWS = 16_384  # of a row group, each of which then holds all times


class Timed(Here):
    """Counts the CPU seconds of what workers would do."""

    def __init__(self) -> None:
        super().__init__()
        self.cpu_s = 0.0
        self.longest_s = 0.0

    def each(self, task: Task, tasks: int, what: str) -> list[tuple[int, str, bytes]]:
        notes = []
        for n in range(tasks):
            began = time.process_time()
            notes += self.one(task, n)
            took = time.process_time() - began
            self.cpu_s += took
            self.longest_s = max(self.longest_s, took)
        return notes


def made(folder: Path, copies: int) -> Path:
    """Return a folder with the tables before the step, made now where it is missing."""
    if (folder / "people.parquet").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    logs = world(copies)
    runner = LocalRunner(folder, Settings(), threads=1)
    runner.map("features", features, open_inputs([str(logs / "exchanges")]).batches(), FEATURES)
    runner.put("accounts", read_accounts(logs / "accounts.csv").table)
    runner.put("organizations", ORGANIZATION.empty_table())
    runner.run(REPEATS_STEP)
    runner.run(PEOPLE_STEP)
    runner.close()
    return folder


def mixed(given: Path, folder: Path) -> Path:
    """Return the same tables with the features in no order."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(given, folder)
    table = pq.read_table(folder / "features.parquet")
    order = np.random.default_rng(1).permutation(table.num_rows)
    pq.write_table(
        table.take(order), folder / "features.parquet", row_group_size=MIXED_ROWS,
        compression="lz4", use_dictionary=False, write_statistics=False,
    )  # fmt: skip
    return folder


def step(folder: Path, cluster: Timed | None) -> float:
    """Run the step; return its CPU seconds, less those of the cluster."""
    if cluster is None:
        runner = LocalRunner(folder, Settings(), threads=1)
    else:
        runner = EngineRunner(folder, Settings(), cluster=cast("Cluster", cluster), threads=1)
        cluster.cpu_s = cluster.longest_s = 0.0  # not the first tasks, which look around
    for table in EXCHANGES_STEP.inputs:
        runner.adopt(table)
    began = time.process_time()
    runner.run(EXCHANGES_STEP)
    took = time.process_time() - began
    runner.close()
    return took - (cluster.cpu_s if cluster else 0.0)


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    alone, node, workers, longest = [], [], [], []
    for _ in range(rounds):
        alone.append(step(folder, None))
        data = (folder / "exchanges.parquet").read_bytes()
        cluster = Timed()
        node.append(step(folder, cluster))
        workers.append(cluster.cpu_s)
        longest.append(cluster.longest_s)
        if (folder / "exchanges.parquet").read_bytes() != data:
            raise SystemExit("other bytes")
    told = {"alone": alone, "node": node, "workers": workers, "longest_task": longest}
    return {f"{name}_cpu_s": round(min(took), 2) for name, took in told.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--copies", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help=f"write bench/results/{RESULT.name}")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    given = made(WORK / f"stretches-x{asked.copies}", asked.copies)
    result = {
        "command": f"perf/stretches.py --copies {asked.copies} --rounds {asked.rounds}",
        "commit": commit(), "machine": describe(),
        "load": round(load, 1),
        "rows": pq.read_metadata(given / "features.parquet").num_rows,
        "in_order": measure(given, asked.rounds),
        "in_no_order": measure(mixed(given, WORK / "stretches-mixed"), asked.rounds),
    }  # fmt: skip
    print(json.dumps(result, indent=2))
    if asked.keep:
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
