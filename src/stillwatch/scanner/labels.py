"""What people found out about accounts, for the calibration: it can only make accusing harder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from stillwatch.schema import STAGES
from stillwatch.signals import Reference

__all__ = ["Labelled", "honest_cohorts", "labelled_cohorts", "widened"]

_SHARE = 0.5  # of a cohort's accounts, so many labels make the cohort what they say


class Labelled(NamedTuple):
    """Of earlier runs' tested cohorts: the scores of those found honest, and how many were found to
    distil. The latter change nothing: taking them out of a baseline would lower its tail, and so
    ask for less evidence."""

    honest: np.ndarray
    distilling: int


def labelled_cohorts(runs: list[Path], labels: Mapping[str, str]) -> Labelled:
    """Return the labelled cohorts of earlier runs.

    A cohort is honest where at least half of its accounts are labelled *false* and none *true*,
    distilling where at least half are labelled *true*. One account that appealed with success says
    nothing about a cohort of fifty.
    """
    honest: list[float] = []
    distilling = 0
    for run in runs if labels else []:
        for score, accounts in _tested(run):
            honest += [score] * _is_honest(accounts, labels)
            true = sum(labels.get(account) == "true" for account in accounts)
            distilling += true >= _SHARE * len(accounts)
    return Labelled(np.sort(np.array(honest)), distilling)


def honest_cohorts(run: Path, labels: Mapping[str, str]) -> list[set[str]]:
    """Return the accounts of each tested cohort of an earlier run that people found honest."""
    return [accounts for _, accounts in _tested(run) if _is_honest(accounts, labels)]


def _is_honest(accounts: set[str], labels: Mapping[str, str]) -> bool:
    mine = [labels.get(account) for account in accounts]
    return "true" not in mine and mine.count("false") >= _SHARE * len(mine)


def _tested(run: Path) -> Iterator[tuple[float, set[str]]]:
    """Yield the score and the accounts of each tested cohort of a run that has any, in order."""
    stages = run / STAGES
    subjects = pq.read_table(stages / "subjects.parquet", columns=["sid", "account_id"])
    account = dict(zip(*(subjects[c].to_pylist() for c in ("sid", "account_id")), strict=True))
    members: dict[int, set[str]] = {}
    table = pq.read_table(stages / "cohort_members.parquet", columns=["cohort", "sid"])
    for row in table.to_pylist():
        members.setdefault(row["cohort"], set()).add(account[row["sid"]])
    scores = pq.read_table(stages / "cohort_scores.parquet")
    for row in scores.select(["cohort", "tested", "score"]).sort_by("cohort").to_pylist():
        if row["tested"] and members.get(row["cohort"]):
            yield float(row["score"]), members[row["cohort"]]


def widened(reference: Reference, honest: np.ndarray) -> Reference:
    """Return a reference with honest cohorts added.

    They were looked at because they scored high, so that they weigh more than their share: the tail
    is never thinner, steeper or begun later than without them. Whoever calibrates by it takes the
    smaller e-value of the two all the same.
    """
    scores = np.sort(np.concatenate([reference.scores, honest]))
    above = scores[scores > reference.tail_start] - reference.tail_start
    share = len(above) / len(scores)
    scale = float(above.mean()) if len(above) else 0.0
    return replace(
        reference, scores=scores, tail_share=max(reference.tail_share, share),
        tail_scale=max(reference.tail_scale, scale),
    )  # fmt: skip
