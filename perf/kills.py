"""Kills a scan of a million exchanges at random moments and resumes it: the bytes must not change.

    nice .venv/bin/python perf/kills.py [--kills 50] [--minutes 10] [--keep]

An undisturbed run gives the bytes and the usual seconds, once a commit (bench/work/kills.json).
Each kill is a SIGKILL at a moment drawn evenly from those seconds, into a run of its own, which
``--resume`` then finishes. One line a kill goes to bench/work/kills.jsonl, so that a stopped series
goes on; lines of another commit are dropped. ``--copies 1`` is the world itself, 79,000 exchanges;
``--world tiny`` is one for a slow machine. ``--minutes`` begins no further kill after so many,
``--keep`` writes bench/results/kills.json, an entry a world. Ends with 1 when a byte differed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from machine import commit, describe
from scan_1m import WORK, world

LOG = WORK / "kills.jsonl"
WHOLE = WORK / "kills.json"
RESULT = Path(__file__).parents[1] / "bench" / "results" / "kills.json"


def command(folder: Path, out: Path, *, resume: bool) -> list[str]:
    words = [f"--{side}={folder}/{side}.csv" for side in ("accounts", "permits", "ownership")]
    words += ["--quiet", f"--out={out}", *(["--resume"] if resume else [])]
    return [sys.executable, "-m", "stillwatch.cli", "scan", f"{folder}/exchanges", *words]


def finish(folder: Path, out: Path, *, resume: bool) -> float:
    """Run to the end and return seconds. Raises when the exit code is neither 0 nor 3."""
    began = time.monotonic()
    done = subprocess.run(command(folder, out, resume=resume), stdout=subprocess.DEVNULL)
    if done.returncode not in (0, 3):
        raise SystemExit(f"the scan ended with {done.returncode}")
    return time.monotonic() - began


def digests(out: Path) -> dict[str, str]:
    files = [p for p in out.rglob("*") if p.is_file() and p.name != "timing.json"]
    return {
        str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(files)
    }


def kill_once(folder: Path, out: Path, after_s: float) -> dict[str, Any]:
    shutil.rmtree(out, ignore_errors=True)
    with subprocess.Popen(command(folder, out, resume=False), stdout=subprocess.DEVNULL) as job:
        try:
            job.wait(after_s)
        except subprocess.TimeoutExpired:
            job.kill()
    stages = out / "stages"
    left = sorted(p.name for p in stages.iterdir()) if stages.is_dir() else []
    resumed_s = finish(folder, out, resume=True)
    kept = json.loads((out / "timing.json").read_text())["kept"]
    return {
        "killed": job.returncode == -9,
        "after_s": round(after_s, 2),
        "last_left": left[-1] if left else "",
        "tables_kept": len(kept),
        "resumed_s": round(resumed_s, 1),
    }


def simulated(name: str) -> Path:
    """Return a simulated world, made now where it is not there yet."""
    from stillwatch.simulate import simulate

    out = WORK / f"kills-{name}"
    if not (out / "truth.parquet").is_file():
        simulate(name, seed=5, out=out)
    return out


def undisturbed(folder: Path, now: str) -> dict[str, Any]:
    """Return seconds and digests of a scan that nobody kills, made once a commit and world."""
    if WHOLE.is_file():
        kept: dict[str, Any] = json.loads(WHOLE.read_text())
        if (kept["commit"], kept["world"]) == (now, folder.name) and not now.endswith("+"):
            return kept
    out = WORK / "kills-whole"
    shutil.rmtree(out, ignore_errors=True)
    seconds = finish(folder, out, resume=False)
    made = {"commit": now, "world": folder.name, "seconds": seconds, "digests": digests(out)}
    WHOLE.write_text(json.dumps(made))
    return made


def told(made: list[dict[str, Any]], usual_s: float) -> dict[str, Any]:
    """Return what bench/results/kills.json says of a series of kills of one world."""
    killed = [m for m in made if m["killed"]]
    return {
        "kills": len(killed),
        "with_other_bytes": sum(bool(m["differing"]) for m in made),
        "files_compared": min((m["files"] for m in killed), default=0),
        "kept_tables_most": max((m["tables_kept"] for m in killed), default=0),
        "runs_without_a_kept_table": sum(not m["tables_kept"] for m in killed),
        "undisturbed_s": round(usual_s, 1),
        "resumed_s_median": round(median(m["resumed_s"] for m in killed), 1) if killed else None,
        "each": [
            {k: v for k, v in m.items() if k not in ("commit", "world", "killed")} for m in killed
        ],
        "commit": commit(),
        "machine": describe(),
        "command": " ".join(["perf/kills.py", *sys.argv[1:]]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--copies", type=int, default=13)
    parser.add_argument("--world", help="a world of `stillwatch simulate`, instead of the copies")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--keep", action="store_true", help="write bench/results/kills.json")
    asked = parser.parse_args()
    until = time.monotonic() + 60 * asked.minutes
    folder, now = simulated(asked.world) if asked.world else world(asked.copies), commit()
    made = [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.is_file() else []
    made = [m for m in made if m["commit"] == now and m["world"] == folder.name]
    whole = undisturbed(folder, now)
    expected, usual_s = whole["digests"], whole["seconds"]
    rng = random.SystemRandom()
    LOG.write_text("".join(json.dumps(m) + "\n" for m in made))
    while sum(m["killed"] for m in made) < asked.kills and time.monotonic() < until:
        one = kill_once(folder, WORK / "kills-run", rng.uniform(0, usual_s))
        found = digests(WORK / "kills-run")
        differing = sorted(
            n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n)
        )
        made.append(
            {
                "commit": now,
                "world": folder.name,
                **one,
                "files": len(found),
                "differing": differing,
            }
        )
        with LOG.open("a") as log:
            log.write(json.dumps(made[-1]) + "\n")
        print(json.dumps(made[-1]), flush=True)
    result = told(made, usual_s)
    if asked.keep:
        kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
        RESULT.write_text(json.dumps({**kept, folder.name: result}, indent=1) + "\n")
    wrong = result["with_other_bytes"]
    print(f"{result['kills']} kills, {wrong} with other bytes; {usual_s:.0f} s undisturbed")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
