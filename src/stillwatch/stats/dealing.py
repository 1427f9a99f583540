"""Labels dealt out at random: as often each, and whoever came lately comes no sooner again."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from stillwatch.errors import EvidenceError

__all__ = ["APPETITE", "SITTING", "Dealing", "dealing_e"]

APPETITE: Final = 0.5
SITTING: Final = 0.1
_MOST_NATS: Final = 690.0
_QUARTERS: Final = 4


class Dealing(NamedTuple):
    """How labels are dealt.

    ``uneven``: coefficient of variation of the labels' own rates (what is left of the variance of
    their counts when chance is taken away), 0 where it is negative. ``again``, ``expected``: share
    of the labels that had come lately too, seen and in a random order. ``e_even``, ``e_always``,
    ``e_random``: e-values against each null; ``e_value``: the smallest.
    """

    uneven: float
    again: float
    expected: float
    e_even: float
    e_always: float
    e_random: float
    e_value: float


def dealing_e(
    labels: NDArray[np.int64], times: NDArray[np.int64], n_labels: int, lately: int
) -> Dealing:
    """Bet that one hand deals: rates do not differ, at no time, and nobody works in sittings.

    Null, any of three. (1) The labels have rates of their own, gamma distributed, with a
    coefficient of variation of a half and more; (2) so they have in each quarter of the sequence,
    whatever the whole; (3) where anybody came within ``lately``, one in ten labels and more is
    that of somebody who did (a sitting), the rest in any proportion. The bets are the likelihood of
    equal shares over that of a coefficient of a half, of all and of the quarters, and of a random
    order over one in ten. Each falls as what it is against grows, so the nulls beyond have smaller
    means. The smallest holds whichever null is true.

    Args:
        labels: codes from 0, in the order of time. times: of each, ascending, any unit.
        n_labels: how many labels there are, those that never come included.
        lately: within which time somebody came lately, in that unit.

    Raises:
        EvidenceError: shapes differ, or a code is outside.

    Error: near an e-value at the edges of the nulls, where rates are gamma distributed (its test
    bounds it by simulation); a few very large labels among small ones exceed it. Enough to choose
    what is looked at, and used for nothing else.
    Source: Good 1967, JRSS B 29(3) (equal shares against Dirichlet-multinomial); Shafer 2021, JRSS
    A 184(2) (testing by betting).
    """
    if labels.shape != times.shape or labels.ndim != 1:
        raise EvidenceError(f"got shapes {labels.shape} and {times.shape}", where="dealing_e")
    if len(labels) and not 0 <= labels.min() <= labels.max() < n_labels:
        raise EvidenceError(f"expected codes of {n_labels} labels", where="dealing_e: labels")
    counts = np.bincount(labels, minlength=n_labels).astype(np.float64)
    mean = counts.mean() if n_labels else 0.0
    if n_labels < 2 or mean <= 0:
        return Dealing(float("nan"), float("nan"), float("nan"), 1.0, 1.0, 1.0, 1.0)
    own = max(counts.var(ddof=1) - mean, 0.0) / mean**2
    chance, again = _lately(labels, times, counts / counts.sum(), lately)
    open_ = chance > 0  # where nobody came lately there is no bet
    p = np.where(open_, chance, 1.0)
    logs = np.where(again, np.log(p) - np.log(SITTING + (1 - SITTING) * p), -np.log1p(-SITTING))
    quarters = [
        np.bincount(q, minlength=n_labels).astype(np.float64)
        for q in np.array_split(labels, _QUARTERS)
    ]
    e_even = float(np.exp(min(_log_even(counts), _MOST_NATS)))
    e_always = float(np.exp(min(sum(map(_log_even, quarters)), _MOST_NATS)))
    e_random = float(np.exp(min(float(logs[open_].sum()), _MOST_NATS)))
    return Dealing(
        float(np.sqrt(own)), float(again.mean()), float(chance.mean()), e_even, e_always, e_random,
        min(e_even, e_always, e_random),
    )  # fmt: skip


def _log_even(counts: NDArray[np.float64]) -> float:
    """Return the log likelihood ratio of equal shares against gamma rates of that variation."""
    k, total, shape = len(counts), counts.sum(), 1 / APPETITE**2
    spread = gammaln(k * shape) - gammaln(total + k * shape)
    spread += float((gammaln(counts + shape) - gammaln(shape)).sum())
    return float(-total * np.log(k) - spread)


def _lately(
    labels: NDArray[np.int64], times: NDArray[np.int64], share: NDArray[np.float64], lately: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return for each label the share of those that came lately, and whether it is one of them."""
    chance, again = np.zeros(len(labels)), np.zeros(len(labels), dtype=bool)
    held = [0] * len(share)
    shares, codes, first, sum_held = share.tolist(), labels.tolist(), 0, 0.0
    starts = np.searchsorted(times, times - lately, side="left").tolist()
    for t, code in enumerate(codes):
        for gone in codes[first : starts[t]]:
            held[gone] -= 1
            if not held[gone]:
                sum_held -= shares[gone]
        first = max(first, starts[t])
        held_any = first < t
        chance[t], again[t] = min(sum_held, 1.0) if held_any else 0.0, held[code] > 0
        if not held[code]:
            sum_held += shares[code]
        held[code] += 1
    return chance, again
