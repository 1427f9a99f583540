"""Dice draw single numbers from a seeded numpy Generator at the speed of an iterator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar
from zlib import crc32

import numpy as np

__all__ = ["Dice", "generator"]

T = TypeVar("T")
_BLOCK = 512


def generator(seed: int, *path: str | int) -> np.random.Generator:
    """Return the generator of one named part of a world.

    Streams of different paths are independent, so removing one part (a campaign) leaves the
    draws of every other part unchanged.
    """
    keys = [crc32(p.encode()) if isinstance(p, str) else p for p in path]
    return np.random.default_rng(np.random.SeedSequence([seed, *keys]))


class Dice:
    """Uniform numbers in [0, 1) prefetched in blocks; ``rng`` stays usable for arrays.

    ``unevenness`` widens every `count`.
    """

    __slots__ = ("rng", "u", "unevenness")

    def __init__(self, rng: np.random.Generator, unevenness: float = 1.0) -> None:
        self.rng, self.unevenness = rng, unevenness
        self.u: Callable[[], float] = chain.from_iterable(
            iter(lambda: rng.random(_BLOCK).tolist(), None)
        ).__next__

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items, each as likely."""
        return items[int(self.u() * len(items))]

    def chance(self, p: float) -> bool:
        """Return true with this probability."""
        return self.u() < p

    def whole(self, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        return low + int(self.u() * (high - low + 1))

    def between(self, low: float, high: float) -> float:
        """Return a number in [low, high), uniform."""
        return low + self.u() * (high - low)

    def expo(self, mean: float) -> float:
        """Return an exponential number of this mean."""
        return -mean * math.log(1.0 - self.u())

    def count(self, mean: float, spread: float = 0.6, low: int = 1) -> int:
        """Return a log-normal count with about the given mean, at least ``low``."""
        spread *= self.unevenness
        z = math.sqrt(-2.0 * math.log(1.0 - self.u())) * math.cos(6.283185307 * self.u())
        return max(low, round(mean * math.exp(spread * z - spread * spread / 2)))

    def sample(self, items: Sequence[T], k: int) -> list[T]:
        """Return ``k`` items without replacement (all of them when there are fewer)."""
        pool = list(items)
        n = len(pool)
        for i in range(min(k, n)):
            j = i + int(self.u() * (n - i))
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:k]

    def hex(self, digits: int) -> str:
        """Return so many random hex digits."""
        return self.rng.bytes((digits + 1) // 2).hex()[:digits]
