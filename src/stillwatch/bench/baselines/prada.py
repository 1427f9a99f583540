"""PRADA: the distances between an account's queries stop looking normal when it steals a model."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import stats as sps

from stillwatch.bench.detector import Facts, Outcome
from stillwatch.bench.traffic import Traffic
from stillwatch.stats import FloatArray

__all__ = ["Prada", "least_distances", "normality"]

_LEAST: Final = 20
_MOST: Final = 1_000
_DELTA: Final = 0.9
_OUTLIER_SD: Final = 3.0


class Prada:
    """1 − W of the Shapiro–Wilk test over least distances to earlier queries."""

    facts = Facts(
        name="prada",
        title="PRADA",
        source="Juuti, Szyller, Marchal, Asokan 2019 (EuroS&P), arXiv 1805.02628",
        published="all attacks known then found, no false alarm on images; on text, arXiv "
        "2606.05725 measured 0.49 found at 0.52 false (original protocol)",
        differs="distances of the kernel's projection of prompts for those of images; one class, "
        f"since a text model has none; judged from {_LEAST} queries on (paper: 100), since most "
        "campaign accounts never send 100; threshold 0.9 as in the paper",
    )

    def judge(self, traffic: Traffic, reference: Traffic, rng: np.random.Generator) -> Outcome:
        w = np.array(
            [
                normality(least_distances(traffic.topic[rows[:_MOST]]))
                if len(rows) >= _LEAST
                else 1.0
                for rows in traffic.by_account
            ]
        )
        return Outcome(1.0 - w, w < _DELTA)


def least_distances(vectors: FloatArray) -> FloatArray:
    """Return each query's distance to the nearest earlier one; the first has none."""
    square = np.clip(2.0 - 2.0 * (vectors @ vectors.T), 0.0, None)
    earlier = np.tril(np.ones(square.shape, dtype=bool), -1)
    nearest: FloatArray = np.sqrt(np.where(earlier, square, np.inf).min(axis=1)[1:])
    return nearest


def normality(distances: FloatArray) -> float:
    """Return W of the distances within three standard deviations; 1 where they are all alike."""
    spread = distances.std()
    if spread < 1e-9:
        return 1.0
    kept = distances[np.abs(distances - distances.mean()) <= _OUTLIER_SD * spread]
    if len(kept) < 3 or np.ptp(kept) < 1e-9:
        return 1.0
    return float(sps.shapiro(kept).statistic)
