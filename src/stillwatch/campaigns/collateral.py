"""Whom each rung of the ladder would touch beside the accused: accounts, people, money, permits.

Touched are members of a campaign that are not accused: those whose own behaviour proves nothing,
whatever they are; the honest customers of its proxy; accounts that share an address with it. A rung
touches those of their requests with which it interferes; `step_up` and `deny` interfere with all,
`watch` with none.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from stillwatch.campaigns.judge import Campaign, Judgement
from stillwatch.policy import RUNGS, TOUCH_COUNTS, limit_sql, touched_sql
from stillwatch.schema import Desk

__all__ = ["acted_on", "collateral_by_rung"]


def acted_on(campaign: Campaign) -> list[int]:
    """Return the accused; of a campaign without any its core, or else all its linked members."""
    linked = sorted(s for s, m in campaign.members.items() if m.confidence > 0)
    return campaign.accused or campaign.core or linked


def collateral_by_rung(desk: Desk, judgement: Judgement) -> dict[str, dict[str, dict[str, Any]]]:
    """Return campaign_id → verdict → what it touches and what it does.

    ``accounts``, ``end_users``, ``organizations``: counts of those touched; ``exchanges``,
    ``output_tokens``, ``revenue_usd``: of their requests in the window that the rung interferes
    with; ``permitted_exchanges``: those of them that a permit covers.
    """
    campaigns = judgement.campaigns
    beside = [
        (k, sid, sid not in acted, c.standings.get(sid) == "permitted")
        for k, c in enumerate(campaigns)
        for acted in [set(acted_on(c))]
        for sid in sorted(c.members)
        if sid not in acted or c.standings.get(sid) == "permitted"
    ]
    limit = _limit(desk, judgement) if beside else 0
    found = {r["campaign"]: r for r in _touched(desk, beside, limit)} if beside else {}
    out: dict[str, dict[str, dict[str, Any]]] = {}
    for k, campaign in enumerate(campaigns):
        row = found.get(k, {})
        out[campaign.campaign_id] = {
            rung: {
                **{name: int(row.get(f"{rung}_{name}") or 0) for name in TOUCH_COUNTS},
                "revenue_usd": round((row.get(f"{rung}_micro_usd") or 0) / 1e6, 2),
                "text": text.format(limit=f"{limit:,}"),
            }
            for rung, (_, text) in RUNGS.items()
        }
    return out


def _touched(
    desk: Desk, beside: list[tuple[int, int, bool, bool]], limit: int
) -> list[dict[str, Any]]:
    reach = pa.table(
        {
            "campaign": pa.array([b[0] for b in beside], pa.int32()),
            "sid": pa.array([b[1] for b in beside], pa.int32()),
            "aside": pa.array([b[2] for b in beside], pa.bool_()),
            "permitted": pa.array([b[3] for b in beside], pa.bool_()),
        }
    )
    found: list[dict[str, Any]] = desk.query(touched_sql(limit), reach=reach).to_pylist()
    return found


def _limit(desk: Desk, judgement: Judgement) -> int:
    """Return the requests an hour that 95 % of the subjects in no campaign never exceed."""
    members = pa.table(
        {"sid": pa.array(sorted({s for c in judgement.campaigns for s in c.members}), pa.int32())}
    )
    query = limit_sql(judgement.crowd.subjects.num_rows)
    found = desk.query(query, members=members)["top"][0].as_py()
    return int(found or 0)
