"""Requests avoid the accounts that had one lately: a dispatcher at work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.verdicts import evaluated, not_enough
from stillwatch.stats import own_turns_e, turns_e

__all__ = ["TEST", "find", "members_in_turn"]

TEST = CohortTest(
    name="round_robin",
    title="Requests take turns over the accounts",
    claim="coordinated",
    null="given the times, the order of the accounts is random or clustered",
    needs=("ts",),
    own=True,
)
_MIN = 30
_LEAST_OWN = 6
_OWN_E = 100.0
_BLURRED = 1.1


def find(cohort: Cohort, population: Population) -> Finding:
    """Bet that the next request falls on none of the organizations of the last half round.

    Null: any order of the labels is as likely as another. A dealer that goes round comes back to
    nobody so soon (`stats.turns_e`). People work in sittings and crews in shifts, which
    brings the next request back sooner, so both lose the bet. Regular jobs take turns without
    anybody's hand: where the accounts follow a clock (`hours.on_a_clock`) it counts as nothing.
    """
    labels = population.org[cohort.sid]
    if len(labels) < _MIN or len(np.unique(labels)) < 3:
        return not_enough(TEST, len(labels), "fewer than thirty requests or three organizations")
    turns = turns_e(labels)
    if np.isnan(turns.seen):
        return not_enough(TEST, len(labels), "the order of the accounts cannot matter")
    low, high = (min(max(turns.expected + k * turns.error, 0.0), 1.0) for k in (-2, 2))
    found = evaluated(
        TEST,
        turns.seen,
        1 / max(turns.e_value, 1.0),
        len(labels),
        Null("random order", turns.expected, low, high),
        f"{turns.seen:.0%} of {len(labels):,} requests fell on one of the last {turns.lag} "
        f"organizations; independent customers would give {turns.expected:.0%} "
        f"({low:.0%}–{high:.0%}) or more",
    )
    return replace(found, e_value=turns.e_value)


def members_in_turn(cohort: Cohort) -> np.ndarray:
    """Return the subjects whose own requests come once in every round of the cohort's, sorted.

    Each by itself: six requests and more, and an e-value of 100 against a random order
    (`stats.own_turns_e`). Who keeps a clock of its own has even gaps in time, which the others'
    requests only blur; a dealer's gaps are even in requests of the cohort, and time blurs them. So
    its gaps may vary by a tenth more, at most, when they are counted in requests than in time.
    ``cohort``: its exchanges of both parts.
    """
    found = []
    order = np.argsort(cohort.sid, kind="stable")
    sids, first = np.unique(cohort.sid[order], return_index=True)
    for sid, places in zip(sids.tolist(), np.split(order, first[1:]), strict=True):
        if len(places) < _LEAST_OWN:
            continue
        if _varies(np.diff(places)) > _BLURRED * _varies(np.diff(cohort.ts_us[places])):
            continue
        if own_turns_e(places, len(order)) >= _OWN_E:
            found.append(sid)
    return np.array(found, dtype=np.int64)


def _varies(gaps: np.ndarray) -> float:
    """Return the standard deviation over the mean; 0 where all are 0."""
    mean = float(gaps.mean())
    return float(gaps.std()) / mean if mean > 0 else 0.0
