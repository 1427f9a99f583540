"""SQL of who carried what of a campaign's: templates, addresses, clients.

It reads what the snapshot's questions stand on: ``e`` (exchanges seen so far), ``m`` (core members:
sid, campaign, accused), ``active`` (sid, n exchanges), ``edge`` (periphery on watch), ``people``.
"""

from __future__ import annotations

from typing import Final

from stillwatch.schema import template_column
from stillwatch.schema.snapshot import SLOTS

__all__ = ["KNOWN_EXCHANGES", "POSITIONS", "network_sql", "template_sql"]

KNOWN_EXCHANGES: Final = 10  # so many requests a scan must have had to judge an account clear
POSITIONS: Final = {0: "head", 1: "tail", 2: "system"}
_MIN_CARRIERS: Final = 3  # core members that carry a template before it is one of theirs
_NETWORK_SHARE: Final = 0.3  # as for the scan: of all carriers, so many are core members
# Of so many core carriers of a template one more carrier counts for nothing where the scan itself
# has it at this campaign's edge, on watch, with too few requests to be judged: that is a member
# whom it could not accuse yet. Who is framed is older, has a history, or more company. So does one
# who was never at an address of the campaign's, but only for requests that come from there: the
# template at that address is still the campaign's own.
_CORE_PER_OTHER: Final = 20


def network_sql(column: str) -> str:
    """Return SQL of the values of a column, h, of whose carriers three tenths are a campaign's."""
    return f"""
      WITH c AS (SELECT DISTINCT {column} AS h, sid FROM e WHERE {column} <> 0),
      k AS (SELECT c.h, m.campaign, count(*) AS inside,
              (SELECT count(*) FROM c a WHERE a.h = c.h) - count(*) AS outside
            FROM c JOIN m ON m.sid = c.sid GROUP BY c.h, m.campaign)
      SELECT h, campaign, inside, outside FROM k
      WHERE inside >= 2 AND inside >= {_NETWORK_SHARE} * (inside + outside)"""


def template_sql(young_from_us: int) -> str:
    """Return what follows the questions' tables: a row per campaign, frame and node of it.

    Frames that more core members than others carry, as the scan's step *carried* reads them.
    ``outside``: other carriers, without a few accounts younger than ``young_from_us`` at the
    campaign's edge; ``elsewhere``: those of them, a few at most, that were never at its addresses.
    """
    return f""", sent AS (
      SELECT f.frame, u.rid, any_value(u.sid) AS sid
      FROM ({_unnested("rid, sid")}) u
      JOIN frame_nodes f ON u.pos = f.pos AND u.len = f.len AND u.h = f.h AND f.speaks
      GROUP BY f.frame, u.rid
      HAVING count(DISTINCT f.pos) >= 2 OR NOT bool_and(f.company)),
    carriers AS (SELECT DISTINCT frame, sid FROM sent),
    young AS (
      SELECT DISTINCT x.campaign, p.sid
      FROM edge x JOIN people p ON p.account_id = x.account_id
       AND coalesce(p.end_user_id, '') = coalesce(x.end_user_id, '')
       AND epoch_us(p.created_at) > {young_from_us}
      JOIN active a ON a.sid = p.sid AND a.n < {KNOWN_EXCHANGES}
      ANTI JOIN m ON m.sid = p.sid),
    there AS (
      SELECT DISTINCT e.sid, x.campaign FROM e
      JOIN ({network_sql("h_prefix")}) x ON x.h = e.h_prefix),
    tallied AS (
      SELECT c.frame, m.campaign, count(*) AS inside FROM carriers c JOIN m ON m.sid = c.sid
      GROUP BY c.frame, m.campaign),
    others AS (
      SELECT t.frame, t.campaign, t.inside, t.inside // {_CORE_PER_OTHER} AS most, count(*) AS n,
             count(y.sid) AS young,
             count(*) FILTER (y.sid IS NULL AND h.sid IS NULL AND o.sid IS NULL) AS apart
      FROM tallied t JOIN carriers c ON c.frame = t.frame
      LEFT JOIN m o ON o.sid = c.sid
      LEFT JOIN young y ON y.sid = c.sid AND y.campaign = t.campaign
      LEFT JOIN there h ON h.sid = c.sid AND h.campaign = t.campaign
      WHERE o.campaign IS DISTINCT FROM t.campaign
      GROUP BY t.frame, t.campaign, t.inside),
    counted AS (
      SELECT t.campaign, t.frame, t.inside,
             coalesce(n - least(young, most), 0) AS outside,
             coalesce(least(apart, most - least(young, most)), 0) AS elsewhere
      FROM tallied t LEFT JOIN others o ON o.frame = t.frame AND o.campaign = t.campaign)
    SELECT k.campaign, k.frame, k.inside, k.outside, k.elsewhere, f.pos, f.len, f.h, f.company
    FROM counted k JOIN frame_nodes f ON f.frame = k.frame AND f.speaks
    WHERE k.inside >= {_MIN_CARRIERS} AND k.inside >= k.outside
    ORDER BY k.campaign, k.frame, f.pos, f.len, f.h"""


def _unnested(columns: str) -> str:
    """Return SQL of one row per exchange and frame hash, for the slots of a snapshot."""
    codes = {side: code for code, side in POSITIONS.items()}
    parts = []
    for side, n in SLOTS:
        name = template_column(side, n)
        parts.append(
            f"SELECT {columns}, {codes[side]} AS pos, {n} AS len, {name} AS h"
            f" FROM e WHERE {name} <> 0"
        )
    return " UNION ALL ".join(parts)
