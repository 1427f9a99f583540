"""Measures stillwatch against what the machine can do at all, and says when it became slower.

    .venv/bin/python perf/bench.py [--rows 100000] [--copies 13] [--keep | --check]

Ratios are taken within one run, against DuckDB reading and hashing the text of the same Parquet
file: a slow hour of the machine slows both. The best of several repeats counts.

- ``features``: one thread, CPU seconds: read, kernel with everything on, write, over the floor.
- ``without_intents``: the same without the intent patterns: tokens, frames, shingles with SimHash
  and MinHash bands, topics.
- ``scan``: CPU seconds of the whole `scan` of a simulated week, copied ``--copies`` times, over
  those of the floor with as many threads; wall seconds beside them; the peak is the largest
  resident set of its process, as the system counts it.
- ``jsonl``: one thread, MB of uncompressed LiteLLM JSON lines per CPU second, to batches and with
  features.

``--keep`` writes bench/results/bench.json, else ``--out``, bench/work/bench.json. ``--check`` ends
with 1 when a ratio (or the inverse of a rate) is more than 10 % worse than the kept one, that of
``--against``. A ratio that the kept result has and this one lacks is said to be not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from kernel_speed import BATCH_ROWS, batches, c_pass, cpu_seconds
from machine import commit, describe
from scan_1m import WORK, world

from stillwatch import kernel
from stillwatch.pipeline import features
from stillwatch.simulate import simulate
from stillwatch.sources import open_inputs

KEPT = Path(__file__).parents[1] / "bench" / "results" / "bench.json"
WORST = 1.10
RATIOS = ("features.ratio", "without_intents.ratio", "scan.ratio", "jsonl.us_per_kb")
TEXT = "messages, output_text, reasoning_text"


def hash_seconds(
    files: str, columns: str, threads: int, repeat: int, clock: Callable[[], float]
) -> float:
    """Seconds of DuckDB's read and hash of some columns: the floor."""
    with duckdb.connect(config={"threads": threads}) as engine:
        best = float("inf")
        for _ in range(repeat):
            began = clock()
            engine.execute(f"SELECT bit_xor(hash({columns})) FROM '{files}'").fetchall()
            best = min(best, clock() - began)
    return best


