"""Build the benign references of both claims on simulated worlds of other seeds.

    python perf/reference.py fit|calibrate|check --worlds N --work DIR      (resumable, in parallel)
    python perf/reference.py write --work DIR

Fit: worlds with campaigns (development seeds), on which the score's form was chosen. Calibrate:
benign worlds give the reference scores and the tail. Check: further benign worlds say whether the
tail holds.
A benign cohort acts together when at least one test of acts rejects at 1e-3, and is one of
independent members otherwise; what a permit covers is neither.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

SEEDS = {"fit": 1_000, "calibrate": 20_000, "check": 50_000}
MIX = ("demo", "small", "benign", "small", "drift-viral", "small", "drift-launch", "small")
COORDINATED_P = 1e-3
TAIL_COHORTS = 80  # so many make the tail: the farther out, the less it is bent by the bulk


def world_rows(kind: str, seed: int, work: Path) -> list[dict[str, object]]:
    """Simulate one world, run the pipeline up to the findings, return one row per cohort."""
    from stillwatch.scanner import prepare
    from stillwatch.simulate import WORLDS, load_plan, simulate

    name = MIX[seed % len(MIX)]
    if name not in WORLDS:
        world = load_plan(name)
    else:
        world = WORLDS[name] if kind == "fit" else WORLDS[name].without_campaigns()
    folder = work / f"{kind}-{seed}"
    made = simulate(world, seed=seed, out=folder / "world")
    with prepare(folder / "run", [folder / "world" / "exchanges"], made.accounts_csv) as desk:
        scores = desk.query("SELECT * FROM cohort_scores WHERE tested ORDER BY cohort").to_pylist()
        least = desk.query(
            "SELECT cohort, min(p_value) AS p FROM findings WHERE claim = 'coordinated' "
            "AND signal <> 'one_source' AND evaluable GROUP BY cohort"
        ).to_pylist()
        p_of = {row["cohort"]: row["p"] for row in least}
        truth = pq.read_table(made.truth_parquet).to_pylist()
        core = {t["account_id"]: t["family"] for t in truth if t["role"] == "core"}
        permitted = {t["account_id"] for t in truth if t["role"] == "permitted"}
        members = desk.query(
            "SELECT m.cohort, p.account_id FROM cohort_members m JOIN people p ON m.sid = p.sid "
            "WHERE m.how <> 'associated'"
        ).to_pylist()
    shutil.rmtree(folder)
    who: dict[int, list[str]] = {}
    for row in members:
        who.setdefault(row["cohort"], []).append(row["account_id"])
    rows = []
    for row in scores:
        accounts = who.get(row["cohort"], [])
        n = max(len(accounts), 1)
        rows.append(
            row
            | {
                "seed": seed,
                "world": name,
                "core": sum(a in core for a in accounts) / n,
                "permitted": sum(a in permitted for a in accounts) / n,
                "least_p": p_of.get(row["cohort"], 1.0),
            }
        )
    return rows


def run(kind: str, worlds: int, work: Path, part: int, parts: int) -> None:
    for k in (k for k in range(worlds) if k // 4 % parts == part):
        out = work / f"{kind}-{SEEDS[kind] + k}.json"
        if out.exists():
            continue
        rows = world_rows(kind, SEEDS[kind] + k, work)
        aside = out.with_suffix(".part")
        aside.write_text(json.dumps(rows))
        aside.replace(out)
        print(kind, k, len(rows), flush=True)


def load(kind: str, work: Path) -> list[dict[str, float]]:
    files = sorted(work.glob(f"{kind}-*.json"))
    rows = [row for file in files for row in json.loads(file.read_text())]
    return [row for row in rows if math.isfinite(row["own_topics"])]


def values(rows: list[dict[str, float]]) -> np.ndarray:
    from stillwatch.signals.harvest import score
    from stillwatch.signals.traits import TRAITS, Traits

    return np.array([score(Traits(*(row[t] for t in TRAITS)), row["usual_own"]) for row in rows])


def benign(rows: list[dict[str, float]], together: bool) -> list[dict[str, float]]:
    from stillwatch.signals.payers import MAX_ONE_PAYER

    return [
        r
        for r in rows
        if r["core"] == 0
        and r["permitted"] < 0.2
        and r["one_payer"] < MAX_ONE_PAYER
        and (r["least_p"] <= COORDINATED_P) == together
    ]


def made(work: Path, *, together: bool) -> dict[str, object]:
    """Return one reference as it ships: scores, the fitted tail, and how the tail holds."""
    from stillwatch.signals.harvest import SCORED

    reference = benign(load("calibrate", work), together)
    scores = np.sort(values(reference))
    start = float(np.quantile(scores, max(0.8, 1 - TAIL_COHORTS / len(scores))))
    excess = scores[scores > start] - start
    scale = float(excess.mean() * (1 + 1.645 / math.sqrt(len(excess))))
    share = float((scores > start).mean())
    checked = benign(load("check", work), together)
    fresh = values(checked)
    tail = share * np.exp(-np.maximum(fresh - start, 0) / scale)
    check = {"cohorts": len(fresh), "worlds": len({r["seed"] for r in checked})}
    for t in (0.05, 0.01, 0.001, 0.0001):
        check[f"share_at_{t:g}"] = float(((fresh > start) & (tail <= t)).mean())
    print("together" if together else "apart", len(scores), "tail", start, share, scale)
    print("  check", check)
    print("  quantiles", np.quantile(scores, (0.5, 0.95, 0.99, 0.999, 1)), "fresh max", fresh.max())
    kind = "that act together" if together else "of independent members"
    return {
        "name": f"benign cohorts {kind}, of simulated worlds",
        "worlds": len({r["seed"] for r in load("calibrate", work)}),
        "scores": [round(float(s), 5) for s in scores],
        "tail": {
            "start": round(start, 6), "share": round(share, 6), "scale": round(scale, 6),
            "floor": 1e-6,
        },
        "traits": {
            name: [
                round(float(q), 5)
                for q in np.quantile([r[name] for r in reference], (0.025, 0.5, 0.975))
            ]
            for name in SCORED
        },
        "check": check,
        "limits": "Simulated traffic, not yours. The tail beyond the reference is fitted, and "
        "checked on further benign worlds only as far as their number reaches.",
    }  # fmt: skip


def write(work: Path) -> None:
    raw = {kind: made(work, together=kind == "together") for kind in ("together", "apart")}
    out = Path("src/stillwatch/signals/reference.json")
    out.write_text(json.dumps(raw, indent=1) + "\n")
    harvests = [r for r in load("fit", work) if r["core"] >= 0.9]
    if harvests:
        spread = np.quantile(values(harvests), (0, 0.05, 0.25, 0.5, 1))
        print("campaign cohorts", len(harvests), "scores", spread)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*SEEDS, "write"])
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--work", type=Path, default=Path("bench/work/reference"))
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if asked.what == "write":
        write(asked.work)
    else:
        run(asked.what, asked.worlds, asked.work, asked.part, asked.parts)


if __name__ == "__main__":
    sys.exit(main())
