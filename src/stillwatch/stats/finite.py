"""How many of a finite population have a property, from a random sample of it."""

from __future__ import annotations

import math
from collections.abc import Callable

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import require_open_unit
from stillwatch.stats.hypergeometric import hypergeometric_log_tail
from stillwatch.stats.intervals import Interval

__all__ = ["finite_count_interval"]


def finite_count_interval(
    seen: int, sampled: int, population: int, level: float = 0.95
) -> Interval:
    """Return the exact interval of the number K in the population that have the property.

    Args:
        seen: those of the sample that have it, in 0..sampled.
        sampled: a simple random sample without replacement, in 0..population.
        population: N >= 0. A sample of all gives a point, an empty one [0, N].
        level: in (0, 1).

    Raises:
        EvidenceError: an argument is outside its range.

    Error: exact and conservative: it covers K at least ``level`` of the time.
    Source: inversion of the two one-sided hypergeometric tests, as Clopper & Pearson 1934 do for
    the binomial; Buonaccorsi 1987, The American Statistician 41(3).
    """
    require_open_unit(level, "finite_count_interval: level")
    if not 0 <= seen <= sampled <= population:
        raise EvidenceError(
            f"got {seen} of {sampled} of {population}, expected 0 <= seen <= sampled <= population",
            where="finite_count_interval",
        )
    log_half = math.log((1.0 - level) / 2.0)
    missing = sampled - seen
    least, most = seen, population - missing  # what the sample itself has shown

    def not_too_few(k: int) -> bool:
        return float(hypergeometric_log_tail(seen, population, k, sampled)) > log_half

    def too_many(k: int) -> bool:
        if k > most:
            return True
        return float(hypergeometric_log_tail(missing, population, population - k, sampled)) <= (
            log_half
        )

    low = _first(least, most, not_too_few)
    high = _first(least, most + 1, too_many) - 1
    return Interval(float(low), float(max(low, high)), level)


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the first k in low..high for which a condition that stays true holds, else high."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
