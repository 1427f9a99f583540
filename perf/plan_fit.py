"""Fits what a scan takes to the runs that were measured, for `stillwatch plan`.

    .venv/bin/python perf/plan_fit.py

The runs of perf/plan_runs.py, and those of perf/engine_runs.py on Spark and on Sail.

Least squares of relative errors, no coefficient below zero: a constant, a part by million
exchanges, a part by million accounts. ``worst``: the largest factor, over all runs, between what a
run took and what a fit to the other runs says of it. ``largest``: that of the largest run alone.
Writes plan.json and plan_engines.json in src/stillwatch/scanner.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "bench" / "results" / "plan-runs.json"
ENGINE_RUNS = RUNS.with_name("engine-runs.json")
TARGET = ROOT / "src" / "stillwatch" / "scanner" / "plan.json"
ENGINE_TARGET = TARGET.with_name("plan_engines.json")
QUANTITIES = ("cpu_s", "peak_mb", "disk_mb", "left_mb")
ON_ENGINE = frozenset({"reading", "repeats", "exchanges", "follow_ups", "subjects"})
ENGINE_QUANTITIES = (
    "workers_cpu_s", "node_mb", "shuffle_mb", "disk_mb", "left_mb",
)  # fmt: skip


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


def modelled(runs: list[dict[str, Any]], quantities: Sequence[str]) -> dict[str, Any]:
    """Return the fit of each quantity, and how wrong it is of a run that it does not know."""
    largest = max(runs, key=lambda run: run["rows"])
    model = {}
    for quantity in quantities:
        ratios = [without(runs, run, quantity) for run in runs]
        found = fit(runs, quantity)
        model[quantity] = {
            "constant": round(float(found[0]), 3),
            "per_million_exchanges": round(float(found[1]), 3),
            "per_million_accounts": round(float(found[2]), 3),
            "worst": round(max(max(r, 1 / r) for r in ratios), 3),
            "largest": round(without(runs, largest, quantity), 3),
        }
    return model


def fitted(kept: dict[str, Any]) -> dict[str, Any]:
    """Return what `stillwatch plan` reads."""
    runs = kept["runs"]
    return {
        "source": "bench/results/plan-runs.json, fitted by perf/plan_fit.py",
        "engine": kept["engine"],
        "threads": kept["threads"],
        "memory": kept["memory"],
        "processor": kept["machine"]["processor"],
        "runs": len(runs),
        "most_exchanges": max(run["rows"] for run in runs),
        "exchanges_per_account": per_account(runs),
        "model": modelled(runs, QUANTITIES),
    }


def fitted_engines(kept: dict[str, Any], local: dict[str, Any]) -> dict[str, Any]:
    """Return what `stillwatch plan --engine` reads."""
    engines = {}
    for engine in sorted({run["engine"] for run in kept["runs"]}):
        runs = [run for run in kept["runs"] if run["engine"] == engine]
        told = [q for q in ENGINE_QUANTITIES if all(run[q] is not None for run in runs)]
        engines[engine] = {
            "runs": len(runs),
            "most_exchanges": max(run["rows"] for run in runs),
            "most_accounts": max(run["accounts"] for run in runs),
            "exchanges_per_account": per_account(runs),
            "worker_mb_per_core": max(run["workers_mb"] for run in runs) / kept["workers"],
            "model": {"node_cpu_s": node_on_engine(runs, local["runs"]), **modelled(runs, told)},
        }
    return {
        "source": "bench/results/engine-runs.json and plan-runs.json, fitted by perf/plan_fit.py",
        "node_cores": kept["threads"],
        "memory": kept["memory"],
        "processor": kept["machine"]["processor"],
        "engines": engines,
    }


def node_on_engine(runs: list[dict[str, Any]], local: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the fit of a node's CPU: what it costs by exchange and account is that of local runs.

    Their steps that no engine takes are the same work, measured on logs six times as large. The
    constant (the engine's client or driver with it) is the mean of what runs on the engine took
    beyond. ``worst`` has both in it: a local run that its fit does not know, and a run on the
    engine; ``largest`` is that of the largest run on the engine, by a constant of the others.
    """
    kept = [
        run | {"node_cpu_s": sum(s for n, s in run["steps_cpu_s"].items() if n not in ON_ENGINE)}
        for run in local
    ]
    _, by_exchange, by_account = (float(part) for part in fit(kept, "node_cpu_s"))
    slopes = [by_exchange * run["rows"] / 1e6 + by_account * run["accounts"] / 1e6 for run in runs]
    beyond = [run["node_cpu_s"] - slope for run, slope in zip(runs, slopes, strict=True)]
    ratios = []
    for k, run in enumerate(runs):
        constant = max(float(np.mean([b for j, b in enumerate(beyond) if j != k])), 0.0)
        ratios.append(run["node_cpu_s"] / (constant + slopes[k]))
    largest = ratios[max(range(len(runs)), key=lambda k: runs[k]["rows"])]
    ratios += [without(kept, run, "node_cpu_s") for run in kept]
    return {
        "constant": round(max(float(np.mean(beyond)), 0.0), 3),
        "per_million_exchanges": round(by_exchange, 3),
        "per_million_accounts": round(by_account, 3),
        "worst": round(max(max(r, 1 / r) for r in ratios), 3),
        "largest": round(largest, 3),
    }


def per_account(runs: list[dict[str, Any]]) -> list[int]:
    """Return the least and the most exchanges of an account, over runs."""
    each = [run["rows"] / run["accounts"] for run in runs]
    return [math.floor(min(each)), math.ceil(max(each))]


def main() -> None:
    local, engines = (json.loads(path.read_text()) for path in (RUNS, ENGINE_RUNS))
    for found, target in (
        (fitted(local), TARGET), (fitted_engines(engines, local), ENGINE_TARGET)
    ):  # fmt: skip
        target.write_text(json.dumps(found, indent=1) + "\n")
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
