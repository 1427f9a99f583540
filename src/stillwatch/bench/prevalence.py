"""Does the interval of prevalence hold the truth: floor ≤ truth ≤ bound, over small worlds."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.bench.records import once, read_records
from stillwatch.bench.scenarios import Scenario
from stillwatch.bench.traffic import read_traffic
from stillwatch.bench.truth import read_truth
from stillwatch.bench.verdict import scanned
from stillwatch.simulate import CAMPAIGN_FAMILIES, WORLDS, Size
from stillwatch.stats import clopper_pearson

__all__ = ["coverage", "judge_prevalence", "mixed_world", "prevalence_worlds", "read_coverage"]

FIRST_SEED: Final = 600_000
_UNITS: Final = ("requests", "output_tokens", "accounts")


def mixed_world(seed: int) -> Scenario:
    """Return a small world in which each campaign family is there or not, larger or smaller.

    Each with chance one half, with 0.4 to 2 times its accounts: prevalence from none to a
    quarter of the traffic.
    """
    rng = np.random.default_rng(seed)
    world = WORLDS["small"]
    sizes = world.sizes()
    drawn: dict[str, Any] = {}
    for name in CAMPAIGN_FAMILIES:
        there, factor = rng.random() < 0.5, rng.uniform(0.4, 2.0)
        size = sizes[name]
        accounts = max(6, round(size.accounts * factor))
        drawn[name] = Size(size.groups, accounts, size.requests) if there else Size()
    return Scenario("small-mixed", replace(world, name="small-mixed", **drawn))


def judge_prevalence(seed: int, work: Path) -> dict[str, Any]:
    """Make and scan one world; return floor, truth and bound by unit."""
    folder = work / f"prevalence-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    made = mixed_world(seed).make(seed, folder / "world")
    truth = read_truth(made.truth_parquet)
    traffic = read_traffic(made.out / "exchanges")
    core = np.array([truth[n].core for n in traffic.names])
    mine = core[traffic.account]
    actual = {
        "requests": float(mine.mean()),
        "output_tokens": float(traffic.output_tokens[mine].sum() / traffic.output_tokens.sum()),
        "accounts": float(core.mean()),
    }
    told = scanned(made, folder / "run").result.summary["prevalence"]
    shutil.rmtree(folder)
    return {
        "seed": seed, "campaigns": len({w.campaign for w in truth.values() if w.core}),
        "units": {
            unit: {
                "truth": round(actual[unit], 6), "floor": told[unit]["detected"]["value"],
                "bound": told[unit]["not_excluded"]["value"],
            }
            for unit in _UNITS
        },
    }  # fmt: skip


def prevalence_worlds(worlds: int, work: Path) -> None:
    """Judge worlds that are not there yet, one JSON file each."""
    for seed in range(FIRST_SEED, FIRST_SEED + worlds):
        once(work / f"{seed}.json", lambda seed=seed: judge_prevalence(seed, work))  # type: ignore[misc]


def coverage(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return in how many worlds floor ≤ truth ≤ bound, by unit, with exact intervals.

    Truths and numbers of a run are rounded: a millionth is not a miss. A bound that is not known
    excludes nothing, as one of 1 does.
    """
    rows = {}
    for unit in _UNITS:
        ones = [r["units"][unit] for r in records]
        ones = [o | {"bound": 1.0} if o["bound"] is None else o for o in ones]
        low = sum(o["floor"] <= o["truth"] + 1e-6 for o in ones)
        high = sum(o["truth"] <= o["bound"] + 1e-6 for o in ones)
        both = sum(o["floor"] <= o["truth"] + 1e-6 and o["truth"] <= o["bound"] + 1e-6
                   for o in ones)  # fmt: skip
        interval = clopper_pearson(both, len(ones))
        rows[unit] = {
            "worlds": len(ones), "floor_holds": low, "bound_holds": high, "both_hold": both,
            "share": both / len(ones) if ones else None,
            "low": interval.low, "high": interval.high,
            "largest_truth": max((o["truth"] for o in ones), default=None),
            "mean_width": float(np.mean([o["bound"] - o["floor"] for o in ones])) if ones else None,
        }  # fmt: skip
    return rows


def read_coverage(work: Path) -> dict[str, Any]:
    """Return the coverage over all records of a folder."""
    return coverage(read_records(work))
