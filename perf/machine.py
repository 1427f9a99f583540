"""What a result must say of where it was measured, never its name; CPU seconds of a process."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["commit", "cpu_of", "describe"]

_TOLD = ("avx2", "bmi2", "avx512f", "avx512bw", "avx512vbmi2", "asimd", "sve")


def commit() -> str:
    """Return the short commit, with a + where the tree differs from it."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    dirty = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "--short", "HEAD") + ("+" if dirty else "")


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a running process: all its threads, no children. Raises OSError."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def describe() -> dict[str, Any]:
    """Return cores, architecture, processor, its vector flags and the load before."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    info = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    flags = set(info.get("flags", info.get("Features", "")).split())
    return {
        "cores": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "processor": info.get("model name", "unknown"),
        "flags": [f for f in _TOLD if f in flags],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
    }
