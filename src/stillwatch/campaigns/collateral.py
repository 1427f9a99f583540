"""Whom each rung of the ladder would touch beside the accused: accounts, people, money, permits.

Touched are members of a campaign that are not accused: the honest customers of its proxy, accounts
that share an address or a template with it. A rung touches those of their requests with which it
interferes; `step_up` and `deny` interfere with all, `watch` with none.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

from stillwatch.campaigns.judge import Campaign, Judgement
from stillwatch.schema import Desk

__all__ = ["acted_on", "collateral_by_rung"]

_RUNGS: Final = {
    "watch": ("FALSE", "nothing acts on anybody"),
    "throttle": ("busy > {limit}", "requests beyond {limit} an hour wait"),
    "step_up": ("TRUE", "each account is asked once to prove who it is"),
    "summarize": ("reasons", "reasoning is given in summary only"),
    "deny": ("TRUE", "every request is refused"),
}
_SAMPLE: Final = 20_000
_COUNTS: Final = {
    "accounts": "count(DISTINCT account_id) FILTER (aside AND {hit})",
    "end_users": "count(DISTINCT sid) FILTER (aside AND end_user_id IS NOT NULL AND {hit})",
    "organizations": "count(DISTINCT org) FILTER (aside AND {hit})",
    "exchanges": "count(*) FILTER (aside AND {hit})",
    "output_tokens": "sum(coalesce(output_tokens, 0)) FILTER (aside AND {hit})",
    "permitted_exchanges": "count(*) FILTER (permitted AND {hit})",
}


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
                **{name: int(row.get(f"{rung}_{name}") or 0) for name in _COUNTS},
                "revenue_usd": round((row.get(f"{rung}_micro_usd") or 0) / 1e6, 2),
                "text": text.format(limit=f"{limit:,}"),
            }
            for rung, (_, text) in _RUNGS.items()
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
    sums = {**_COUNTS, "micro_usd": "sum(coalesce(cost_micro_usd, 0)) FILTER (aside AND {hit})"}
    terms = ", ".join(
        f"CAST({term.format(hit=f'({hit.format(limit=limit)})')} AS BIGINT) AS {rung}_{name}"
        for rung, (hit, _) in _RUNGS.items()
        for name, term in sums.items()
    )
    found: list[dict[str, Any]] = desk.query(
        f"""WITH rows AS (
              SELECT r.campaign, r.aside, r.permitted, e.sid, e.org, e.account_id, e.end_user_id,
                     e.output_tokens, e.cost_micro_usd,
                     coalesce(e.reasoning_tokens, 0) > 0 OR e.reasoning_bytes > 0 AS reasons,
                     count(*) OVER (PARTITION BY r.campaign, e.sid, date_trunc('hour', e.ts)
                                    ORDER BY e.rid ROWS UNBOUNDED PRECEDING) AS busy
              FROM exchanges e JOIN reach r ON r.sid = e.sid)
            SELECT campaign, {terms} FROM rows GROUP BY campaign ORDER BY campaign""",
        reach=reach,
    ).to_pylist()
    return found


def _limit(desk: Desk, judgement: Judgement) -> int:
    """Return the requests an hour that 95 % of the subjects in no campaign never exceed.

    Over 20,000 of them at most, evenly taken.
    """
    members = pa.table(
        {"sid": pa.array(sorted({s for c in judgement.campaigns for s in c.members}), pa.int32())}
    )
    step = judgement.crowd.subjects.num_rows // _SAMPLE + 1
    found = desk.query(
        f"""SELECT quantile_disc(top, 0.95) AS top FROM (
              SELECT sid, max(n) AS top FROM (
                SELECT e.sid, date_trunc('hour', e.ts) AS hour, count(*) AS n FROM exchanges e
                ANTI JOIN members m ON m.sid = e.sid WHERE e.sid % {step} = 0 GROUP BY ALL)
              GROUP BY sid)""",
        members=members,
    )["top"][0].as_py()
    return int(found or 0)
