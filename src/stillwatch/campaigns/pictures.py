"""The tables behind the report's pictures: raster, clock, volume. Already sampled, counts kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.campaigns.judge import Campaign, Judgement
from stillwatch.schema import DAY_US, Desk
from stillwatch.schema.arrow import CLOCK, RASTER, VOLUME

__all__ = ["clock_table", "raster_table", "volume_table"]

_SUBJECTS: Final = 120
_TICKS: Final = 12_000
_AT_ONCE: Final = 32


def raster_table(desk: Desk, judgement: Judgement) -> tuple[pa.Table, dict[str, dict[str, int]]]:
    """Return one row per tick, and per campaign how much of it is shown.

    Lines are ordered by first request, so that hand-over after a ban shows as a staircase; at
    most 120 lines, evenly taken, and 12,000 ticks, evenly taken, of each campaign.
    """
    parts, shown = [], {}
    campaigns = judgement.campaigns
    people = judgement.crowd.subjects
    for start in range(0, len(campaigns), _AT_ONCE):
        some = campaigns[start : start + _AT_ONCE]
        lines, order = _lines(desk, some)
        ticks = desk.query(
            """SELECT l.campaign, l.line, e.sid, e.ts, coalesce(e.status, 'ok') AS status, e.model
               FROM acts e JOIN lines l ON l.sid = e.sid ORDER BY l.campaign, l.place, e.rid""",
            lines=lines,
        )
        of = ticks["campaign"].to_numpy()
        for number, campaign in enumerate(some):
            low, high = np.searchsorted(of, [number, number + 1]).tolist()
            kept = _spread(high - low, _TICKS)
            rows = ticks.slice(low, high - low).take(pa.array(kept, pa.int64()))
            parts.append(_raster(campaign, rows, people))
            shown[campaign.campaign_id] = {
                "subjects": order[number], "subjects_shown": min(order[number], _SUBJECTS),
                "ticks": high - low, "ticks_shown": len(kept),
            }  # fmt: skip
    return (pa.concat_tables(parts) if parts else RASTER.empty_table()), shown


def _lines(desk: Desk, campaigns: Sequence[Campaign]) -> tuple[pa.Table, list[int]]:
    """Return the lines to draw (campaign, line, place, sid), and each campaign's subjects.

    ``place``: the subject's place among all of its campaign by first request; ``line``: among
    those that are drawn.
    """
    linked = [
        (k, s) for k, c in enumerate(campaigns) for s, m in c.members.items() if m.confidence > 0
    ]
    first = desk.query(
        """SELECT l.campaign, l.sid FROM linked l JOIN acts e ON e.sid = l.sid
           GROUP BY l.campaign, l.sid ORDER BY l.campaign, min(e.ts), l.sid""",
        linked=pa.table(
            {
                "campaign": pa.array([k for k, _ in linked], pa.int32()),
                "sid": pa.array([s for _, s in linked], pa.int32()),
            }
        ),
    )
    campaign, sid = first["campaign"].to_numpy(), first["sid"].to_numpy()
    sizes = np.bincount(campaign, minlength=len(campaigns)).tolist()
    starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    picked = [_spread(size, _SUBJECTS) for size in sizes]
    places = np.array([p for one in picked for p in one], dtype=np.int64)
    rows = np.array(
        [start + p for start, one in zip(starts, picked, strict=False) for p in one], dtype=np.int64
    )
    lines = pa.table(
        {
            "campaign": campaign[rows],
            "line": pa.array([k for one in picked for k in range(len(one))], pa.int32()),
            "place": places,
            "sid": sid[rows],
        }
    )
    return lines, sizes


def _raster(campaign: Campaign, rows: pa.Table, people: pa.Table) -> pa.Table:
    sids = rows["sid"]
    who = people.select(["account_id", "end_user_id"]).take(sids)
    both = pc.binary_join_element_wise(who["account_id"], who["end_user_id"], " · ")
    core = pa.array(campaign.core, sids.type)
    return pa.table(
        {
            "campaign_id": pa.array([campaign.campaign_id] * rows.num_rows, pa.string()),
            "row": rows["line"],
            "subject": pc.coalesce(both, who["account_id"]),
            "ts": rows["ts"].cast(pa.timestamp("us", tz="UTC")),
            "status": rows["status"],
            "model": rows["model"],
            "core": pc.is_in(sids, value_set=core),
        },
        schema=RASTER,
    )


def _spread(size: int, most: int) -> list[int]:
    if size <= most:
        return list(range(size))
    return sorted(set(np.linspace(0, size - 1, most).astype(int).tolist()))


def clock_table(judgement: Judgement) -> pa.Table:
    """Return each campaign's share of a day by UTC hour beside the middle 90 % of its segment."""
    hours = judgement.crowd.subjects["hours"].combine_chunks()
    hours = hours.flatten().to_numpy().reshape(-1, 24).astype(np.float64)
    shares = hours / np.maximum(hours.sum(axis=1, keepdims=True), 1)
    rows: list[dict[str, Any]] = []
    for campaign in judgement.campaigns:
        rows.extend(_clock(campaign, judgement, hours, shares))
    return pa.Table.from_pylist(rows, schema=CLOCK)


def _clock(
    campaign: Campaign, judgement: Judgement, hours: np.ndarray, shares: np.ndarray
) -> list[dict[str, Any]]:
    core = np.array(campaign.core or sorted(campaign.members), dtype=np.int64)
    segment = judgement.crowd.segment
    outside = np.ones(len(hours), dtype=bool)
    outside[list(campaign.members)] = False
    wanted = np.zeros(int(segment.max(initial=0)) + 1, dtype=bool)
    wanted[segment[core]] = True
    peers = np.flatnonzero(outside & wanted[segment])
    peers = peers if len(peers) >= 50 else np.flatnonzero(outside)
    means = _means_of_groups(shares[peers]) if len(peers) else np.zeros((1, 24))
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
        f"""WITH sent AS (
             SELECT epoch_us(ts) // {DAY_US} AS day, model, sid, count(*) AS n,
                    sum(coalesce(output_tokens, 0)) AS tokens
             FROM exchanges GROUP BY ALL),
           held AS (SELECT sid, any_value(campaign_id) AS campaign_id FROM owner GROUP BY sid)
           SELECT make_timestamptz(e.day * {DAY_US}) AS day, e.model,
                  coalesce(o.campaign_id, '') AS campaign_id,
                  CAST(sum(e.n) AS BIGINT) AS requests,
                  CAST(sum(e.tokens) AS BIGINT) AS output_tokens,
                  count(DISTINCT s.account_id) AS accounts
           FROM sent e JOIN subjects s ON s.sid = e.sid LEFT JOIN held o ON o.sid = e.sid
           GROUP BY e.day, e.model, coalesce(o.campaign_id, '')
           ORDER BY e.day, e.model, campaign_id""",
        owner=owner,
    ).cast(VOLUME)
