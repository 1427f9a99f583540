"""Kills a scan of a million exchanges at random moments and resumes it: the bytes must not change.

    nice .venv/bin/python perf/kills.py [--kills 50]

An undisturbed run gives the bytes and the usual seconds. Each kill is a SIGKILL at a moment drawn
evenly from those seconds, into a run of its own, which ``--resume`` then finishes. One line a kill
goes to bench/work/kills.jsonl, so that a stopped series goes on; lines of another commit are
dropped. Ends with 1 when a byte differed.
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
from typing import Any

from machine import commit
from scan_1m import WORK, world

LOG = WORK / "kills.jsonl"


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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--copies", type=int, default=13)
    asked = parser.parse_args()
    folder, now = world(asked.copies), commit()
    made = [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.is_file() else []
    made = [m for m in made if m["commit"] == now]
    whole = WORK / "kills-whole"
    shutil.rmtree(whole, ignore_errors=True)
    usual_s = finish(folder, whole, resume=False)
    expected = digests(whole)
    rng = random.SystemRandom()
    LOG.write_text("".join(json.dumps(m) + "\n" for m in made))
    while sum(m["killed"] for m in made) < asked.kills:
        one = kill_once(folder, WORK / "kills-run", rng.uniform(0, usual_s))
        found = digests(WORK / "kills-run")
        differing = sorted(
            n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n)
        )
        made.append({"commit": now, **one, "differing": differing})
        with LOG.open("a") as log:
            log.write(json.dumps(made[-1]) + "\n")
        print(json.dumps(made[-1]), flush=True)
    wrong = sum(bool(m["differing"]) for m in made)
    killed = sum(m["killed"] for m in made)
    print(f"{killed} kills, {wrong} with other bytes; {usual_s:.0f} s undisturbed")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
