"""How extreme a statistic is among draws of its null: by rank, or by a fitted tail."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaincc, ndtr

from stillwatch.stats.checks import Tail, as_floats, require_tail

__all__ = ["MIN_DRAWS_TO_FIT", "TAIL_FLOOR", "surrogate_p", "tail_p"]

TAIL_FLOOR = 1e-12
"""The smallest p-value a fitted tail may claim."""

MIN_DRAWS_TO_FIT = 50


def surrogate_p(observed: float, draws: ArrayLike, tail: Tail) -> float:
    """Return the rank p-value ``(1 + draws as extreme)/(B + 1)``.

    Args:
        observed: the statistic of the data; NaN gives NaN.
        draws: shape (B,), the statistic of B surrogates.
        tail: "lower" counts draws <= observed, "upper" draws >= observed.

    Raises:
        EvidenceError: NaN among the draws, an unknown tail.

    Error: exact if data and surrogates are exchangeable; never below 1/(B + 1).
    Source: Phipson & Smyth 2010, "Permutation p-values should never be zero".

    >>> surrogate_p(0.0, [1.0, 2.0, 3.0], "lower")
    0.25
    """
    require_tail(tail, "surrogate_p")
    values = as_floats(draws, "surrogate_p: draws")
    if np.isnan(observed):
        return float("nan")
    as_extreme = values <= observed if tail == "lower" else values >= observed
    return float((1 + np.count_nonzero(as_extreme)) / (values.size + 1))


def tail_p(observed: float, draws: ArrayLike, tail: Tail) -> float:
    """Return the rank p-value or, beyond every draw, that of a fitted Pearson III tail.

    The fit takes mean, spread and skewness of the draws. To err on the safe side the
    skewness is raised by its standard error towards the tail and is never lighter than
    the normal's, the distance is shortened for the estimated mean, and the result lies
    in [``TAIL_FLOOR``, rank p]. One draw as extreme as the data, fewer than
    ``MIN_DRAWS_TO_FIT`` draws, or draws that are all equal: the rank p-value.

    Arguments and *Raises* as in `surrogate_p`.

    Error: a fitted tail is an extrapolation, not a guarantee. Measured P(p <= t)/t at
    t = 0.1, 0.01, 0.001 (99 draws, exchangeable with the data): normal 1.0, 1.1, 0.7;
    Poisson counts 0.8, 0.8, 0.5; gamma of shape 2, 1.0, 1.2, 1.8 (3 at 1e-4); with heavy
    tails (lognormal, Student t with 3 degrees) 1.0, 1.0, 4 to 6 (20 to 30 at 1e-4): use
    the rank p-value for those. For limits of the surrogates see `shifted_surrogates`.
    Source: Josse, Pages & Husson 2008 (Pearson III for permutation tails).
    """
    rank = surrogate_p(observed, draws, tail)
    values = as_floats(draws, "tail_p: draws")
    size = values.size
    if np.isnan(rank) or size < MIN_DRAWS_TO_FIT or rank * (size + 1) > 1.5:
        return rank
    sign = 1.0 if tail == "upper" else -1.0
    centred = sign * (values - values.mean())
    spread = float(np.sqrt(np.square(centred).sum() / (size - 1)))
    if not spread > 1e-12 * max(1.0, float(np.abs(values).max())):
        return rank
    z = sign * (observed - float(values.mean())) / (spread * np.sqrt(1.0 + 1.0 / size))
    skew = float((centred**3).mean()) / spread**3 + float(np.sqrt(6.0 / size))
    return float(min(rank, max(TAIL_FLOOR, _pearson_iii_sf(z, max(0.0, skew)))))


def _pearson_iii_sf(z: float, skew: float) -> float:
    """Return P(Z > z) of the standardised Pearson III law with a skewness >= 0."""
    if skew < 1e-3:
        return float(ndtr(-z))
    shape = 4.0 / skew**2
    return float(gammaincc(shape, max(0.0, shape + z * np.sqrt(shape))))
