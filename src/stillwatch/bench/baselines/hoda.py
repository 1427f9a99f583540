"""HODA: an account's queries are harder, or easier, than everybody's."""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.bench.detector import Facts, Outcome
from stillwatch.bench.traffic import Traffic
from stillwatch.stats import FloatArray

__all__ = ["Hoda", "hardness_edges", "pearson_distance"]

_BINS: Final = 11
_LEAST: Final = 20
_SAMPLE: Final = 100


class Hoda:
    """Pearson distance between an account's histogram of hardness and the benign one."""

    facts = Facts(
        name="hoda",
        title="HODA",
        source="Sadeghzadeh, Sobhanian, Dehghan, Jalili 2021, arXiv 2106.11424",
        published="finds JBDA, JBRAND and Knockoff Net accounts from 100 queries on; images",
        differs="hardness is the length of the answer in eleven bins of the benign reference: a "
        "text model has no sub-classifiers whose agreement would measure it; threshold the largest "
        "distance of 1,000 benign samples of 100",
    )

    def judge(self, traffic: Traffic, reference: Traffic, rng: np.random.Generator) -> Outcome:
        answered = reference.output_tokens[~reference.failed]
        edges = hardness_edges(answered)
        usual = _histogram(answered, edges)
        draws = rng.choice(answered, (1_000, _SAMPLE))
        limit = max(pearson_distance(_histogram(d, edges), usual) for d in draws)
        distance = np.zeros(traffic.accounts)
        for number, rows in enumerate(traffic.by_account):
            rows = rows[~traffic.failed[rows]]
            if len(rows) >= _LEAST:
                mine = _histogram(traffic.output_tokens[rows], edges)
                distance[number] = pearson_distance(mine, usual)
        return Outcome(distance, distance > limit)


def hardness_edges(values: FloatArray) -> FloatArray:
    """Return the inner edges of eleven bins, evenly apart on the logarithm of the values."""
    low, high = np.quantile(np.log1p(values), (0.01, 0.99))
    return np.linspace(low, high, _BINS - 1)


def _histogram(values: FloatArray, edges: FloatArray) -> FloatArray:
    counts = np.bincount(np.searchsorted(edges, np.log1p(values)), minlength=_BINS)
    shares: FloatArray = counts / max(counts.sum(), 1)
    return shares


def pearson_distance(a: FloatArray, b: FloatArray) -> float:
    """Return 1 − the correlation of two histograms: 0 alike, 2 opposite; 1 where one is flat."""
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return 1.0 - float(a @ b) / size if size > 0 else 1.0
