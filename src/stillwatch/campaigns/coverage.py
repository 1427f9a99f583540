"""How many distinct topics a campaign's requests touch, against as many of its segment's.

A topic is a cell around one of up to 512 requests drawn from the log: a request belongs to the
anchor whose topic vector, without what a shared template says, points most nearly the same way.
The curve is the mean number of topics among n requests. *Error*: the curve of the sample is exact
(Hurlbert 1971); the sample takes two dozen requests of a subject at most, spread over the window,
and 1,000 of a campaign; the band is over 40 random pools. A finer cut gives higher curves, so
only the comparison means something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.judge import Campaign, Judgement
from stillwatch.campaigns.topics import Crowd
from stillwatch.schema import Desk
from stillwatch.schema.arrow import COVERAGE
from stillwatch.stats import centred_blocks, rarefied_curve, round9

__all__ = ["coverage_table"]

_ANCHORS: Final = 512
_LEAST_ANCHORS: Final = 32
_ROWS_PER_ANCHOR: Final = 4
_ROWS: Final = 1_000
_LEAST_ROWS: Final = 20
_OUTSIDERS: Final = 4_000
_LEAST_PEERS: Final = 50
_POOLS: Final = 40
_CHUNK: Final = 8_192
# Whole numbers up to this length: every partial sum of a product stays below 2^24, so that
# float32 is exact and the nearest anchor is the same on every machine and thread count.
_LENGTH: Final = 2_000.0


def coverage_table(desk: Desk, judgement: Judgement) -> tuple[pa.Table, dict[str, dict[str, int]]]:
    """Return a row per campaign and number of requests, and what each curve rests on.

    A campaign of fewer than 20 sampled requests, or a log too small for 32 anchors, has no row.
    """
    crowd = judgement.crowd
    rng = np.random.default_rng(desk.settings.seed)
    held = _Held(crowd.topic_sid)
    inside = {s for c in judgement.campaigns for s in c.members}
    outside = np.setdiff1d(held.subjects, np.array(sorted(inside), dtype=held.subjects.dtype))
    if len(outside) > _OUTSIDERS:
        outside = np.sort(rng.choice(outside, _OUTSIDERS, replace=False))
    own = {c.campaign_id: _own_rows(held, c) for c in judgement.campaigns}
    rows = np.unique(np.concatenate([held.rows(outside), *own.values()]))
    anchors = min(_ANCHORS, len(rows) // _ROWS_PER_ANCHOR)
    if anchors < _LEAST_ANCHORS or not judgement.campaigns:
        return COVERAGE.empty_table(), {}
    cell = np.full(len(crowd.topic_sid), -1, dtype=np.int64)
    cell[rows] = _cells(_without_templates(desk, crowd, rows), anchors, rng)
    lines: list[dict[str, Any]] = []
    basis = {}
    for campaign in judgement.campaigns:
        mine = own[campaign.campaign_id]
        if len(mine) < _LEAST_ROWS:
            continue
        peers = _peers(crowd, campaign, outside)
        pools = _pools(held, peers, len(mine), rng)
        lines.extend(_curve(campaign.campaign_id, cell, mine, pools))
        basis[campaign.campaign_id] = {
            "requests": len(mine), "anchors": anchors, "peers": len(peers), "pools": len(pools),
        }  # fmt: skip
    return pa.Table.from_pylist(lines, schema=COVERAGE), basis


class _Held:
    """Where the sampled requests of each subject stand."""

    def __init__(self, sid: np.ndarray) -> None:
        self._order = np.argsort(sid, kind="stable")
        self.subjects, self._first, self._count = np.unique(
            sid[self._order], return_index=True, return_counts=True
        )

    def rows(self, subjects: np.ndarray) -> np.ndarray:
        """Return the places of the requests of some subjects, subject by subject."""
        return np.concatenate([np.zeros(0, np.int64), *self.by_subject(subjects)])

    def by_subject(self, subjects: np.ndarray) -> list[np.ndarray]:
        """Return the places of the requests of each of the (sorted) subjects that has any."""
        place = np.minimum(np.searchsorted(self.subjects, subjects), self.subjects.size - 1)
        found = place[self.subjects[place] == subjects]
        spans = zip(self._first[found].tolist(), self._count[found].tolist(), strict=True)
        return [self._order[first : first + count] for first, count in spans]


def _own_rows(held: _Held, campaign: Campaign) -> np.ndarray:
    rows = np.sort(held.rows(np.array(campaign.core or sorted(campaign.members), dtype=np.int64)))
    if len(rows) <= _ROWS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, _ROWS).astype(np.int64)]


def _without_templates(desk: Desk, crowd: Crowd, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the topic rows less the mean of the other organizations' with the same template."""
    wanted = pa.table({"rid": pa.array(crowd.topic_rid[rows], pa.int64())})
    found = desk.query(
        """SELECT k.rid, bit_xor(k.template) AS template FROM carried k
           SEMI JOIN wanted w ON w.rid = k.rid GROUP BY k.rid ORDER BY k.rid""",
        wanted=wanted,
    )
    label = np.zeros(len(rows), dtype=np.uint64)
    place = np.searchsorted(crowd.topic_rid[rows], found["rid"].to_numpy())
    label[place] = found["template"].to_numpy()
    return centred_blocks(
        lambda span: crowd.topics[rows[span]], label, crowd.org[crowd.topic_sid[rows]]
    )


