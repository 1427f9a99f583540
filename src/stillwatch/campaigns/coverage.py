"""How many distinct topics a campaign's requests touch, against as many of its segment's.

A topic is a cell around one of up to 512 requests drawn from the log: a request belongs to the
anchor whose topic vector, without what a shared template says, points most nearly the same way.
The curve is the mean number of topics among n requests. *Error*: the curve of the sample is exact
(Hurlbert 1971); the sample takes two dozen requests of a subject at most, spread over the window,
and 1,000 of a campaign; the band is over 40 random pools. A finer cut gives higher curves, so
only the comparison means something.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.judge import Campaign, Judgement
from stillwatch.campaigns.topics import Crowd
from stillwatch.schema import Desk
from stillwatch.schema.arrow import COVERAGE
from stillwatch.stats import centred_by, rarefied_richness, round9

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
    inside = {s for c in judgement.campaigns for s in c.members}
    sampled = np.unique(crowd.topic_sid)
    outside = np.setdiff1d(sampled, np.array(sorted(inside), dtype=sampled.dtype))
    if len(outside) > _OUTSIDERS:
        outside = np.sort(rng.choice(outside, _OUTSIDERS, replace=False))
    own = {c.campaign_id: _own_rows(crowd, c) for c in judgement.campaigns}
    rows = np.flatnonzero(np.isin(crowd.topic_sid, outside))
    rows = np.union1d(rows, np.concatenate([np.zeros(0, np.int64), *own.values()]))
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
        pools = _pools(crowd, peers, len(mine), rng)
        lines.extend(_curve(campaign.campaign_id, cell, mine, pools))
        basis[campaign.campaign_id] = {
            "requests": len(mine), "anchors": anchors, "peers": len(peers), "pools": len(pools),
        }  # fmt: skip
    return pa.Table.from_pylist(lines, schema=COVERAGE), basis


def _own_rows(crowd: Crowd, campaign: Campaign) -> np.ndarray:
    core = np.array(campaign.core or sorted(campaign.members), dtype=np.int64)
    rows = np.flatnonzero(np.isin(crowd.topic_sid, core))
    if len(rows) <= _ROWS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, _ROWS).astype(np.int64)]


def _without_templates(desk: Desk, crowd: Crowd, rows: np.ndarray) -> np.ndarray:
    """Return the topic rows less the mean of the other organizations' with the same template."""
    wanted = pa.table({"rid": pa.array(crowd.topic_rid[rows], pa.int64())})
    found = desk.query(
        """SELECT k.rid, bit_xor(k.template) AS template FROM carried k
           SEMI JOIN wanted w ON w.rid = k.rid GROUP BY k.rid ORDER BY k.rid""",
        wanted=wanted,
    )
    label = np.zeros(len(rows), dtype=np.uint64)
    place = np.searchsorted(crowd.topic_rid[rows], found["rid"].to_numpy())
    label[place] = found["template"].to_numpy()
    return centred_by(crowd.topics[rows], label, crowd.org[crowd.topic_sid[rows]])


def _cells(vectors: np.ndarray, anchors: int, rng: np.random.Generator) -> np.ndarray:
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = np.rint(vectors / np.where(norm > 0, norm, 1.0) * _LENGTH).astype(np.float32)
    chosen = whole[np.sort(rng.choice(len(whole), anchors, replace=False))].T
    parts = [
        (whole[start : start + _CHUNK] @ chosen).argmax(axis=1)
        for start in range(0, len(whole), _CHUNK)
    ]
    return np.concatenate(parts)


def _peers(crowd: Crowd, campaign: Campaign, outside: np.ndarray) -> np.ndarray:
    core = np.array(campaign.core or sorted(campaign.members), dtype=np.int64)
    peers = outside[np.isin(crowd.segment[outside], np.unique(crowd.segment[core]))]
    return peers if len(peers) >= _LEAST_PEERS else outside


def _pools(
    crowd: Crowd, peers: np.ndarray, size: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return up to 40 pools of ``size`` requests: random subjects, until they have as many."""
    held = np.isin(crowd.topic_sid, peers)
    order = np.flatnonzero(held)
    order = order[np.argsort(crowd.topic_sid[order], kind="stable")]
    subjects, first, count = np.unique(
        crowd.topic_sid[order], return_index=True, return_counts=True
    )
    if count.sum() < 2 * size:
        return []
    pools = []
    for _ in range(_POOLS):
        turn = rng.permutation(len(subjects))
        enough = int(np.searchsorted(np.cumsum(count[turn]), size)) + 1
        pool = [order[first[k] : first[k] + count[k]] for k in turn[:enough]]
        pools.append(np.concatenate(pool))
    return pools


def _curve(
    name: str, cell: np.ndarray, mine: np.ndarray, pools: list[np.ndarray]
) -> list[dict[str, Any]]:
    steps = sorted({round(v) for v in np.geomspace(1, len(mine), 10)})
    counts = np.unique(cell[mine], return_counts=True)[1]
    of_pools = [np.unique(cell[pool], return_counts=True)[1] for pool in pools]
    lines = []
    for n in steps:
        values = [rarefied_richness(c, n) for c in of_pools]
        low, mid, high = np.quantile(values, (0.05, 0.5, 0.95)).tolist() if values else [None] * 3
        line = {
            "campaign_topics": rarefied_richness(counts, n),
            "segment_low": low, "segment_mid": mid, "segment_high": high,
        }  # fmt: skip
        rounded = {k: None if v is None else round9(float(v)) for k, v in line.items()}
        lines.append({"campaign_id": name, "requests": n, **rounded})
    return lines
