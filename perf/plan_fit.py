"""Fits what a scan takes to the runs that perf/plan_runs.py measured, for `stillwatch plan`.

    .venv/bin/python perf/plan_fit.py

Least squares of relative errors, no coefficient below zero: a constant, a part by million
exchanges, a part by million accounts. ``worst``: the largest factor, over all runs, between what a
run took and what a fit to the other runs says of it. ``largest``: that of the largest run alone.
Writes src/stillwatch/scanner/plan.json.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "bench" / "results" / "plan-runs.json"
TARGET = ROOT / "src" / "stillwatch" / "scanner" / "plan.json"
QUANTITIES = ("cpu_s", "peak_mb", "disk_mb", "left_mb")


def design(runs: list[dict[str, Any]]) -> np.ndarray:
    return np.array([[1.0, run["rows"] / 1e6, run["accounts"] / 1e6] for run in runs])


def fit(runs: list[dict[str, Any]], quantity: str) -> np.ndarray:
    took = np.array([run[quantity] for run in runs])
    return nnls(design(runs) / took[:, None], np.ones(len(runs)))[0]


def without(runs: list[dict[str, Any]], left_out: dict[str, Any], quantity: str) -> float:
    """Return measured / predicted of a run by a fit to the others."""
    others = [run for run in runs if run is not left_out]
    predicted = float(design([left_out])[0] @ fit(others, quantity))
    return float(left_out[quantity]) / predicted


def fitted(kept: dict[str, Any]) -> dict[str, Any]:
    """Return what `stillwatch plan` reads."""
    runs = kept["runs"]
    largest = max(runs, key=lambda run: run["rows"])
    model = {}
    for quantity in QUANTITIES:
        ratios = [without(runs, run, quantity) for run in runs]
        model[quantity] = {
            "constant": round(float(fit(runs, quantity)[0]), 3),
            "per_million_exchanges": round(float(fit(runs, quantity)[1]), 3),
            "per_million_accounts": round(float(fit(runs, quantity)[2]), 3),
            "worst": round(max(max(r, 1 / r) for r in ratios), 3),
            "largest": round(without(runs, largest, quantity), 3),
        }
    per_account = [run["rows"] / run["accounts"] for run in runs]
    return {
        "source": "bench/results/plan-runs.json, fitted by perf/plan_fit.py",
        "engine": kept["engine"],
        "threads": kept["threads"],
        "memory": kept["memory"],
        "processor": kept["machine"]["processor"],
        "runs": len(runs),
        "most_exchanges": largest["rows"],
        "exchanges_per_account": [math.floor(min(per_account)), math.ceil(max(per_account))],
        "model": model,
    }


def main() -> None:
    found = fitted(json.loads(RUNS.read_text()))
    TARGET.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
