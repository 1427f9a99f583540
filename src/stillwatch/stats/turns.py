"""Labels that take turns: the next one is hardly ever among the last ones."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import as_codes
from stillwatch.stats.hypergeometric import hypergeometric_log_pmf, hypergeometric_log_tail

__all__ = ["Turns", "own_turns_e", "turns_e"]

_SHARES: Final = (0.15, 0.35, 0.6, 0.8)
_MOST: Final = 20_000
_NOTHING: Final = (float("nan"), float("nan"), float("nan"), 1.0)
# Where the next turn is expected, in rounds: bins, and how far it strays; how often in a round.
_EDGES: Final = np.array([0, 0.25, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2, np.inf])
_SPREADS: Final = (0.25, 0.07)
_ONCE: Final = ((0.15, 0.7, 0.15), (0.05, 0.9, 0.05))
_STAKED: Final = 0.9


class Turns(NamedTuple):
    """How often the next label is among the last ``lag``.

    ``seen``: observed share; ``expected``: share in a random order, given what came before, and
    ``error``, its standard error; ``e_value``: against a random order, 1 where nothing can be said.
    """

    lag: int
    seen: float
    expected: float
    error: float
    e_value: float


def turns_e(labels: NDArray[np.generic]) -> Turns:
    """Bet, label by label, that the next one is not among the last half a round.

    Half a round is half the effective number of labels, 1/(2·Σ share²). Given the labels' totals
    and what came before, in a random order the next label is among the last ones with a chance p
    that is known: what is left of them over what is left. The bet is that the chance is 15, 35, 60
    or 80 % of p, a quarter of the stake on each. Dealing in rounds makes it about a quarter of p.
    Who works in sittings or shifts comes back soon, and loses the bet.

    Args:
        labels: shape (n,), sortable, in the order of time; the first 20,000 are read.

    Raises:
        EvidenceError: not 1-D.

    Error: exact; under a random order of the labels E[e_value] = 1 for every n.
    Source: Shafer 2021, JRSS A 184(2) (testing by betting); sampling without replacement.
    """
    if labels.ndim != 1:
        raise EvidenceError(f"got {labels.ndim} dimensions, expected 1", where="labels")
    codes = as_codes(labels, labels.size, "turns_e: labels")[:_MOST]
    if not len(codes):
        return Turns(0, *_NOTHING)
    total = np.bincount(codes).astype(np.int64)
    lag = max(1, int(0.5 * len(codes) ** 2 / float((total.astype(float) ** 2).sum())))
    chance, again = _chances(codes.tolist(), total.tolist(), lag)
    open_ = (chance > 0) & (chance < 1)
    p, hit = chance[open_], again[open_]
    if not len(p):
        return Turns(lag, *_NOTHING)
    logs = [
        float(np.where(hit, np.log(share), np.log1p(-share * p) - np.log1p(-p)).sum())
        for share in _SHARES
    ]
    e_value = float(np.mean(np.exp(np.minimum(logs, 690.0))))
    error = float(np.sqrt((p * (1 - p)).sum())) / len(p)
    return Turns(lag, float(hit.mean()), float(p.mean()), error, e_value)


def _chances(
    codes: list[int], left: list[int], lag: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return for each label the chance to be among the last ``lag``, and whether it is."""
    n = len(codes)
    chance, again = np.zeros(n), np.zeros(n, dtype=bool)
    held = [0] * len(left)  # how often among the last ones
    remaining = 0  # what is left of those among the last ones
    for t, code in enumerate(codes):
        chance[t], again[t] = remaining / (n - t), held[code] > 0
        left[code] -= 1
        remaining += -1 if held[code] else left[code]
        held[code] += 1
        if t >= lag:
            gone = codes[t - lag]
            held[gone] -= 1
            if not held[gone]:
                remaining -= left[gone]
    return chance, again


def own_turns_e(places: NDArray[np.int64], n: int) -> float:
    """Bet, turn by turn, that one label comes back after a round, and once in every round.

    A round is ``n / len(places)``. Given how many of it are left, in a random order the chance of
    each gap is known, and of how often it is in the next round. Four bets, a quarter of the stake
    on each: the next gap is a round, give or take a quarter or 7 % of one; the next round has it
    once, with a chance of 70 or 90 %, or else never or twice. A tenth of each stake is kept back.

    Args:
        places: of the label in the order of time, from 0, ascending.
        n: labels in all.

    Returns:
        The e-value, 1 with fewer than two places.

    Error: exact; under a random order of the labels E[e_value] = 1. Source: as `turns_e`.
    """
    k = len(places)
    if k < 2:
        return 1.0
    edges = np.floor(_EDGES * n / k)
    gap, left, rest = np.diff(places), k - 1 - np.arange(k - 1), (n - 1 - places[:-1])[:, None]
    chance = -np.diff(_pmf(0, rest, left[:, None], np.minimum(edges, rest)), axis=1)
    here = np.searchsorted(edges, gap, side="left") - 1
    bets = [_log_gain(chance, here, np.diff(ndtr((_EDGES - 1) / far))) for far in _SPREADS]
    chance, here = _in_rounds(places, n)
    bets += [_log_gain(chance, here, np.array([*once, 0.0])) for once in _ONCE]
    return float(np.mean(np.exp(np.minimum(bets, 690.0))))


def _log_gain(
    chance: NDArray[np.float64], here: NDArray[np.int64], hoped: NDArray[np.float64]
) -> float:
    """Return the log of what a bet is worth. ``chance``: (turns × outcomes); ``here``: which."""
    share = np.where(chance > 0, hoped, 0.0)
    total = share.sum(axis=1, keepdims=True)
    share = np.where(total > 0, share / np.where(total > 0, total, 1.0), chance)
    staked = _STAKED * share + (1 - _STAKED) * chance
    each = np.arange(len(here))
    return float(np.log(staked[each, here] / chance[each, here]).sum())


def _in_rounds(places: NDArray[np.int64], n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return for each round the chance of 0, 1, 2 and more of the label, and how often it is."""
    k = len(places)
    edges = np.floor(np.arange(k + 1) * n / k)
    count = np.diff(np.searchsorted(places, edges))
    left, rest, size = k - np.cumsum(count) + count, n - edges[:-1], np.diff(edges)
    few = _pmf(np.arange(3), rest[:, None], left[:, None], size[:, None])
    more = np.exp(hypergeometric_log_tail(3, rest, left, size))  # 1 - few is 0 where it is rare
    return np.column_stack([few, more]), np.minimum(count, 3)


def _pmf(
    count: ArrayLike, population: ArrayLike, marked: ArrayLike, drawn: ArrayLike
) -> NDArray[np.float64]:
    return np.exp(hypergeometric_log_pmf(count, population, marked, drawn))
