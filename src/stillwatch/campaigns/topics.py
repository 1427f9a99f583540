"""Everybody, and whether a member's topics are the campaign's one queue or its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from stillwatch.schema import Desk
from stillwatch.stats import centred_by, unit_rows

__all__ = ["Crowd", "Voices", "load_crowd", "topic_nats", "topics_against"]

_PER_SUBJECT: Final = 24
_DIRECTIONS: Final = 25.0
_DRIFT: Final = 0.02
_LEAST_HABIT: Final = 0.02
_CAP_NATS: Final = 5.0
_HABIT_ROWS: Final = 8
_LEAST_CORE: Final = 8


class Voices(NamedTuple):
    """The exchanges that speak for one cohort, at most two dozen of each subject.

    ``template``: which variant of the cohort's templates it carries, 0 for none; ``topics``: rows
    of unit length.
    """

    sid: np.ndarray
    template: np.ndarray
    topics: np.ndarray


@dataclass(frozen=True)
class Crowd:
    """All subjects, the topics that speak for each tested cohort, and how narrow customers are.

    ``habits``: ten quantiles over subjects of ρ, the share of a subject's topic variance that is
    its own.
    """

    subjects: pa.Table
    org: np.ndarray
    segment: np.ndarray
    habits: np.ndarray
    voices: dict[int, Voices]


def load_crowd(desk: Desk) -> Crowd:
    """Read all subjects, and the topics of those who are compared."""
    subjects = desk.query("SELECT * FROM subjects ORDER BY sid")
    _, org = np.unique(_words(subjects["org"]), return_inverse=True)
    _, segment = np.unique(_words(subjects["segment"]), return_inverse=True)
    thinned = desk.query(_thinned("SELECT 0 AS cohort, rid, sid, 0 AS template FROM exchanges"))
    habits = _habits(unit_rows(thinned["topic"].to_pylist()), thinned["sid"].to_numpy())
    return Crowd(subjects, org, segment, habits, _voices(desk))


def _thinned(chosen: str) -> str:
    """Return SQL of at most two dozen topics of each subject and cohort, spread over the window.

    Only what begins something counts: a follow-up has the topic of what it follows.
    """
    return f"""
    SELECT cohort, sid, template, topic FROM (
      SELECT c.cohort, c.sid, c.template, c.rid, e.topic,
             row_number() OVER (PARTITION BY c.cohort, c.sid ORDER BY c.rid) AS nth,
             count(*) OVER (PARTITION BY c.cohort, c.sid) AS n
      FROM ({chosen}) c JOIN exchanges e ON e.rid = c.rid
      WHERE e.user_tokens > 0 AND e.rid NOT IN (SELECT rid FROM follow_ups))
    WHERE n <= {_PER_SUBJECT} OR nth * {_PER_SUBJECT} // n > (nth - 1) * {_PER_SUBJECT} // n
    ORDER BY cohort, rid"""


def _voices(desk: Desk) -> dict[int, Voices]:
    """Return what speaks for each tested cohort: its templates, or else all of its members' words.

    What a member does besides the campaign is not held against it, nor for it.
    """
    rows = desk.query(
        _thinned(
            """WITH tested AS (SELECT c.* FROM cohorts c JOIN cohort_scores s
                               ON s.cohort = c.cohort AND s.tested),
                 labelled AS (
                   SELECT t.cohort, k.rid, any_value(k.sid) AS sid, bit_xor(k.template) AS template
                   FROM (SELECT cohort, unnest(frames) AS frame FROM tested) t
                   JOIN carried k ON k.frame = t.frame GROUP BY t.cohort, k.rid)
               SELECT l.cohort, l.rid, l.sid, l.template FROM labelled l
               JOIN tested t ON t.cohort = l.cohort AND t.by_text
               JOIN cohort_members m ON m.cohort = l.cohort AND m.sid = l.sid AND m.how = 'text'
               UNION ALL
               SELECT m.cohort, e.rid, e.sid, coalesce(l.template, 0) FROM cohort_members m
               JOIN tested t ON t.cohort = m.cohort AND NOT t.by_text
               JOIN exchanges e ON e.sid = m.sid
               LEFT JOIN labelled l ON l.cohort = m.cohort AND l.rid = e.rid
               WHERE m.how <> 'associated'"""
        )
    )
    cohort = rows["cohort"].to_numpy()
    found = {}
    for number in np.unique(cohort).tolist():
        low, high = np.searchsorted(cohort, [number, number + 1])
        mine = rows.slice(low, high - low)
        found[number] = Voices(
            mine["sid"].to_numpy(),
            mine["template"].to_numpy(),
            unit_rows(mine["topic"].to_pylist()),
        )
    return found


def _habits(topics: np.ndarray, sid: np.ndarray) -> np.ndarray:
    centred = topics - topics.mean(axis=0) if len(topics) else topics
    everybody = np.ones(len(topics), dtype=bool)
    likeness, rows = _likeness(centred, sid, everybody, np.unique(sid))
    known = np.isfinite(likeness) & (rows >= _HABIT_ROWS)
    if known.sum() < 20:
        return np.array([0.3])
    deciles = np.quantile(likeness[known], np.linspace(0.05, 0.95, 10))
    return np.asarray(np.clip(deciles, _LEAST_HABIT, 0.95))


def topic_nats(likeness: np.ndarray, rows: np.ndarray, habits: np.ndarray) -> np.ndarray:
    """Return log P(topics | drawn from the queue) − log P(topics | a customer's own), in nats.

    ``likeness``: how alike a subject's own rows are, as a share of a row's variance: 0 on average
    when each is drawn from the queue, ρ when a share ρ of the variance is the subject's own
    (``habits``, averaged over). Its variance is 2/(n(n − 1)·d) for n rows that vary in d
    independent directions (25 are assumed, 38–49 were measured: tails are heavier than normal),
    and 0.02² for what a queue itself drifts. One row says nothing; never beyond ±5. *Error*:
    normal approximation.
    """
    nats = np.zeros(len(likeness))
    known = np.isfinite(likeness) & (rows >= 2)
    n = rows[known].astype(np.float64)
    precision = 1 / (2 / (n * (n - 1) * _DIRECTIONS) + _DRIFT**2)[:, None]
    seen = likeness[known][:, None]
    own = -0.5 * precision * (seen - habits[None, :]) ** 2
    top = own.max(axis=1)
    own = top + np.log(np.exp(own - top[:, None]).mean(axis=1))
    queue = -0.5 * (precision * seen**2)[:, 0]
    nats[known] = np.clip(queue - own, -_CAP_NATS, _CAP_NATS)
    return nats


def topics_against(crowd: Crowd, cohort: int, sids: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Return each subject's topic log likelihood ratio against the core of its cohort."""
    voices = crowd.voices.get(cohort)
    if voices is None:
        return np.zeros(len(sids))
    spoken = np.isin(voices.sid, core)
    rows = np.array(voices.topics, dtype=np.float32)
    rows[spoken] = centred_by(rows[spoken], voices.template[spoken], crowd.org[voices.sid[spoken]])
    if spoken.any():
        rows[~spoken] -= voices.topics[spoken].mean(axis=0)
    likeness, count = _likeness(rows, voices.sid, spoken, sids)
    return topic_nats(likeness, count, crowd.habits)


def _words(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(column.to_pylist(), dtype=str)


def _likeness(
    rows: np.ndarray, owner: np.ndarray, core: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each wanted subject the likeness of its rows, and how many it has.

    The mean inner product of different (centred) rows of the subject over the mean squared
    length of a core row. NaN where the subject has fewer than two rows, or the core has fewer
    than eight.
    """
    likeness, count = np.full(len(wanted), np.nan), np.zeros(len(wanted), dtype=np.int64)
    if core.sum() < _LEAST_CORE:
        return likeness, count
    wide = rows.astype(np.float64)
    squares = (wide * wide).sum(axis=1)
    order = np.argsort(owner, kind="stable")
    owners, start, size = np.unique(owner[order], return_index=True, return_counts=True)
    sums = np.add.reduceat(wide[order], start, axis=0)
    apart = (sums * sums).sum(axis=1) - np.add.reduceat(squares[order], start)
    scale = float(squares[core].mean())
    place = np.minimum(np.searchsorted(owners, wanted), len(owners) - 1)
    has = owners[place] == wanted
    count[has] = size[place[has]]
    many = has & (count >= 2)
    pairs = count[many] * (count[many] - 1)
    likeness[many] = apart[place[many]] / pairs / (scale if scale > 0 else np.nan)
    return likeness, count
