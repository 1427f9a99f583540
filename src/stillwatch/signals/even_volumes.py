"""Volumes per account are more equal than independent customers' volumes ever are."""

from __future__ import annotations

import numpy as np

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.data import Cohort, Population
from stillwatch.signals.verdicts import evaluated, not_enough
from stillwatch.stats import fano, poisson_dispersion_p

__all__ = ["TEST", "find"]

TEST = CohortTest(
    name="even_volumes",
    title="Equal volumes",
    claim="coordinated",
    null="requests per account are at least as uneven as equal Poisson customers'",
    needs=("ts",),
    own=True,
)
_MIN_ACCOUNTS = 8
_MIN_MEAN = 2.0


def find(cohort: Cohort, population: Population) -> Finding:
    """Test under-dispersion of requests per account against the multinomial null.

    Independent customers differ in appetite, so their counts are over-dispersed and the test
    is conservative for them; only an allocator makes counts more equal than chance. Members that
    sent nothing in the test blocks count as zero: leaving them out would look like evenness.
    """
    del population
    heard = np.setdiff1d(np.union1d(cohort.members, cohort.sid), cohort.trimmed)
    counts = np.bincount(np.searchsorted(heard, cohort.sid), minlength=len(heard))
    if len(counts) < _MIN_ACCOUNTS or counts.mean() < _MIN_MEAN:
        return not_enough(TEST, len(counts), "fewer than eight accounts or two requests each")
    ratio = float(fano(counts))
    spread = 2 * float(np.sqrt(2 / (len(counts) - 1)))
    return evaluated(
        TEST,
        ratio,
        float(poisson_dispersion_p(counts, "lower")),
        len(counts),
        Null("equal Poisson customers", 1.0, max(0.0, 1 - spread), 1 + spread),
        f"The variance of requests per account is {ratio:.2f} times the mean over {len(counts)} "
        "accounts; even identical independent customers would give 1",
    )
