"""All members choose among the same templates in the same proportions."""

from __future__ import annotations

import numpy as np

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.verdicts import evaluated, not_enough
from stillwatch.stats import habit_p, spread_rows

__all__ = ["HABIT", "TEST", "find"]

TEST = CohortTest(
    name="shared_mix",
    title="One mix of templates",
    claim="coordinated",
    null="organizations choose among the templates by habits of their own: two requests of one "
    "agree by a correlation of at least 0.1",
    needs=("messages",),
    own=True,
)
HABIT = 0.1
_MIN_ORGANIZATIONS = 8
_MIN_PAIRS = 30
_LEAST_SHARE = 0.05
_PER_ORGANIZATION = 24


def find(cohort: Cohort, population: Population) -> Finding:
    """Test whether organizations choose among the cohort's templates alike.

    Customers of one product with several templates have habits: the next request of one is more
    often of the kind of its last one. A generator deals templates to all its accounts alike. What
    is always sent together is one template, and templates below a twentieth are left out. At most
    two dozen requests of an organization, evenly spaced, are counted.

    A product that runs all its templates for every customer in the same proportions (a pipeline)
    rejects too, and is coordinated in that sense: what it asks for decides.
    """
    known = cohort.fresh & cohort.answered & (cohort.variant >= 0)
    variant, org = cohort.variant[known], population.org[cohort.sid[known]]
    kinds, code = np.unique(variant, return_inverse=True)
    often = np.bincount(code, minlength=len(kinds))
    wide = often >= _LEAST_SHARE * max(len(code), 1)
    kept = wide[code] if len(code) else np.zeros(0, dtype=bool)
    owners, owner = np.unique(org[kept], return_inverse=True)
    _, kind = np.unique(code[kept], return_inverse=True)
    thin = spread_rows(owner, _PER_ORGANIZATION)
    counts = np.zeros((len(owners), int(wide.sum())), dtype=np.int64)
    np.add.at(counts, (owner[thin], kind[thin]), 1)
    counts = counts[counts.sum(axis=1) >= 2]
    pairs = int((counts.sum(axis=1) - 1).sum())
    if len(counts) < _MIN_ORGANIZATIONS or pairs < _MIN_PAIRS or (counts.sum(axis=0) > 0).sum() < 2:
        return not_enough(
            TEST, len(counts), "fewer than two templates, or than eight organizations that choose"
        )
    result = habit_p(counts, HABIT)
    return evaluated(
        TEST,
        result.correlation,
        result.p_value,
        len(counts),
        Null("habits of one's own", HABIT, HABIT, 1.0),
        f"Which of {counts.shape[1]} templates is sent next correlates by {result.correlation:.2f} "
        f"with what the same organization sent before ({len(counts)} organizations); habits "
        f"would give {HABIT:g} and more",
    )
