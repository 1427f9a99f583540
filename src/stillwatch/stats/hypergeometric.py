"""Tails of the hypergeometric law in logarithms, for millions of items and p near 1e-300.

X is the number of marked items among ``drawn``, drawn without replacement from
``population`` items of which ``marked`` are marked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray, IntArray

__all__ = [
    "hypergeometric_log_pmf",
    "hypergeometric_log_tail",
    "hypergeometric_log_zero",
    "hypergeometric_log_zeros",
]

PRODUCT_LIMIT = 4_000_000
"""Up to so many marked items, P(X = 0) is a product of factors, exact to the last digits."""


def hypergeometric_log_pmf(
    k: ArrayLike, population: ArrayLike, marked: ArrayLike, drawn: ArrayLike
) -> FloatArray:
    """Return ``log P(X = k)``, broadcast; -inf where k is impossible.

    Raises:
        EvidenceError: marked or drawn outside 0..population.

    Error: relative 1e-7 or better up to a population of 1e8 (log-gamma).
    """
    k, n_all, m, n = _broadcast(k, population, marked, drawn)
    possible = (k >= np.maximum(0.0, n + m - n_all)) & (k <= np.minimum(n, m))
    x = np.where(possible, k, np.maximum(0.0, n + m - n_all))
    out = _log_choose(m, x) + _log_choose(n_all - m, n - x) - _log_choose(n_all, n)
    return np.where(possible, np.minimum(out, 0.0), -np.inf)


def hypergeometric_log_tail(
    k: ArrayLike, population: ArrayLike, marked: ArrayLike, drawn: ArrayLike
) -> FloatArray:
    """Return ``log P(X >= k)``, broadcast; 0 where certain, -inf where impossible.

    From k above the mean the terms are summed upwards by their ratios; below it the
    complement is summed downwards. Some ten standard deviations of terms suffice.

    Raises:
        EvidenceError: marked or drawn outside 0..population.

    Error: relative 1e-7 or better up to a population of 1e8 (log-gamma).
    """
    k, n_all, m, n = _broadcast(k, population, marked, drawn)
    out = np.zeros(k.shape, dtype=np.float64)
    out[k > np.minimum(n, m)] = -np.inf
    inside = (k > np.maximum(0.0, n + m - n_all)) & (k <= np.minimum(n, m))
    above = inside & (k * n_all >= n * m)
    below = inside & ~above
    a = (k[above], n_all[above], m[above], n[above])
    out[above] = hypergeometric_log_pmf(*a) + _log_series(*a, step=1)
    b = (k[below] - 1.0, n_all[below], m[below], n[below])
    rest = np.exp(hypergeometric_log_pmf(*b) + _log_series(*b, step=-1))
    out[below] = np.log1p(-np.minimum(rest, 1.0 - 1e-15))
    return np.minimum(out, 0.0)


def hypergeometric_log_zero(population: int, marked: IntArray, drawn: int) -> FloatArray:
    """Return ``log P(X = 0)`` for each number of marked items, -inf where impossible.

    Args:
        population: N >= 0.
        marked: shape (k,), each in 0..N.
        drawn: in 0..N.

    Raises:
        EvidenceError: marked or drawn outside 0..N.

    Error: exact to about 1e-12 (a running sum of log factors) up to ``PRODUCT_LIMIT``
    marked items, beyond that log-gamma.
    """
    if not (
        0 <= drawn <= population
        and (not marked.size or (int(marked.min()) >= 0 and int(marked.max()) <= population))
    ):
        raise EvidenceError("expected 0 <= marked, drawn <= population", where="hypergeometric")
    out = np.full(marked.shape, -np.inf, dtype=np.float64)
    possible = marked <= population - drawn
    small = possible & (marked <= PRODUCT_LIMIT)
    if bool(small.any()):
        j = np.arange(int(marked[small].max()), dtype=np.float64)
        factors = np.log1p(-float(drawn) / (population - j))
        sums = np.zeros(j.size + 1)
        np.cumsum(factors, out=sums[1:])
        out[small] = sums[marked[small]]
    large = possible & ~small
    if bool(large.any()):
        out[large] = hypergeometric_log_pmf(0.0, population, marked[large], drawn)
    return out


def hypergeometric_log_zeros(population: int, marked: IntArray, draws: IntArray) -> FloatArray:
    """Return `hypergeometric_log_zero` for several numbers drawn, shape (draws, marked).

    Up to ``PRODUCT_LIMIT`` factors for all draws together are held at once, else one draw's.
    """
    most = int(marked.max(initial=0))
    if most * len(draws) > PRODUCT_LIMIT:
        return np.stack([hypergeometric_log_zero(population, marked, n) for n in draws.tolist()])
    sums = np.zeros((len(draws), most + 1))
    with np.errstate(divide="ignore", invalid="ignore"):  # of what is impossible, masked below
        factors = np.log1p(-draws[:, None] / (population - np.arange(most, dtype=np.float64)))
    np.cumsum(factors, axis=1, out=sums[:, 1:])
    return np.where(marked <= population - draws[:, None], sums[:, marked], -np.inf)


def _broadcast(
    k: ArrayLike, population: ArrayLike, marked: ArrayLike, drawn: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    given = [np.asarray(v, dtype=np.float64) for v in (k, population, marked, drawn)]
    k_, n_all, m, n = np.broadcast_arrays(*given)
    if not bool(((m >= 0) & (n >= 0) & (m <= n_all) & (n <= n_all)).all()):
        raise EvidenceError("expected 0 <= marked, drawn <= population", where="hypergeometric")
    return k_, n_all, m, n


def _log_choose(n: FloatArray, k: FloatArray) -> FloatArray:
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))


def _log_series(
    k: FloatArray, n_all: FloatArray, m: FloatArray, n: FloatArray, step: int
) -> FloatArray:
    """Return log of (P(k) + P(k+step) + ...)/P(k), dropping rows as they converge."""
    total = np.ones(k.shape, dtype=np.float64)
    rows = np.arange(k.size)
    x, term, part = k.copy(), np.ones(k.size), np.ones(k.size)
    while rows.size:
        for _ in range(16):
            if step > 0:
                term *= (m - x) * (n - x) / ((x + 1.0) * (n_all - m - n + x + 1.0))
            else:
                term *= x * (n_all - m - n + x) / ((m - x + 1.0) * (n - x + 1.0))
            part += term
            x += step
        total[rows] = part
        open_ = term > 1e-18 * part
        rows, x, term, part = rows[open_], x[open_], term[open_], part[open_]
        n_all, m, n = n_all[open_], m[open_], n[open_]
    return np.log(total)
