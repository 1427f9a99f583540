"""How well shifted surrogates and fitted tails hold their level, and where they do not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from stillwatch.stats import (
    Tail,
    common_silence,
    interior_span,
    shifted_surrogates,
    tail_p,
)

DAY_S = 86_400.0
LEVELS = (0.1, 0.01, 0.001)
Events = tuple[np.ndarray, np.ndarray]


def excess(p_values: list[float], slack: float = 1.0) -> dict[float, float]:
    """Return each level that more p-values undercut than slack * level explains."""
    p = np.asarray(p_values)
    assert not np.isnan(p).any()
    rates = {t: float((p <= t).mean()) for t in LEVELS}
    return {t: r for t, r in rates.items() if r * p.size > binom.isf(1e-4, p.size, slack * t)}


def poisson(rng: np.random.Generator, series: int = 6, rate: float = 30.0) -> Events:
    sizes = rng.poisson(rate, series)
    return rng.uniform(0, 2 * DAY_S, sizes.sum()), np.repeat(np.arange(series), sizes)


def sessions(rng: np.random.Generator) -> Events:
    times, labels = [np.empty(0)], [np.empty(0, dtype=int)]
    for label in range(6):
        for start in rng.uniform(0, 2 * DAY_S, 1 + rng.poisson(4)):
            size = int(rng.geometric(0.25))
            times.append(start + np.cumsum(rng.exponential(120.0, size)))
            labels.append(np.full(size, label))
    return np.concatenate(times), np.concatenate(labels)


def day_rhythm(rng: np.random.Generator, series: int = 6, rate: float = 60.0) -> Events:
    times, labels = poisson(rng, series, rate)
    awake = rng.random(times.size) < 0.5 * (1 + np.cos(2 * np.pi * times / DAY_S))
    return times[awake], labels[awake]


def adjacency_p(events: Events, shift_s: float, rng: np.random.Generator, tail: Tail) -> float:
    times, labels = events
    order = np.argsort(times)
    times, labels = times[order], labels[order]
    span = interior_span(times, shift_s)
    inside = labels[(times >= span[0]) & (times <= span[1])]
    draws = [
        np.count_nonzero(copy.labels[1:] == copy.labels[:-1])
        for copy in shifted_surrogates(times, labels, shift_s, rng, 60, span)
    ]
    return tail_p(float(np.count_nonzero(inside[1:] == inside[:-1])), draws, tail)


@pytest.mark.parametrize("process", [poisson, sessions, day_rhythm])
@pytest.mark.parametrize("tail", ["lower", "upper"])
def test_adjacency_of_independent_series(
    process: Callable[[np.random.Generator], Events], tail: Tail
) -> None:
    rng = np.random.default_rng(21)
    assert excess([adjacency_p(process(rng), 900.0, rng, tail) for _ in range(1000)]) == {}


def test_turns_within_bursts_are_seen_beyond_the_draws() -> None:
    rng = np.random.default_rng(22)
    starts = np.repeat(rng.uniform(0, 2 * DAY_S, 60), 24)
    times = np.sort(starts + rng.exponential(60.0, starts.size))
    assert adjacency_p((times, np.arange(times.size) % 6), 900.0, rng, "lower") < 1e-3


def test_turns_of_lone_requests_stay_unseen_as_printed() -> None:
    rng = np.random.default_rng(22)
    times = np.sort(rng.uniform(0, 2 * DAY_S, 1500))
    assert adjacency_p((times, np.arange(1500) % 6), 900.0, rng, "lower") > 0.01


def test_a_shift_of_hours_blurs_a_shared_day_and_fails_as_printed() -> None:
    rng = np.random.default_rng(23)
    p = [adjacency_p(day_rhythm(rng, 20, 300.0), 4 * 3600.0, rng, "lower") for _ in range(60)]
    assert np.mean(np.asarray(p) <= 0.01) > 0.2


@pytest.mark.parametrize("process", [poisson, sessions, day_rhythm])
def test_silence_of_independent_series(process: Callable[[np.random.Generator], Events]) -> None:
    rng = np.random.default_rng(24)
    got = [common_silence(*process(rng), 300.0, rng, 60, 3600.0) for _ in range(800)]
    for field in ("p_value", "p_longest", "p_total"):
        assert excess([getattr(g, field) for g in got]) == {}


DRAWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "poisson of 20": lambda rng, n: rng.poisson(20, n).astype(float),
    "poisson of 2": lambda rng, n: rng.poisson(2, n).astype(float),
    "gamma of 2": lambda rng, n: rng.gamma(2.0, size=n),
    "student of 3": lambda rng, n: rng.standard_t(3, n),
}
PRINTED = {"gamma of 2": 2.5}
"""How many times too often the docstring of `tail_p` admits p <= t (1 where absent)."""


@pytest.mark.parametrize("law", [law for law in DRAWS if law != "student of 3"])
@pytest.mark.parametrize("tail", ["lower", "upper"])
def test_fitted_tail_of_exchangeable_draws(law: str, tail: Tail) -> None:
    rng = np.random.default_rng(25)
    draws = [DRAWS[law](rng, 100) for _ in range(10_000)]
    p = [tail_p(float(d[0]), d[1:], tail) for d in draws]
    assert excess(p, PRINTED.get(law, 1.0)) == {}


def test_fitted_tail_of_a_heavy_law_fails_as_printed() -> None:
    rng = np.random.default_rng(26)
    draws = [DRAWS["student of 3"](rng, 100) for _ in range(10_000)]
    rate = np.mean([tail_p(float(d[0]), d[1:], "upper") <= 0.001 for d in draws])
    assert 0.002 < rate < 0.01
