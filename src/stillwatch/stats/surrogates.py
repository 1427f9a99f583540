"""A surrogate shifts each series as a whole, so only what the series share is destroyed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import FloatArray, IntArray, as_codes, as_floats
from stillwatch.stats.tails import TAIL_FLOOR, surrogate_p, tail_p

__all__ = [
    "TAIL_FLOOR",
    "Surrogate",
    "interior_span",
    "shifted_surrogates",
    "surrogate_p",
    "tail_p",
]


class Surrogate(NamedTuple):
    """The union of the shifted series, sorted by time; labels are codes 0.. of the series."""

    times_s: FloatArray
    labels: IntArray


def interior_span(times_s: ArrayLike, max_shift_s: float) -> tuple[float, float]:
    """Return the span in which no shifted series can be missing events: all but the edges.

    Args:
        times_s: shape (events,), seconds.
        max_shift_s: >= 0, seconds, cut from both ends.

    Returns:
        low and high; NaN without events or when nothing is left.

    Raises:
        EvidenceError: NaN among the times.
    """
    times = as_floats(times_s, "interior_span: times_s")
    if times.size == 0 or float(np.ptp(times)) <= 2.0 * max_shift_s:
        return float("nan"), float("nan")
    return float(times.min()) + max_shift_s, float(times.max()) - max_shift_s


def shifted_surrogates(
    times_s: ArrayLike,
    series_id: NDArray[np.generic],
    max_shift_s: float,
    rng: np.random.Generator,
    n: int,
    span: tuple[float, float] | None = None,
) -> Iterator[Surrogate]:
    """Yield n copies of the events in which each series is shifted by its own offset.

    The offset is one uniform number in [-max_shift_s, max_shift_s] a series and copy
    (train dithering). Gaps within a series stay exactly, its day rhythm nearly.

    Args:
        times_s: shape (events,), seconds.
        series_id: shape (events,), sortable labels.
        max_shift_s: > 0; well above the time scale of the coordination looked for, well
            below that of rhythms the series share (nights).
        rng: source of the offsets; the result does not depend on the order of the events.
        n: copies, >= 0.
        span: if given, only shifted events in [low, high] are yielded. Cut the data by the
            same `interior_span`: at the edges series are missing, and labels mix less.

    Raises:
        EvidenceError: shapes differ, NaN, max_shift_s <= 0, n < 0.

    Error: assumes that series are independent once shifts of this size are ignored; a
    rhythm that all share is blurred, and the more events, the more it shows. Measured
    P(p <= 0.01)/0.01 of equal neighbours, lower tail, cut to `interior_span`: Poisson and
    bursts at most 1 at any shift. A shared day, smooth, 6 series x 30 events: 1.0 at
    1 h, 2.3 at 4 h; 20 series x 300 events: 1.3 at 15 min, 3 at 1 h, 57 at 4 h; with
    nights of sharp edges 0.3, 10 and 98. So: at most 15 minutes in big cohorts. And as
    gaps stay, series made regular by taking turns stay regular: turns taken by requests
    that come one by one hardly differ from their copies; turns within bursts do.
    Source: Pipa et al. 2008 ("NeuroXidence"); Louis, Borgelt & Gruen 2010, ch. 17 in
    "Analysis of Parallel Spike Trains" (train shifting).
    """
    times = as_floats(times_s, "shifted_surrogates: times_s")
    codes = as_codes(series_id, times.size, "shifted_surrogates: series_id")
    if not max_shift_s > 0.0 or n < 0:
        raise EvidenceError(
            f"got max_shift_s {max_shift_s}, n {n}, expected > 0 and >= 0",
            where="shifted_surrogates",
        )
    order = np.lexsort((codes, times))
    draws = _shifted(times[order], codes[order], float(max_shift_s), rng, n)
    return draws if span is None else (_cut(draw, *span) for draw in draws)


def _shifted(
    times: FloatArray, codes: IntArray, max_shift_s: float, rng: np.random.Generator, n: int
) -> Iterator[Surrogate]:
    n_series = int(codes.max()) + 1 if codes.size else 0
    for _ in range(n):
        moved = times + rng.uniform(-max_shift_s, max_shift_s, n_series)[codes]
        order = np.argsort(moved, kind="stable")
        yield Surrogate(moved[order], codes[order])


def _cut(draw: Surrogate, low: float, high: float) -> Surrogate:
    first, last = np.searchsorted(draw.times_s, low), np.searchsorted(draw.times_s, high, "right")
    return Surrogate(draw.times_s[first:last], draw.labels[first:last])
