"""What each signal is worth: recall with everything, and with one signal switched off."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.bench.records import once, read_records
from stillwatch.bench.scenarios import scenario
from stillwatch.bench.truth import read_truth
from stillwatch.bench.verdict import scanned
from stillwatch.signals import TESTS

__all__ = ["ablate", "ablation_table", "ablation_worlds", "read_ablation"]

FIRST_SEED: Final = 650_000
EVERYTHING: Final = "everything"


def ablate(world: str, seed: int, work: Path) -> dict[str, Any]:
    """Scan one world with everything and without each signal; return what was accused each time."""
    folder = work / f"{world}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    made = scenario(world).make(seed, folder / "world")
    truth = read_truth(made.truth_parquet)
    outcomes = {}
    for name in (EVERYTHING, *(t.name for t in TESTS)):
        without = () if name == EVERYTHING else (name,)
        verdict = scanned(made, folder / "run", without=without)
        found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for account in verdict.standing:
            who = truth[account]
            if who.core:
                found[str(who.campaign)][0] += account in verdict.accused
                found[str(who.campaign)][1] += 1
        outcomes[name] = {
            "campaigns": dict(found),
            "honest_accused": sum(truth[a].honest for a in verdict.accused),
        }
    shutil.rmtree(folder)
    return {"world": world, "seed": seed, "outcomes": outcomes}


def ablation_worlds(world: str, worlds: int, work: Path) -> None:
    """Judge worlds that are not there yet, one JSON file each."""
    for seed in range(FIRST_SEED, FIRST_SEED + worlds):
        once(work / f"{world}-{seed}.json", lambda seed=seed: ablate(world, seed, work))  # type: ignore[misc]


def ablation_table(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return, with everything and without each signal, the mean recall over campaigns.

    ``loses``: how much recall goes when the signal is switched off; negative where the rest do
    better without it, since a claim's e-values are averaged over the tests that were made.
    """
    names = list(records[0]["outcomes"]) if records else []
    rows: dict[str, Any] = {}
    for name in names:
        shares: dict[str, list[float]] = defaultdict(list)
        for record in records:
            for campaign, (hits, total) in record["outcomes"][name]["campaigns"].items():
                shares[campaign.rsplit("-", 1)[0]].append(hits / total)
        every = [s for ones in shares.values() for s in ones]
        rows[name] = {
            "recall": round(float(np.mean(every)), 4),
            "by_family": {k: round(float(np.mean(v)), 4) for k, v in sorted(shares.items())},
            "honest_accused": sum(r["outcomes"][name]["honest_accused"] for r in records),
        }
    for row in rows.values():
        row["loses"] = round(rows[EVERYTHING]["recall"] - row["recall"], 4)
    return {"worlds": len(records), "rows": rows}


def read_ablation(work: Path) -> dict[str, Any]:
    """Return the table over all records of a folder."""
    return ablation_table(read_records(work))
