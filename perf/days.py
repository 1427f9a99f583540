"""Day N+1 costs one day: CPU seconds of reading it into 30 stored days, and of scanning it alone.

    nice .venv/bin/python perf/days.py [--copies 1] [--days 30] [--keep]

A simulated week is repeated to 31 days, a file each (exchange ids and times differ, accounts and
texts do not); 30 of them fill the store. Then, in processes of their own:

1. ``fill``: day 31 is read into the store: all per-exchange and per-day work there is.
2. ``alone``: a scan of day 31 by itself, with the same threads. Its step ``features`` is what a
   scan spends on reading, and the whole of it what a day costs that is scanned alone.
3. ``window``: the look at 30 days from the store: links, tests, campaigns, report.
4. ``rescan``: the same window from its logs. All files but timing.json must be the same bytes.

CPU seconds are of the process with its threads, without its start. The ratio that must hold, at
most 1.3, is of 1 to the reading of 2: the strictest one. 1 and 2 are repeated, the medians taken.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from machine import commit, describe

WORK = Path(__file__).parents[1] / "bench" / "work"
RESULT = Path(__file__).parents[1] / "bench" / "results" / "days.json"
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def world(days: int, copies: int) -> Path:
    """Return a folder of ``days`` files ``dd.parquet``, one a day, made now where it is missing.

    Day k holds ``copies`` copies of the day k mod 7 of the simulated week. Accounts are the same
    every day; exchange ids, blobs and conversations are the copy's and the day's own.
    """
    from stillwatch.simulate import simulate

    base, out = WORK / "demo", WORK / f"days-{days}x{copies}"
    if not (base / "truth.parquet").is_file():
        simulate("demo", seed=11, out=base)
    if out.is_dir():
        return out
    aside = out.with_suffix(".part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    week = sorted((base / "exchanges").glob("*.parquet"))
    for k in range(days):
        file = week[k % len(week)]
        shift = (FIRST + k * DAY).date() - datetime.fromisoformat(file.stem).date()
        duckdb.execute(
            f"""COPY (
              SELECT * EXCLUDE (copy) REPLACE (
                exchange_id || '-{k}-' || copy AS exchange_id,
                CASE WHEN copy > 0 THEN account_id || '-' || copy ELSE account_id END AS account_id,
                CASE WHEN copy > 0 THEN org_id || '-' || copy ELSE org_id END AS org_id,
                ts + to_days({shift.days}) AS ts)
              FROM '{file}', (SELECT unnest(range({copies})) AS copy)
              ORDER BY ts, exchange_id)
            TO '{aside / f"{k:02d}.parquet"}' (FORMAT parquet, COMPRESSION zstd)"""
        )
    shutil.copy(base / "accounts.csv", aside / "accounts.csv")
    aside.rename(out)
    return out


def spent(task: str, *words: str | Path) -> dict[str, Any]:
    """Run a task in a process of its own and return what it printed, CPU seconds and memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, __file__, "--task", task, *map(str, words)],
        check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"process_cpu_s": round(cpu, 2), **told}


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def fill(folder: Path, days: Path, first: int, last: int) -> dict[str, Any]:
    """Read the files of some days into a store; CPU seconds less what starting Python takes."""
    from stillwatch.pipeline import FEATURES
    from stillwatch.scanner import fill_days, reading_key, waiting_files
    from stillwatch.store.days import open_days

    began = cpu_s()
    with open_days(days, key=reading_key("auto"), schema=FEATURES) as store:
        paths = [str(folder / f"{k:02d}.parquet") for k in range(first, last)]
        waiting = waiting_files(paths, store).files
        filled = fill_days(store, waiting, format="auto", now=NOW)
        size = store.size()
    return {"rows": filled.rows, "cpu_s": cpu_s() - began, "store_bytes": size[2]}


def alone(folder: Path, out: Path, number: int) -> dict[str, Any]:
    """Scan one day's file by itself; ``features_s``: CPU seconds until its features are whole."""
    from stillwatch.scanner import scan

    began = cpu_s()
    features: list[float] = []

    def tell(now: Any) -> None:
        if now.stage != "reading" and not features:
            features.append(cpu_s() - began)

    shutil.rmtree(out, ignore_errors=True)
    scan([folder / f"{number:02d}.parquet"], accounts=folder / "accounts.csv", out=out, threads=1,
         progress=tell)  # fmt: skip
    return {"cpu_s": cpu_s() - began, "features_s": features[0]}


