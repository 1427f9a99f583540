"""Rarefied richness is how many categories m draws would show on average."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray, IntArray, as_ints
from stillwatch.stats.hypergeometric import hypergeometric_log_zeros

__all__ = ["rarefied_curve", "rarefied_richness"]


def rarefied_richness(counts: ArrayLike, draws: int) -> float:
    """Return the mean number of categories among ``draws`` items without replacement.

    ``sum over categories of 1 - C(N - n_i, m)/C(N, m)``.

    Args:
        counts: shape (categories,), n_i >= 0 items each, N in all.
        draws: m >= 0.

    Returns:
        In [0, categories seen]; NaN for m > N: richness is not extrapolated.

    Raises:
        EvidenceError: a negative or fractional count, m < 0.

    Error: exact to about 1e-12 (products of factors; log-gamma for categories of more
    than 4 million items).
    Source: Hurlbert 1971, Ecology 52(4), eq. (14).

    >>> rarefied_richness([1, 1, 1], 2)
    2.0
    """
    if draws < 0:
        raise EvidenceError(f"got {draws}, expected >= 0", where="rarefied_richness: draws")
    held = as_ints(counts, "rarefied_richness: counts", at_least=0)
    return float(rarefied_curve(held, np.array([draws]))[0])


def rarefied_curve(counts: IntArray, draws: IntArray) -> FloatArray:
    """Return the `rarefied_richness` of the same counts for several numbers of draws.

    ``counts``: shape (categories,), >= 0; ``draws``: shape (k,), >= 0. Neither is checked.
    """
    total = int(counts.sum())
    sizes, categories = np.unique(counts[counts > 0], return_counts=True)
    out = np.full(len(draws), np.nan)
    fine = np.flatnonzero(draws <= total)
    absent = hypergeometric_log_zeros(total, sizes, draws[fine])
    out[fine] = (categories * -np.expm1(absent)).sum(axis=1)
    return out
