"""How many senders of one item are more than a common queue explains."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import special
from scipy import stats as sps

__all__ = ["least_repeated"]

_KNOWN: Final = 5
_OWN_SHARE: Final = 0.05
_UNEVEN: Final = 1.5
_EVEN: Final = 0.5
_CHANCE: Final = 0.05


def least_repeated(items: np.ndarray, senders: int) -> int:
    """Return from how many senders on an item is repeated, rather than drawn from a queue again.

    ``items``: how many items have 0, 1, 2, … senders; ``senders``: how many there are. Whoever
    draws items from one pool with replacement gives each a Poisson number of senders, λ. An item is
    repeated where so many further senders come by chance to one in twenty at most, and, where all
    items have much the same number (each was asked so many times), from two standard deviations
    above it. Two senders suffice where λ is not known (`_rate`), and where it is above a twentieth
    of the senders, so that each has much of the pool: an evaluation or a class, in which everyone
    has it.
    """
    rate, even = _rate(items)
    if not 0 < rate <= _OWN_SHARE * senders:
        return 2
    return even or 2 + int(sps.poisson.isf(_CHANCE, rate))


def _rate(items: np.ndarray) -> tuple[float, int]:
    """Return λ, 0 where it is not known, and from where on is too many where items are even, or 0.

    λ is fitted to the mean number of senders of those items that have any, where it spreads at most
    half beyond what λ gives. Where a few items spread farther (an evaluation beside a campaign's
    queue), it is 2·items₂/items₁, which these do not touch. Five items of two senders at least.
    """
    number, count = np.arange(1, len(items)), items[1:]
    if count[1:].sum() < _KNOWN:
        return 0.0, 0
    mean = float((number * count).sum() / count.sum())
    spread = float(((number - mean) ** 2 * count).sum() / count.sum())
    rate = float(mean + special.lambertw(-mean * np.exp(-mean)).real)  # zero is not seen
    chance = mean * (1 + rate - mean)
    if spread <= _UNEVEN * chance:
        even = int(mean + 2 * np.sqrt(spread)) + 1 if spread < _EVEN * chance else 0
        return rate, even
    single, double = int(count[0]), int(count[1])
    return (2 * double / single if min(single, double) >= _KNOWN else 0.0), 0
