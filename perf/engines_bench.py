"""Seconds of one scan here, on Sail, and on a Spark master with two workers, on the same files.

    make bench-engines, or perf/engines_bench.py [--log x13] [--rounds 2] [--keep RESULT]
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
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from environments import environment
from kills import digests
from machine import commit, cpu_of, describe
from plan_runs import WORK, logs_of
from ports import free_port, wait_for
from scan_steps import cpu_by_step

ROOT = Path(__file__).parents[1]
STANDALONE = ROOT / "examples" / "spark-standalone" / "standalone.py"


class Took(NamedTuple):
    """What one scan took: seconds, CPU seconds of its process by step; what it left.

    ``steps``: seconds by step, which is not CPU.
    """

    wall_s: float
    cpu_s: dict[str, float]
    steps: dict[str, float]
    left: Any

    @property
    def total_cpu_s(self) -> float:
        return sum(self.cpu_s.values())


def scanned(python: Path, name: str, engine: str) -> Took:
    """Scan a log of `plan_runs.logs_of` on an engine."""
    logs, accounts = logs_of(name)
    out = WORK / "run-engines"
    shutil.rmtree(out, ignore_errors=True)
    sides = {side: accounts.with_name(f"{side}.csv") for side in ("permits", "ownership")}
    told = {"logs": logs, "accounts": accounts, "out": out, "engine": engine,
            **{side: path for side, path in sides.items() if path.is_file()}}  # fmt: skip
    env = os.environ | {"PYSPARK_PYTHON": str(python), "SPARK_LOCAL_IP": "127.0.0.1"}
    began = time.monotonic()
    cpu = cpu_by_step(told, python, env)
    took = time.monotonic() - began
    return Took(took, cpu, json.loads((out / "timing.json").read_text())["seconds"], digests(out))


@contextlib.contextmanager
def started(python: Path, wanted: Sequence[str]) -> Iterator[dict[str, tuple[str, int]]]:
    """Start what is wanted; yield by name its address and its process, 0 where it is the scan's."""
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
                engines[name] = address, process.pid
            elif name == "server":
                port = free_port()
                words = [python.parent / "sail", "spark", "server", "--port", str(port)]
                process = subprocess.Popen(
                    words, stdout=subprocess.DEVNULL, env=os.environ | {"RUST_LOG": "error"}
                )
                closing.callback(_stop, process)
                wait_for(port, process)
                engines[name] = f"sc://127.0.0.1:{port}", process.pid
            else:
                engines[name] = name, 0
        yield engines


def _stop(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGINT)
    process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--log", default="x13", help="a name of perf/plan_runs.py: x13, d14x1")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--engines", default="local,sail,spark", type=lambda t: t.split(","))
    parser.add_argument("--keep", type=Path, help="write the result there")
    asked = parser.parse_args()
    python = environment("engines") / "python"
    logs_of(asked.log)
    load = os.getloadavg()[0]
    taken: dict[str, list[Took]] = {name: [] for name in asked.engines}
    beside: dict[str, list[float]] = {name: [] for name in asked.engines}
    with started(python, asked.engines) as engines:
        first = None
        for _ in range(asked.rounds):
            for name, (engine, pid) in engines.items():
                apart = pid if name == "server" else 0
                before = cpu_of(apart) if apart else 0.0
                took = scanned(python, asked.log, engine)
                beside[name].append(cpu_of(apart) - before if apart else 0.0)
                first = first or took.left
                if took.left != first:
                    raise SystemExit(f"{name} left other bytes")
                taken[name].append(took)
                print(f"{name:6} {took.wall_s:7.1f} s, CPU {took.total_cpu_s:.1f} s and "
                      f"{beside[name][-1]:.1f} s beside; of it reading "
                      f"{took.cpu_s['reading']:.2f} s, exchanges {took.cpu_s['exchanges']:.2f} s",
                      flush=True)  # fmt: skip
    usual = {name: median(t.wall_s for t in took) for name, took in taken.items()}
    result = {
        "command": f"perf/engines_bench.py --log {asked.log} --rounds {asked.rounds} "
                   f"--engines {','.join(asked.engines)}",
        "commit": commit(),
        "machine": describe(), "load": round(load, 1), "log": asked.log,
        "seconds": {n: [round(one.wall_s, 1) for one in took] for n, took in taken.items()},
        "seconds_reading": {n: [round(one.steps["features"], 1) for one in took]
                            for n, took in taken.items()},
        "cpu_s": {n: [round(one.total_cpu_s, 1) for one in took] for n, took in taken.items()},
        "cpu_s_of_the_server": {n: [round(s, 1) for s in b] for n, b in beside.items() if any(b)},
        "least_cpu_s_by_step": {n: _least(took) for n, took in taken.items()},
        "same_bytes": True,
        "ratio": {name: round(took / usual["local"], 2) for name, took in usual.items()},
        "cpu_ratio": {
            name: round(_cpu(taken, beside, name) / _cpu(taken, beside, "local"), 2)
            for name in taken if name != "spark"
        },
    }  # fmt: skip
    print(json.dumps(result, indent=1))
    if asked.keep:
        asked.keep.write_text(json.dumps(result, indent=1) + "\n")


def _least(took: list[Took]) -> dict[str, float]:
    """Return by step the least CPU seconds of the process: a busy machine only adds to them."""
    return {step: round(min(one.cpu_s[step] for one in took), 2) for step in took[0].cpu_s}


def _cpu(taken: dict[str, list[Took]], beside: dict[str, list[float]], name: str) -> float:
    """Return the least CPU seconds of a scan with its server: a busy machine only adds to them."""
    return min(one.total_cpu_s + more for one, more in zip(taken[name], beside[name], strict=True))


if __name__ == "__main__":
    sys.exit(main())
