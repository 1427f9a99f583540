"""Members take new address prefixes out of one pool that the others have used: shared proxies."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.stats import hypergeom

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.verdicts import evaluated, not_enough

__all__ = ["TEST", "find"]

TEST = CohortTest(
    name="rotating_exits",
    title="New address prefixes out of one pool",
    claim="coordinated",
    null="a new prefix of a member is one that others of the cohort had used as often as anybody's",
    needs=("ip",),
)
_LEAST_POOL: Final = 8
_LEAST_MOVED: Final = 8


def find(cohort: Cohort, population: Population) -> Finding:
    """Ask whether the first new prefix of a member in part B is one of the pool of part A.

    The pool: prefixes that two organizations of the cohort used in part A, eight at least, since
    a vendor's host, an office or a cheap cloud has a few, and stays on them. Null: the first new
    prefix of an organization of the cohort falls into the pool as often as anybody else's:
    the hypergeometric tail is exact, whatever had suggested the cohort in part A. Subscribers of
    one carrier or VPN reject it too; what they ask for decides. Without a template in common it
    counts as nothing, unless one hand deals evenly (`dealt_evenly`): who buys ready-made accounts
    gets the seller's proxies with them.
    """
    moved = population.moved
    if moved is None:
        return not_enough(TEST, 0, "read in the test blocks only")
    mine = np.zeros(len(moved.first_new), dtype=bool)
    mine[population.org[np.setdiff1d(cohort.members, cohort.trimmed)]] = True
    pool = np.flatnonzero(np.bincount(moved.prefix[mine[moved.org]]) >= 2)
    if len(pool) < _LEAST_POOL:
        return not_enough(
            TEST, 0, f"they share {len(pool)} prefix{'es' * (len(pool) != 1)}: a place, not a pool"
        )
    went = moved.first_new >= 0
    inside = np.isin(moved.first_new, pool)
    n, k = int((went & mine).sum()), int((inside & mine).sum())
    others, theirs = int((went & ~mine).sum()), int((inside & ~mine).sum())
    if n < _LEAST_MOVED or not others:
        return not_enough(TEST, n, "fewer than eight organizations took a new prefix")
    expected = n * (k + theirs) / (n + others)
    low, high = (float(q) for q in hypergeom.interval(0.95, n + others, k + theirs, n))
    return evaluated(
        TEST,
        float(k),
        float(hypergeom.sf(k - 1, n + others, k + theirs, n)),
        n,
        Null("anybody's new prefixes", expected, low, high),
        f"{k} of {n} organizations that took a new address prefix took one of the {len(pool)} "
        f"that the cohort had shared before; of everybody else {theirs} of {others} did",
    )
