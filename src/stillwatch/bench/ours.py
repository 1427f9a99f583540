"""stillwatch as a detector of the harness: the same log with its side tables, default settings."""

from __future__ import annotations

import numpy as np

from stillwatch.bench.detector import Facts, Outcome
from stillwatch.bench.verdict import Verdict

__all__ = ["FACTS", "outcome_of"]

FACTS = Facts(
    name="stillwatch",
    title="stillwatch",
    source="this project, default settings",
    published="docs/benchmark.md",
    differs="reads the side tables of accounts, permits and ownership as `scan` does; the "
    "baselines read the log alone",
)
_ACCUSED = 1_000.0


def outcome_of(verdict: Verdict, names: list[str]) -> Outcome:
    """Return scores by account: accused ones first, then core members by their campaign's e-value.

    Periphery has none: it is linked, and by rule never accused.
    """
    score = np.zeros(len(names))
    flagged = np.zeros(len(names), dtype=bool)
    group = np.full(len(names), -1, dtype=np.int64)
    codes: dict[str, int] = {}
    for number, name in enumerate(names):
        flagged[number] = verdict.standing.get(name) == "accused"
        core = verdict.role.get(name) == "core"
        e_value = max(verdict.e_value.get(name, 0.0), 0.0) if core else 0.0
        score[number] = np.log1p(min(e_value, 1e300)) + _ACCUSED * flagged[number]
        if flagged[number]:
            group[number] = codes.setdefault(verdict.campaign[name], len(codes))
    return Outcome(score, flagged, group)
