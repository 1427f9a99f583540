"""The tables behind the report's pictures: raster, clock, volume. Already sampled, counts kept."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.judge import Campaign, Judgement
from stillwatch.schema import Desk
from stillwatch.schema.arrow import CLOCK, RASTER, VOLUME

__all__ = ["clock_table", "raster_table", "volume_table"]

_SUBJECTS: Final = 120
_TICKS: Final = 12_000


def _sids(sids: list[int]) -> str:
    return ", ".join(map(str, sids)) or "-1"


def raster_table(desk: Desk, judgement: Judgement) -> tuple[pa.Table, dict[str, dict[str, int]]]:
    """Return one row per tick, and per campaign how much of it is shown.

    Lines are ordered by first request, so that hand-over after a ban shows as a staircase; at
    most 120 lines, evenly taken, and 12,000 ticks, evenly taken, of each campaign.
    """
    parts, shown = [], {}
    for campaign in judgement.campaigns:
        linked = sorted(s for s, m in campaign.members.items() if m.confidence > 0)
        rows = desk.query(
            f"""SELECT e.sid, e.ts, coalesce(e.status, 'ok') AS status, e.model, p.account_id,
                       p.end_user_id, min(e.ts) OVER (PARTITION BY e.sid) AS first
                FROM acts e JOIN people p ON p.sid = e.sid
                WHERE e.sid IN ({_sids(linked)}) ORDER BY first, e.sid, e.rid"""
        )
        order = list(dict.fromkeys(rows["sid"].to_pylist()))
        picked = [order[k] for k in _spread(len(order), _SUBJECTS)]
        line = {sid: k for k, sid in enumerate(picked)}
        keep = np.array([s in line for s in rows["sid"].to_pylist()], dtype=bool)
        rows = rows.filter(pa.array(keep))
        ticks = rows.num_rows
        rows = rows.take(pa.array(_spread(ticks, _TICKS), pa.int64()))
        core = set(campaign.core)
        parts.append(
            pa.table(
                {
                    "campaign_id": pa.array([campaign.campaign_id] * rows.num_rows, pa.string()),
                    "row": pa.array([line[s] for s in rows["sid"].to_pylist()], pa.int32()),
                    "subject": pa.array(
                        [
                            a if u is None else f"{a} · {u}"
                            for a, u in zip(
                                rows["account_id"].to_pylist(), rows["end_user_id"].to_pylist(),
                                strict=True,
                            )
                        ],
                        pa.string(),
                    ),
                    "ts": rows["ts"].cast(pa.timestamp("us", tz="UTC")),
                    "status": rows["status"],
                    "model": rows["model"],
                    "core": pa.array([s in core for s in rows["sid"].to_pylist()], pa.bool_()),
                },
                schema=RASTER,
            )
        )  # fmt: skip
        shown[campaign.campaign_id] = {
            "subjects": len(order), "subjects_shown": len(picked),
            "ticks": ticks, "ticks_shown": rows.num_rows,
        }  # fmt: skip
    return (pa.concat_tables(parts) if parts else RASTER.empty_table()), shown


def _spread(size: int, most: int) -> list[int]:
    if size <= most:
        return list(range(size))
    return sorted(set(np.linspace(0, size - 1, most).astype(int).tolist()))


def clock_table(judgement: Judgement) -> pa.Table:
    """Return each campaign's share of a day by UTC hour beside the middle 90 % of its segment."""
    hours = np.array(judgement.crowd.subjects["hours"].to_pylist(), dtype=np.float64)
    rows: list[dict[str, Any]] = []
    for campaign in judgement.campaigns:
        rows.extend(_clock(campaign, judgement, hours))
    return pa.Table.from_pylist(rows, schema=CLOCK)


def _clock(campaign: Campaign, judgement: Judgement, hours: np.ndarray) -> list[dict[str, Any]]:
    core = np.array(campaign.core or sorted(campaign.members), dtype=np.int64)
    segment = judgement.crowd.segment
    outside = np.setdiff1d(np.arange(len(hours)), np.array(sorted(campaign.members)))
    peers = outside[np.isin(segment[outside], np.unique(segment[core]))]
    peers = peers if len(peers) >= 50 else outside
    shares = hours[peers] / np.maximum(hours[peers].sum(axis=1, keepdims=True), 1)
    means = _means_of_groups(shares) if len(shares) else np.zeros((1, 24))
    mine = hours[core].sum(axis=0)
    mine = mine / max(mine.sum(), 1)
    low, mid, high = np.quantile(means, (0.05, 0.5, 0.95), axis=0)
    return [
        {
            "campaign_id": campaign.campaign_id, "hour": h,
            "campaign_share": round(float(mine[h]), 9), "segment_low": round(float(low[h]), 9),
            "segment_mid": round(float(mid[h]), 9), "segment_high": round(float(high[h]), 9),
        }
        for h in range(24)
    ]  # fmt: skip


def _means_of_groups(shares: np.ndarray) -> np.ndarray:
    """Return the means of groups of about 25 neighbouring rows, the first ones larger by one."""
    count = max(len(shares) // 25, 1)
    sizes = np.full(count, len(shares) // count)
    sizes[: len(shares) % count] += 1
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    means: np.ndarray = np.add.reduceat(shares, starts, axis=0) / sizes[:, None]
    return means


def volume_table(desk: Desk, judgement: Judgement) -> pa.Table:
    """Return requests, tokens and accounts by day, model and accused campaign ('' = the rest)."""
    owner = pa.table(
        {
            "sid": pa.array(
                [s for c in judgement.campaigns if c.standing == "accused" for s in c.accused],
                pa.int32(),
            ),
            "campaign_id": pa.array(
                [c.campaign_id for c in judgement.campaigns if c.standing == "accused"
                 for _ in c.accused],
                pa.string(),
            ),
        }
    )  # fmt: skip
    return desk.query(
        """SELECT date_trunc('day', e.ts) AS day, e.model,
                  coalesce(o.campaign_id, '') AS campaign_id,
                  count(*) AS requests,
                  CAST(sum(coalesce(e.output_tokens, 0)) AS BIGINT) AS output_tokens,
                  count(DISTINCT e.account_id) AS accounts
           FROM exchanges e
           LEFT JOIN (SELECT sid, any_value(campaign_id) AS campaign_id FROM owner GROUP BY sid) o
             ON o.sid = e.sid
           GROUP BY ALL ORDER BY day, e.model, campaign_id""",
        owner=owner,
    ).cast(VOLUME)
