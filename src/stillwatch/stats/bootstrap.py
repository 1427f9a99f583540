"""A resampled statistic spreads about as much as the statistic itself does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import canonical_order, require_open_unit
from stillwatch.stats.intervals import Interval

__all__ = ["bootstrap_interval"]

ScalarT = TypeVar("ScalarT", bound=np.generic)


def bootstrap_interval(
    values: NDArray[ScalarT],
    statistic: Callable[[NDArray[ScalarT]], float],
    rng: np.random.Generator,
    n: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Return the percentile bootstrap interval of a statistic of exchangeable units.

    Args:
        values: shape (units,) or (units, d): one row a unit that was drawn independently.
        statistic: of an array of the same shape, in any row order.
        rng: source of the resamples; rows are put in a canonical order before.
        n: resamples, >= 1.
        level: in (0, 1).

    Returns:
        The interval; NaN bounds with fewer than 2 units or a NaN in any resample.

    Raises:
        EvidenceError: n < 1 or level outside (0, 1).

    Error: asymptotic. For the mean of exponential values a 95 % interval covered 85 % with
    10 units, 92 % with 30, 93 % with 100: with few units it is too narrow.
    Source: Efron 1979, Annals of Statistics 7(1).
    """
    require_open_unit(level, "bootstrap_interval: level")
    if n < 1:
        raise EvidenceError(f"got n={n}, expected >= 1", where="bootstrap_interval")
    units = values.shape[0]
    if units < 2:
        return Interval(float("nan"), float("nan"), level)
    rows = values[canonical_order(values)]
    draws = np.array([statistic(rows[rng.integers(0, units, units)]) for _ in range(n)])
    low, high = np.quantile(draws, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(low), float(high), level)
