"""One world, scanned by stillwatch with default settings, beside its truth."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stillwatch.bench.truth import Who
from stillwatch.scanner import ScanResult, scan
from stillwatch.schema import STAGES
from stillwatch.simulate import SimulatedWorld

__all__ = ["Cohort", "Verdict", "cohorts_of", "nearest_cohorts", "scanned"]


@dataclass(frozen=True)
class Verdict:
    """What a scan said of each account. ``seconds``: wall clock of the scan alone."""

    result: ScanResult
    standing: dict[str, str]
    e_value: dict[str, float]
    campaign: dict[str, str]
    role: dict[str, str]
    seconds: float

    @property
    def accused(self) -> frozenset[str]:
        return frozenset(a for a, s in self.standing.items() if s == "accused")


def scanned(
    made: SimulatedWorld, out: Path, *, alpha: float = 0.01, until: datetime | None = None,
    without: tuple[str, ...] = (),
) -> Verdict:  # fmt: skip
    """Scan a simulated world with its side tables, on one thread."""
    began = time.perf_counter()
    result = scan(
        [made.out / "exchanges"], accounts=made.accounts_csv, permits=made.permits_csv,
        ownership=made.ownership_csv, out=out, threads=1, alpha=alpha, until=until,
        without=without,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    table = result.accounts
    names = table["account_id"].to_pylist()

    def by_account(column: str) -> dict[str, Any]:
        values = zip(names, table[column].to_pylist(), strict=True)
        return {name: value for name, value in values if value is not None}

    return Verdict(
        result,
        by_account("standing"),
        by_account("e_value"),
        by_account("campaign_id"),
        by_account("role"),
        seconds,
    )


@dataclass(frozen=True)
class Cohort:
    """A tested hypothesis: the family most of its members are of, and its two e-values."""

    family: str
    e_coordinated: float
    e_extractive: float

    @property
    def e_value(self) -> float:
        """Return min of the two claims: what selection reads."""
        return min(self.e_coordinated, self.e_extractive)


def cohorts_of(run: Path, truth: dict[str, Who]) -> list[Cohort]:
    """Return the tested cohorts of a run directory with the truth about their members."""
    who = _members(run, truth)
    found = []
    for row in pq.read_table(run / STAGES / "cohort_scores.parquet").to_pylist():
        people = who.get(row["cohort"], [])
        if row["tested"] and people:
            family = Counter(p.family for p in people).most_common(1)[0][0]
            found.append(
                Cohort(family, _finite(row["e_coordinated"]), _finite(row["e_extractive"]))
            )
    return found


def nearest_cohorts(run: Path, truth: dict[str, Who]) -> dict[str, dict[str, Any]]:
    """Return, for each campaign, the cohort that holds most of it, and what became of that one.

    ``held``: share of the campaign's accounts in it; ``pure``: share of it that is the campaign;
    ``cohorts``: how many cohorts hold any of it. Without a cohort it was never found at all; not
    ``tested``: too small, or one payer's; else one of two claims was too weak.
    """
    who = _members(run, truth)
    sizes = Counter(str(w.campaign) for w in truth.values() if w.core)
    scores = {
        r["cohort"]: r for r in pq.read_table(run / STAGES / "cohort_scores.parquet").to_pylist()
    }
    inside = {
        cohort: Counter(str(p.campaign) for p in people if p.core) for cohort, people in who.items()
    }
    nearest: dict[str, dict[str, Any]] = {}
    for campaign, size in sorted(sizes.items()):
        holding = [c for c in inside if inside[c][campaign] and c in scores]
        if not holding:
            nearest[campaign] = {"cohorts": 0}
            continue
        best = max(holding, key=lambda c: (inside[c][campaign], scores[c]["tested"], -c))
        row = scores[best]
        nearest[campaign] = {
            "cohorts": len(holding), "held": round(inside[best][campaign] / size, 3),
            "pure": round(inside[best][campaign] / len(who[best]), 3), "tested": row["tested"],
            **{k: round(_finite(row[k]), 3) for k in ("e_screen", "e_coordinated", "e_extractive")},
        }  # fmt: skip
    return nearest


def _members(run: Path, truth: dict[str, Who]) -> dict[int, list[Who]]:
    stages = run / STAGES
    names = pq.read_table(stages / "subjects.parquet", columns=["sid", "account_id"])
    of_sid = dict(zip(names["sid"].to_pylist(), names["account_id"].to_pylist(), strict=True))
    members = pq.read_table(
        stages / "cohort_members.parquet", columns=["cohort", "sid", "how"]
    ).to_pylist()
    who: dict[int, list[Who]] = {}
    for row in members:
        account = of_sid.get(row["sid"])
        if row["how"] != "associated" and account in truth:
            who.setdefault(row["cohort"], []).append(truth[account])
    return who


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
