"""SEAT: an account that sends many pairs of near-identical queries is walking round a point."""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.bench.detector import Facts, Outcome
from stillwatch.bench.traffic import Traffic
from stillwatch.stats import FloatArray

__all__ = ["Seat", "near_pairs", "pair_threshold"]

_PAIRS: Final = 50
_MOST: Final = 1_000
_SHARE: Final = 1e-3
_DRAWS: Final = 20_000


class Seat:
    """The share of 50 near pairs that an account sent; flagged from 50 on."""

    facts = Facts(
        name="seat",
        title="SEAT",
        source="Zhang, Chen, Wagner 2021 (AISec), similarity encoder",
        published="forces most image attacks to at least 65 accounts; on text, arXiv 2606.05725 "
        "measured 0.15 found at 0.14 false (original protocol)",
        differs="the kernel's projection of prompts for the trained encoder; near is the closest "
        "0.1 % of random pairs of the benign reference",
    )

    def judge(self, traffic: Traffic, reference: Traffic, rng: np.random.Generator) -> Outcome:
        near = pair_threshold(reference.topic, rng)
        pairs = np.array(
            [near_pairs(traffic.topic[rows[:_MOST]], near) for rows in traffic.by_account]
        )
        return Outcome(pairs / _PAIRS, pairs >= _PAIRS)


def pair_threshold(vectors: FloatArray, rng: np.random.Generator) -> float:
    """Return the cosine that the closest 0.1 % of random pairs reach."""
    a, b = rng.integers(0, len(vectors), (2, _DRAWS))
    a, b = a[a != b], b[a != b]
    return float(np.quantile((vectors[a] * vectors[b]).sum(axis=1), 1.0 - _SHARE))


def near_pairs(vectors: FloatArray, near: float) -> int:
    """Return how many queries have an earlier one at least so close; each counts once."""
    if len(vectors) < 2:
        return 0
    earlier = np.tril(vectors @ vectors.T, -1)
    return int((earlier.max(axis=1)[1:] >= near).sum())
