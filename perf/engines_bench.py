"""Seconds of one scan here, on Sail, and on a Spark master with two workers, on the same files.

    make bench-engines, or perf/engines_bench.py [--copies 13] [--rounds 2] [--keep]

The engines run in build/engines, which the tests make. Each round scans once with each, in turn;
starting the master and its workers is not counted, starting a session is. Fails where bytes differ.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from environments import environment
from kills import digests
from machine import commit, describe
from scan_1m import WORK, world

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "bench" / "results" / "engines.json"
STANDALONE = ROOT / "examples" / "spark-standalone" / "standalone.py"


def scanned(python: Path, folder: Path, engine: str) -> tuple[float, dict[str, float], Any]:
    """Scan on an engine; return seconds, seconds by step, and the digests of what is left."""
    out = WORK / "run-engines"
    shutil.rmtree(out, ignore_errors=True)
    words = [str(python), "-m", "stillwatch.cli", "scan", f"{folder}/exchanges", "--quiet",
             *(f"--{side}={folder}/{side}.csv" for side in ("accounts", "permits", "ownership")),
             f"--out={out}", f"--engine={engine}"]  # fmt: skip
    env = os.environ | {"PYSPARK_PYTHON": str(python), "SPARK_LOCAL_IP": "127.0.0.1"}
    began = time.monotonic()
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env)
    took = time.monotonic() - began
    if done.returncode not in (0, 3):
        raise SystemExit(f"{engine}: {done.stderr.decode()[-2000:]}")
    steps = json.loads((out / "timing.json").read_text())["seconds"]
    return took, steps, digests(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--copies", type=int, default=13)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help=f"write {RESULT.name}")
    asked = parser.parse_args()
    python, folder = environment("engines") / "python", world(asked.copies)
    load = os.getloadavg()[0]
    cluster = subprocess.Popen([python, STANDALONE], stdout=subprocess.PIPE, text=True)
    assert cluster.stdout is not None
    master = cluster.stdout.readline().strip()
    if not master:
        raise SystemExit("the master did not start: see above")
    engines = {"local": "local", "sail": "sail", "spark": master}
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    features: dict[str, list[float]] = {name: [] for name in engines}
    try:
        first = None
        for _ in range(asked.rounds):
            for name, engine in engines.items():
                took, steps, left = scanned(python, folder, engine)
                first = first or left
                if left != first:
                    raise SystemExit(f"{name} left other bytes")
                seconds[name].append(round(took, 1))
                features[name].append(round(steps["features"], 1))
                print(f"{name:6} {took:7.1f} s, reading {steps['features']:.1f} s", flush=True)
    finally:
        cluster.send_signal(signal.SIGINT)
        cluster.wait()
    usual = {name: median(taken) for name, taken in seconds.items()}
    result = {
        "command": "make bench-engines", "commit": commit(), "machine": describe(),
        "load": round(load, 1), "copies": asked.copies, "seconds": seconds,
        "seconds_reading": features, "same_bytes": True,
        "ratio": {name: round(taken / usual["local"], 2) for name, taken in usual.items()},
    }  # fmt: skip
    print(json.dumps(result["ratio"]))
    if asked.keep:
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
