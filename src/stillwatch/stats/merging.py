"""E-values merge by their mean under any dependence, by their product over disjoint blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray, as_floats

__all__ = ["E_CEILING", "mean_e", "product_e"]

E_CEILING = 1e300
"""The largest e-value returned; lowering an e-value keeps it valid."""


def mean_e(values: ArrayLike) -> float:
    """Merge e-values of any dependence into one by their arithmetic mean.

    Args:
        values: shape (k,), k >= 1, each >= 0. Nothing is ignored: an e-value that could
            not be computed has to be left out *before* it was known what it would say.

    Raises:
        EvidenceError: no value, a NaN, a negative value.

    Error: exact; the only symmetric merger that no other dominates, up to a constant.
    Source: Vovk & Wang 2021, Proposition 3.1.
    """
    e = _checked(values, "mean_e")
    return float(np.sum(e / e.size))


def product_e(values: ArrayLike) -> float:
    """Merge e-values of disjoint blocks into one by their product.

    Args:
        values: shape (k,), k >= 1, each >= 0 and valid given the blocks before it
            (independent, or sequential). On overlapping data the result is not valid.

    Raises:
        EvidenceError: no value, a NaN, a negative value.

    Error: exact under that condition; capped at ``E_CEILING``.
    Source: Vovk & Wang 2021, section 4 (independent and sequential e-values).
    """
    e = _checked(values, "product_e")
    if bool((e == 0.0).any()):
        return 0.0
    return float(np.exp(min(float(np.log(e).sum()), float(np.log(E_CEILING)))))


def _checked(values: ArrayLike, where: str) -> FloatArray:
    """Return at least one e-value, each in [0, ``E_CEILING``]; +inf is lowered to it."""
    raw = np.asarray(values, dtype=np.float64)
    if bool(np.isnan(raw).any()):
        raise EvidenceError("got NaN among the e-values", where=where)
    e = as_floats(np.minimum(raw, E_CEILING), where)
    if e.size == 0:
        raise EvidenceError("got no e-value, expected at least one", where=where)
    if bool((e < 0.0).any()):
        raise EvidenceError("got a negative e-value", where=where)
    return e
