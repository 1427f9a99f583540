"""Labels that take turns: the next one is hardly ever among the last ones."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import EvidenceError
from stillwatch.stats.checks import as_codes

__all__ = ["Turns", "turns_e"]

_SHARES: Final = (0.15, 0.35, 0.6, 0.8)
_MOST: Final = 20_000
_NOTHING: Final = (float("nan"), float("nan"), float("nan"), 1.0)


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
