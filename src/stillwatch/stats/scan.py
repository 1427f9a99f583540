"""A scan finds the window in which a cohort's times crowd more than a sample's would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray, as_floats, p_from_log
from stillwatch.stats.hypergeometric import hypergeometric_log_pmf, hypergeometric_log_tail

__all__ = ["ScanResult", "scan_cluster"]


@dataclass(frozen=True)
class ScanResult:
    """The most surprising window ``[window_start, window_start + window_s]``.

    ``p_value`` is that of the whole scan, ``count`` the cohort's times in the window and
    ``expected`` their expected number given the first of them.
    """

    p_value: float
    window_start: float
    window_s: float
    count: int
    expected: float


def scan_cluster(
    times: ArrayLike, population_times: ArrayLike, windows_s: Sequence[float]
) -> ScanResult:
    """Test whether a cohort's times crowd into some window more than a sample's would.

    Null: the cohort's n items are a random sample without replacement from the
    population's N, whatever the population's own rhythm is.

    1. Windows ``[t, t + w]`` start at each cohort time t and have each width w.
    2. Given its first item, the other ``count - 1`` of the cohort in a window that holds
       M population items follow Hypergeometric(N - 1, M - 1, n - 1). The first item is
       left out because it placed the window; counting it would make the test invalid.
    3. The smallest of the tails is multiplied by the number of windows, n x widths.

    Args:
        times: shape (n,), seconds, any order; each must occur in the population.
        population_times: shape (N,), seconds, any order, the cohort's own included.
        windows_s: widths in seconds, >= 0, at least one, chosen before looking.

    Returns:
        p_value in [1e-300, 1]. All fields NaN and count 0 for n < 2: not enough data.

    Raises:
        EvidenceError: NaN, no width, a negative width, a time not in the population.

    Error: each tail exact to 1e-7; the Bonferroni sum makes P(p <= t) <= t for every t,
    and conservative by the overlap of the windows.
    Source: Naus 1965, JASA 60 (scan statistic of times); Boole's inequality over windows.
    """
    cohort = np.sort(as_floats(times, "scan_cluster: times"))
    population = np.sort(as_floats(population_times, "scan_cluster: population_times"))
    widths = np.unique(as_floats(np.asarray(windows_s, dtype=float), "scan_cluster: windows_s"))
    if widths.size == 0 or widths[0] < 0.0:
        raise EvidenceError("expected at least one width >= 0", where="scan_cluster: windows_s")
    _require_contained(cohort, population)
    if cohort.size < 2:
        nan = float("nan")
        return ScanResult(nan, nan, nan, 0, nan)

    ends = cohort + widths[:, None]  # one row a width
    in_cohort = np.searchsorted(cohort, ends, side="right") - np.searchsorted(cohort, cohort)
    in_population = np.searchsorted(population, ends, side="right")
    in_population -= np.searchsorted(population, cohort)
    others = (in_cohort - 1).ravel().astype(np.float64)
    marked = (in_population - 1).ravel().astype(np.float64)
    best, log_tail = _smallest_tail(others, population.size - 1.0, marked, cohort.size - 1.0)

    start = float(cohort[best % cohort.size])
    expected = 1.0 + (cohort.size - 1) * float(marked[best]) / max(1, population.size - 1)
    p_value = p_from_log(log_tail + float(np.log(others.size)))
    width = float(widths[best // cohort.size])
    return ScanResult(p_value, start, width, int(others[best]) + 1, expected)


def _smallest_tail(
    k: FloatArray, population: float, marked: FloatArray, drawn: float
) -> tuple[int, float]:
    """Return where ``P(X >= k)`` is smallest, and its log, with few exact tails.

    Above the mean the ratio r of consecutive terms only falls, so the tail lies between
    pmf and pmf/(1-r): windows whose pmf exceeds the best upper end cannot win, and none
    matters whose pmf alone, times the number of windows, exceeds 1.
    """
    above = np.flatnonzero(k * population > marked * drawn)
    if above.size == 0:
        return 0, 0.0
    x, m = k[above], marked[above]
    lower = hypergeometric_log_pmf(x, population, m, drawn)
    ratio = (m - x) * (drawn - x) / ((x + 1.0) * (population - m - drawn + x + 1.0))
    upper = lower - np.log(np.maximum(1.0 - ratio, 1e-12))
    ceiling = min(float(upper.min()), -float(np.log(k.size)))
    near = np.flatnonzero(lower <= ceiling)
    if near.size == 0:
        return int(above[np.argmin(lower)]), 0.0
    tails = hypergeometric_log_tail(x[near], population, m[near], drawn)
    winner = int(np.argmin(tails))
    return int(above[near[winner]]), float(tails[winner])


def _require_contained(cohort: FloatArray, population: FloatArray) -> None:
    """Refuse a cohort that is no part of the population (both sorted)."""
    value, times = np.unique(cohort, return_counts=True)
    held = np.searchsorted(population, value, side="right") - np.searchsorted(population, value)
    missing = int(np.count_nonzero(held < times))
    if missing:
        raise EvidenceError(
            f"{missing} cohort times are not among the population's",
            where="scan_cluster: times",
            hint="pass the population with the cohort's own times included",
        )
