"""Selection keeps the expected share of false discoveries at or below alpha.

``e_bh`` does so under any dependence of the e-values; ``benjamini_hochberg`` needs
p-values that are independent or positively dependent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import false_discovery_control

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray, IntArray, as_floats, require_open_unit
from stillwatch.stats.merging import E_CEILING

__all__ = ["Selection", "benjamini_hochberg", "e_bh", "needed_e", "q_values"]


class Selection(NamedTuple):
    """The selected positions, ascending, and the threshold that they passed."""

    indices: IntArray
    threshold: float


def needed_e(n_tested: int, n_selected: int, alpha: float) -> float:
    """Return the e-value that e-BH asks of each of R selected among K: ``K/(alpha R)``.

    Args:
        n_tested: K >= 1.
        n_selected: R in 1..K.
        alpha: false discovery rate in (0, 1).

    Raises:
        EvidenceError: an argument is outside its range.

    Error: exact. Source: Wang & Ramdas 2022, "False discovery rate control with
    e-values", JRSS-B 84(3), the e-BH procedure.

    >>> needed_e(200, 4, 0.01)
    5000.0
    """
    require_open_unit(alpha, "needed_e: alpha")
    if not 1 <= n_selected <= n_tested:
        raise EvidenceError(
            f"got R={n_selected} of K={n_tested}, expected 1 <= R <= K", where="needed_e"
        )
    return float(n_tested / (alpha * n_selected))


def q_values(e: ArrayLike) -> FloatArray:
    """Return for each e-value the smallest alpha at which e-BH selects it.

    With e sorted from the largest, ``q_(k) = min over j >= k of K/(j e_(j))``, at most 1.

    Args:
        e: shape (K,), each >= 0 (+inf allowed).

    Returns:
        shape (K,), in (0, 1]; a larger e never has a larger q, equal e have equal q.

    Raises:
        EvidenceError: a NaN or a negative value.

    Error: exact. Source: Wang & Ramdas 2022, inverted in alpha.
    """
    raw = np.asarray(e, dtype=np.float64)
    if bool(np.isnan(raw).any()):
        raise EvidenceError("got NaN among the e-values", where="q_values")
    values = as_floats(np.minimum(raw, E_CEILING), "q_values")
    if bool((values < 0.0).any()):
        raise EvidenceError("got a negative e-value", where="q_values")
    order = np.argsort(-values, kind="stable")
    ranks = np.arange(1, values.size + 1, dtype=np.float64)
    # e = 0 is selected at no alpha below 1; a tiny stand-in avoids dividing by zero.
    ratio = values.size / (ranks * np.maximum(values[order], 1e-200))
    smallest = np.minimum.accumulate(ratio[::-1])[::-1]
    out = np.empty(values.size, dtype=np.float64)
    out[order] = np.minimum(smallest, 1.0)
    return out


def e_bh(e: ArrayLike, alpha: float) -> Selection:
    """Select the R largest e-values, R the largest k with ``e_(k) >= K/(alpha k)``.

    Args:
        e: shape (K,), each >= 0 (+inf allowed).
        alpha: false discovery rate in (0, 1).

    Returns:
        The indices and the threshold ``K/(alpha R)``. When nothing is selected, the
        threshold is what a single one would have needed, ``K/alpha``; NaN when K = 0.

    Raises:
        EvidenceError: a NaN or a negative value, alpha outside (0, 1).

    Error: exact; FDR <= alpha K0/K under arbitrary dependence.
    Source: Wang & Ramdas 2022, the e-BH procedure and its FDR theorem.
    """
    require_open_unit(alpha, "e_bh: alpha")
    q = q_values(e)
    indices = np.flatnonzero(q <= alpha).astype(np.int64)
    if q.size == 0:
        return Selection(indices, float("nan"))
    return Selection(indices, needed_e(q.size, max(1, indices.size), alpha))


def benjamini_hochberg(p: ArrayLike, alpha: float) -> Selection:
    """Select the R smallest p-values, R the largest k with ``p_(k) <= alpha k/K``.

    Args:
        p: shape (K,), each in [0, 1].
        alpha: false discovery rate in (0, 1).

    Returns:
        The indices and the threshold ``alpha max(R, 1)/K``; NaN when K = 0.

    Raises:
        EvidenceError: a p-value outside [0, 1] or NaN, alpha outside (0, 1).

    Error: exact for independent or positively dependent p-values (PRDS) only.
    Source: Benjamini & Hochberg 1995, JRSS-B 57(1), eq. (1).
    """
    require_open_unit(alpha, "benjamini_hochberg: alpha")
    values = as_floats(p, "benjamini_hochberg")
    if values.size == 0:
        return Selection(np.empty(0, dtype=np.int64), float("nan"))
    if bool(((values < 0.0) | (values > 1.0)).any()):
        raise EvidenceError("got a p-value outside [0, 1]", where="benjamini_hochberg")
    adjusted = np.asarray(false_discovery_control(values, method="bh"))
    indices = np.flatnonzero(adjusted <= alpha).astype(np.int64)
    return Selection(indices, float(alpha * max(1, indices.size) / values.size))
