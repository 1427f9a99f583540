"""Exact tails for scores that only fair coins decide, and for independent unequal ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import P_FLOOR, FloatArray, as_floats, as_ints

__all__ = ["binomial_tail", "coin_sum_tail", "coin_sum_tails", "holm_adjusted", "trials_needed"]

_MOST_STEPS = 5_000_000


def coin_sum_tail(scores: Sequence[ArrayLike], observed: int) -> float:
    """Return ``P(S >= observed)`` for S the sum of one uniformly drawn score of each list.

    Each list holds what one secret die would add for each of its faces; the dice are fair,
    independent of each other and of the scores. With lists ``(0, 1)`` this is the binomial
    tail, with ``(0, ..., 0, 1)`` of several lengths the Poisson-binomial one.

    Args:
        scores: whole numbers, at least one a list.
        observed: the sum that was seen.

    Raises:
        EvidenceError: an empty list, a fraction, or a range of sums beyond five million.

    Error: exact up to rounding (relative 1e-12 for tails above 1e-200); an empty sequence
    gives 1 for ``observed`` <= 0, else the floor. Never below ``P_FLOOR``.
    Source: convolution of the lists' generating functions.

    >>> coin_sum_tail([(0, 1)] * 3, 3)
    0.125
    """
    return float(coin_sum_tails(scores, [observed])[0])


def coin_sum_tails(scores: Sequence[ArrayLike], observed: ArrayLike) -> FloatArray:
    """Return the tails of several sums under one law, as :func:`coin_sum_tail` does of one."""
    law, low = np.ones(1), 0
    for k, values in enumerate(scores):
        faces = as_ints(values, f"coin_sum_tail: list {k}")
        if faces.size == 0:
            raise EvidenceError("got a die without faces", where=f"coin_sum_tail: list {k}")
        least = int(faces.min())
        step = np.bincount(faces - least) / faces.size
        if law.size + step.size > _MOST_STEPS:
            raise EvidenceError("the sums span more than five million values", where="coin_sum")
        law = _convolve(law, step)
        low += least
    upper = np.append(np.cumsum(law[::-1])[::-1], 0.0)  # smallest terms first
    place = np.clip(as_ints(observed, "coin_sum_tail: observed") - low, 0, law.size)
    tails = np.where(place == 0, 1.0, upper[place])
    return np.asarray(np.clip(tails, P_FLOOR, 1.0))


def _convolve(law: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Convolve by the few faces a die has: no transform, so small tails keep their digits."""
    out = np.zeros(law.size + step.size - 1)
    for shift in np.flatnonzero(step):
        out[shift : shift + law.size] += step[shift] * law
    return out


def binomial_tail(successes: int, trials: int, share: float) -> float:
    """Return the exact ``P(X >= successes)`` of a binomial, never below ``P_FLOOR``.

    Raises:
        EvidenceError: not 0 <= successes <= trials, or share outside (0, 1).
    """
    if not 0 <= successes <= trials or not 0.0 < share < 1.0:
        raise EvidenceError(
            f"got {successes} of {trials} at {share}, expected 0 <= k <= n, 0 < share < 1",
            where="binomial_tail",
        )
    return max(P_FLOOR, float(binom.sf(successes - 1, trials, share)))


def trials_needed(
    adopted: float, alpha: float, power: float, chance: float = 0.5, most: int = 100_000
) -> int:
    """Return the fewest trials with which the exact binomial test at ``alpha`` has ``power``.

    Args:
        adopted: chance of a match if the effect is there, above ``chance``.
        alpha: level of the one-sided test.
        power: wanted chance of reaching it, in (0, 1).
        chance: chance of a match under the null.
        most: where the search ends.

    Returns:
        The number from which on the power stays; ``most`` + 1 if even that is too few.

    Raises:
        EvidenceError: ``adopted`` is not above ``chance``.
    """
    if not chance < adopted <= 1.0:
        raise EvidenceError(f"got {adopted}, expected above {chance}", where="trials_needed")
    low, high = 1, most + 1
    while low < high:  # power saws with n by one match; the last tooth is checked below
        n = (low + high) // 2
        if _power(n, adopted, alpha, chance) >= power:
            high = n
        else:
            low = n + 1
    while low <= most and any(
        _power(n, adopted, alpha, chance) < power for n in range(low, low + 4)
    ):
        low += 1
    return low


def _power(n: int, adopted: float, alpha: float, chance: float) -> float:
    needed = int(binom.isf(alpha, n, chance)) + 1
    while needed > 0 and binom.sf(needed - 2, n, chance) <= alpha:
        needed -= 1
    return float(binom.sf(needed - 1, n, adopted))


def holm_adjusted(p: ArrayLike) -> list[float]:
    """Return p-values adjusted for the number of hypotheses: reject where they are <= alpha.

    Raises:
        EvidenceError: a p-value outside [0, 1].

    Error: exact control of the familywise error under any dependence.
    Source: Holm 1979, Scandinavian Journal of Statistics 6(2).

    >>> holm_adjusted([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    values = as_floats(p, "holm_adjusted")
    if bool(((values < 0.0) | (values > 1.0)).any()):
        raise EvidenceError("got a p-value outside [0, 1]", where="holm_adjusted")
    order = np.argsort(values, kind="stable")
    factors = np.arange(values.size, 0, -1)
    raised = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    out = np.empty(values.size)
    out[order] = raised
    return [float(value) for value in out]
