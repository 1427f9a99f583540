"""Looks at the held-out split, counted: every one is a line that stays."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

from stillwatch import __version__
from stillwatch.bench import ours
from stillwatch.schema import to_micros

__all__ = ["append_look", "commit_here"]


def append_look(ledger: Path, suite: str, result: dict[str, Any], now: datetime) -> int:
    """Append commit, time and result of a look, and return how many there are now."""
    mine = next((d for d in result["detectors"] if d["name"] == ours.FACTS.name), None)
    to_micros(now)  # refuses a time without a zone
    line = {
        "at": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "commit": commit_here(), "records_of": result["commits"], "version": __version__,
        "suite": suite,
        "worlds": result["worlds"], "seeds": result["seeds"], "scenarios": result["scenarios"],
        "stillwatch": None if mine is None else {
            k: mine[k] for k in ("own", "rates", "pairs", "by_family", "by_rung")
        },
        "alpha": result["calibration"]["all"],
    }  # fmt: skip
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with ledger.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line, sort_keys=True) + "\n")
    return len(ledger.read_text(encoding="utf-8").splitlines())


def commit_here() -> str:
    """Return the short commit of the package's checkout, + where it differs; else *installed*."""
    here = Path(__file__).parents[1]  # the whole package: the detector is what is judged
    try:
        head = _git(here, "rev-parse", "--short", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", ".")
    except (OSError, subprocess.CalledProcessError):
        return "installed"
    return head + ("+" if changed else "")


def _git(here: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True)
    return done.stdout.strip()
