"""Which exchanges to read again for the templates of campaigns, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from stillwatch.campaigns.judge import Campaign
from stillwatch.schema import Desk

__all__ = ["Template", "templates_of"]

_PER_CAMPAIGN: Final = 3
_SAMPLES: Final = 24
_POSITIONS: Final = ("head", "tail", "system")


@dataclass(frozen=True)
class Template:
    """One template of a campaign. ``exchange_ids``: one each of up to 24 organizations.

    ``carriers_inside``, ``carriers_outside``: accounts that sent it, of the campaign and not.
    ``first_model``, ``first_account``: where it was seen first; None outside the campaign.
    ``length``, ``hash``: of how many tokens (0: the whole system prompt), and their hash.
    """

    campaign_id: str
    position: str
    length: int
    hash: int
    exchange_ids: tuple[str, ...]
    carriers_inside: int
    carriers_outside: int
    exchanges: int
    first_seen: str
    first_model: str
    first_account: str | None


def templates_of(desk: Desk, campaigns: Sequence[Campaign]) -> list[Template]:
    """Return the most carried templates of each campaign that speak for its frames.

    In the order of the campaigns. The exchanges are read once for all of them.
    """
    nodes = _nodes(desk, campaigns)
    if not nodes.num_rows:
        return []
    members = pa.table(
        {
            "campaign": pa.array(
                [k for k, c in enumerate(campaigns) for _ in c.members], pa.int32()
            ),
            "sid": pa.array([s for c in campaigns for s in sorted(c.members)], pa.int32()),
        }
    )
    hits = desk.query(_HITS, nodes=nodes, members=members)
    counted = desk.query(
        """SELECT node, count(*) AS n, min(ts) AS first,
                  count(DISTINCT account_id) FILTER (inside) AS inside,
                  count(DISTINCT account_id) FILTER (NOT inside) AS outside,
                  arg_min(model, rid) AS model,
                  arg_min(CASE WHEN inside THEN account_id ELSE '' END, rid) AS account
           FROM hits GROUP BY node ORDER BY node""",
        hits=hits,
    ).to_pylist()
    sampled = desk.query(
        f"""SELECT node, exchange_id FROM (
              SELECT node, arg_min(exchange_id, rid) AS exchange_id, min(rid) AS rid,
                     row_number() OVER (PARTITION BY node ORDER BY min(rid)) AS nth
              FROM hits WHERE inside GROUP BY node, org)
            WHERE nth <= {_SAMPLES} ORDER BY node, rid""",
        hits=hits,
    )
    samples: dict[int, list[str]] = {}
    for node, exchange_id in zip(*(c.to_pylist() for c in sampled.columns), strict=True):
        samples.setdefault(node, []).append(exchange_id)
    position = {row["node"]: row for row in nodes.to_pylist()}
    return [
        _template(campaigns, position[r["node"]], r, samples.get(r["node"], [])) for r in counted
    ]


def _nodes(desk: Desk, campaigns: Sequence[Campaign]) -> pa.Table:
    """Return node, campaign, pos, len, h: up to three nodes a campaign, the widest heads first."""
    chosen = pa.table(
        {
            "campaign": pa.array(range(len(campaigns)), pa.int32()),
            "cohort": pa.array([c.cohort for c in campaigns], pa.int32()),
        }
    )
    return desk.query(
        f"""WITH ranked AS (
              SELECT x.campaign, f.pos, f.len, f.h,
                     row_number() OVER (PARTITION BY x.campaign
                       ORDER BY (f.pos = 0) DESC, f.exchanges DESC, f.len DESC, f.h) AS nth
              FROM chosen x
              JOIN (SELECT cohort, unnest(frames) AS frame FROM cohorts) c ON c.cohort = x.cohort
              JOIN frames f ON f.frame = c.frame WHERE f.speaks)
            SELECT CAST(row_number() OVER (ORDER BY campaign, nth) - 1 AS INTEGER) AS node,
                   campaign, pos, len, h
            FROM ranked WHERE nth <= {_PER_CAMPAIGN} ORDER BY node""",
        chosen=chosen,
    )


# The words of an exchange are read of those alone that carry a node.
_HITS: Final = """
    SELECT n.node, n.campaign, e.rid, e.sid, e.org, e.ts, e.exchange_id, e.account_id, e.model,
           m.sid IS NOT NULL AS inside
    FROM node_hits u JOIN nodes n ON n.pos = u.pos AND n.len = u.len AND n.h = u.h
    JOIN exchanges e ON e.rid = u.rid
    LEFT JOIN members m ON m.campaign = n.campaign AND m.sid = e.sid"""


def _template(
    campaigns: Sequence[Campaign], node: dict[str, Any], row: dict[str, Any], samples: list[str]
) -> Template:
    return Template(
        campaigns[node["campaign"]].campaign_id,
        _POSITIONS[node["pos"]],
        node["len"],
        node["h"],
        tuple(samples),
        row["inside"],
        row["outside"],
        row["n"],
        row["first"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        row["model"],
        row["account"] or None,
    )
