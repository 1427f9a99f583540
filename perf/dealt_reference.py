"""Count benign cohorts that act together, and those that look like a queue that one hand deals.

    STILLWATCH_DATA=../shared/data python perf/dealt_reference.py count --weeks 12 --worlds 48
    python perf/dealt_reference.py write

Weeks: those of published corpora without campaigns (`real_text.py`), some fifty kinds of honest
groups each. Worlds: simulated ones without campaigns, as `reference.py` has them. A cohort acts
together when one test of acts has an e-value of p = 1e-3 and more, before any excuse. What a permit
covers is left out. Resumable: one file a world in the work folder. `write` puts the sums into the
reference that ships (`signals.dealt_queue`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

REFERENCE = Path("src/stillwatch/signals/reference.json")
FIRST_WEEK, FIRST_WORLD = 101, 70_000
ACTS_P = 1e-3
Written = tuple[Path, Path, set[str]]


def week(seed: int, folder: Path) -> Written:
    """Write a week of published corpora; return logs, accounts, and who holds a permit: nobody."""
    from honest_groups import more_groups
    from real_text import honest
    from weeks import Week, write

    made = Week(seed)
    honest(made)
    more_groups(made)
    write(made, folder)
    return folder / "exchanges", folder / "accounts.csv", set()


def world(seed: int, folder: Path) -> Written:
    """Write a simulated world without campaigns; return logs, accounts, holders of permits."""
    from reference import MIX

    from stillwatch.simulate import WORLDS, load_plan, simulate

    name = MIX[seed % len(MIX)]
    plan = WORLDS[name] if name in WORLDS else load_plan(name)
    made = simulate(plan.without_campaigns(), seed=seed, out=folder)
    truth = pq.read_table(made.truth_parquet).to_pylist()
    held = {t["account_id"] for t in truth if t["role"] == "permitted"}
    return folder / "exchanges", made.accounts_csv, held


def counted(make: Callable[[int, Path], Written], seed: int, work: Path) -> dict[str, Any]:
    """Scan one world up to the findings; return how many cohorts act together, and pass."""
    from stillwatch.scanner import prepare
    from stillwatch.stats import calibrate

    folder = work / f"{make.__name__}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    logs, accounts, held = make(seed, folder / "world")
    with prepare(folder / "run", [logs], accounts) as desk:
        rows = desk.query(
            f"""SELECT c.cohort, c.e_dealt, c.e_acts, max(f.acts) AS acts FROM cohort_scores c
                JOIN (SELECT cohort, greatest(e_value, CASE WHEN isnan(e_before) THEN 0
                                                            ELSE e_before END) AS acts
                      FROM findings WHERE claim = 'coordinated' AND signal <> 'one_source'
                        AND evaluable) f ON f.cohort = c.cohort
                WHERE c.tested GROUP BY c.cohort, c.e_dealt, c.e_acts
                HAVING max(f.acts) >= {float(calibrate(ACTS_P))} ORDER BY c.cohort"""
        ).to_pylist()
        members = desk.query(
            "SELECT m.cohort, p.account_id FROM cohort_members m JOIN people p ON m.sid = p.sid "
            "WHERE m.how <> 'associated'"
        ).to_pylist()
    shutil.rmtree(folder)
    who: dict[int, list[str]] = {}
    for row in members:
        who.setdefault(row["cohort"], []).append(row["account_id"])
    kept = [
        row for row in rows
        if sum(a in held for a in who[row["cohort"]]) < 0.2 * len(who[row["cohort"]])
    ]  # fmt: skip
    return {
        "cohorts": len(kept),
        "passed": sum(row["e_dealt"] > 0 for row in kept),
        "largest_e_acts": max((row["e_acts"] for row in kept), default=0.0),
    }


def count(weeks: int, worlds: int, work: Path) -> None:
    asked = [(week, FIRST_WEEK + k) for k in range(weeks)]
    asked += [(world, FIRST_WORLD + k) for k in range(worlds)]
    for make, seed in asked:
        out = work / f"{make.__name__}-{seed}.json"
        if out.exists():
            continue
        told = counted(make, seed, work)
        aside = out.with_suffix(".part")
        aside.write_text(json.dumps(told))
        aside.replace(out)
        print(make.__name__, seed, told, flush=True)


def write_sums(work: Path) -> None:
    found = {kind: sorted(work.glob(f"{kind}-*.json")) for kind in ("week", "world")}
    told = [json.loads(f.read_text()) for files in found.values() for f in files]
    raw = json.loads(REFERENCE.read_text())
    raw["dealt"] = {
        "cohorts": sum(t["cohorts"] for t in told),
        "passed": sum(t["passed"] for t in told),
        "worlds": len(told),
        "limits": f"{len(found['week'])} weeks of published corpora and {len(found['world'])} "
        "simulated worlds, not your traffic; cohorts of one kind of group are alike.",
    }
    REFERENCE.write_text(json.dumps(raw, indent=1) + "\n")
    print(raw["dealt"], "largest e of acts", max(t["largest_e_acts"] for t in told))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["count", "write"])
    parser.add_argument("--weeks", type=int, default=12)
    parser.add_argument("--worlds", type=int, default=48)
    parser.add_argument("--work", type=Path, default=Path("bench/work/dealt"))
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if asked.what == "count":
        count(asked.weeks, asked.worlds, asked.work)
    else:
        write_sums(asked.work)


if __name__ == "__main__":
    main()
