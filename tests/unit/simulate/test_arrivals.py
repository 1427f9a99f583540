"""Arrivals that are fitted to traces: what was fitted is what comes out."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.simulate.arrivals import WINDOW_S, FittedClock, parameters
from stillwatch.simulate.clock import DAY, HOUR, MINUTE, Clock

WEEK = 7 * DAY


def fitted_clock() -> FittedClock:
    return FittedClock(parameters())


def rates(times: np.ndarray, days: int) -> np.ndarray:
    cells = days * 86_400 // WINDOW_S
    return np.bincount(times // (WINDOW_S * 1_000_000), minlength=cells)


@pytest.mark.parametrize("n", [1, 2, 7, 500])
@pytest.mark.parametrize("span", [5 * MINUTE, HOUR, WEEK])
def test_as_many_times_as_asked_sorted_and_inside(n, span):
    clock, rng = fitted_clock(), np.random.default_rng(1)
    start = 3 * DAY + 17
    for times in (
        clock.human(rng, n, start, start + span, -5.0, "office"),
        clock.steady(rng, n, start, start + span),
    ):
        assert len(times) == n
        assert (np.diff(times) >= 0).all()
        assert start <= times[0]
        assert times[-1] < start + span


def test_the_same_generator_gives_the_same_times():
    one, two = (fitted_clock().steady(np.random.default_rng(9), 50, 0, WEEK) for _ in range(2))
    assert (one == two).all()


def test_programs_are_busy_as_often_as_the_clients_of_the_traces():
    clock, rng = fitted_clock(), np.random.default_rng(0)
    shares = [(rates(clock.steady(rng, 20_000, 0, WEEK), 7) > 0).mean() for _ in range(200)]
    known = parameters()["programs"]["active"]
    assert np.median(shares) == pytest.approx(np.median(known), abs=0.12)
    assert np.quantile(shares, 0.15) < 0.06
    assert np.quantile(shares, 0.9) > 0.8


def test_windows_are_as_bursty_as_those_of_the_traces():
    clock, rng = fitted_clock(), np.random.default_rng(0)
    found = []
    for _ in range(150):
        times = clock.steady(rng, 20_000, 0, DAY)
        cells = times // (WINDOW_S * 1_000_000)
        gaps, same = np.diff(times), np.diff(cells) == 0
        for cell in np.unique(cells)[:20]:
            inside = gaps[same & (cells[1:] == cell)]
            if len(inside) > 20:
                found.append(inside.std() / inside.mean())
    known = parameters()["programs"]["gap_cv"]
    assert np.median(found) == pytest.approx(np.median(known), rel=0.2)
    assert np.quantile(found, 0.9) > 2.0


@pytest.mark.parametrize("zone", [-8.0, 0.0, 9.0])
def test_people_keep_their_own_day(zone):
    """Most requests of people with office hours fall between 7 and 21 o'clock of their zone."""
    clock, rng = fitted_clock(), np.random.default_rng(0)
    local = np.concatenate(
        [
            (clock.human(rng, 20, 4 * DAY, 4 * DAY + WEEK, zone, "office") / HOUR + zone) % 24
            for _ in range(300)
        ]
    )
    day = ((local > 7) & (local < 21)).mean()
    plain = Clock().human(np.random.default_rng(0), 6000, 4 * DAY, 4 * DAY + WEEK, zone, "office")
    at_most = (((plain / HOUR + zone) % 24 > 7) & ((plain / HOUR + zone) % 24 < 21)).mean()
    assert 14 / 24 + 0.08 < day < at_most
