"""Repeated looks at growing data share one error budget."""

from __future__ import annotations

import math

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import require_open_unit

__all__ = ["alpha_at_look"]


def alpha_at_look(alpha: float, t: int, looks: int | None = None) -> float:
    """Return the level that look number t may spend: ``alpha * 6 / (pi^2 t^2)``, or an even share.

    Args:
        alpha: the budget of all looks together, in (0, 1).
        t: the look's number, from 1.
        looks: how many looks share alpha evenly, whatever their number; None: all looks for ever.

    Raises:
        EvidenceError: alpha outside (0, 1), t < 1, looks < 1.

    Error: exact; the levels of all looks for ever, or of any ``looks`` of them, sum to alpha (union
    bound, so for any dependence between looks).
    Source: the Basel sum, ``sum of 1/t^2 = pi^2/6``.

    >>> round(alpha_at_look(0.05, 1), 6)
    0.030396
    >>> alpha_at_look(0.05, 20, looks=4)
    0.0125
    """
    require_open_unit(alpha, "alpha_at_look: alpha")
    if t < 1:
        raise EvidenceError(f"got look {t}, expected >= 1", where="alpha_at_look: t")
    if looks is not None:
        if looks < 1:
            raise EvidenceError(f"got {looks} looks, expected >= 1", where="alpha_at_look: looks")
        return alpha / looks
    return alpha * 6.0 / (math.pi**2 * float(t) ** 2)
