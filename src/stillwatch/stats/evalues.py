"""An e-value is a non-negative number whose mean is at most 1 under the null.

So by Markov it exceeds 1/a with probability at most a. Here are the three ways to get
one (a calibrated p-value, a conformal ratio, a merger) and what each can reach at most.
"""

from __future__ import annotations

from typing import NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray, require_open_unit
from stillwatch.stats.merging import E_CEILING, mean_e, product_e

__all__ = [
    "E_CEILING",
    "ConformalE",
    "calibrate",
    "conformal_e",
    "max_attainable",
    "mean_e",
    "product_e",
]


class ConformalE(NamedTuple):
    """A conformal e-value and the largest one its reference could have given."""

    e: float
    max_attainable: float


@overload
def calibrate(p: float, kappa: float = 0.1) -> float: ...
@overload
def calibrate(p: FloatArray, kappa: float = 0.1) -> FloatArray: ...
def calibrate(p: float | FloatArray, kappa: float = 0.1) -> float | FloatArray:
    """Turn p-values into e-values by ``kappa * p**(kappa - 1)``.

    Args:
        p: valid (super-uniform) p-values in (0, 1], a number or an array of any shape.
        kappa: in (0, 1); smaller rewards smaller p. With 0.1, p = 1e-6 gives 25,119.

    Raises:
        EvidenceError: p outside (0, 1] or NaN, kappa outside (0, 1).

    Error: exact; it integrates to 1 over (0, 1], and decreases in p.
    Source: Vovk & Wang 2021, "E-values: calibration, combination and applications",
    Annals of Statistics 49(3), eq. (1).

    >>> round(calibrate(1e-6), 1)
    25118.9
    """
    require_open_unit(kappa, "calibrate: kappa")
    values = np.asarray(p, dtype=np.float64)
    if not bool(((values > 0.0) & (values <= 1.0)).all()):
        raise EvidenceError("got a p-value outside (0, 1]", where="calibrate: p")
    e = np.minimum(kappa * values ** (kappa - 1.0), E_CEILING)
    return float(e) if np.ndim(p) == 0 else np.asarray(e, dtype=np.float64)


def conformal_e(score: float, reference_scores: ArrayLike) -> ConformalE:
    """Compare one score with B exchangeable references: ``(B+1) T / (T + sum T_ref)``.

    ``T = exp(score)``, computed by log-sum-exp, so a score may be a log-likelihood ratio
    of any size. ``-inf`` is a score (T = 0).

    Args:
        score: nats, finite or -inf.
        reference_scores: shape (B,), nats, from the null, not used to build the score.

    Returns:
        e in [0, B+1] and B+1. NaN when every score, this one included, is -inf.

    Raises:
        EvidenceError: NaN or +inf among the scores.

    Error: exact; the mean is 1 when score and references are exchangeable.
    Source: Balinsky & Balinsky 2024, "Enhancing conformal prediction using e-test
    statistics" (the ratio to the mean); Vovk 2025, "Conformal e-prediction".
    """
    reference = np.asarray(reference_scores, dtype=np.float64).reshape(-1)
    scores = np.concatenate([np.array([score], dtype=np.float64), reference])
    if bool(np.isnan(scores).any()) or bool(np.isposinf(scores).any()):
        raise EvidenceError("got NaN or +inf among the scores", where="conformal_e")
    most = float(scores.size)
    if bool(np.isneginf(scores).all()):
        return ConformalE(float("nan"), most)
    share = float(np.exp(scores[0] - float(logsumexp(scores))))
    return ConformalE(min(most, most * share), most)


def max_attainable(
    n_reference: int | None = None, *, smallest_p: float | None = None, kappa: float = 0.1
) -> float:
    """Return the largest e-value that a method could have given, to print beside it.

    Args:
        n_reference: B of a conformal e-value, >= 0: the answer is B + 1.
        smallest_p: the smallest p-value a test can return, in (0, 1]: it is calibrated.
        kappa: that of `calibrate`; used with ``smallest_p``.

    Raises:
        EvidenceError: neither or both are given, or one is outside its range.

    Error: exact.
    """
    if (n_reference is None) == (smallest_p is None):
        raise EvidenceError("expected n_reference or smallest_p, not both", where="max_attainable")
    if smallest_p is not None:
        return calibrate(float(smallest_p), kappa)
    if n_reference is None or n_reference < 0:
        raise EvidenceError(f"got n_reference {n_reference}, expected >= 0", where="max_attainable")
    return float(n_reference + 1)
