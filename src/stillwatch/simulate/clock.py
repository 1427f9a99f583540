"""Arrivals: when people, jobs and dispatchers send requests. All times are UTC microseconds."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DAY",
    "HABITS",
    "HOUR",
    "MINUTE",
    "SECOND",
    "Clock",
    "Times",
    "cron_times",
    "dispatch_times",
    "human_times",
    "steady_times",
]

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
Times = NDArray[np.int64]

# (peak hour, width in hours, second peak, weekend weight)
HABITS: Final[dict[str, tuple[float, float, float, float]]] = {
    "office": (10.5, 2.2, 15.0, 0.12),
    "evening": (20.0, 2.5, 12.5, 1.2),
    "allday": (13.0, 5.0, 19.0, 0.9),
    "night": (23.5, 2.5, 1.0, 1.0),
    "weekend": (14.0, 4.0, 20.0, 2.5),
}


def human_times(
    rng: np.random.Generator, n: int, start: int, end: int, zone_h: float, habit: str
) -> Times:
    """Return ``n`` sorted times in [start, end) on a person's local day and week rhythm."""
    peak, width, second, weekend = HABITS[habit]
    peak = peak + rng.normal(0, 0.8)
    hours = max(1, (end - start) // HOUR)
    index = np.arange(hours)
    local = (start // HOUR + index) + zone_h
    clock = local % 24
    weekday = ((local // 24) + 3) % 7  # 1970-01-01 was a Thursday
    weight = np.full(hours, 0.004)
    for top, share in ((peak, 1.0), (second, 0.7)):
        gap = np.abs(clock - top)
        gap = np.minimum(gap, 24 - gap)
        weight += share * np.exp(-0.5 * (gap / width) ** 2)
    weight *= np.where(weekday >= 5, weekend, 1.0)
    cum = np.cumsum(weight)
    cells = np.minimum(np.searchsorted(cum, rng.random(n) * cum[-1], side="right"), hours - 1)
    times = start + ((cells + rng.random(n)) * HOUR).astype(np.int64)
    return np.sort(times)


def cron_times(
    rng: np.random.Generator,
    n: int,
    start: int,
    end: int,
    minutes: tuple[int, ...],
    jitter_s: float,
) -> Times:
    """Return about ``n`` sorted times just after fixed minutes of the hour, daily."""
    days = max(1, (end - start) // DAY)
    slots = max(1, round(n / days))
    hours = np.sort(rng.integers(0, 24, slots))
    marks = rng.choice(minutes, slots)
    base = start + np.arange(days)[:, None] * DAY + (hours * HOUR + marks * MINUTE)[None, :]
    late = rng.exponential(jitter_s, base.shape) * SECOND
    times = np.sort((base + late).ravel().astype(np.int64))
    return times[(times >= start) & (times < end)]


def steady_times(rng: np.random.Generator, n: int, start: int, end: int) -> Times:
    """Return ``n`` sorted uniform times in [start, end)."""
    return np.sort(rng.integers(start, max(end, start + 1), n))


def dispatch_times(
    rng: np.random.Generator, n: int, start: int, end: int, pauses: int, pause_h: float
) -> Times:
    """Return ``n`` times of one orchestrator: a slowly varying rate with a few common pauses."""
    cells = max(2, (end - start) // (15 * MINUTE))
    rate = np.exp(np.interp(np.arange(cells), np.linspace(0, cells, 9), rng.normal(0, 0.5, 9)))
    width = max(1, round(pause_h * 4))
    for at in rng.integers(0, max(1, cells - width), pauses):
        rate[at : at + width] = 0.0
    cum = np.cumsum(rate)
    spot = np.interp(
        np.sort(rng.random(n)) * cum[-1], np.concatenate([[0.0], cum]), np.arange(cells + 1)
    )
    times: Times = (start + spot / cells * (end - start)).astype(np.int64)
    return times


class Clock:
    """When the people and programs of a world send; another clock may be fitted to real traces."""

    def human(
        self, rng: np.random.Generator, n: int, start: int, end: int, zone_h: float, habit: str
    ) -> Times:
        return human_times(rng, n, start, end, zone_h, habit)

    def steady(self, rng: np.random.Generator, n: int, start: int, end: int) -> Times:
        return steady_times(rng, n, start, end)

    def dispatch(
        self, rng: np.random.Generator, n: int, start: int, end: int, pauses: int, pause_h: float
    ) -> Times:
        return dispatch_times(rng, n, start, end, pauses, pause_h)
