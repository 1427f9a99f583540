"""A scan finds the window in which a cohort's times crowd more than a sample's would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray, IntArray, as_floats, p_from_log
from stillwatch.stats.hypergeometric import hypergeometric_log_pmf, hypergeometric_log_tail

__all__ = ["ScanResult", "Times", "scan_cluster"]


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


class Times:
    """A population's times, sorted once for many scans; each may exchange a few of them."""

    def __init__(self, times: ArrayLike) -> None:
        """Sort the times. Raises EvidenceError for a NaN or an infinity."""
        self._sorted = np.sort(as_floats(times, "scan_cluster: population_times"))
        self._gone = self._come = np.empty(0, dtype=np.float64)

    def exchanged(self, gone: ArrayLike, come: ArrayLike) -> Times:
        """Return the population with other times in place of ``gone``, which must be in it."""
        other = object.__new__(Times)
        other._sorted = self._sorted
        gone, come = as_floats(gone, "scan_cluster: gone"), as_floats(come, "scan_cluster: come")
        other._gone = np.sort(np.concatenate([self._gone, gone]))
        other._come = np.sort(np.concatenate([self._come, come]))
        return other

    @property
    def size(self) -> int:
        return self._sorted.size - self._gone.size + self._come.size

    def until(self, moments: FloatArray) -> IntArray:
        """Return how many times are at or before each moment."""
        return self._below(moments, "right")

    def before(self, moments: FloatArray) -> IntArray:
        """Return how many times are before each moment."""
        return self._below(moments, "left")

    def _below(self, moments: FloatArray, side: Literal["left", "right"]) -> IntArray:
        held, gone, come = (
            np.searchsorted(part, moments, side=side)
            for part in (self._sorted, self._gone, self._come)
        )
        return np.asarray(held - gone + come)


def scan_cluster(
    times: ArrayLike, population_times: ArrayLike | Times, windows_s: Sequence[float]
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
        population_times: shape (N,), seconds, any order, the cohort's own included; or the same
            as `Times`.
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
    population = (
        population_times if isinstance(population_times, Times) else Times(population_times)
    )
    widths = np.unique(as_floats(np.asarray(windows_s, dtype=float), "scan_cluster: windows_s"))
    if widths.size == 0 or widths[0] < 0.0:
        raise EvidenceError("expected at least one width >= 0", where="scan_cluster: windows_s")
    _require_contained(cohort, population)
    if cohort.size < 2:
        nan = float("nan")
        return ScanResult(nan, nan, nan, 0, nan)

    ends = cohort + widths[:, None]  # one row a width
    in_cohort = np.searchsorted(cohort, ends, side="right") - np.searchsorted(cohort, cohort)
    in_population = population.until(ends) - population.before(cohort)
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


def _require_contained(cohort: FloatArray, population: Times) -> None:
    """Refuse a cohort (sorted) that is no part of the population."""
    value, times = np.unique(cohort, return_counts=True)
    held = population.until(value) - population.before(value)
    missing = int(np.count_nonzero(held < times))
    if missing:
        raise EvidenceError(
            f"{missing} cohort times are not among the population's",
            where="scan_cluster: times",
            hint="pass the population with the cohort's own times included",
        )
