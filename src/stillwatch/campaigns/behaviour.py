"""Does an account's own behaviour fit the campaign rather than its segment?"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

__all__ = [
    "TRAIT_NAMES",
    "TraitCounts",
    "binned_traits",
    "log_likelihood_ratios",
    "micros",
    "posteriors",
    "signup_nats",
]

_CAP_NATS: Final = 2.5
_ANYBODY: Final = 0.4
_MIN_SEGMENT: Final = 200
_LEAST_PRIOR: Final = 0.05
_LARGEST_PRIOR: Final = 0.998
TRAIT_NAMES: Final = (
    "volume", "age", "single_turn", "system", "tools", "novelty", "answer_length", "days",
    "prompt_length", "clients", "prefixes", "span",
)  # fmt: skip
_NEEDS_TWO: Final = ("novelty", "days", "clients", "prefixes", "span")
_SHARES: Final = np.array([0.001, 0.25, 0.75, 0.999])


def binned_traits(subjects: pa.Table) -> np.ndarray:
    """Return (subjects × traits) bin numbers; −1 where a trait is unknown.

    None of them is a link, and none reads language, country or text. What a single exchange
    cannot help showing (one day, one prefix, no span …) is unknown: its volume says it already.
    """
    n = subjects["exchanges"].to_numpy().astype(np.float64)
    created = micros(subjects["created_at"])
    first = micros(subjects["first_ts"])
    age_days = (first - created) / 86_400e6
    columns = [
        np.floor(np.log2(n)),
        np.digitize(age_days, [1, 3, 10, 30, 100, 300]).astype(float),
        np.digitize(subjects["single_turn"].to_numpy() / n, _SHARES).astype(float),
        np.digitize(subjects["with_system"].to_numpy() / n, _SHARES).astype(float),
        np.digitize(subjects["with_tools"].to_numpy() / n, _SHARES).astype(float),
        np.digitize(subjects["payloads"].to_numpy() / n, [0.5, 0.8, 0.95, 0.999]).astype(float),
        np.floor(np.log2(1 + subjects["output_tokens"].to_numpy() / n)),
        np.digitize(subjects["days"].to_numpy(), [2, 3, 4, 6]).astype(float),
        np.floor(np.log2(1 + subjects["input_tokens"].to_numpy() / n)),
        np.digitize(subjects["clients"].to_numpy(), [2, 3, 5]).astype(float),
        np.digitize(subjects["prefixes"].to_numpy(), [2, 3, 5]).astype(float),
        np.floor(np.log2(1 + (micros(subjects["last_ts"]) - first) / 3600e6)),
    ]
    columns[1][~np.isfinite(age_days)] = -1
    for name in _NEEDS_TWO:
        columns[TRAIT_NAMES.index(name)][n < 2] = -1
    return np.stack(columns, axis=1).astype(np.int64)


def micros(column: pa.ChunkedArray) -> np.ndarray:
    """Return moments in microseconds since 1970, NaN where null."""
    whole = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return np.array(whole.to_numpy(zero_copy_only=False), dtype=np.float64)


class TraitCounts:
    """How many subjects of each segment fall into each bin of each trait.

    Counted once: the rest of a segment is the segment less the members of a cohort.
    """

    def __init__(self, traits: np.ndarray, segment: np.ndarray) -> None:
        """Count. ``traits``: (subjects × traits) bins, −1 unknown; ``segment``: codes from 0."""
        self._traits, self._segment = traits, segment
        self._bins = int(traits.max(initial=0)) + 1
        self._size = np.bincount(segment)
        width = traits.shape[1] * self._bins
        place = segment[:, None] * width + np.arange(traits.shape[1]) * self._bins + traits
        self._counts = np.bincount(place[traits >= 0], minlength=len(self._size) * width).reshape(
            len(self._size), traits.shape[1], self._bins
        )

    def outside(self, members: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Return (traits × bins) counts of everybody who is no member, in the wanted segments.

        Of everybody in all segments where the wanted ones have fewer than 200 others.
        """
        same = members[np.isin(self._segment[members], wanted)]
        if self._size[wanted].sum() - len(same) >= _MIN_SEGMENT:
            return np.asarray(self._counts[wanted].sum(axis=0) - self._of(same))
        return np.asarray(self._counts.sum(axis=0) - self._of(members))

    def _of(self, subjects: np.ndarray) -> np.ndarray:
        rows = self._traits[subjects]
        place = np.arange(rows.shape[1]) * self._bins + rows
        size = rows.shape[1] * self._bins
        return np.bincount(place[rows >= 0], minlength=size).reshape(-1, self._bins)


