"""Shows that no single trait of an account gives a campaign away, and how fast worlds are made.

    .venv/bin/python perf/world_traits.py [--seeds 2] [--scale 1.0] [--keep]

For every rung a decision tree of depth 3 learns from the traits (`account_traits.py`) of some
seeds and is asked about other seeds: recall of campaign accounts at one honest account in 1,000
(the threshold is set on the asked seeds themselves, in the tree's favour), the better of trees with
and without class weights. Beside it the largest AUC of one trait, either way round. Asked on rungs
2 to 5: recall <= 0.2, AUC <= 0.8. ``--keep`` writes bench/results/worlds.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from account_traits import traits
from machine import commit, describe
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.tree import DecisionTreeClassifier, export_text

from stillwatch.simulate import load_plan, simulate
from stillwatch.simulate.plan import WorldPlan

KEPT = Path(__file__).parents[1] / "bench" / "results" / "worlds.json"
FALSE_RATE, MOST_RECALL, MOST_AUC = 1e-3, 0.2, 0.8
Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


def recall_at(scores: Numbers, core: Flags, false_rate: float = FALSE_RATE) -> float:
    """Return the best recall of a threshold with at most ``false_rate`` of honest above it."""
    best = 0.0
    for threshold in np.unique(scores):
        accused = scores >= threshold
        if accused[~core].mean() <= false_rate:
            best = max(best, float(accused[core].mean()))
    return best


def auc(values: Numbers, core: Flags) -> float:
    """Return the area under the curve of one trait, the better way round."""
    n, m = int(core.sum()), int((~core).sum())
    area = (rankdata(values)[core].sum() - n * (n + 1) / 2) / (n * m)
    return float(max(area, 1 - area))


def world_table(plan: WorldPlan, seeds: list[int]) -> tuple[list[str], Numbers, Flags, list[str]]:
    """Return the traits of all accounts of a plan's worlds, one after the other."""
    parts = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            simulate(plan, seed=seed, out=folder)
            parts.append(traits(Path(folder)))
    return (
        parts[0][0],
        np.vstack([p[1] for p in parts]),
        np.concatenate([p[2] for p in parts]),
        [c for p in parts for c in p[3]],
    )


def judge(plan: WorldPlan, learn: list[int], ask: list[int]) -> dict[str, Any]:
    """Return recall of the best tree and AUC of the best trait of one world, and their names."""
    names, x, y, _ = world_table(plan, learn)
    _, x2, y2, campaigns = world_table(plan, ask)
    trees = []
    for weight in (None, "balanced"):
        tree = DecisionTreeClassifier(
            max_depth=3, min_samples_leaf=5, class_weight=weight, random_state=0
        ).fit(x, y)
        recall = recall_at(tree.predict_proba(x2)[:, 1], y2)
        trees.append((recall, export_text(tree, feature_names=names)))
    best = max(trees)
    areas = sorted(((auc(x2[:, i], y2), n) for i, n in enumerate(names)), reverse=True)
    by_campaign = {}
    for name in sorted(set(campaigns) - {""}):
        here = ~y2 | (np.array(campaigns) == name)
        if (y2 & here).sum() >= 20:
            area, trait = max((auc(x2[here, i], y2[here]), n) for i, n in enumerate(names))
            by_campaign[name] = f"{trait} {area:.3f}"
    return {
        "world": plan.name,
        "honest": int((~y2).sum()),
        "core": int(y2.sum()),
        "tree_recall": round(best[0], 3),
        "largest_auc": round(areas[0][0], 3),
        "largest_auc_trait": areas[0][1],
        "next": [f"{n} {a:.3f}" for a, n in areas[1:6]],
        "largest_auc_by_campaign": by_campaign,
        "tree": best[1],
    }


def speed(plan: WorldPlan) -> dict[str, Any]:
    """Return exchanges per second of one process: wall and CPU, text and Parquet included."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.monotonic(), time.process_time()
        made = simulate(plan, seed=1, out=folder)
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    return {
        "world": plan.name,
        "exchanges": made.exchanges,
        "rows_per_s": round(made.exchanges / wall),
        "rows_per_cpu_s": round(made.exchanges / cpu),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2, help="so many to learn, so many to ask")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rungs", type=int, nargs="*", default=[1, 2, 3, 4, 5])
    parser.add_argument("--tree", action="store_true", help="print the trees")
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    learn, ask = list(range(101, 101 + asked.seeds)), list(range(1, 1 + asked.seeds))
    result: dict[str, Any] = {
        "commit": commit(),
        "machine": describe(),
        "load": round(os.getloadavg()[0], 1),
        "scale": asked.scale,
        "learned_seeds": learn,
        "asked_seeds": ask,
        "rungs": [],
    }
    result["speed"] = speed(load_plan("benign").scaled(asked.scale))
    print(json.dumps(result["speed"]))
    failed = False
    for rung in asked.rungs:
        found = judge(load_plan(f"rung{rung}").scaled(asked.scale), learn, ask)
        tree = found.pop("tree")
        result["rungs"].append(found)
        print(json.dumps(found))
        if asked.tree:
            print(tree)
        held = found["tree_recall"] <= MOST_RECALL and found["largest_auc"] <= MOST_AUC
        failed |= rung > 1 and not held
    if asked.keep:
        KEPT.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
