"""What a detector is: a log goes in, a score for every account comes out, higher is worse."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from stillwatch.bench.traffic import Traffic
from stillwatch.stats import FloatArray, IntArray

__all__ = ["Detector", "Facts", "Outcome"]


@dataclass(frozen=True)
class Facts:
    """Where a method comes from. ``published``: its own figure, on its own data.

    ``differs``: what is not as in the paper here, and why.
    """

    name: str
    title: str
    source: str
    published: str
    differs: str


@dataclass(frozen=True)
class Outcome:
    """``score`` of each account, in the traffic's order; 0 where there is too little to say.

    ``flagged``: by the method's own threshold, None where the paper gives none that carries
    over. ``group``: which accounts the method puts together, -1 for none; None where it joins none.
    """

    score: FloatArray
    flagged: np.ndarray | None = None
    group: IntArray | None = None
    notes: dict[str, float] = field(default_factory=dict)


class Detector(Protocol):
    """A baseline. ``reference``: benign traffic, where the paper calibrates on some.

    It is the world's own honest traffic, which no provider has: the kindest case for a baseline.
    """

    facts: Facts

    def judge(self, traffic: Traffic, reference: Traffic, rng: np.random.Generator) -> Outcome:
        """Return the outcome; neither traffic is changed."""
