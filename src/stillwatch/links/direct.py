"""Direct evidence: one named subject did what only a partner of another could have done."""

from __future__ import annotations

from stillwatch.schema import BANNED_SQL, Settings, Step

__all__ = ["DIRECT_STEP", "direct_sql"]

_RETRY_MINUTES = 10
_SUCCESSION_HOURS = 48


def direct_sql(settings: Settings) -> str:
    """Return one row per occurrence: kind, a (before), b (after), when, in which part.

    * handoff: b's exchange continues a conversation whose last exchange was a's;
    * blob_replay: b sent an opaque reasoning blob that a received before;
    * retry: b's owner sent a prompt for the first time, within ten minutes of a's being denied or
      rate limited on it;
    * succession: b, created after a was closed against the rules (`BANNED_RE`) and within two days
      of it, first sends a template that a carried; once for an account, whomever it serves.
    All only between different owners, an account's organization or else the account itself: within
    one they are ordinary, and who is an end user of an account is what its owner writes (a name, or
    one a session). So what any end user of an account held before, its others go on with as their
    own. A conversation or prompt that more than four organizations carry, where each end user is
    one, is a public one and counts for nothing.
    """
    del settings
    return f"""
    WITH owners AS (
      SELECT sid, coalesce('o:' || org_id, 'a:' || account_id) AS owner FROM subjects),
    goes_on AS (
      SELECT DISTINCT prefix_before_last_user AS h FROM exchanges
      WHERE prefix_before_last_user <> 0),
    starts AS (
      SELECT e.prefix_full AS h, e.sid, e.org, min(e.ts) AS ts FROM exchanges e
      SEMI JOIN goes_on g ON g.h = e.prefix_full GROUP BY e.prefix_full, e.sid, e.org),
    public_prefix AS (SELECT h FROM starts GROUP BY h HAVING count(DISTINCT org) > 4),
    handoffs AS (
      SELECT 'handoff' AS kind, s.sid AS a, e.sid AS b, e.ts, e.rid, e.part,
             row_number() OVER (PARTITION BY e.rid ORDER BY s.ts DESC, s.sid) AS nth,
             max(CASE WHEN x.owner = y.owner THEN 1 ELSE 0 END) OVER (PARTITION BY e.rid) AS own
      FROM exchanges e JOIN starts s ON e.prefix_before_last_user = s.h AND s.ts < e.ts
      JOIN owners x ON x.sid = s.sid JOIN owners y ON y.sid = e.sid
      WHERE e.prefix_before_last_user <> 0
        AND e.prefix_before_last_user NOT IN (SELECT h FROM public_prefix)),
    blobs AS (
      SELECT h_blob AS h, sid, org, min(ts) AS ts FROM exchanges
      WHERE h_blob <> 0 GROUP BY h_blob, sid, org),
    public_blob AS (SELECT h FROM blobs GROUP BY h HAVING count(DISTINCT org) > 4),
    replays AS (
      SELECT 'blob_replay' AS kind, s.sid AS a, e.sid AS b, e.ts, e.rid, e.part,
             row_number() OVER (PARTITION BY e.rid ORDER BY s.ts DESC, s.sid) AS nth,
             max(CASE WHEN x.owner = y.owner THEN 1 ELSE 0 END) OVER (PARTITION BY e.rid) AS own
      FROM exchanges e JOIN blobs s ON e.h_blob = s.h AND s.ts < e.ts
      JOIN owners x ON x.sid = s.sid JOIN owners y ON y.sid = e.sid
      WHERE e.h_blob <> 0 AND e.h_blob NOT IN (SELECT h FROM public_blob)),
    failed AS (
      SELECT h_payload AS h, sid, ts FROM exchanges
      WHERE status IN ('denied', 'rate_limited') AND h_payload <> 0 AND user_tokens >= 8),
    public_payload AS (
      SELECT h_payload AS h FROM exchanges WHERE h_payload IN (SELECT h FROM failed)
      GROUP BY h_payload HAVING count(DISTINCT org) > 4),
    first_sent AS (
      SELECT DISTINCT ON (e.h_payload, y.owner) e.h_payload AS h, e.sid, e.ts, e.rid, e.part
      FROM exchanges e JOIN owners y ON y.sid = e.sid
      WHERE e.h_payload IN (SELECT h FROM failed)
        AND e.h_payload NOT IN (SELECT h FROM public_payload)
      ORDER BY e.h_payload, y.owner, e.ts, e.rid),
    retries AS (
      SELECT 'retry' AS kind, f.sid AS a, e.sid AS b, e.ts, e.rid, e.part,
             row_number() OVER (PARTITION BY e.rid ORDER BY f.ts DESC, f.sid) AS nth, 0 AS own
      FROM first_sent e JOIN failed f ON e.h = f.h
       AND e.ts > f.ts AND e.ts <= f.ts + INTERVAL {_RETRY_MINUTES} MINUTE),
    banned AS (
      SELECT sid, owner, closed_at FROM subjects JOIN owners USING (sid)
      WHERE closed_at IS NOT NULL
        AND {BANNED_SQL}),
    carriers AS (SELECT frame, sid, min(rid) AS rid FROM carried GROUP BY frame, sid),
    narrow AS (SELECT frame FROM carriers GROUP BY frame HAVING count(*) <= 500),
    successions AS (
      SELECT DISTINCT ON (n.account_id) 'succession' AS kind, x.sid AS a, n.sid AS b, e.ts, e.rid,
             e.part, 1 AS nth, 0 AS own
      FROM subjects n JOIN owners y ON y.sid = n.sid
      JOIN banned x ON n.created_at >= x.closed_at - INTERVAL 1 HOUR
       AND n.created_at <= x.closed_at + INTERVAL {_SUCCESSION_HOURS} HOUR AND y.owner <> x.owner
      JOIN carriers cx ON cx.sid = x.sid JOIN carriers cn ON cn.sid = n.sid AND cn.frame = cx.frame
      JOIN narrow w ON w.frame = cx.frame
      JOIN exchanges e ON e.rid = cn.rid
      ORDER BY n.account_id, x.closed_at DESC, x.sid, cn.rid)
    SELECT d.kind, d.a, d.b, d.ts, d.rid, d.part FROM (
      SELECT kind, a, b, ts, rid, part, nth, own FROM handoffs
      UNION ALL SELECT kind, a, b, ts, rid, part, nth, own FROM replays
      UNION ALL SELECT kind, a, b, ts, rid, part, nth, own FROM retries
      UNION ALL SELECT kind, a, b, ts, rid, part, nth, own FROM successions) d
    JOIN owners x ON x.sid = d.a JOIN owners y ON y.sid = d.b
    WHERE d.nth = 1 AND d.own = 0 AND x.owner <> y.owner
    """


DIRECT_STEP = Step(
    name="direct",
    inputs=("exchanges", "subjects", "carried"),
    output="direct",
    sql=direct_sql,
    order_by=("kind", "a", "b", "rid"),
)
