"""Do owners choose among a few kinds alike, or each by a habit of its own?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike
from scipy.special import gammaln

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import P_FLOOR, FloatArray, IntArray, as_ints, require_open_unit

__all__ = ["HabitResult", "habit_p"]

_STEPS: FloatArray = np.geomspace(0.02, 20.0, 60)


class HabitResult(NamedTuple):
    """The correlation of two choices of one owner (unbiased, may be negative), and its p-value."""

    correlation: float
    p_value: float


def habit_p(counts: ArrayLike, least: float) -> HabitResult:
    """Return the p-value of "two choices of one owner correlate by ``least`` or more".

    Small where every owner draws from one common mix. The statistic is Pearson's
    ``S = k/(k-1) sum_ij (x_ij - n_i p_j)^2 / (n_i p_j)`` with the pooled shares p_j; under the
    Dirichlet-multinomial of correlation r its mean is ``(J-1) sum_i (1 + (n_i - 1) r)``. The
    p-value is Chernoff's bound ``min_t exp(t S) prod_i E[exp(-t X_i)]`` at r = ``least``, over
    sixty steps t.

    Args:
        counts: shape (k, J), whole, >= 0: how often owner i chose kind j.
        least: correlation under the null, in (0, 1).

    Returns:
        p in [1e-300, 1]. Both NaN with fewer than two owners of two choices, or one kind.

    Raises:
        EvidenceError: a negative or fractional count, not a matrix, ``least`` outside (0, 1).

    Error: an upper bound, for one law of habits (Dirichlet); five to twenty times above the exact
    p at its lower tail. The expectations are exact (to 1e-9).
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
        exponent += times * _log_transform(int(size), shares, least)
    p_value = float(np.exp(min(float(exponent.min()), 0.0)))
    return HabitResult(correlation, min(1.0, max(P_FLOOR, p_value)))


def _log_transform(size: int, shares: FloatArray, least: float) -> FloatArray:
    """Return log E[exp(-t X)] of one owner of ``size`` choices, for every step t.

    ``X = sum_j x_j^2 / (n p_j) - n``, and x weighs ``prod_j G(x_j + a_j) / (G(a_j) x_j!)``: the
    expectation is the coefficient of z^n in a product of polynomials, one for each kind.
    """
    ways: IntArray = np.arange(size + 1)
    whole = (1 - least) / least
    expected, prior = size * shares[:, None], whole * shares[:, None]
    weight = gammaln(ways + prior) - gammaln(prior) - gammaln(ways + 1.0)
    # A price for each choice, the same for all kinds, makes the likeliest choices the cheapest of
    # each kind: the largest term is then of order one at every step, so what underflows is nothing.
    price = np.partition(((2 * ways[:-1] + 1) / expected).ravel(), size - 1)[size - 1]
    cost = np.square(ways) / expected - price * ways
    cheapest = cost.min(axis=1, keepdims=True)
    terms = np.exp(weight[:, None] - _STEPS[:, None] * (cost - cheapest)[:, None])
    product = terms[0]
    for term in terms[1:]:
        product = _times(product, term)
    scale = gammaln(size + 1.0) + gammaln(whole) - gammaln(size + whole)
    paid = size - price * size - float(cheapest.sum())
    return np.asarray(scale + _STEPS * paid + np.log(product[:, -1]))


def _times(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return the products of the polynomials in the rows, cut off after the given degree."""
    degree = one.shape[1] - 1
    padded = np.pad(one, ((0, 0), (degree, 0)))
    shifted = sliding_window_view(padded, degree + 1, axis=1)
    return np.asarray(np.einsum("tmx,tx->tm", shifted, other[:, ::-1]))
