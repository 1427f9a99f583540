"""What a result must say of where it was measured: commit and machine, never its name."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["commit", "describe"]

_TOLD = ("avx2", "bmi2", "avx512f", "avx512bw", "avx512vbmi2", "asimd", "sve")


def commit() -> str:
    """Return the short commit, with a + where the tree differs from it."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    dirty = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "--short", "HEAD") + ("+" if dirty else "")


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
