"""How many senders of one item are more than a common queue explains."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import stats as sps

__all__ = ["least_repeated"]

_KNOWN: Final = 5
_OWN_SHARE: Final = 0.1
_UNEVEN: Final = 1.5
_CHANCE: Final = 0.05
_STEPS: Final = 200


def least_repeated(items: np.ndarray, senders: int) -> int:
    """Return from how many senders on an item is repeated, rather than drawn from a queue again.

    ``items``: how many items have 0, 1, 2, … senders; ``senders``: how many there are. Whoever
    draws items from one pool with replacement gives each a Poisson number of senders, whoever asks
    each a number of times gives them equal numbers: λ is fitted to their mean (zero left out),
    where they spread at most half beyond Poisson. Where a few items spread farther (an evaluation
    beside a campaign's queue), λ = 2·items₂/items₁, which these do not touch. An item counts as
    repeated where so many further senders come by chance to one in twenty at most: from two
    senders on in a large pool, where fewer than five items tell λ, and where it is above a tenth of
    the senders, so that each has much of the pool: an evaluation or a class, in which everyone has
    it.
    """
    rate = _rate(items)
    if not 0 < rate <= _OWN_SHARE * senders:
        return 2
    return 2 + int(sps.poisson.isf(_CHANCE, rate))


def _rate(items: np.ndarray) -> float:
    """Return λ, 0 where nothing is known."""
    number, count = np.arange(1, len(items)), items[1:]
    if count[1:].sum() < _KNOWN:
        return 0.0
    mean = float((number * count).sum() / count.sum())
    if ((number - mean) ** 2 * count).sum() <= _UNEVEN * mean * count.sum():
        rate = mean
        for _ in range(_STEPS):
            rate = mean * -math.expm1(-rate)
        return rate
    single, double = int(count[0]), int(count[1])
    return 2 * double / single if min(single, double) >= _KNOWN else 0.0
