"""Do owners choose among a few kinds alike, or each by a habit of its own?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import P_FLOOR, FloatArray, IntArray, as_ints, require_open_unit

__all__ = ["HabitResult", "habit_p"]

DRAWS = 20_000
_MOST_WAYS = 20_000
_STEPS: FloatArray = np.geomspace(0.02, 20.0, 60)


class HabitResult(NamedTuple):
    """The correlation of two choices of one owner (unbiased, may be negative), and its p-value."""

    correlation: float
    p_value: float


def habit_p(counts: ArrayLike, least: float, rng: np.random.Generator) -> HabitResult:
    """Return the p-value of "two choices of one owner correlate by ``least`` or more".

    Small where every owner draws from one common mix. The statistic is Pearson's
    ``S = k/(k-1) sum_ij (x_ij - n_i p_j)^2 / (n_i p_j)`` with the pooled shares p_j; under the
    Dirichlet-multinomial of correlation r its mean is ``(J-1) sum_i (1 + (n_i - 1) r)``. The
    p-value is Chernoff's bound ``min_t exp(t S) prod_i E[exp(-t X_i)]`` at r = ``least``, each
    expectation from 20,000 draws.

    Args:
        counts: shape (k, J), whole, >= 0: how often owner i chose kind j.
        least: correlation under the null, in (0, 1).
        rng: where the draws come from.

    Returns:
        p in [1e-300, 1]. Both NaN with fewer than two owners of two choices, or one kind.

    Raises:
        EvidenceError: a negative or fractional count, not a matrix, ``least`` outside (0, 1).

    Error: an upper bound, for one law of habits (Dirichlet); five to twenty times above the exact
    p at its lower tail. The expectations have 1 % error: a factor of about 1.5 on p with 45 owners.
    Source: Mosimann 1962, Biometrika 49 (the law and its moments); Chernoff 1952.
    """
    require_open_unit(least, "habit_p: least")
    table = np.asarray(counts)
    if table.ndim != 2:
        raise EvidenceError(f"got {table.ndim} dimensions, expected two", where="habit_p: counts")
    table = as_ints(table.ravel(), "habit_p: counts", at_least=0).reshape(table.shape)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    owners, kinds = table.shape
    n: IntArray = table.sum(axis=1)
    if owners < 2 or kinds < 2 or (n >= 2).sum() < 2:
        return HabitResult(float("nan"), float("nan"))
    shares = table.sum(axis=0) / table.sum()
    expected = n[:, None] * shares
    seen = float((np.square(table - expected) / expected).sum()) * owners / (owners - 1)
    correlation = (seen / (kinds - 1) - owners) / float((n - 1).sum())
    if correlation >= least:  # above its mean under the null the bound is 1
        return HabitResult(correlation, 1.0)
    exponent = _STEPS * seen
    sizes, many = np.unique(n, return_counts=True)
    for size, times in zip(sizes.tolist(), many.tolist(), strict=True):
        exponent += times * np.log(_transform(int(size), shares, least, rng))
    p_value = float(np.exp(min(float(exponent.min()), 0.0)))
    return HabitResult(correlation, min(1.0, max(P_FLOOR, p_value)))


def _transform(size: int, shares: FloatArray, least: float, rng: np.random.Generator) -> FloatArray:
    """Return E[exp(-t X)] of one owner of ``size`` choices, for every step t."""
    own = rng.dirichlet(shares * (1 - least) / least, DRAWS)
    drawn = rng.multinomial(size, own / own.sum(axis=1, keepdims=True))
    values, often = _distances(drawn, size * shares)
    return np.asarray(np.exp(-_STEPS[:, None] * values) @ (often / DRAWS))


def _distances(drawn: IntArray, expected: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the different distances of the rows drawn, sorted, and how often each came.

    Few choices among few kinds can be made in few ways: then each way is measured once.
    """
    size, others = int(drawn[0].sum()), drawn.shape[1] - 1  # the last kind is what they leave
    if (size + 1) ** others > _MOST_WAYS:
        distance = (np.square(drawn - expected) / expected).sum(axis=1)
        return np.unique(distance, return_counts=True)
    digit = (size + 1) ** np.arange(others)
    counted = np.bincount(sum(drawn[:, k] * digit[k] for k in range(others)))
    ways = np.flatnonzero(counted)
    chosen = ways[:, None] // digit % (size + 1)
    chosen = np.column_stack([chosen, size - chosen.sum(axis=1)])
    distance = (np.square(chosen - expected) / expected).sum(axis=1)
    values, which = np.unique(distance, return_inverse=True)
    return values, np.bincount(which, weights=counted[ways]).astype(np.int64)
