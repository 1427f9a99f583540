"""How long `import stillwatch` and `stillwatch --help` take, each in a fresh interpreter.

    python perf/import_time.py [--runs 15] [--check]

Wall-clock time of the whole process, start of the interpreter included; median and the range from
the 10th to the 90th percentile of ``--runs`` after two that warm the file cache. Prints one JSON
object. ``--check`` ends with 1 when a median is over its floor (150 ms and 300 ms).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

WARM_UP = 2
JOBS = {
    "python": (["-c", "pass"], None),
    "import_stillwatch": (["-c", "import stillwatch"], 150.0),
    "stillwatch_help": (["-m", "stillwatch.cli", "--help"], 300.0),
    "stillwatch_scan_help": (["-m", "stillwatch.cli", "scan", "--help"], 300.0),
}


def milliseconds(arguments: list[str]) -> float:
    """Return the wall-clock time of one process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1e3


def measure(arguments: list[str], runs: int) -> dict[str, float]:
    """Return the median and the middle 80 % of some runs."""
    for _ in range(WARM_UP):
        milliseconds(arguments)
    tenths = statistics.quantiles((milliseconds(arguments) for _ in range(runs)), n=10)
    return {"median_ms": tenths[4], "low_ms": tenths[0], "high_ms": tenths[8]}


def commit() -> str:
    """Return the commit that is checked out, or nothing outside a repository."""
    told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    return told.stdout.strip()


def main() -> int:
    """Measure, print, and compare with the floors where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--check", action="store_true")
    wanted = parser.parse_args()
    results = {name: measure(words, wanted.runs) for name, (words, _) in JOBS.items()}
    late = [n for n, (_, floor) in JOBS.items() if floor and results[n]["median_ms"] > floor]
    print(
        json.dumps(
            {
                "benchmark": "import_time",
                "commit": commit(),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                "python": platform.python_version(),
                "runs": wanted.runs,
                "results": {
                    name: {k: round(v, 1) for k, v in times.items()} | {"floor_ms": JOBS[name][1]}
                    for name, times in results.items()
                },
                "over_the_floor": late,
            },
            indent=2,
        )
    )
    return int(bool(late) and wanted.check)


if __name__ == "__main__":
    sys.exit(main())
