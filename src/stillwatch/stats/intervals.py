"""Intervals for shares and rates, each with what it assumes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv, gammaincinv, ndtri

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import require_open_unit

__all__ = [
    "Interval",
    "clopper_pearson",
    "poisson_interval",
    "rule_of_three",
    "wilson",
]


class Interval(NamedTuple):
    """A two-sided interval and its confidence level."""

    low: float
    high: float
    level: float


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Return the exact interval of a share: it covers at least ``level`` of the time.

    Args:
        successes: k in 0..trials.
        trials: n >= 0, independent; n = 0 gives [0, 1].
        level: in (0, 1).

    Raises:
        EvidenceError: an argument is outside its range.

    Error: exact, conservative. Source: Clopper & Pearson 1934, Biometrika 26(4).
    """
    _check_share(successes, trials, level, "clopper_pearson")
    half = (1.0 - level) / 2.0
    k, n = float(successes), float(trials)
    low = 0.0 if successes == 0 else float(betaincinv(k, n - k + 1.0, half))
    high = 1.0 if successes == trials else float(betaincinv(k + 1.0, n - k, 1.0 - half))
    return Interval(low, high, level)


def wilson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Return the score interval of a share: narrower, it covers ``level`` on average.

    Arguments and errors as in `clopper_pearson`.

    Error: approximate (normal score); coverage can dip a few points below ``level``
    for shares near 0 or 1. Source: Wilson 1927, JASA 22(158).
    """
    _check_share(successes, trials, level, "wilson")
    if trials == 0:
        return Interval(0.0, 1.0, level)
    z = float(ndtri(0.5 + level / 2.0))
    n, share = float(trials), successes / trials
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return Interval(low, high, level)


def rule_of_three(trials: int, level: float = 0.95) -> float:
    """Return the one-sided upper bound of a share seen 0 times: ``1-(1-level)^(1/n)``.

    Args:
        trials: n >= 0, independent, none a success; n = 0 gives 1.
        level: one-sided confidence in (0, 1).

    Raises:
        EvidenceError: an argument is outside its range.

    Error: exact; at 95 % it is at most 3/n.
    Source: Hanley & Lippman-Hand 1983, JAMA 249(13).
    """
    _check_share(0, trials, level, "rule_of_three")
    return 1.0 if trials == 0 else float(-np.expm1(np.log1p(-level) / trials))


def poisson_interval(count: int, exposure: float = 1.0, level: float = 0.95) -> Interval:
    """Return the exact interval of a rate, in events per unit of exposure.

    Args:
        count: events seen, >= 0.
        exposure: > 0, in any unit.
        level: in (0, 1).

    Raises:
        EvidenceError: an argument is outside its range.

    Error: exact, conservative, for Poisson counts. Source: Garwood 1936, Biometrika 28.
    """
    require_open_unit(level, "poisson_interval: level")
    if count < 0 or not exposure > 0.0:
        raise EvidenceError(
            f"got count {count} in exposure {exposure}, expected >= 0 and > 0",
            where="poisson_interval",
        )
    half = (1.0 - level) / 2.0
    low = 0.0 if count == 0 else float(gammaincinv(float(count), half))
    high = float(gammaincinv(count + 1.0, 1.0 - half))
    return Interval(low / exposure, high / exposure, level)


def _check_share(successes: int, trials: int, level: float, where: str) -> None:
    require_open_unit(level, f"{where}: level")
    if not 0 <= successes <= trials:
        raise EvidenceError(f"got {successes} of {trials}, expected 0 <= k <= n", where=where)
