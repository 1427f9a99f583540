"""Everybody, and whether a member's topics are the campaign's one queue or its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.schema import Desk
from stillwatch.stats import centred_by, unit_rows

__all__ = ["Crowd", "load_crowd", "topic_nats", "topics_against"]

_PER_SUBJECT: Final = 24
_SHAPE: Final = 6.0
_CAP_NATS: Final = 5.0
_HABIT_ROWS: Final = 8


@dataclass(frozen=True)
class Crowd:
    """All subjects, and the thinned topics by which anybody can be compared with anybody.

    ``habits``: ten quantiles over subjects of ρ/(1 − ρ), ρ being the share of a subject's topic
    variance that is its own: how narrow ordinary customers are.
    """

    subjects: pa.Table
    org: np.ndarray
    segment: np.ndarray
    topic_sid: np.ndarray
    topic_rid: np.ndarray
    topics: np.ndarray
    habits: np.ndarray


def load_crowd(desk: Desk) -> Crowd:
    """Read all subjects, and at most two dozen exchanges of each, spread over the window."""
    subjects = desk.query("SELECT * FROM subjects ORDER BY sid")
    thinned = desk.query(
        f"""SELECT sid, rid, topic FROM (
              SELECT e.sid, e.rid, e.topic, s.exchanges,
                     row_number() OVER (PARTITION BY e.sid ORDER BY e.rid) AS nth
              FROM exchanges e JOIN subjects s ON s.sid = e.sid
              WHERE e.user_tokens > 0 AND e.rid NOT IN (SELECT rid FROM follow_ups))
            WHERE exchanges <= {_PER_SUBJECT} OR nth % (exchanges // {_PER_SUBJECT} + 1) = 0
            ORDER BY rid"""
    )
    topic_sid = thinned["sid"].to_numpy()
    topics = unit_rows(thinned["topic"].to_pylist())
    _, org = np.unique(_words(subjects["org"]), return_inverse=True)
    _, segment = np.unique(_words(subjects["segment"]), return_inverse=True)
    rid = thinned["rid"].to_numpy()
    habits = _habits(topics, topic_sid, subjects.num_rows)
    return Crowd(subjects, org, segment, topic_sid, rid, topics, habits)


def _habits(topics: np.ndarray, sid: np.ndarray, size: int) -> np.ndarray:
    everybody = np.ones(len(topics), dtype=bool)
    ratio = _ratios(topics, sid, everybody, size)
    count = np.bincount(sid, minlength=size)
    known = np.isfinite(ratio) & (count >= _HABIT_ROWS)
    if known.sum() < 20:
        return np.array([0.5])
    odds = np.maximum(ratio[known] - 1, 0) / count[known]
    deciles: np.ndarray = np.quantile(odds, np.linspace(0.05, 0.95, 10))
    return deciles


def topic_nats(ratio: np.ndarray, rows: np.ndarray, habits: np.ndarray) -> np.ndarray:
    """Return log P(topics | drawn from the queue) − log P(topics | a customer's own), in nats.

    ``ratio``: squared distance of a subject's mean topic from the others', per its expectation
    under the queue; about 1 there, about 1 + n·ρ/(1 − ρ) for a customer with its own topics.
    Both are read as gamma variables of shape 6 (about a dozen independent directions, fewer than
    the projection has); the customer's is averaged over ``habits``. 0 where nothing is known,
    never beyond ±5: few rows say little, many say much.
    """
    nats = np.zeros(len(ratio))
    known = np.isfinite(ratio) & (rows > 0)
    seen = np.maximum(ratio[known], 1e-6)[:, None]
    mean = 1 + rows[known][:, None] * habits[None, :]
    own = -_SHAPE * (np.log(mean) + seen / mean)
    top = own.max(axis=1)
    own = top + np.log(np.exp(own - top[:, None]).mean(axis=1))
    nats[known] = np.clip(-_SHAPE * seen[:, 0] - own, -_CAP_NATS, _CAP_NATS)
    return nats


def topics_against(
    desk: Desk, crowd: Crowd, cohort: int, sids: np.ndarray, core: np.ndarray
) -> np.ndarray:
    """Return each subject's topic log likelihood ratio against the core of its cohort."""
    near = _near(crowd, sids)
    size = crowd.subjects.num_rows
    spoken = np.isin(near.topic_sid, core)
    ratio = _ratios(_centred(desk, near, cohort, spoken), near.topic_sid, spoken, size)
    count = np.bincount(near.topic_sid, minlength=size)
    return topic_nats(ratio[sids], count[sids], crowd.habits)


def _words(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(column.to_pylist(), dtype=str)


def _ratios(vectors: np.ndarray, sid: np.ndarray, core: np.ndarray, size: int) -> np.ndarray:
    """Return each subject's topic distance from the core rows' mean, per its expectation."""
    ratios = np.full(size, np.nan)
    if core.sum() < 8:
        return ratios
    spoke, place = np.unique(sid, return_inverse=True)
    ratios[spoke] = _ratios_of(vectors, place, core, len(spoke))
    return ratios


def _ratios_of(vectors: np.ndarray, sid: np.ndarray, core: np.ndarray, size: int) -> np.ndarray:
    """The same for subjects numbered without gaps, each of whom has a row."""
    ratios = np.full(size, np.nan)
    count = np.bincount(sid, minlength=size)
    sums = _sums(vectors, sid, size)
    inside = np.bincount(sid[core], minlength=size)
    core_sums = _sums(vectors[core], sid[core], size)
    rest = (core_sums.sum(axis=0) - core_sums) / np.maximum(core.sum() - inside, 1)[:, None]
    mean = sums / np.maximum(count, 1)[:, None]
    squares = np.bincount(sid, weights=((vectors - mean[sid]) ** 2).sum(axis=1), minlength=size)
    among = np.unique(sid[core])
    many = among[count[among] >= 2]
    if not len(many):
        return ratios
    scale = float(np.median(squares[many] / (count[many] - 1)))
    seen = count >= 1
    expected = scale * (1 / count[seen] + 1 / max(core.sum(), 1))
    ratios[seen] = ((mean[seen] - rest[seen]) ** 2).sum(axis=1) / expected
    return ratios


def _sums(vectors: np.ndarray, sid: np.ndarray, size: int) -> np.ndarray:
    """Return the sum of the rows of each subject, added in the order of the rows."""
    return np.stack([np.bincount(sid, weights=v, minlength=size) for v in vectors.T], axis=1)


def _centred(desk: Desk, crowd: Crowd, cohort: int, spoken: np.ndarray) -> np.ndarray:
    """Return the crowd's topic rows, those of the cohort without what its templates say."""
    found = desk.query(
        f"""SELECT k.rid, bit_xor(k.template) AS template
            FROM (SELECT unnest(frames) AS frame FROM cohorts WHERE cohort = {cohort}) c
            JOIN carried k ON k.frame = c.frame GROUP BY k.rid ORDER BY k.rid"""
    )
    rid, template = found["rid"].to_numpy(), found["template"].to_numpy()
    label = np.zeros(len(crowd.topic_rid), dtype=np.uint64)
    if len(rid):
        place = np.minimum(np.searchsorted(rid, crowd.topic_rid), len(rid) - 1)
        carries = rid[place] == crowd.topic_rid
        label[carries] = template[place[carries]]
    rows = np.array(crowd.topics, dtype=np.float32)
    rows[spoken] = centred_by(rows[spoken], label[spoken], crowd.org[crowd.topic_sid[spoken]])
    if spoken.any():
        rows[~spoken] -= crowd.topics[spoken].mean(axis=0)
    return rows


def _near(crowd: Crowd, sids: np.ndarray) -> Crowd:
    """Return the crowd with the topics of these subjects only: nobody else's are compared."""
    rows = np.flatnonzero(np.isin(crowd.topic_sid, sids))
    return replace(
        crowd, topic_sid=crowd.topic_sid[rows], topic_rid=crowd.topic_rid[rows],
        topics=crowd.topics[rows],
    )  # fmt: skip
