"""Labels that take turns: the next one is hardly ever among the last ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import as_codes
from stillwatch.stats.hypergeometric import hypergeometric_log_pmf, hypergeometric_log_tail

__all__ = ["Turns", "each_own_turns_e", "own_turns_e", "turns_e"]

_SHARES: Final = (0.15, 0.35, 0.6, 0.8)
_MOST: Final = 20_000
_NOTHING: Final = (float("nan"), float("nan"), float("nan"), 1.0)
# Where the next turn is expected, in rounds: bins, and how far it strays; how often in a round.
_EDGES: Final = np.array([0, 0.25, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2, np.inf])
_SPREADS: Final = (0.25, 0.07)
_ONCE: Final = ((0.15, 0.7, 0.15), (0.05, 0.9, 0.05))
_STAKED: Final = 0.9
_TURNS: Final = 50_000


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
    return float(each_own_turns_e([places], n)[0])


def each_own_turns_e(labels: Sequence[NDArray[np.int64]], n: int) -> NDArray[np.float64]:
    """Return `own_turns_e` of several labels: the same bits, for what a few would cost alone.

    Some 50,000 turns are held at once, or all of one label that has more.
    """
    out = np.ones(len(labels))
    often = np.array([len(places) for places in labels], dtype=np.int64)
    known = np.flatnonzero(often > 1)
    block = np.cumsum(often[known]) // _TURNS
    for part in np.split(known, np.flatnonzero(np.diff(block)) + 1):
        if len(part):
            bets = np.array(_bets(_Labels.of([labels[k] for k in part], n)))
            out[part] = np.exp(np.minimum(bets.T, 690.0)).mean(axis=1)
    return out


class _Labels(NamedTuple):
    """Labels one after another: places of each, how many they are, and where each begins."""

    places: NDArray[np.int64]
    often: NDArray[np.int64]
    first: NDArray[np.int64]
    n: int

    @classmethod
    def of(cls, labels: Sequence[NDArray[np.int64]], n: int) -> _Labels:
        often = np.array([len(places) for places in labels], dtype=np.int64)
        return cls(np.concatenate(labels), often, np.cumsum(often) - often, n)

    def counted(self, often: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return 0, 1, 2, … for each label, which has ``often`` of them."""
        return np.arange(often.sum()) - np.repeat(np.cumsum(often) - often, often)


def _bets(of: _Labels) -> list[list[float]]:
    """Return by bet, of each label, the log of what it is worth."""
    chance, here = _next_turn(of)
    turns = np.cumsum(of.often - 1)[:-1]
    bets = [_log_gains(chance, here, np.diff(ndtr((_EDGES - 1) / far)), turns) for far in _SPREADS]
    chance, here = _in_rounds(of)
    rounds = of.first[1:]
    return bets + [_log_gains(chance, here, np.array([*once, 0.0]), rounds) for once in _ONCE]


def _log_gains(
    chance: NDArray[np.float64],
    here: NDArray[np.int64],
    hoped: NDArray[np.float64],
    cuts: NDArray[np.int64],
) -> list[float]:
    """Return the log of what a bet is worth, of each label.

    ``chance``: (turns × outcomes); ``here``: which; ``cuts``: where the next label's begin.
    """
    share = np.where(chance > 0, hoped, 0.0)
    total = share.sum(axis=1, keepdims=True)
    share = np.where(total > 0, share / np.where(total > 0, total, 1.0), chance)
    staked = _STAKED * share + (1 - _STAKED) * chance
    each = np.arange(len(here))
    gains = np.log(staked[each, here] / chance[each, here])
    return [float(part.sum()) for part in np.split(gains, cuts)]


def _next_turn(of: _Labels) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return for each turn but the last the chance of each gap to the next, and which it is."""
    more = np.ones(len(of.places), dtype=bool)
    more[of.first + of.often - 1] = False
    at = np.flatnonzero(more)
    k = np.repeat(of.often, of.often - 1)
    edges = np.floor(_EDGES * of.n / k[:, None])
    left = k - 1 - of.counted(of.often - 1)
    gap, rest = of.places[at + 1] - of.places[at], (of.n - 1 - of.places[at])[:, None]
    chance = -np.diff(_pmf(0, rest, left[:, None], np.minimum(edges, rest)), axis=1)
    return chance, (edges < gap[:, None]).sum(axis=1) - 1


def _in_rounds(of: _Labels) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return for each round the chance of 0, 1, 2 and more of the label, and how often it is."""
    n, k = of.n, np.repeat(of.often, of.often)
    number = of.counted(of.often)
    low, high = np.floor(number * n / k), np.floor((number + 1) * n / k)
    beyond = np.repeat(np.arange(len(of.often)) * (n + 1), of.often)  # the labels kept apart
    flat = of.places + beyond
    before = np.searchsorted(flat, low.astype(np.int64) + beyond)
    count = np.searchsorted(flat, high.astype(np.int64) + beyond) - before
    left, rest, size = k - (before - np.repeat(of.first, of.often)), n - low, high - low
    few = _pmf(np.arange(3), rest[:, None], left[:, None], size[:, None])
    more = np.exp(hypergeometric_log_tail(3, rest, left, size))  # 1 - few is 0 where it is rare
    return np.column_stack([few, more]), np.minimum(count, 3)


def _pmf(
    count: ArrayLike, population: ArrayLike, marked: ArrayLike, drawn: ArrayLike
) -> NDArray[np.float64]:
    return np.exp(hypergeometric_log_pmf(count, population, marked, drawn))
