"""Which exchanges to read again for the templates of a campaign, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stillwatch.campaigns.judge import Campaign
from stillwatch.schema import Desk

__all__ = ["Template", "templates_of"]

_PER_CAMPAIGN: Final = 3
_SAMPLES: Final = 24
_POSITIONS: Final = ("head", "tail", "system")


@dataclass(frozen=True)
class Template:
    """One template of a campaign. ``exchange_ids``: one each of up to 24 organizations."""

    campaign_id: str
    position: str
    exchange_ids: tuple[str, ...]
    carriers_inside: int
    carriers_outside: int
    exchanges: int
    first_seen: str


def templates_of(desk: Desk, campaign: Campaign) -> list[Template]:
    """Return the most carried templates of a campaign that speak for its frames."""
    nodes = desk.query(
        f"""SELECT f.pos, f.len, f.h, f.exchanges FROM frames f
            JOIN (SELECT unnest(frames) AS frame FROM cohorts WHERE cohort = {campaign.cohort}) c
              ON c.frame = f.frame
            WHERE f.speaks ORDER BY (f.pos = 0) DESC, f.exchanges DESC, f.len DESC, f.h
            LIMIT {_PER_CAMPAIGN}"""
    ).to_pylist()
    members = ", ".join(str(s) for s in sorted(campaign.members)) or "-1"
    found = []
    for node in nodes:
        column = "h_system" if node["pos"] == 2 else f"{_POSITIONS[node['pos']]}_{node['len']}"
        row = desk.query(
            f"""SELECT count(*) AS n, min(ts) AS first,
                       count(DISTINCT sid) FILTER (sid IN ({members})) AS inside,
                       count(DISTINCT sid) FILTER (sid NOT IN ({members})) AS outside
                FROM exchanges WHERE {column} = {node["h"]}"""
        ).to_pylist()[0]
        sample = desk.query(
            f"""SELECT arg_min(exchange_id, rid) AS exchange_id FROM exchanges
                WHERE {column} = {node["h"]} AND sid IN ({members})
                GROUP BY org ORDER BY min(rid) LIMIT {_SAMPLES}"""
        )
        found.append(
            Template(
                campaign.campaign_id, _POSITIONS[node["pos"]],
                tuple(sample["exchange_id"].to_pylist()), row["inside"], row["outside"],
                row["n"], row["first"].strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
        )  # fmt: skip
    return found