def bench_features(rows: int, repeat: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        source, target = f"{folder}/text.parquet", f"{folder}/features.parquet"
        pq.write_table(pa.Table.from_batches(batches(rows, 749, 0)), source, compression="zstd")
        floor = hash_seconds(source, "messages[1].content", 1, repeat, time.process_time)

        def through(work: Callable[[pa.RecordBatch], pa.RecordBatch]) -> float:
            def run() -> None:
                with pq.ParquetWriter(
                    target, kernel.FEATURES, compression="lz4", use_dictionary=False
                ) as writer:  # fmt: skip
                    for given in pq.ParquetFile(source).iter_batches(
                        BATCH_ROWS, columns=["messages"], use_threads=False
                    ):
                        writer.write_batch(work(given))

            return cpu_seconds(run, repeat)

        sample = kernel.batch(next(pq.ParquetFile(source).iter_batches(BATCH_ROWS)))

        def without_intents(given: pa.RecordBatch) -> pa.RecordBatch:
            c_pass(given)
            return sample.slice(0, given.num_rows)

        found = {"features": through(kernel.batch), "without_intents": through(without_intents)}
    return {
        name: {
            "us_per_row": round(1e6 * seconds / rows, 3),
            "floor_us_per_row": round(1e6 * floor / rows, 3),
            "ratio": round(seconds / floor, 2),
        }
        for name, seconds in found.items()
    }


_SCAN = """
import sys
from stillwatch.scanner import scan
folder, out, memory = sys.argv[1:]
scan([f"{folder}/exchanges"], accounts=f"{folder}/accounts.csv", permits=f"{folder}/permits.csv",
     ownership=f"{folder}/ownership.csv", out=out, memory=memory)
"""


def bench_scan(copies: int, memory: str, repeat: int) -> dict[str, Any]:
    folder = world(copies)
    run_dir = WORK / f"run-x{copies}"
    threads = describe()["cores"]
    files = f"{folder}/exchanges/*.parquet"
    words = [sys.executable, "-c", _SCAN, str(folder), str(run_dir), memory]
    found = []
    for _ in range(repeat):
        floor_cpu = hash_seconds(files, TEXT, threads, 2, time.process_time)
        floor = hash_seconds(files, TEXT, threads, 2, time.monotonic)
        began = time.monotonic()
        job = subprocess.Popen(words)
        _, status, spent = os.wait4(job.pid, 0)  # its own use, which a sum of children would hide
        job.returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise SystemExit(f"the scan ended with {job.returncode}")
        wall, cpu = time.monotonic() - began, spent.ru_utime + spent.ru_stime
        found.append((cpu / floor_cpu, wall / floor, wall, cpu, floor, floor_cpu, spent.ru_maxrss))
    ratio, wall_ratio, wall, cpu, floor, floor_cpu, _ = min(found)
    timing = json.loads((run_dir / "timing.json").read_text())
    rows = json.loads((run_dir / "summary.json").read_text())["rows_in"]
    return {
        "rows": rows,
        "memory": memory,
        "threads": threads,
        "ratio": round(ratio, 1),
        "wall_ratio": round(wall_ratio, 1),
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "floor_wall_s": round(floor, 2),
        "floor_cpu_s": round(floor_cpu, 2),
        "cpu_us_per_row": round(1e6 * cpu / rows, 1),
        "peak_mb": round(max(one[-1] for one in found) / 1024),
        "seconds": timing["seconds"],
    }


def simulated_log() -> Path:
    """Return a LiteLLM log of a simulated week, made now where it is not there yet."""
    log = WORK / "demo-litellm" / "litellm.jsonl"
    if not log.is_file():
        simulate("demo", seed=11, out=log.parent, formats=("litellm",))
    return log


def bench_jsonl(repeat: int) -> dict[str, Any]:
    log = simulated_log()
    megabytes = log.stat().st_size / 1e6

    def read(work: Callable[[pa.RecordBatch], Any]) -> float:
        return cpu_seconds(lambda: [work(b) for b in open_inputs([log]).batches()] and None, repeat)

    reading, everything = read(lambda b: b.num_rows), read(lambda b: features(b).num_rows)
    return {
        "megabytes": round(megabytes, 1),
        "read_mb_per_s_core": round(megabytes / reading, 1),
        "features_mb_per_s_core": round(megabytes / everything, 1),
        "us_per_kb": round(1e3 * reading / megabytes, 3),
    }


def at(result: dict[str, Any], path: str) -> float | None:
    for name in path.split("."):
        result = result.get(name) or {}
    return result if isinstance(result, int | float) else None


def worse(now: dict[str, Any], kept: dict[str, Any]) -> list[str]:
    """Return a line for each ratio that is more than 10 % worse than the kept one."""
    found = []
    for path in RATIOS:
        before, after = at(kept, path), at(now, path)
        if before and after and after > WORST * before:
            found.append(f"{path}: {after} now, {before} kept (commit {kept['commit']})")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--copies", type=int, default=13)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--scans", type=int, default=2, help="how often the scan is run; 0: never")
    parser.add_argument("--no-logs", dest="logs", action="store_false", help="no JSON lines")
    parser.add_argument("--out", type=Path, default=WORK / "bench.json", help="without --keep")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--against", type=Path, default=KEPT, help="what --check compares with")
    asked = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"commit": commit(), "machine": describe()}
    result |= bench_features(asked.rows, asked.repeat)
    if asked.logs:
        result["jsonl"] = bench_jsonl(min(asked.repeat, 3))
    if asked.scans:
        result["scan"] = bench_scan(asked.copies, asked.memory, asked.scans)
    target = KEPT if asked.keep else asked.out
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    if asked.check:
        found = worse(result, kept := json.loads(asked.against.read_text()))
        print("\n".join(found) or "no ratio is more than 10 % worse than the kept one")
        for path in RATIOS:
            if at(kept, path) is not None and at(result, path) is None:
                print(f"{path}: not measured now")
        sys.exit(bool(found))


if __name__ == "__main__":
    main()
