"""Arrivals fitted to published serving traces: busy and idle windows, uneven rates, bursts.

``arrivals.json`` holds what `perf/fit_arrivals.py` found among the clients of ServeGen. Here a
client draws its own values from those quantiles: how much of the time it is busy, for how long at a
stretch, how much its rate wanders from window to window, how bursty a window is, and how deep its
day and night are. Its number of requests is given; where they fall is drawn.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stillwatch.simulate.clock import HABITS, HOUR, SECOND, Clock, Times

__all__ = ["UNEVENNESS", "WINDOW_S", "FittedClock", "parameters"]

# Families' log-normal volumes are so many times wider than in a world with plain arrivals.
UNEVENNESS: Final = 1.5

WINDOW_S: Final = 600
_WINDOW: Final = WINDOW_S * SECOND
_MOST_WINDOWS: Final = 20_000
Weights = NDArray[np.float64]


@cache
def parameters() -> dict[str, Any]:
    """Return the fitted parameters, read once."""
    text = (resources.files("stillwatch.simulate") / "arrivals.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


class FittedClock(Clock):
    """Times of people and programs as clients of the traces would spread them.

    People keep their local day and week (`clock.HABITS`), as deep as the traces' day is for the
    client's quantile; programs have a day cycle at a phase of their own.
    """

    def __init__(self, fitted: dict[str, Any]) -> None:
        self._at = np.asarray(fitted["quantiles"])
        self._people, self._programs = fitted["people"], fitted["programs"]

    def human(
        self, rng: np.random.Generator, n: int, start: int, end: int, zone_h: float, habit: str
    ) -> Times:
        cells = self._cells(start, end)
        local = start / HOUR + (np.arange(cells) + 0.5) * WINDOW_S / 3600 + zone_h
        day = _habit(rng, local, habit)
        depth = self._draw(rng, self._people["day_amplitude"]) / max(1e-9, _amplitude(day, local))
        return self._spread(rng, n, start, end, _mixed(day, min(1.0, depth)), self._people)

    def steady(self, rng: np.random.Generator, n: int, start: int, end: int) -> Times:
        cells = self._cells(start, end)
        hours = start / HOUR + (np.arange(cells) + 0.5) * WINDOW_S / 3600
        depth = min(1.0, self._draw(rng, self._programs["day_amplitude"]))
        day = 1.0 + depth * np.cos(2 * np.pi * (hours / 24.0 - rng.random()))
        return self._spread(rng, n, start, end, day, self._programs)

    def _cells(self, start: int, end: int) -> int:
        return int(min(_MOST_WINDOWS, max(1, -(-(end - start) // _WINDOW))))

    def _draw(self, rng: np.random.Generator, quantiles: list[float]) -> float:
        return float(np.interp(rng.random(), self._at, quantiles))

    def _spread(
        self,
        rng: np.random.Generator,
        n: int,
        start: int,
        end: int,
        day: Weights,
        fitted: dict[str, Any],
    ) -> Times:
        """Return ``n`` sorted times: windows by weight, places in a window by gamma gaps."""
        u = rng.random()  # a client that is seldom busy is so in short stretches: one draw for both
        active = float(np.interp(u, self._at, fitted["active"]))
        stretch = max(1.0, float(np.interp(u, self._at, fitted["busy_windows"])))
        sigma = self._draw(rng, fitted["rate_sigma"])
        cells = len(day)
        weight = day * np.exp(_wander(rng, cells, sigma, fitted["rate_correlation"]))
        weight *= _busy(rng, cells, active, stretch)
        cum = np.cumsum(weight)
        cell = np.searchsorted(cum, np.sort(rng.random(n)) * cum[-1], side="right")
        cell = np.minimum(cell, cells - 1)
        times = start + ((cell + self._places(rng, cell, fitted)) * _WINDOW).astype(np.int64)
        return np.sort(np.clip(times, start, max(start, end - 1)))

    def _places(
        self, rng: np.random.Generator, cell: NDArray[np.int64], fitted: dict[str, Any]
    ) -> Weights:
        """Return each request's place in [0, 1) of its window; gaps have the client's cv."""
        n = len(cell)
        cv = self._draw(rng, fitted["gap_cv"])
        if n < 2:
            return rng.random(n)
        shape = 1.0 / max(cv, 0.2) ** 2
        new = np.concatenate([[True], cell[1:] != cell[:-1]])
        first = np.flatnonzero(new)
        size = np.diff(np.concatenate([first, [n]]))
        gaps = rng.gamma(shape, 1.0, n) + 1e-9
        within = np.cumsum(gaps)
        before = (within - gaps)[first]
        total = np.add.reduceat(gaps, first) + rng.gamma(shape, 1.0, len(first)) + 1e-9
        places = (within - np.repeat(before, size)) / np.repeat(total, size)
        shift = np.repeat(rng.random(len(first)), size)  # the window may begin amid a gap
        spread: Weights = np.where(np.repeat(size, size) == 1, shift, places) % 1.0
        return spread


def _habit(rng: np.random.Generator, local: Weights, habit: str) -> Weights:
    """Return the weight of each window of a person's local day and week."""
    peak, width, second, weekend = HABITS[habit]
    peak = peak + rng.normal(0, 0.8)
    clock, weekday = local % 24, (local // 24 + 3) % 7  # 1970-01-01 was a Thursday
    weight = np.full(len(local), 0.004)
    for top, share in ((peak, 1.0), (second, 0.7)):
        gap = np.abs(clock - top)
        weight += share * np.exp(-0.5 * (np.minimum(gap, 24 - gap) / width) ** 2)
    day: Weights = weight * np.where(weekday >= 5, weekend, 1.0)
    return day


def _amplitude(day: Weights, hours: Weights) -> float:
    """Return the daily harmonic's amplitude over the mean."""
    return float(2 * abs((day * np.exp(2j * np.pi * hours / 24)).sum()) / day.sum())


def _mixed(day: Weights, depth: float) -> Weights:
    mixed: Weights = (1.0 - depth) + depth * day / day.mean()
    return mixed


def _wander(rng: np.random.Generator, n: int, sigma: float, correlation: float) -> Weights:
    """Return an AR(1) of standard deviation ``sigma``, in blocks that keep its correlation."""
    block = max(1, round(1.0 / max(1e-3, 1.0 - max(0.0, correlation))))
    knots = rng.normal(0.0, sigma, n // block + 2)
    at = np.arange(n) / block + rng.random()
    wander: Weights = np.interp(at, np.arange(len(knots)), knots)
    return wander


def _busy(rng: np.random.Generator, n: int, active: float, stretch: float) -> Weights:
    """Return 1 for busy and 0 for idle windows: stretches of geometric length."""
    if active >= 0.98:
        return np.ones(n)
    idle = stretch * (1.0 - active) / max(active, 1e-3)
    some = int(n / (stretch + idle)) * 2 + 8
    lengths = np.empty(2 * some)
    lengths[0::2] = rng.geometric(1.0 / stretch, some)
    lengths[1::2] = rng.geometric(min(1.0, 1.0 / max(1.0, idle)), some)
    edges = np.cumsum(lengths) - rng.random() * (stretch + idle)
    state: Weights = (np.searchsorted(edges, np.arange(n), side="right") % 2 == 0).astype(float)
    if not state.any():  # it sends, so it is busy once
        at = int(rng.integers(n))
        state[at : at + max(1, round(stretch))] = 1.0
    return state
