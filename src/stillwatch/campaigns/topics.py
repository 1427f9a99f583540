"""Everybody, and whether a member's topics are the campaign's one queue or its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.campaigns.behaviour import TraitCounts, binned_traits, micros
from stillwatch.schema import Desk
from stillwatch.schema.arrow import TOPIC_BYTES, packed
from stillwatch.stats import centred_by, unit_rows

__all__ = ["Crowd", "Topics", "Voices", "load_crowd", "topic_nats", "topics_against"]

_PER_SUBJECT: Final = 24
_DIRECTIONS: Final = 25.0
_DRIFT: Final = 0.02
_LEAST_HABIT: Final = 0.02
_CAP_NATS: Final = 5.0
_HABIT_ROWS: Final = 8
_LEAST_CORE: Final = 8
_BLOCK: Final = 50_000


class Topics:
    """Topic vectors as logged, a byte a direction; indexing gives rows of unit length (float32)."""

    def __init__(self, packed_rows: np.ndarray) -> None:
        self._rows = packed_rows.reshape(-1, TOPIC_BYTES)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, places: np.ndarray | slice) -> np.ndarray:
        return unit_rows(self._rows[places])


class Voices(NamedTuple):
    """The exchanges that speak for one cohort, at most two dozen of each subject.

    ``template``: which variant of the cohort's templates it carries, 0 for none.
    """

    sid: np.ndarray
    template: np.ndarray
    topics: Topics


@dataclass(frozen=True)
class Crowd:
    """All subjects, their thinned topics, those that speak for each cohort, and ``habits``.

    ``topics``: in the order of ``topic_rid``, at most two dozen of a subject. ``habits``: ten
    quantiles over subjects of ρ, the share of a subject's topic variance that is its own.
    """

    subjects: pa.Table
    org: np.ndarray
    segment: np.ndarray
    topic_sid: np.ndarray
    topic_rid: np.ndarray
    topics: Topics
    habits: np.ndarray
    voices: dict[int, Voices]

    @cached_property
    def traits(self) -> np.ndarray:
        """Return the binned traits of every subject."""
        return binned_traits(self.subjects)

    @cached_property
    def created_us(self) -> np.ndarray:
        """Return when each subject was created, NaN where unknown."""
        return micros(self.subjects["created_at"])

    @cached_property
    def trait_counts(self) -> TraitCounts:
        """Return how often each trait occurs in each segment."""
        return TraitCounts(self.traits, self.segment)


def load_crowd(desk: Desk, cohorts: Sequence[int]) -> Crowd:
    """Read all subjects, and the topics of those who are compared with ``cohorts``."""
    subjects = desk.query("SELECT * FROM subjects ORDER BY sid")
    begins = "exchanges e ANTI JOIN follow_ups u ON u.rid = e.rid WHERE user_tokens > 0"
    kept = desk.query(_spread_sql("rid, sid", "sid", begins))
    rid, sid = kept["rid"].to_numpy(), kept["sid"].to_numpy()
    rows = desk.query(
        "SELECT topic FROM exchanges e SEMI JOIN kept k ON k.rid = e.rid ORDER BY rid",
        kept=kept.select(["rid"]),
    )
    topics = Topics(packed(rows["topic"]))
    return Crowd(
        subjects, _ranked(subjects["org"]), _ranked(subjects["segment"]), sid, rid, topics,
        _habits(topics, sid), _voices(desk, cohorts),
    )  # fmt: skip


def _spread_sql(columns: str, group: str, source: str) -> str:
    """Return a SELECT of at most two dozen rows of each group, spread over its rows by rid.

    Only what begins something is asked for: a follow-up has the topic of what it follows. By SQL,
    not by NumPy: what is sorted here spills, and stays within the memory of the run.
    """
    most = _PER_SUBJECT
    return f"""SELECT {columns} FROM (
          SELECT {columns}, count(*) OVER (PARTITION BY {group}) AS size,
                 row_number() OVER (PARTITION BY {group} ORDER BY rid) AS nth FROM {source})
        WHERE size <= {most} OR nth * {most} // size > (nth - 1) * {most} // size
        ORDER BY {columns}"""


def _voices(desk: Desk, cohorts: Sequence[int]) -> dict[int, Voices]:
    """Return what speaks for each cohort: its templates, or else all of its members' words.

    What a member does besides the campaign is not held against it, nor for it.
    """
    wanted = ", ".join(map(str, sorted(cohorts))) or "-1"
    tested = f"(SELECT * FROM spoken WHERE cohort IN ({wanted})) s"
    begins = f"{tested} WHERE s.fresh AND s.user_tokens > 0"
    kept = desk.query(_spread_sql("cohort, rid, sid, template", "cohort, sid", begins))
    rows = desk.query(
        f"""SELECT s.topic FROM {tested} SEMI JOIN kept k ON k.cohort = s.cohort
            AND k.rid = s.rid ORDER BY s.cohort, s.rid""",
        kept=kept.select(["cohort", "rid"]),
    )
    packed_rows = packed(rows["topic"]).reshape(-1, TOPIC_BYTES)
    cohort, sid, template = (kept[c].to_numpy() for c in ("cohort", "sid", "template"))
    found = {}
    for number in np.unique(cohort).tolist():
        low, high = np.searchsorted(cohort, [number, number + 1])
        found[number] = Voices(sid[low:high], template[low:high], Topics(packed_rows[low:high]))
    return found


def _habits(topics: Topics, sid: np.ndarray) -> np.ndarray:
    mean = _mean(topics)
    everybody = np.ones(len(topics), dtype=bool)
    likeness, rows = _likeness(lambda places: topics[places] - mean, sid, everybody, np.unique(sid))
    known = np.isfinite(likeness) & (rows >= _HABIT_ROWS)
    if known.sum() < 20:
        return np.array([0.3])
    deciles = np.quantile(likeness[known], np.linspace(0.05, 0.95, 10))
    return np.asarray(np.clip(deciles, _LEAST_HABIT, 0.95))


def _mean(topics: Topics) -> np.ndarray:
    """Return the mean row, added up one row after another, whatever the block read at once."""
    total = np.zeros((1, TOPIC_BYTES), dtype=np.float32)
    for start in range(0, len(topics), _BLOCK):
        rows = topics[start : start + _BLOCK]
        total = np.concatenate([total, rows]).sum(axis=0, keepdims=True)
    return np.asarray(total[0] / np.float32(max(len(topics), 1)))


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
    rows = voices.topics[:]
    apart = rows[~spoken] - rows[spoken].mean(axis=0) if spoken.any() else rows[~spoken]
    rows[spoken] = centred_by(rows[spoken], voices.template[spoken], crowd.org[voices.sid[spoken]])
    rows[~spoken] = apart
    likeness, count = _likeness(lambda places: rows[places], voices.sid, spoken, sids)
    return topic_nats(likeness, count, crowd.habits)


def _ranked(words: pa.ChunkedArray) -> np.ndarray:
    """Return each word's place among the different words, sorted."""
    coded = words.combine_chunks().dictionary_encode()
    order = pc.sort_indices(coded.dictionary).to_numpy()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return np.asarray(place[coded.indices.to_numpy()])


