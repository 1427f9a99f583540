"""What the exchanges of a cohort look like as a harvest: seven numbers, no text, no language."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from stillwatch.signals.data import Cohort, Population
from stillwatch.stats import group_sums, least_repeated, spread_rows

__all__ = ["MIN_EVENTS", "TRAITS", "Traits", "traits"]

MIN_EVENTS: Final = 24
MIN_REPEATED: Final = 4
_PER_SUBJECT: Final = 24
_MAX_ROWS: Final = 6_000
_ROBUST_FROM: Final = 30
_COMMON: Final = 0.1
_LEAST_COMMON: Final = 3


class Traits(NamedTuple):
    """The traits of a cohort, each oriented as measured; see `signals.harvest` for their use.

    ``own_topics``: share of topic variance lying between organizations, bias-corrected (may be
    slightly negative; 0 = all draw from one source); ``own_error``: its standard error.
    ``breadth``: topic variance within one subject as a share of the variance between strangers.
    ``repeats``: share of answered first prompts of eight tokens or more that a tenth and more of
    the cohort's organizations sent, three at least, in the same part of the window, in the part
    where it is larger: what everybody runs, as a class, an evaluation or a viral prompt has it.
    Whoever asks each item of a few accounts deals from one queue all the same. What was refused
    and tried again elsewhere is evidence of its own.
    ``dominance``: median over subjects of the cohort's share of their traffic. ``novelty``:
    distinct payloads per such prompt that its sender had not sent before. ``asks``: share of
    exchanges with a hint of a method, minus everybody's share.
    """

    own_topics: float
    own_error: float
    breadth: float
    repeats: float
    dominance: float
    novelty: float
    asks: float


TRAITS: Final = Traits._fields


def traits(cohort: Cohort, population: Population, test: Cohort | None = None) -> Traits | None:
    """Return the traits, or None when the cohort is too small to have them.

    ``cohort``: the exchanges of both parts. Novelty is counted on ``test`` alone (part B; default:
    all) and repeats on each part, because the longer one looks the more is repeated.
    Needs 24 exchanges that do not go on with the subject's own conversation, and four subjects
    with at least two of them each.
    """
    subjects, counts = np.unique(cohort.sid, return_counts=True)
    fresh = np.flatnonzero(cohort.fresh)
    _, repeated = np.unique(cohort.sid[fresh], return_counts=True)
    if len(fresh) < MIN_EVENTS or (repeated >= 2).sum() < MIN_REPEATED:
        return None
    keep = fresh[_thinned(cohort.sid[fresh])]
    vectors = cohort.topic[keep].astype(np.float64)
    org = population.org[cohort.sid[keep]]
    own, error = _own_topics(vectors, org)
    strangers = population.strangers
    within = _within(cohort.raw_topic[keep].astype(np.float64), cohort.sid[keep])
    if not np.isfinite(own + error) or not np.isfinite(within) or not strangers > 0:
        return None
    late = np.ones(len(cohort.rid), dtype=bool) if test is None else np.isin(cohort.rid, test.rid)
    told = cohort.answered & cohort.opens & cohort.long & (cohort.payload != 0)
    org_of, payload_of = population.org[cohort.sid], cohort.payload
    again = max(_repeats(org_of[told & p], payload_of[told & p]) for p in (late, ~late))
    first = cohort.fresh & told & late
    volume = np.maximum(population.volume[subjects], counts)
    return Traits(
        own_topics=float(own),
        own_error=float(error),
        breadth=float(within / strangers),
        repeats=again,
        dominance=float(np.median(counts / volume)),
        novelty=float(len(np.unique(payload_of[first])) / max(int(first.sum()), 1)),
        asks=float(cohort.harvest.mean() - population.harvest_share),
    )


def _repeats(org: np.ndarray, payload: np.ndarray) -> float:
    """Return the share of payloads that a tenth of the organizations sent, three at least.

    In a small cohort a tenth is few: there also more than draws from one pool explain.
    """
    if not len(payload):
        return 0.0
    values, place = np.unique(payload, return_inverse=True)
    senders, sender = np.unique(org, return_inverse=True)
    width = len(senders)
    carriers = np.bincount(np.unique(place * width + sender) // width, minlength=len(values))
    explained = least_repeated(np.bincount(carriers), width)
    return float((carriers >= max(_LEAST_COMMON, _COMMON * width, explained))[place].mean())


def _thinned(sid: np.ndarray) -> np.ndarray:
    """Return at most 24 evenly spaced exchanges of each subject, at most 6,000 in all."""
    rows = np.sort(spread_rows(sid, _PER_SUBJECT))
    if len(rows) > _MAX_ROWS:
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, _MAX_ROWS).astype(int))]
    return rows


def _between(vectors: np.ndarray, group: np.ndarray) -> float:
    """Return the intraclass correlation of rows of one group (one-way ANOVA estimator)."""
    _, code, size = np.unique(group, return_inverse=True, return_counts=True)
    n, k = len(vectors), len(size)
    if k < 2 or n <= k:
        return float("nan")
    sums = group_sums(vectors, code, k)
    mean = sums / size[:, None]
    within = ((vectors - mean[code]) ** 2).sum() / (n - k)
    between = (size[:, None] * (mean - vectors.mean(axis=0)) ** 2).sum() / (k - 1)
    n0 = (n - (size**2).sum() / n) / (k - 1)
    total = between + (n0 - 1) * within
    return float((between - within) / total) if total > 0 else float("nan")


def _own_topics(vectors: np.ndarray, org: np.ndarray) -> tuple[float, float]:
    """Return the share between organizations and its error.

    From 30 organizations on, the most influential one is left out.

    One customer that only happens to send the cohort's template would else hide the rest. The
    reference is measured in the same way.
    """
    left_out = _left_out(vectors, org)
    if len(left_out) >= _ROBUST_FROM and np.isfinite(left_out).all():
        keep = org != np.unique(org)[int(np.argmin(left_out))]
        vectors, org = vectors[keep], org[keep]
        left_out = _left_out(vectors, org)
    k = len(left_out)
    if k < 2 or np.isnan(left_out).all():  # a log without texts has no topics to compare
        return float("nan"), float("nan")
    spread = ((left_out - np.nanmean(left_out)) ** 2).sum()
    return _between(vectors, org), float(np.sqrt((k - 1) / k * spread))


def _left_out(vectors: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return `_between` without each group in turn, groups sorted; empty below four groups."""
    _, code, size = np.unique(group, return_inverse=True, return_counts=True)
    n, k = len(vectors), len(size)
    if k < 4 or n <= k + 1:
        return np.zeros(0)
    sums = group_sums(vectors, code, k)
    mean = sums / size[:, None]
    sse = np.bincount(code, weights=((vectors - mean[code]) ** 2).sum(axis=1), minlength=k)
    squares = (sums * sums).sum(axis=1) / size
    rest = n - size
    total = sums.sum(axis=0)
    left_sum = ((total - sums) ** 2).sum(axis=1) / rest
    within = (sse.sum() - sse) / np.maximum(rest - (k - 1), 1)
    between = (squares.sum() - squares - left_sum) / (k - 2)
    n0 = (rest - ((size**2).sum() - size**2) / rest) / (k - 2)
    all_of = between + (n0 - 1) * within
    return np.asarray((between - within) / np.where(all_of > 0, all_of, np.nan))


def _within(vectors: np.ndarray, group: np.ndarray) -> float:
    """Return the mean over groups (of two rows and more) of their summed variance."""
    _, code, size = np.unique(group, return_inverse=True, return_counts=True)
    sums = group_sums(vectors, code, len(size))
    mean = sums / size[:, None]
    squares = np.bincount(code, weights=((vectors - mean[code]) ** 2).sum(axis=1))
    many = size >= 2
    return float((squares[many] / (size[many] - 1)).mean()) if many.any() else float("nan")
