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

__all__ = ["Cohort", "Verdict", "cohorts_of", "scanned"]


@dataclass(frozen=True)
class Verdict:
    """What a scan said of each account. ``seconds``: wall clock of the scan alone."""

    result: ScanResult
    standing: dict[str, str]
    e_value: dict[str, float]
    campaign: dict[str, str]
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
        result, by_account("standing"), by_account("e_value"), by_account("campaign_id"), seconds
    )


@dataclass(frozen=True)
class Cohort:
    """A tested hypothesis: the family most of its members are of, and its two e-values."""

    family: str
    core_share: float
    e_coordinated: float
    e_extractive: float

    @property
    def e_value(self) -> float:
        """Return min of the two claims: what selection reads."""
        return min(self.e_coordinated, self.e_extractive)


def cohorts_of(run: Path, truth: dict[str, Who]) -> list[Cohort]:
    """Return the tested cohorts of a run directory with the truth about their members."""
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
    found = []
    for row in pq.read_table(stages / "cohort_scores.parquet").to_pylist():
        people = who.get(row["cohort"], [])
        if row["tested"] and people:
            family = Counter(p.family for p in people).most_common(1)[0][0]
            share = sum(p.core for p in people) / len(people)
            found.append(
                Cohort(family, share, _finite(row["e_coordinated"]), _finite(row["e_extractive"]))
            )
    return found


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
