"""Scans as it is told and prints the CPU seconds of its own process by step, as JSON.

    python perf/scan_steps.py '{"logs": ["exchanges"], "accounts": "accounts.csv", "out": "run"}'

What it is told are the arguments of `stillwatch.scan`. For scripts that measure a scan in a
process of its own: `cpu_by_step` starts it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["cpu_by_step"]


def cpu_by_step(
    told: Mapping[str, Any],
    python: str | Path = sys.executable,
    env: Mapping[str, str] = os.environ,
) -> dict[str, float]:
    """Scan in a process of its own; return its CPU seconds by step, those of threads with it.

    Raises SystemExit with the end of what a scan that failed said.
    """
    words = [str(python), "-P", __file__, json.dumps(dict(told), default=os.fspath)]
    done = subprocess.run(words, capture_output=True, text=True, env=env)
    if done.returncode:
        raise SystemExit(f"the scan ended with {done.returncode}: {done.stderr[-2000:]}")
    seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    from stillwatch.scanner import Progress, scan

    told = json.loads(sys.argv[1])
    step, since = "start", _spent()
    seconds: dict[str, float] = {}

    def tell(now: Progress) -> None:
        nonlocal step, since
        if now.stage != step:
            at = _spent()
            seconds[step] = seconds.get(step, 0.0) + at - since
            step, since = now.stage, at

    scan(told.pop("logs"), progress=tell, **told)
    seconds[step] = seconds.get(step, 0.0) + _spent() - since
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
