"""How soon a campaign is found: the log is cut where shares of its traffic have passed."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.bench.traffic import Traffic
from stillwatch.bench.truth import Who
from stillwatch.bench.verdict import scanned
from stillwatch.schema import from_micros
from stillwatch.simulate import SimulatedWorld

__all__ = ["SHARES", "look_again"]

SHARES: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_FOUND: Final = 0.5


def look_again(
    made: SimulatedWorld, traffic: Traffic, truth: dict[str, Who], campaign: str, work: Path
) -> dict[str, Any]:
    """Scan the log up to each share of the campaign's traffic until it is found.

    Found: half of the campaign's accounts that were active so far are accused. Every look is a
    scan of its own at the whole alpha, as if nobody had looked before.
    """
    mine = np.array([truth[n].core and truth[n].campaign == campaign for n in traffic.names])
    rows = np.flatnonzero(mine[traffic.account])
    looks = []
    for share in SHARES:
        last = rows[max(int(np.ceil(share * len(rows))), 1) - 1]
        until = from_micros(int(traffic.ts_us[last])) + timedelta(microseconds=1)
        run = work / "look"
        shutil.rmtree(run, ignore_errors=True)
        verdict = scanned(made, run, until=until)
        active = {traffic.names[a] for a in traffic.account[rows[rows <= last]]}
        accused = len(active & verdict.accused)
        looks.append(
            {
                "share": share, "requests": int((rows <= last).sum()), "active": len(active),
                "accused": accused,
                "hours": round((traffic.ts_us[last] - traffic.ts_us[rows[0]]) / 3.6e9, 2),
                "honest_accused": sum(truth[a].honest for a in verdict.accused),
                "honest_families": dict(
                    Counter(truth[a].family for a in sorted(verdict.accused) if truth[a].honest)
                ),
            }
        )  # fmt: skip
        if accused >= _FOUND * len(active):
            break
    shutil.rmtree(work / "look", ignore_errors=True)
    found = looks[-1]["accused"] >= _FOUND * looks[-1]["active"]
    first = next(truth[n] for n in traffic.names if truth[n].campaign == campaign)
    return {
        "campaign": campaign, "family": first.family, "rung": first.rung, "looks": looks,
        "total": len(rows), "found_at": looks[-1]["share"] if found else None,
        "hours": looks[-1]["hours"] if found else None,
    }  # fmt: skip
