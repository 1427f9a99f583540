"""A prior and log-likelihood ratios make a posterior, in logarithms throughout."""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, logsumexp

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray

__all__ = ["log_sum_exp", "posterior"]


def log_sum_exp(values: ArrayLike) -> float:
    """Return ``log(sum(exp(values)))`` without overflow; -inf for no values.

    Args:
        values: any shape, nats; -inf is allowed.

    Raises:
        EvidenceError: a NaN.

    Error: exact to rounding.
    """
    array = np.asarray(values, dtype=np.float64)
    if bool(np.isnan(array).any()):
        raise EvidenceError("got NaN", where="log_sum_exp")
    return float(logsumexp(array)) if array.size else float("-inf")


@overload
def posterior(prior: float, log_lr: float) -> float: ...
@overload
def posterior(prior: float | FloatArray, log_lr: FloatArray) -> FloatArray: ...
def posterior(prior: float | FloatArray, log_lr: float | FloatArray) -> float | FloatArray:
    """Return the probability of the hypothesis after evidence of that weight.

    ``logit(posterior) = logit(prior) + log_lr``.

    Args:
        prior: probability in [0, 1], broadcast with ``log_lr``; 0 and 1 stay.
        log_lr: log-likelihood ratio in nats, for over against; independent evidence adds.

    Raises:
        EvidenceError: prior outside [0, 1] or NaN, log_lr NaN, certainty met by its
            infinite contrary (prior 0 with log_lr +inf, prior 1 with -inf).

    Error: exact to rounding.

    >>> round(posterior(0.5, 0.0), 3)
    0.5
    """
    start, weight = np.asarray(prior, dtype=np.float64), np.asarray(log_lr, dtype=np.float64)
    if not bool(((start >= 0.0) & (start <= 1.0)).all()):
        raise EvidenceError("got a prior outside [0, 1]", where="posterior: prior")
    with np.errstate(invalid="ignore"):
        logits = logit(start) + weight
    if bool(np.isnan(logits).any()):
        raise EvidenceError(
            "got NaN, or a certain prior against infinite weight", where="posterior"
        )
    out = np.asarray(expit(logits), dtype=np.float64)
    return float(out) if out.ndim == 0 else out
