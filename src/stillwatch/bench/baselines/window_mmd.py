"""Window MMD: do the last 1,500 prompts, as a whole, differ from benign ones?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.bench.detector import Facts, Outcome
from stillwatch.bench.traffic import Traffic
from stillwatch.stats import FloatArray

__all__ = ["MmdTest", "WindowMmd", "fit_mmd", "share_found"]

WINDOW: Final = 1_500
_NULLS: Final = 1_000
_LEVEL: Final = 0.95
_POOL_WINDOWS: Final = 3
_PAIRS: Final = 4_000


@dataclass(frozen=True)
class MmdTest:
    """The fitted test. ``scale``: 1/(2·(4·median)²), of the widest of the four kernels."""

    reference: FloatArray
    inside: float
    scale: float
    threshold: float

    def statistic(self, window: FloatArray) -> float:
        """Return the unbiased MMD² between a window of any size and the reference."""
        n = len(window)
        own = (_kernel(window, window, self.scale).sum() - 4.0 * n) / (n * (n - 1))
        across = _kernel(window, self.reference, self.scale).mean()
        return float(own + self.inside - 2.0 * across)


class WindowMmd:
    """The mean statistic of the windows an account's requests fall into."""

    facts = Facts(
        name="window_mmd",
        title="Window MMD",
        source="arXiv 2606.05725, unbiased MMD², RBF at 0.5, 1, 2 and 4 medians, 1,500 prompts",
        published="0.29 % of benign windows flagged; windows with 5 % attack found 59 %, 10 % "
        "94 %, 25 % and more 100 %",
        differs="the kernel's 64-byte projection for bge-small embeddings; it judges windows, "
        "so an account gets the mean of its windows' statistics",
    )

    def judge(self, traffic: Traffic, reference: Traffic, rng: np.random.Generator) -> Outcome:
        size = min(WINDOW, reference.rows // _POOL_WINDOWS, traffic.rows)
        test = fit_mmd(reference.topic, size, rng)
        windows = np.array_split(np.arange(traffic.rows), max(1, traffic.rows // size))
        of_row = np.zeros(traffic.rows)
        for rows in windows:
            of_row[rows] = test.statistic(traffic.topic[rows])
        total = np.bincount(traffic.account, weights=of_row, minlength=traffic.accounts)
        score = total / np.maximum(traffic.volume, 1)
        values = np.array([of_row[rows[0]] for rows in windows])
        return Outcome(
            score, score > test.threshold,
            notes={"windows": len(windows), "flagged": float((values > test.threshold).mean())},
        )  # fmt: skip


def fit_mmd(benign: FloatArray, size: int, rng: np.random.Generator) -> MmdTest:
    """Fit the test on benign vectors: bandwidth by the median, threshold by 1,000 benign pairs."""
    pool = benign[rng.choice(len(benign), min(len(benign), _POOL_WINDOWS * size), replace=False)]
    a, b = rng.integers(0, len(pool), (2, _PAIRS))
    square = ((pool[a] - pool[b]) ** 2).sum(axis=1)
    scale = 1.0 / (2.0 * 16.0 * float(np.median(square[square > 0])))
    table = _kernel(pool, pool, scale)
    left = np.zeros((_NULLS, len(pool)), dtype=np.float32)
    right = np.zeros_like(left)
    for k in range(_NULLS):
        drawn = rng.permutation(len(pool))[: 2 * size]
        left[k, drawn[:size]] = 1.0
        right[k, drawn[size:]] = 1.0
    towards_left, towards_right = left @ table, right @ table
    pairs = size * (size - 1)
    nulls = (
        ((towards_left * left).sum(axis=1) - 4.0 * size) / pairs
        + ((towards_right * right).sum(axis=1) - 4.0 * size) / pairs
        - 2.0 * (towards_left * right).sum(axis=1) / size**2
    )
    reference = pool[:size]
    inside = (float(table[:size, :size].sum()) - 4.0 * size) / pairs
    return MmdTest(reference, inside, scale, float(np.quantile(nulls, _LEVEL)))


def share_found(
    test: MmdTest, benign: FloatArray, attack: FloatArray, share: float, windows: int,
    rng: np.random.Generator,
) -> float:  # fmt: skip
    """Return the share of windows flagged when ``share`` of each window's prompts are the attack's.

    ``benign`` must not hold the rows on which the test was fitted.
    """
    size = len(test.reference)
    bad = round(share * size)
    hits = 0
    for _ in range(windows):
        good = benign[rng.choice(len(benign), size - bad, replace=False)]
        drawn = attack[rng.choice(len(attack), bad, replace=bad > len(attack))]
        hits += test.statistic(np.concatenate([good, drawn])) > test.threshold
    return hits / windows


def _kernel(a: FloatArray, b: FloatArray, scale: float) -> FloatArray:
    """Return the sum of RBF kernels at 4, 2, 1 and 0.5 medians; each is the last to the fourth."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    square = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2.0 * (a @ b.T)
    kernel = np.exp(np.float32(-scale) * np.clip(square, 0.0, None))
    total: FloatArray = kernel.copy()
    for _ in range(3):
        np.multiply(kernel, kernel, out=kernel)
        np.multiply(kernel, kernel, out=kernel)
        total += kernel
    return total