def window(folder: Path, days: Path | None, out: Path, first: int, last: int) -> dict[str, Any]:
    """Look at some days, from the store or from their logs."""
    from stillwatch.pipeline import FEATURES
    from stillwatch.scanner import StoredDays, reading_key, scan
    from stillwatch.store.days import open_days

    began = cpu_s()
    shutil.rmtree(out, ignore_errors=True)
    since, until = FIRST + first * DAY, FIRST + last * DAY
    options: dict[str, Any] = {
        "accounts": folder / "accounts.csv", "since": since, "until": until, "out": out,
        "threads": 1,
    }  # fmt: skip
    if days is None:
        files = [folder / f"{k:02d}.parquet" for k in range(first, last)]
        scan(files, **options)
    else:
        with open_days(days, key=reading_key("auto"), schema=FEATURES) as store:
            held = StoredDays(store, store.window(since, until), format="auto", max_rejects=0.01)
            scan(held, **options)
    seconds = json.loads((out / "timing.json").read_text())["seconds"]
    return {"cpu_s": cpu_s() - began, "steps": seconds}


def digests(out: Path) -> dict[str, str]:
    files = [p for p in sorted(out.rglob("*")) if p.is_file() and p.name != "timing.json"]
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    count = asked.days
    folder = world(count + 1, asked.copies)
    base, days = WORK / "days-store", WORK / "days-store-31"
    shutil.rmtree(base, ignore_errors=True)
    filled = spent("fill", folder, base, "0", str(count))
    fills, alones = [], []
    for _ in range(asked.repeat):
        shutil.rmtree(days, ignore_errors=True)
        shutil.copytree(base, days)
        fills.append(spent("fill", folder, days, str(count), str(count + 1)))
        alones.append(spent("alone", folder, WORK / "days-alone", str(count)))
    looked = spent("window", folder, days, WORK / "days-look", "1", str(count + 1))
    whole = spent("window", folder, "-", WORK / "days-rescan", "1", str(count + 1))
    one, other = digests(WORK / "days-look"), digests(WORK / "days-rescan")
    differing = sorted(n for n in one.keys() | other.keys() if one.get(n) != other.get(n))
    fill_s = statistics.median(f["cpu_s"] for f in fills)
    alone_s = statistics.median(a["cpu_s"] for a in alones)
    features_s = statistics.median(a["features_s"] for a in alones)
    return {
        "commit": commit(), "machine": describe(),
        "days_in_store": count, "rows_in_store": filled["rows"],
        "fill_of_the_store_cpu_s": round(filled["cpu_s"], 3),
        "store_bytes_per_row": round(filled["store_bytes"] / filled["rows"], 1),
        "rows_of_the_day": fills[0]["rows"],
        "fill_cpu_s": round(fill_s, 3),
        "fill_cpu_us_per_row": round(fill_s / fills[0]["rows"] * 1e6, 2),
        "scan_alone_cpu_s": round(alone_s, 3),
        "scan_alone_reading_cpu_s": round(features_s, 3),
        "ratio_to_scan_alone": round(fill_s / alone_s, 3),
        "ratio_to_its_reading": round(fill_s / features_s, 3),
        "fills_cpu_s": [round(f["cpu_s"], 3) for f in fills],
        "readings_cpu_s": [round(a["features_s"], 3) for a in alones],
        "window_cpu_s": round(looked["cpu_s"], 2), "window_steps_s": looked["steps"],
        "rescan_cpu_s": round(whole["cpu_s"], 2),
        "files_compared": len(one), "files_differing": differing,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="write bench/results/days.json")
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    asked, words = parser.parse_known_args()
    if asked.task:
        name, *given = [*asked.task, *words]
        if name == "fill":
            told = fill(Path(given[0]), Path(given[1]), int(given[2]), int(given[3]))
        elif name == "alone":
            told = alone(Path(given[0]), Path(given[1]), int(given[2]))
        else:
            store = None if given[1] == "-" else Path(given[1])
            told = window(Path(given[0]), store, Path(given[2]), int(given[3]), int(given[4]))
        print(json.dumps(told))
        return
    result = measure(asked)
    print(json.dumps(result, indent=1))
    if asked.keep:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    limit = 1.3
    if result["files_differing"] or result["ratio_to_its_reading"] > limit:
        raise SystemExit(f"over {limit}, or other bytes: see above")


if __name__ == "__main__":
    main()