def _cells(blocks: Iterable[np.ndarray], anchors: int, rng: np.random.Generator) -> np.ndarray:
    parts = []
    for vectors in blocks:
        norm = np.linalg.norm(vectors, axis=1, keepdims=True)
        whole = np.rint(vectors / np.where(norm > 0, norm, 1.0) * _LENGTH)
        parts.append(whole.astype(np.int16))
    whole = np.concatenate(parts)
    chosen = whole[np.sort(rng.choice(len(whole), anchors, replace=False))].T.astype(np.float32)
    nearest = [
        (whole[start : start + _CHUNK].astype(np.float32) @ chosen).argmax(axis=1)
        for start in range(0, len(whole), _CHUNK)
    ]
    return np.concatenate(nearest)


def _peers(crowd: Crowd, campaign: Campaign, outside: np.ndarray) -> np.ndarray:
    core = np.array(campaign.core or sorted(campaign.members), dtype=np.int64)
    peers = outside[np.isin(crowd.segment[outside], np.unique(crowd.segment[core]))]
    return peers if len(peers) >= _LEAST_PEERS else outside


def _pools(held: _Held, peers: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return up to 40 pools of ``size`` requests: random subjects, until they have as many."""
    subjects = held.by_subject(peers)
    count = np.array([len(rows) for rows in subjects], dtype=np.int64)
    if count.sum() < 2 * size:
        return []
    pools = []
    for _ in range(_POOLS):
        turn = rng.permutation(len(subjects))
        enough = int(np.searchsorted(np.cumsum(count[turn]), size)) + 1
        pools.append(np.concatenate([subjects[k] for k in turn[:enough].tolist()]))
    return pools


def _curve(
    name: str, cell: np.ndarray, mine: np.ndarray, pools: list[np.ndarray]
) -> list[dict[str, Any]]:
    steps = np.array(sorted({round(v) for v in np.geomspace(1, len(mine), 10)}))
    own = rarefied_curve(_sizes(cell[mine]), steps)
    band = np.full((3, len(steps)), np.nan)
    if pools:
        values = np.array([rarefied_curve(_sizes(cell[pool]), steps) for pool in pools])
        band = np.quantile(values, (0.05, 0.5, 0.95), axis=0)
    lines = []
    for place, n in enumerate(steps.tolist()):
        low, mid, high = band[:, place].tolist() if pools else [None] * 3
        line = {
            "campaign_topics": float(own[place]),
            "segment_low": low, "segment_mid": mid, "segment_high": high,
        }  # fmt: skip
        rounded = {k: None if v is None else round9(float(v)) for k, v in line.items()}
        lines.append({"campaign_id": name, "requests": n, **rounded})
    return lines


def _sizes(cells: np.ndarray) -> np.ndarray:
    """Return how many requests fall into each topic that any of them touches."""
    found = np.bincount(cells)
    return found[found > 0]
