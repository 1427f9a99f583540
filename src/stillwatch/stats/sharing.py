"""A cohort shares values when its members hold the same rare value more than a sample would."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray, IntArray, as_ints, p_from_log
from stillwatch.stats.hypergeometric import hypergeometric_log_tail, hypergeometric_log_zero

__all__ = ["Holdings", "SharingResult", "shared_value_test"]


@dataclass(frozen=True)
class SharingResult:
    """How much a cohort shares values, and how surprising that is.

    ``n_present`` members have a value, ``n_shared`` of them one that another member has
    too (``expected_shared`` in a sample). ``top_value`` is the most surprising value and
    ``top_count`` its members (-1 and 0 if none is shared). ``p_value`` joins ``p_one``
    (one value over-shared) and ``p_many`` (many rare values shared): twice the smaller.
    """

    p_value: float
    p_one: float
    p_many: float
    n_present: int
    n_shared: int
    expected_shared: float
    top_value: int
    top_count: int


class Holdings:
    """How many items of a population hold each value, summed up once for many tests.

    ``counts``: items by code; ``sizes``, ``values``: how many values have which count; ``total``:
    items with a value.
    """

    def __init__(self, counts: ArrayLike) -> None:
        """Sum up. Raises EvidenceError for a negative or fractional count."""
        self.counts = as_ints(counts, "shared_value_test: population_counts", at_least=0)
        self.sizes, self.values = np.unique(self.counts[self.counts > 0], return_counts=True)
        self.total = int(self.counts.sum())
        self._expected: dict[int, float] = {}

    def expected(self, n: int) -> float:
        """Return the mean number of members, in a sample of n, whose value another member has."""
        if n not in self._expected:
            alone = hypergeometric_log_zero(self.total - 1, self.sizes - 1, n - 1)
            shares = self.sizes * self.values / self.total
            self._expected[n] = float(n * (shares * -np.expm1(alone)).sum())
        return self._expected[n]


def shared_value_test(
    labels_cohort: ArrayLike, population_counts: ArrayLike | Holdings
) -> SharingResult:
    """Test whether members share values more than a random sample of the population.

    Null: the n members with a value are a random sample without replacement from the N
    items with a value.

    1. *One value.* Given a member's value, held by m items, the other ``c - 1`` members
       with it follow Hypergeometric(N - 1, m - 1, n - 1) with tail q. As each of the c
       members tells of the same value, ``P(min over values of q/c <= s) <= n s``, so
       ``p_one = n min q/c``. (Bonferroni over the values that *turned out* shared would
       not be valid: their number is random.)
    2. *Many values.* S counts the members with a shared value that a sample would hold
       at most once on average (``m n <= N``). The counts of values are negatively
       associated, so the Chernoff bound of a sum of independent counts holds for S, with
       each generating function bounded by the binomial's.

    Args:
        labels_cohort: shape (members,), codes of values; -1 is missing, matches nothing.
        population_counts: shape (codes,), how many items of the population, the cohort
            included, have each value; missing ones are left out. Or the same as `Holdings`.

    Returns:
        p-values in [1e-300, 1]; NaN with fewer than 2 members that have a value.

    Raises:
        EvidenceError: codes outside -1..codes-1, negative counts, or more members with a
            value than the population has.

    Error: P(p <= t) <= t for every t. p_one exact up to its union bound (within 1.2 times
    for pairs). p_many is a Chernoff bound: 2 to 8 times too large down to 0.001; below,
    its logarithm is 0.65 to 0.9 of the exact one (pairs, cohorts of 30 to 100).
    Source: Joag-Dev & Proschan 1983, Annals of Statistics 11(1), section 3 (negative
    association); Hoeffding 1963, JASA 58, theorem 4 (binomial majorant).
    """
    labels = as_ints(labels_cohort, "shared_value_test: labels_cohort", at_least=-1)
    held = (
        population_counts
        if isinstance(population_counts, Holdings)
        else Holdings(population_counts)
    )
    present = labels[labels >= 0]
    if present.size and int(present.max()) >= held.counts.size:
        raise EvidenceError(
            f"got code {int(present.max())}, expected < {held.counts.size}",
            where="shared_value_test: labels_cohort",
        )
    codes, counts = np.unique(present, return_counts=True)
    if bool((counts > held.counts[codes]).any()):
        raise EvidenceError(
            "more members than items have a value; count the cohort in the population",
            where="shared_value_test: population_counts",
        )
    n, several = int(present.size), counts >= 2
    shared, times = codes[several], counts[several]
    n_shared = int(times.sum())
    if n < 2:
        nan = float("nan")
        return SharingResult(nan, nan, nan, n, n_shared, nan, -1, 0)
    p_one, top = _one_value(times, held.counts[shared], held.total, n)
    rare = held.counts[shared] * n <= held.total
    p_many = _many_values(int(times[rare].sum()), held.sizes, held.values, n)
    return SharingResult(
        p_value=min(1.0, 2.0 * min(p_one, p_many)),
        p_one=p_one,
        p_many=p_many,
        n_present=n,
        n_shared=n_shared,
        expected_shared=held.expected(n),
        top_value=-1 if top < 0 else int(shared[top]),
        top_count=0 if top < 0 else int(times[top]),
    )


def _one_value(c: IntArray, held: IntArray, population: int, n: int) -> tuple[float, int]:
    """Return the p-value of the most surprising of the shared values, and its place (or -1)."""
    if c.size == 0:
        return 1.0, -1
    tails = hypergeometric_log_tail(c - 1, population - 1, held - 1, n - 1)
    weighed = tails - np.log(c)
    top = int(np.argmin(weighed))
    return p_from_log(float(weighed[top]) + float(np.log(n))), top


def _many_values(seen: int, sizes: IntArray, values: IntArray, n: int) -> float:
    """Return ``min over x > 0 of exp(sum over values of log E[exp(x f)] - x seen)``."""
    if seen == 0:
        return 1.0
    population = int((sizes * values).sum())
    keep = (sizes >= 2) & (sizes * n <= population)
    if not bool(keep.any()):
        return 1.0
    m, weight, share = sizes[keep].astype(np.float64), values[keep], n / population
    once = m * share * np.exp(hypergeometric_log_zero(population - 1, sizes[keep] - 1, n - 1))
    trials, chance = np.minimum(m, n), np.where(m <= n, share, m / population)

    def exponent(x: float) -> float:
        growth = float(np.expm1(x))
        log_binomial = trials * np.log1p(chance * growth)
        small = log_binomial < 30.0
        excess: FloatArray = np.expm1(np.minimum(log_binomial, 30.0)) - once * growth
        # f is the count, except that a count of one is none; below it never pays less than 1.
        terms = np.where(small, np.log1p(np.maximum(excess, 0.0)), log_binomial)
        return float((weight * terms).sum()) - x * seen

    best = minimize_scalar(exponent, bounds=(0.0, 60.0), method="bounded")
    return p_from_log(float(best.fun))
