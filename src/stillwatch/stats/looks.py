"""Repeated looks at growing data share one error budget."""

from __future__ import annotations

import math

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import require_open_unit

__all__ = ["alpha_at_look"]


def alpha_at_look(alpha: float, t: int) -> float:
    """Return the level that look number t may spend: ``alpha * 6 / (pi^2 t^2)``.

    Args:
        alpha: the budget of all looks together, in (0, 1).
        t: the look's number, from 1.

    Raises:
        EvidenceError: alpha outside (0, 1), t < 1.

    Error: exact; the levels of all looks for ever sum to alpha (union bound).
    Source: the Basel sum, ``sum of 1/t^2 = pi^2/6``.

    >>> round(alpha_at_look(0.05, 1), 6)
    0.030396
    """
    require_open_unit(alpha, "alpha_at_look: alpha")
    if t < 1:
        raise EvidenceError(f"got look {t}, expected >= 1", where="alpha_at_look: t")
    return alpha * 6.0 / (math.pi**2 * float(t) ** 2)
