"""Series that stop together leave the union silent longer than independent ones would."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray, as_codes, as_floats
from stillwatch.stats.surrogates import interior_span, shifted_surrogates, tail_p

__all__ = ["SilenceResult", "common_silence"]

FEWEST_BINS = 10


@dataclass(frozen=True)
class SilenceResult:
    """Empty time of the union of the series, seen and as expected from shifted series.

    ``longest_s`` and ``total_s`` are the longest and the whole empty time of the analysed
    span ``span_s``; the p-values are upper tails, and ``p_value`` is twice the smaller.
    """

    p_value: float
    p_longest: float
    p_total: float
    longest_s: float
    total_s: float
    expected_longest_s: float
    expected_total_s: float
    span_s: float


def common_silence(
    times: ArrayLike,
    series_id: NDArray[np.generic],
    bin_s: float,
    rng: np.random.Generator,
    n_surrogates: int,
    max_shift_s: float,
) -> SilenceResult:
    """Test whether the series are silent together more than when each is shifted alone.

    The span from the first event to the last, less ``max_shift_s`` at both ends (where
    shifted series would be missing events), is cut into bins; an empty bin is silence.

    Args:
        times: shape (events,), seconds.
        series_id: shape (events,), sortable labels; at least 2 series.
        bin_s: width of a bin, > 0, seconds; silence shorter than it is not seen.
        rng: source of the shifts.
        n_surrogates: >= 1; from 50 on the tail is fitted (see `tail_p`).
        max_shift_s: > 0, seconds, see `shifted_surrogates`.

    Returns:
        All fields NaN with fewer than 2 series or a span of fewer than ``FEWEST_BINS`` bins.

    Raises:
        EvidenceError: shapes differ, NaN, a parameter outside its range.

    Error: p-values as in `tail_p`. Nights that all series share with edges sharper than
    ``max_shift_s`` are common silence to this test: choose the shift for the population,
    or compare with cohorts that share the night.
    Source: shift surrogates as in `shifted_surrogates`.
    """
    events = as_floats(times, "common_silence: times")
    codes = as_codes(series_id, events.size, "common_silence: series_id")
    if not (bin_s > 0.0 and max_shift_s > 0.0 and n_surrogates >= 1):
        raise EvidenceError(
            "expected bin_s > 0, max_shift_s > 0, n_surrogates >= 1", where="common_silence"
        )
    start, end = interior_span(events, max_shift_s)
    bins = 0 if np.isnan(start) or int(codes.max()) < 1 else int((end - start) // bin_s)
    if bins < FEWEST_BINS:
        return SilenceResult(*([float("nan")] * 8))
    seen = _empty_bins(events, start, bin_s, bins)
    draws = np.array(
        [
            _empty_bins(copy.times_s, start, bin_s, bins)
            for copy in shifted_surrogates(events, codes, max_shift_s, rng, n_surrogates)
        ],
        dtype=np.float64,
    )
    p_longest = tail_p(seen[0], draws[:, 0], "upper")
    p_total = tail_p(seen[1], draws[:, 1], "upper")
    expected = draws.mean(axis=0) * bin_s
    return SilenceResult(
        p_value=min(1.0, 2.0 * min(p_longest, p_total)),
        p_longest=p_longest,
        p_total=p_total,
        longest_s=seen[0] * bin_s,
        total_s=seen[1] * bin_s,
        expected_longest_s=float(expected[0]),
        expected_total_s=float(expected[1]),
        span_s=bins * bin_s,
    )


def _empty_bins(times: FloatArray, start: float, bin_s: float, bins: int) -> tuple[float, float]:
    """Return the longest run of empty bins and the number of empty bins."""
    index = np.floor((times - start) / bin_s)
    inside = index[(index >= 0) & (index < bins)].astype(np.int64)
    occupied = np.zeros(bins, dtype=np.bool_)
    occupied[inside] = True
    marks = np.concatenate([[-1], np.flatnonzero(occupied), [bins]])
    gaps = np.diff(marks) - 1
    return float(gaps.max()), float(gaps.sum())
