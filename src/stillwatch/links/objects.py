"""Objects: who carries which shared value, one row per object and subject."""

from __future__ import annotations

from stillwatch.schema import Settings, Step

__all__ = ["OBJECTS_STEP", "objects_sql"]

_STATIC = (
    ("payment", "payment_hash"),
    ("device", "device_hash"),
    ("phone", "phone_hash"),
    ("email", "email_hash"),
)
_BANDS = tuple(f"band_{k}" for k in range(8))
# An end user behind a channel account shows the channel's payment, address and client, not its own.
_OWN_LINE = "AND sid IN (SELECT sid FROM subjects WHERE end_user_id IS NULL)"


def objects_sql(settings: Settings) -> str:
    """Return kind, object (64 bits), subject, count and first time, of objects with two carriers.

    Values of the account (payment, device …) hold for the whole window; what requests show
    (prefix, client, system prompt, tools, frames, near-duplicate bands) is taken from part A.
    Of the eight bands of every text, only those of two subjects and more are grouped by subject:
    to find them takes states of fixed size, which the engine can put on disk.
    """
    static = " UNION ALL ".join(
        f"SELECT '{kind}' AS kind, md5_number_lower('{kind}:' || {column}) AS object, sid, "
        f"CAST(1 AS BIGINT) AS n, coalesce(created_at, first_ts) AS first_seen "
        f"FROM subjects WHERE {column} IS NOT NULL AND {column} <> '' AND end_user_id IS NULL"
        for kind, column in _STATIC
    )
    signup = (
        "SELECT 'signup_ip' AS kind, md5_number_lower('signup_ip:' || "
        "coalesce(nullif(regexp_extract(signup_ip, '^(\\d+\\.\\d+\\.\\d+)\\.', 1), ''), "
        "signup_ip)) AS object, sid, CAST(1 AS BIGINT) AS n, "
        "coalesce(created_at, first_ts) AS first_seen "
        "FROM subjects WHERE signup_ip IS NOT NULL AND signup_ip <> '' AND end_user_id IS NULL"
    )
    seen = " UNION ALL ".join(
        f"SELECT '{kind}' AS kind, {column} AS object, sid, "
        f"count(*) AS n, min(ts) AS first_seen FROM exchanges "
        f"WHERE part = 'A' AND {column} <> 0 {own} GROUP BY {column}, sid"
        for kind, column, own in (
            ("exit_prefix", "h_prefix", _OWN_LINE),
            ("client", "h_client", _OWN_LINE),
            ("system_prompt", "h_system", ""),
            ("tool_schema", "h_tools", ""),
        )
    )
    bands = (
        f"SELECT object, sid, ts FROM (SELECT sid, ts, unnest([{', '.join(_BANDS)}]) AS object "
        "FROM exchanges WHERE part = 'A' AND user_tokens >= 12) WHERE object <> 0"
    )
    return f"""
    WITH shared AS (
      SELECT object FROM ({bands}) GROUP BY object HAVING min(sid) <> max(sid)),
    near AS (
      SELECT b.object, b.sid, count(*) AS n, min(b.ts) AS first_seen
      FROM ({bands}) b SEMI JOIN shared s ON s.object = b.object GROUP BY b.object, b.sid),
    carrying AS (
      {static} UNION ALL {signup} UNION ALL {seen}
      UNION ALL SELECT 'near_text', object, sid, n, first_seen FROM near
      UNION ALL SELECT 'frame', CAST(c.frame AS UBIGINT), c.sid, count(*), min(e.ts)
        FROM carried c JOIN exchanges e ON c.rid = e.rid WHERE c.part = 'A'
        GROUP BY c.frame, c.sid),
    owners AS (SELECT sid, org, dense_rank() OVER (ORDER BY org) AS owner FROM subjects),
    owned AS (SELECT c.*, o.org, o.owner FROM carrying c JOIN owners o ON o.sid = c.sid),
    wide AS (
      SELECT kind, object, count(*) AS carriers, count(DISTINCT owner) AS organizations
      FROM owned GROUP BY kind, object HAVING min(owner) <> max(owner))
    SELECT o.kind, o.object, o.sid, o.org, CAST(o.n AS BIGINT) AS n, o.first_seen,
           w.carriers, w.organizations
    FROM owned o JOIN wide w ON o.kind = w.kind AND o.object = w.object
    """


OBJECTS_STEP = Step(
    name="objects",
    inputs=("exchanges", "subjects", "carried"),
    output="objects",
    sql=objects_sql,
    order_by=("kind", "object", "sid"),
)
