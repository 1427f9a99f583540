"""Window MMD under its paper's own protocol: windows drawn at random, pure and mixed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.bench.baselines.window_mmd import WINDOW, fit_mmd, share_found
from stillwatch.bench.records import once, read_records
from stillwatch.bench.scenarios import scenario
from stillwatch.bench.traffic import read_traffic
from stillwatch.bench.truth import read_truth

__all__ = ["check_world", "check_worlds", "read_check"]

FIRST_SEED: Final = 680_000
SHARES: Final = (0.0, 0.05, 0.1, 0.25, 1.0)
PUBLISHED: Final = {"0": 0.0029, "0.05": 0.59, "0.1": 0.94, "0.25": 1.0, "1": 1.0}
_WINDOWS: Final = 60


def check_world(world: str, seed: int, work: Path) -> dict[str, Any]:
    """Return the share of windows flagged at each share of campaign prompts, by campaign.

    The benign prompts are halved: one half fits the test, windows are drawn from the other.
    """
    folder = work / f"{world}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    made = scenario(world).make(seed, folder)
    truth = read_truth(made.truth_parquet)
    traffic = read_traffic(made.out / "exchanges")
    shutil.rmtree(folder)
    rng = np.random.default_rng(seed)
    who = [truth[n] for n in traffic.names]
    honest = np.array([w.honest for w in who])[traffic.account]
    rows = rng.permutation(np.flatnonzero(honest))
    fitting, drawing = np.array_split(rows, 2)
    test = fit_mmd(traffic.topic[fitting], min(WINDOW, len(fitting) // 3), rng)
    benign = traffic.topic[drawing]
    flagged: dict[str, dict[str, float]] = {}
    for campaign in sorted({str(w.campaign) for w in who if w.core}):
        mine = np.array([w.core and w.campaign == campaign for w in who])[traffic.account]
        attack = traffic.topic[mine]
        flagged[campaign] = {
            f"{share:g}": share_found(test, benign, attack, share, _WINDOWS, rng)
            for share in SHARES
        }
    return {
        "world": world, "seed": seed, "window": len(test.reference), "windows": _WINDOWS,
        "flagged": flagged,
    }  # fmt: skip


def check_worlds(world: str, worlds: int, work: Path) -> None:
    """Judge worlds that are not there yet, one JSON file each."""
    for seed in range(FIRST_SEED, FIRST_SEED + worlds):
        once(work / f"{world}-{seed}.json", lambda seed=seed: check_world(world, seed, work))  # type: ignore[misc]


def read_check(work: Path) -> dict[str, Any]:
    """Return the mean share of windows flagged, beside the published figures."""
    records = read_records(work)
    rows = [shares for r in records for shares in r["flagged"].values()]
    return {
        "worlds": len(records), "campaigns": len(rows),
        "window": sorted({r["window"] for r in records}),
        "flagged": {
            f"{share:g}": round(float(np.mean([r[f"{share:g}"] for r in rows])), 4)
            for share in SHARES
            if rows
        },
        "published": PUBLISHED,
        "differs": "the kernel's 64-byte projection for bge-small embeddings; simulated prompts; "
        "benign windows mix all honest families, where the paper draws from one data set",
    }  # fmt: skip