def _likeness(
    rows_at: Callable[[np.ndarray], np.ndarray],
    owner: np.ndarray,
    core: np.ndarray,
    wanted: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each wanted subject the likeness of its rows, and how many it has.

    ``rows_at``: gives the (centred) rows at some places. The mean inner product of different rows
    of the subject over the mean squared length of a core row. NaN where the subject has fewer
    than two rows, or the core has fewer than eight. As many rows are held as a block has.
    """
    likeness, count = np.full(len(wanted), np.nan), np.zeros(len(wanted), dtype=np.int64)
    if core.sum() < _LEAST_CORE:
        return likeness, count
    order = np.argsort(owner, kind="stable")
    owners, start, size = np.unique(owner[order], return_index=True, return_counts=True)
    squares, apart = np.empty(len(owner)), np.empty(len(owners))
    cuts = np.unique(np.searchsorted(start, np.arange(0, len(owner) + _BLOCK, _BLOCK)))
    for low, high in pairwise(cuts.tolist()):
        first, last = start[low], start[high - 1] + size[high - 1]
        wide = rows_at(order[first:last]).astype(np.float64)
        long = (wide * wide).sum(axis=1)
        squares[order[first:last]] = long
        sums = np.add.reduceat(wide, start[low:high] - first, axis=0)
        apart[low:high] = (sums * sums).sum(axis=1) - np.add.reduceat(long, start[low:high] - first)
    scale = float(squares[core].mean())
    place = np.minimum(np.searchsorted(owners, wanted), len(owners) - 1)
    has = owners[place] == wanted
    count[has] = size[place[has]]
    many = has & (count >= 2)
    pairs = count[many] * (count[many] - 1)
    likeness[many] = apart[place[many]] / pairs / (scale if scale > 0 else np.nan)
    return likeness, count
