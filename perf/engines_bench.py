"""Seconds of one scan here, on Sail, and on a Spark master with two workers, on the same files.

    make bench-engines, or perf/engines_bench.py [--copies 13] [--rounds 2] [--keep RESULT]
        [--engines local,sail,server,spark]

The engines run in build/engines, which the tests make. Each round scans once with each, in turn;
starting the master and its workers is not counted, starting a session is. Fails where bytes differ.
``sail`` runs in the process that scans, ``server`` in one of its own, so that the CPU seconds of
the scan are those that stay on the node. CPU seconds do not tell of Spark's workers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from environments import environment
from kills import digests
from machine import commit, describe
from ports import free_port
from scan_1m import WORK, world

ROOT = Path(__file__).parents[1]
STANDALONE = ROOT / "examples" / "spark-standalone" / "standalone.py"


class Took(NamedTuple):
    """What one scan took: seconds, CPU seconds of its process, seconds by step; what it left."""

    wall_s: float
    cpu_s: float
    steps: dict[str, float]
    left: Any


def scanned(python: Path, folder: Path, engine: str) -> Took:
    """Scan on an engine."""
    out = WORK / "run-engines"
    shutil.rmtree(out, ignore_errors=True)
    words = [str(python), "-m", "stillwatch.cli", "scan", f"{folder}/exchanges", "--quiet",
             *(f"--{side}={folder}/{side}.csv" for side in ("accounts", "permits", "ownership")),
             f"--out={out}", f"--engine={engine}"]  # fmt: skip
    env = os.environ | {"PYSPARK_PYTHON": str(python), "SPARK_LOCAL_IP": "127.0.0.1"}
    began, spent = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env)
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime
    if done.returncode not in (0, 3):
        raise SystemExit(f"{engine}: {done.stderr.decode()[-2000:]}")
    steps = json.loads((out / "timing.json").read_text())["seconds"]
    return Took(took, cpu, steps, digests(out))


@contextlib.contextmanager
def started(python: Path, wanted: Sequence[str]) -> Iterator[dict[str, tuple[str, int]]]:
    """Start what is wanted; yield by name its address and the process whose CPU seconds count."""
    with contextlib.ExitStack() as closing:
        engines = {}
        for name in wanted:
            if name == "spark":
                words: list[Any] = [python, STANDALONE]
                process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
                closing.callback(_stop, process)
                assert process.stdout is not None
                address = process.stdout.readline().strip()
                if not address:
                    raise SystemExit("the master did not start: see above")
                engines[name] = address, 0
            elif name == "server":
                port = free_port()
                words = [python.parent / "sail", "spark", "server", "--port", str(port)]
                process = subprocess.Popen(
                    words, stdout=subprocess.DEVNULL, env=os.environ | {"RUST_LOG": "error"}
                )
                closing.callback(_stop, process)
                _await(port)
                engines[name] = f"sc://127.0.0.1:{port}", process.pid
            else:
                engines[name] = name, 0
        yield engines


def _stop(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGINT)
    process.wait()


def _await(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise SystemExit("the server of Sail did not start")


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a running process, 0 for none."""
    if not pid:
        return 0.0
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--copies", type=int, default=13)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--engines", default="local,sail,spark", type=lambda t: t.split(","))
    parser.add_argument("--keep", type=Path, help="write the result there")
    asked = parser.parse_args()
    python, folder = environment("engines") / "python", world(asked.copies)
    load = os.getloadavg()[0]
    taken: dict[str, list[Took]] = {name: [] for name in asked.engines}
    beside: dict[str, list[float]] = {name: [] for name in asked.engines}
    with started(python, asked.engines) as engines:
        first = None
        for _ in range(asked.rounds):
            for name, (engine, pid) in engines.items():
                before = cpu_of(pid)
                took = scanned(python, folder, engine)
                beside[name].append(cpu_of(pid) - before)
                first = first or took.left
                if took.left != first:
                    raise SystemExit(f"{name} left other bytes")
                taken[name].append(took)
                print(f"{name:6} {took.wall_s:7.1f} s, CPU {took.cpu_s:.1f} s and "
                      f"{beside[name][-1]:.1f} s beside; reading {took.steps['features']:.1f} s, "
                      f"exchanges {took.steps['exchanges']:.1f} s", flush=True)  # fmt: skip
    usual = {name: median(t.wall_s for t in took) for name, took in taken.items()}
    result = {
        "command": " ".join(["perf/engines_bench.py", *sys.argv[1:]]), "commit": commit(),
        "machine": describe(), "load": round(load, 1), "copies": asked.copies,
        "seconds": _each(taken, lambda t: t.wall_s), "cpu_s": _each(taken, lambda t: t.cpu_s),
        "cpu_s_of_the_server": {n: [round(s, 1) for s in b] for n, b in beside.items() if any(b)},
        "seconds_reading": _each(taken, lambda t: t.steps["features"]),
        "seconds_exchanges": _each(taken, lambda t: t.steps["exchanges"]),
        "same_bytes": True,
        "ratio": {name: round(took / usual["local"], 2) for name, took in usual.items()},
        "cpu_ratio": {
            name: round(_cpu(taken, beside, name) / _cpu(taken, beside, "local"), 2)
            for name in taken if name != "spark"
        },
    }  # fmt: skip
    print(json.dumps(result, indent=2))
    if asked.keep:
        asked.keep.write_text(json.dumps(result, indent=2) + "\n")


def _each(taken: dict[str, list[Took]], what: Callable[[Took], float]) -> dict[str, list[float]]:
    return {name: [round(what(one), 1) for one in took] for name, took in taken.items()}


def _cpu(taken: dict[str, list[Took]], beside: dict[str, list[float]], name: str) -> float:
    """Return the least CPU seconds of a scan with its server: a busy machine only adds to them."""
    return min(one.cpu_s + more for one, more in zip(taken[name], beside[name], strict=True))


if __name__ == "__main__":
    sys.exit(main())
