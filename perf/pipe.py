"""Memory of a reader that is fed through a pipe: it must not grow with what came through.

    .venv/bin/python perf/pipe.py [--gigabytes 20] [--keep]

A file of LiteLLM payloads (the simulator's, as `json_speed.py` writes it) goes through the pipe
again and again, each time with new ids, into `stillwatch ingest - --check`, a process of its own.
Its resident memory is read from the kernel once a second. Prints, and with ``--keep`` writes to
bench/results/pipe.json: rows, MB a second of CPU, the largest resident MB while the first and the
last tenth came through, and in all.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from json_speed import WORK, simulated, write
from machine import commit, cpu_of, describe

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "bench" / "results" / "pipe.json"
ROWS = 40_000
MEMORY = "512MB"


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def watch(
    process: subprocess.Popen[bytes], seen: list[tuple[float, float]], sent: list[int]
) -> None:
    """Note bytes sent and resident MB once a second until the process has ended."""
    while process.poll() is None:
        try:
            seen.append((float(sent[0]), resident_mb(process.pid)))
        except (OSError, IndexError):  # it ended between the two
            return
        time.sleep(1)


def fed(limit: int) -> dict[str, Any]:
    """Send `limit` bytes and more, and return what was seen."""
    folder = WORK / f"simulated-litellm-{ROWS}"
    if not folder.is_dir():
        write(folder, "litellm", simulated(ROWS))
    block = (folder / "log.jsonl").read_bytes()
    first = b'"id":"'
    words = [sys.executable, "-m", "stillwatch.cli", "ingest", "-", "--check", "--memory", MEMORY]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    seen: list[tuple[float, float]] = []
    sent = [0]
    watcher = threading.Thread(target=watch, args=(process, seen, sent))
    watcher.start()
    began, copies, cpu = time.perf_counter(), 0, 0.0
    while sent[0] < limit:
        data = memoryview(block.replace(first, first + b"%06d-" % copies))
        for low in range(0, len(data), 1 << 20):
            process.stdin.write(data[low : low + (1 << 20)])
            sent[0] += len(data[low : low + (1 << 20)])
        copies += 1
        cpu = cpu_of(process.pid)
    process.stdin.close()
    told = process.stdout.read().decode()
    code = process.wait()
    watcher.join()
    tenth = sent[0] / 10
    return {
        "exit": code, "copies": copies, "rows": copies * ROWS,
        "says": told.splitlines()[0] if told else "",
        "gigabytes": round(sent[0] / 1e9, 2), "seconds": round(time.perf_counter() - began, 1),
        "mb_per_cpu_s": round(sent[0] / 1e6 / cpu, 1), "memory": MEMORY,
        "first_tenth_mb": round(max(mb for at, mb in seen if at <= tenth)),
        "last_tenth_mb": round(max(mb for at, mb in seen if at >= 9 * tenth)),
        "peak_mb": round(max(mb for _, mb in seen)),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=20)
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    found = {"commit": commit(), "machine": describe(), **fed(int(asked.gigabytes * 1e9))}
    print(json.dumps(found))
    if asked.keep:
        RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