def log_likelihood_ratios(
    members: np.ndarray, speaks: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """Return (members × traits) log likelihood ratios in nats, campaign against others.

    ``others``: (traits × bins) counts. ``speaks``: members from whom the campaign's densities are
    taken (not those whose topics stand apart, not the merely associated). Densities are histograms
    with half a count added; a member's own row is left out of them. A part of the campaign's
    density (``_ANYBODY``) is everybody's: bought accounts keep the traits of those who opened
    them. Each trait counts for at most 2.5 nats, since traits depend on each other and the product
    of ratios would otherwise claim too much.
    """
    ratios = np.zeros(members.shape)
    for k in range(members.shape[1]):
        mine = members[:, k]
        size = max(int(mine.max(initial=0)) + 1, others.shape[1])
        heard = speaks & (mine >= 0)
        inside = np.bincount(mine[heard], minlength=size).astype(np.float64)
        outside = np.zeros(size)
        outside[: others.shape[1]] = others[k]
        bins = max(int(((inside + outside) > 0).sum()), 1)
        known = mine >= 0
        if not inside.sum() or not outside.sum():
            continue
        self_count = heard[known].astype(np.float64)
        fit = (inside[mine[known]] - self_count + 0.5) / np.maximum(
            inside.sum() - self_count + 0.5 * bins, 0.5
        )
        plain = (outside[mine[known]] + 0.5) / (outside.sum() + 0.5 * bins)
        bought = (1 - _ANYBODY) * fit + _ANYBODY * plain
        ratios[known, k] = np.clip(np.log(bought / plain), -_CAP_NATS, _CAP_NATS)
    return ratios


def signup_nats(
    created_us: np.ndarray, members: np.ndarray, speaks: np.ndarray, bursts: np.ndarray
) -> np.ndarray:
    """Return what the members' sign-up times say, in nats, at most 2.5.

    ``created_us``: of every subject, NaN unknown; ``members``: subjects; ``bursts``: (n × 2) from
    and to, microseconds. For who was made in a burst it is the log ratio of its frequency among
    those who speak for the campaign (less what is everybody's) and among all others; a sign-up
    at another time says nothing, because accounts are bought too.
    """
    within = np.zeros(len(created_us), dtype=bool)
    for low, high in bursts:
        within |= (created_us >= low) & (created_us <= high)
    others = np.ones(len(created_us), dtype=bool)
    others[members] = False
    if not within[members[speaks]].any() or not others.any():
        return np.zeros(len(members))
    plain = (within[others].sum() + 0.5) / (others.sum() + 1)
    mine = (1 - _ANYBODY) * within[members[speaks]].mean() + _ANYBODY * plain
    nats = float(np.clip(np.log(mine / plain), 0, _CAP_NATS))
    return np.where(within[members], nats, 0.0)


def posteriors(log_ratio: np.ndarray, speaks: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Return each member's probability to act as the campaign does.

    The prior is the share of members that act as one, fitted by EM apart for three strata: the
    merely associated and those whose topics stood apart at discovery (0), those with one kind of
    link to the others (1), and those with two and more (2, ``kinds``): who only happens to send
    the same template inherits less certainty. It is kept in [.05, .998], so that links alone
    never reach .999: behaviour has to speak too.
    """
    stratum = np.where(speaks, 1 + (kinds >= 2), 0)
    weights = np.clip(log_ratio, -60, 60)
    result = np.zeros(len(log_ratio))
    for number in (0, 1, 2):
        mine = stratum == number
        if mine.any():
            result[mine] = _fitted(weights[mine])
    return result


def _fitted(weights: np.ndarray) -> np.ndarray:
    share = 0.8
    likelihood = np.exp(weights)
    for _ in range(50):
        odds = share / (1 - share) * likelihood
        share = float(np.clip((odds / (1 + odds)).mean(), _LEAST_PRIOR, _LARGEST_PRIOR))
    odds = share / (1 - share) * likelihood
    return np.asarray(odds / (1 + odds))
