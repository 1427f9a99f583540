"""Requests avoid the accounts that had one lately: a dispatcher at work."""

from __future__ import annotations

import numpy as np

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.hours import time_by_the_day
from stillwatch.signals.verdicts import not_enough, wagered
from stillwatch.stats import each_own_turns_e, turns_e

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
_LIKE_OTHERS = 4 / 3
_BEYOND_TIME = 1_000.0


def find(cohort: Cohort, population: Population) -> Finding:
    """Bet that the next request falls on none of the organizations of the last half round.

    Null: any order of the labels is as likely as another. A dealer that goes round comes back to
    nobody so soon (`stats.turns_e`). People work in sittings and crews in shifts, which
    brings the next request back sooner, so both lose the bet. Regular jobs take turns without
    anybody's hand, and a service's servers for its customers: where the accounts follow a clock
    (`hours.on_a_clock`) or leave through one host (`hours.one_host`) it counts as nothing.
    """
    labels = population.org[cohort.sid]
    if len(labels) < _MIN or len(np.unique(labels)) < 3:
        return not_enough(TEST, len(labels), "fewer than thirty requests or three organizations")
    turns = turns_e(labels)
    if np.isnan(turns.seen):
        return not_enough(TEST, len(labels), "the order of the accounts cannot matter")
    low, high = (min(max(turns.expected + k * turns.error, 0.0), 1.0) for k in (-2, 2))
    return wagered(
        TEST,
        turns.seen,
        turns.e_value,
        len(labels),
        Null("random order", turns.expected, low, high),
        f"{turns.seen:.0%} of {len(labels):,} requests fell on one of the last {turns.lag} "
        f"organizations; independent customers would give {turns.expected:.0%} "
        f"({low:.0%}–{high:.0%}) or more",
    )


def members_in_turn(cohort: Cohort) -> np.ndarray:
    """Return the subjects whose own requests come once a round, as those of others do, sorted.

    Each by itself: six requests and more, as many as the cohort's usual member give or take a
    third, and an e-value of 100 against a random order (`stats.own_turns_e`), and 1,000 times that
    of the same bet on its times, by the clock and by the cohort's hours of the day. Who keeps a
    clock or habits of its own is even in time, which the others' requests only blur; a dealer's
    gaps are even in requests of the cohort, and time blurs them. Where the dealer himself keeps an
    even pace the two cannot be told apart, and nobody is named. ``cohort``: of both parts.
    """
    if not len(cohort.sid):
        return np.zeros(0, dtype=np.int64)
    order = np.argsort(cohort.sid, kind="stable")
    sids, first, often = np.unique(cohort.sid[order], return_index=True, return_counts=True)
    n, usual = len(order), float(np.median(often))
    alike = (usual <= _LIKE_OTHERS * often) & (_LIKE_OTHERS * often <= _LIKE_OTHERS**2 * usual)
    own = np.split(order, first[1:])
    asked = np.flatnonzero((often >= _LEAST_OWN) & alike).tolist()
    e_value = each_own_turns_e([own[k] for k in asked], n)
    turns = [(k, e) for k, e in zip(asked, e_value.tolist(), strict=True) if e >= _OWN_E]
    clocks = [_spread(of, n) for of in (cohort.ts_us, time_by_the_day(cohort.ts_us))]
    timed = [each_own_turns_e([_apart(of[own[k]], n) for k, _ in turns], n) for of in clocks]
    by_time = np.maximum(*timed).tolist()
    found = [sids[k] for (k, e), t in zip(turns, by_time, strict=True) if e >= _BEYOND_TIME * t]
    return np.array(found, dtype=np.int64)


def _spread(times: np.ndarray, n: int) -> np.ndarray:
    """Return the times as places of ``n``, from the first to the last."""
    wide = float(np.ptp(times))
    place = (times - times.min()) / wide * (n - 1) if wide > 0 else np.zeros(len(times))
    return np.asarray(np.rint(place), dtype=np.int64)


def _apart(places: np.ndarray, n: int) -> np.ndarray:
    """Return ascending places below ``n`` in which no two are the same."""
    k = np.arange(len(places))
    return np.minimum(np.maximum.accumulate(places - k) + k, n - len(places) + k)
