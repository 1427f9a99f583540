"""How many senders of one item are more than a common queue explains."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import stats as sps

__all__ = ["least_repeated"]

_KNOWN: Final = 5
_OWN_SHARE: Final = 0.1
_UNEVEN: Final = 1.5
_CHANCE: Final = 0.05


def least_repeated(items: np.ndarray, senders: int) -> int:
    """Return from how many senders on an item is repeated, rather than drawn from a queue again.

    ``items``: how many items have 0, 1, 2, … senders; ``senders``: how many there are. Whoever
    draws items from one pool with replacement gives each a Poisson number of senders, whatever
    a few items do that everybody sends: λ = 2·items₂/items₁. Who asks each item a number of times
    gives them equal numbers: λ is the mean number of further senders, unless these spread more than
    half beyond Poisson (what is popular or viral). An item counts as repeated where so many
    further senders come by chance to one in twenty at most: from two senders on in a large pool,
    where fewer than five items tell λ, and where it is above a tenth of the senders, so that each
    has much of the pool: an evaluation or a class, in which everyone has it.
    """
    rate = _rate(items)
    if not 0 < rate <= _OWN_SHARE * senders:
        return 2
    return 2 + int(sps.poisson.isf(_CHANCE, rate))


def _rate(items: np.ndarray) -> float:
    """Return λ, 0 where nothing is known."""
    single, double = (int(items[n]) if n < len(items) else 0 for n in (1, 2))
    if min(single, double) >= _KNOWN:
        return 2 * double / single
    if single:
        return 0.0
    number = np.arange(1, len(items))
    count = items[1:]
    if not count.sum():
        return 0.0
    mean = float((number * count).sum() / count.sum())
    spread = float(((number - mean) ** 2 * count).sum() / count.sum())
    return mean - 1 if spread <= _UNEVEN * mean else 0.0
