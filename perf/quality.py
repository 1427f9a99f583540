"""What the issue asks of detection: seeds of the demo world with campaigns and without.

    python perf/quality.py --seeds 20 --work bench/work/quality [--world demo] [--part 0 --parts 2]
    python perf/quality.py --report --work bench/work/quality [--out FILE.json]

Resumable: one JSON file per seed. Prints per campaign family the share of its accounts that are
accused, and every honest account accused, by family.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path

from machine import commit, describe

FIRST_SEED = 100


def judge_world(world_name: str, seed: int, benign: bool, work: Path) -> dict[str, object]:
    """Simulate, scan, compare with the truth."""
    import pyarrow.parquet as pq

    from stillwatch import scan
    from stillwatch.simulate import WORLDS, simulate

    world = WORLDS[world_name]
    world = world.without_campaigns() if benign else world
    folder = work / f"{world_name}-{seed}-{'benign' if benign else 'full'}"
    made = simulate(world, seed=seed, out=folder / "world")
    result = scan(
        [folder / "world" / "exchanges"], accounts=made.accounts_csv, permits=made.permits_csv,
        ownership=made.ownership_csv, out=folder / "run", threads=1,
    )  # fmt: skip
    standing = dict(
        zip(
            result.accounts["account_id"].to_pylist(), result.accounts["standing"].to_pylist(),
            strict=True,
        )
    )  # fmt: skip
    subjects = Counter(result.subjects["standing"].to_pylist())
    campaigns: dict[str, Counter[str]] = defaultdict(Counter)
    honest: Counter[str] = Counter()
    permitted: Counter[str] = Counter()
    for row in pq.read_table(made.truth_parquet).to_pylist():
        one = standing.get(row["account_id"], "unseen")
        if row["role"] == "core":
            campaigns[row["campaign"]][one] += 1
        elif row["role"] == "permitted":
            permitted[one] += 1
        elif one == "accused":
            honest[f"{row['family']}/{row['role']}"] += 1
    outcome = {
        "seed": seed, "benign": benign, "exit_code": result.exit_code,
        "campaigns": {k: dict(v) for k, v in sorted(campaigns.items())},
        "honest_accused": dict(honest), "permitted": dict(permitted),
        "accused_end_users": subjects["accused"],
        "found": [(c["standing"], c["accounts"], c["e_value"]) for c in result.campaigns],
        "needed": result.summary["needed_e"], "tested": result.summary["cohorts_tested"],
        "drift": result.summary["drift"]["alarm"],
    }  # fmt: skip
    shutil.rmtree(folder)
    return outcome


def report(work: Path, out: Path | None = None) -> None:
    """Print the table; ``out``: also as JSON, with the commit."""
    rows = [json.loads(f.read_text()) for f in sorted(work.glob("*.json"))]
    full = [r for r in rows if not r["benign"]]
    shares: dict[str, list[float]] = defaultdict(list)
    for row in full:
        for name, standings in row["campaigns"].items():
            total = sum(n for k, n in standings.items() if k != "unseen")
            shares[name].append(standings.get("accused", 0) / max(total, 1))
    print(f"{len(full)} worlds with campaigns")
    for name, values in sorted(shares.items()):
        good = sum(v >= 0.95 for v in values)
        print(
            f"  {name:18} least {min(values):6.1%}  mean {sum(values) / len(values):6.1%}  "
            f"≥ 95 % in {good} of {len(values)}"
        )
    accused = Counter()
    for row in rows:
        accused.update(row["honest_accused"])
    print("honest accounts accused:", dict(accused) or "none")
    print("accused end users of channels:", sum(r["accused_end_users"] for r in rows))
    print("permitted:", dict(sum((Counter(r["permitted"]) for r in full), Counter())))
    plain = [r for r in rows if r["benign"]]
    codes = Counter(r["exit_code"] for r in plain)
    print(f"{len(plain)} worlds without campaigns: exit codes {dict(codes)}")
    print("drift alarms:", sum(r["drift"] for r in rows))
    if out is not None:
        table = {
            "what": f"{len(full)} seeds of the demo world with campaigns, {len(plain)} without",
            "command": "make quality", "commit": commit(),
            "seeds": sorted({r["seed"] for r in rows}),
            "share_of_core_accounts_accused": {
                name: [round(v, 4) for v in values] for name, values in sorted(shares.items())
            },
            "honest_accused": sum(accused.values()),
            "accused_end_users": sum(r["accused_end_users"] for r in rows),
            "exit_codes_without_campaigns": {str(k): n for k, n in sorted(codes.items())},
            "machine": describe(),
        }  # fmt: skip
        out.write_text(json.dumps(table, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=FIRST_SEED)
    parser.add_argument("--world", default="demo")
    parser.add_argument("--work", type=Path, default=Path("bench/work/quality"))
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    if not asked.report:
        for k in range(asked.part, asked.seeds, asked.parts):
            for benign in (False, True):
                out = asked.work / f"{asked.world}-{asked.first + k}-{benign}.json"
                if out.exists():
                    continue
                row = judge_world(asked.world, asked.first + k, benign, asked.work)
                out.write_text(json.dumps(row))
                print(k, benign, row["campaigns"], row["honest_accused"], flush=True)
    report(asked.work, asked.out)


if __name__ == "__main__":
    main()
