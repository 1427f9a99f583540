"""Scans a million exchanges and prints rows, seconds by step, and peak memory.

    nice .venv/bin/python perf/scan_1m.py

The input is ``perf/amplify.py``'s copy of the world "demo" (made once, under bench/work). The
result also goes to bench/work/scan_1m.json. The scan runs in a process of its own, under
/usr/bin/time's figures: wall, user and system seconds and the largest resident set.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

WORK = Path(__file__).parents[1] / "bench" / "work"
_SCAN = """
import sys
from stillwatch.scanner import scan
folder, out, memory, threads = sys.argv[1:]
print(scan([f"{folder}/exchanges"], accounts=f"{folder}/accounts.csv",
           permits=f"{folder}/permits.csv", ownership=f"{folder}/ownership.csv", out=out,
           memory=memory, threads=int(threads) or None))
"""


def world(copies: int) -> Path:
    """Return the amplified world, made now where it is not there yet."""
    from amplify import amplify

    from stillwatch.simulate import simulate

    base, out = WORK / "demo", WORK / f"demo-x{copies}"
    if not (base / "truth.parquet").is_file():
        simulate("demo", seed=11, out=base)
    if not out.is_dir():
        amplify(base, copies, out)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--copies", type=int, default=13)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    asked = parser.parse_args()
    folder = world(asked.copies)
    run_dir = WORK / f"run-x{asked.copies}"
    load = os.getloadavg()[0]
    began = time.monotonic()
    words = [
        sys.executable,
        "-c",
        _SCAN,
        str(folder),
        str(run_dir),
        asked.memory,
        str(asked.threads),
    ]
    subprocess.run(words, check=True)
    wall = time.monotonic() - began
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    timing = json.loads((run_dir / "timing.json").read_text())
    summary = json.loads((run_dir / "summary.json").read_text())
    result = {
        "rows": summary["rows_in"],
        "accounts": summary["accounts"],
        "wall_s": round(wall, 1),
        "user_s": round(spent.ru_utime, 1),
        "system_s": round(spent.ru_stime, 1),
        "rows_per_s": round(summary["rows_in"] / wall),
        "peak_mb": round(spent.ru_maxrss / 1024),
        "load_before": round(load, 1),
        "memory": asked.memory,
        "threads": timing["threads"],
        "campaigns_accused": sum(c["standing"] == "accused" for c in summary["campaigns"]),
        "accused_accounts": summary["accused_accounts"],
        "seconds": timing["seconds"],
    }
    (WORK / "scan_1m.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
