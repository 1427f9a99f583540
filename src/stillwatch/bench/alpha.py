"""The bound on false accusations: benign worlds, and how many of them hold any accusation."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from scipy import stats as sps

from stillwatch.bench.ledger import commit_here
from stillwatch.bench.records import once, read_records
from stillwatch.bench.scenarios import EVENT_DRIFTS, MIX_DRIFTS, benign
from stillwatch.bench.truth import read_truth
from stillwatch.bench.verdict import cohorts_of, scanned
from stillwatch.stats import clopper_pearson

__all__ = ["FIRST_SEED", "LEVELS", "alpha_bound", "benign_worlds", "judge_benign"]

FIRST_SEED: Final = 700_000  # no seed on which anything was fitted or chosen
LEVELS: Final = (0.1, 0.05, 0.01, 0.001)


def judge_benign(drift: str, seed: int, work: Path, base: str = "demo") -> dict[str, Any]:
    """Make one benign world, scan it at the default alpha, and count what was accused."""
    began = time.perf_counter()
    folder = work / f"{base}-{drift}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    made = benign(drift, base).make(seed, folder / "world")
    truth = read_truth(made.truth_parquet)
    verdict = scanned(made, folder / "run")
    summary = verdict.result.summary
    cohorts = cohorts_of(folder / "run", truth)
    accused = Counter(truth[a].family for a in verdict.accused if truth[a].honest)
    users = [s for s in verdict.result.subjects["standing"].to_pylist() if s == "accused"]
    record = {
        "commit": commit_here(), "drift": drift, "seed": seed, "base": base,
        "accounts": len(verdict.standing),
        "honest": sum(truth[a].honest for a in verdict.standing),
        "families": dict(Counter(truth[a].family for a in verdict.standing)),
        "accused": dict(accused), "accused_users": len(users),
        "any": bool(accused or users), "alarm": bool(summary["drift"]["alarm"]),
        "tested": summary["cohorts_tested"], "selected": summary["cohorts_selected"],
        "cohorts": [
            [c.family, round(c.e_coordinated, 3), round(c.e_extractive, 3)] for c in cohorts
        ],
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip
    shutil.rmtree(folder)
    return record


def benign_worlds(
    worlds: int, work: Path, *, first: int = 0, step: int = 1, base: str = "demo"
) -> int:
    """Judge worlds ``first``, ``first + step`` … under the drifts in turn; return how many exist.

    One JSON file a world: what is there is not made again.
    """
    names = [*MIX_DRIFTS, *EVENT_DRIFTS]
    for k in range(first, worlds, step):
        drift, seed = names[k % len(names)], FIRST_SEED + k
        once(
            work / f"{base}-{drift}-{seed}.json",
            lambda drift=drift, seed=seed: judge_benign(drift, seed, work, base),  # type: ignore[misc]
        )
    return len(list(work.glob("*.json")))


def alpha_bound(records: list[dict[str, Any]], alpha: float = 0.01) -> dict[str, Any]:
    """Return, in all and by drift, the share of worlds with any accusation and what it may be.

    ``p_value``: of at least so many such worlds were each one's chance exactly alpha. By family:
    tested cohorts whose e-value passes 1/level, which a valid e-value does with at most the
    chance ``level``. ``refuted``: the lower end of the exact 95 % interval lies above the claim.
    """
    drifts = sorted({r["drift"] for r in records})
    return {
        "alpha": alpha,
        "commits": sorted({r["commit"] for r in records}),
        "all": _worlds(records, alpha),
        "by_drift": {d: _worlds([r for r in records if r["drift"] == d], alpha) for d in drifts},
        "by_commit": {
            c: _worlds([r for r in records if r["commit"] == c], alpha)
            for c in sorted({r["commit"] for r in records})
        },
        "accused_accounts_by_family": dict(
            sum((Counter(r["accused"]) for r in records), Counter())
        ),
        "honest_accounts": sum(r["honest"] for r in records),
        "by_family": _by_family(records),
    }


def _worlds(records: list[dict[str, Any]], alpha: float) -> dict[str, Any]:
    n, hits = len(records), sum(r["any"] for r in records)
    interval = clopper_pearson(hits, n)
    tested = sps.binomtest(hits, n, alpha, alternative="greater") if n else None
    return {
        "worlds": n, "with_accusation": hits, "share": hits / n if n else None,
        "low": interval.low, "high": interval.high,
        "p_value": float(tested.pvalue) if tested else None,
        "refuted": interval.low > alpha, "alarms": sum(r["alarm"] for r in records),
        "honest_accounts": sum(r["honest"] for r in records),
        "cohorts_tested": sum(r["tested"] for r in records),
        "cohorts_selected": sum(r["selected"] for r in records),
    }  # fmt: skip


def _by_family(records: list[dict[str, Any]]) -> dict[str, Any]:
    cohorts: dict[str, list[float]] = {}
    for record in records:
        for family, together, asked in record["cohorts"]:
            cohorts.setdefault(family, []).append(min(together, asked))
    table = {}
    for family, values in sorted(cohorts.items()):
        passed = {}
        for level in LEVELS:
            hits = sum(v >= 1 / level for v in values)
            interval = clopper_pearson(hits, len(values))
            passed[f"{level:g}"] = {
                "passed": hits, "share": hits / len(values), "low": interval.low,
                "high": interval.high, "refuted": interval.low > level,
            }  # fmt: skip
        table[family] = {"cohorts": len(values), "largest_e": max(values), "levels": passed}
    return table


def read_bound(work: Path, alpha: float = 0.01) -> dict[str, Any]:
    """Return the bound over all records of a folder."""
    return alpha_bound(read_records(work), alpha)
