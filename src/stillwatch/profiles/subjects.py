"""One row per subject: how much, when, with which settings; sums of integers only."""

from __future__ import annotations

from typing import Final

from stillwatch.schema import DAY_US, Settings, Step

__all__ = ["SUBJECTS_STEP", "subjects_sql"]

_HOUR_US: Final = 3_600_000_000


def subjects_sql(settings: Settings) -> str:
    """Return a profile per subject over the window; shares are computed where they are used."""
    del settings
    hours = ", ".join(f"CAST(count(*) FILTER (hour = {h}) AS INTEGER)" for h in range(24))
    return f"""
    WITH seen AS (
      SELECT sid, count(*) AS exchanges,
             CAST(sum(coalesce(input_tokens, 0)) AS BIGINT) AS input_tokens,
             CAST(sum(coalesce(output_tokens, 0)) AS BIGINT) AS output_tokens,
             CAST(sum(coalesce(cost_micro_usd, 0)) AS BIGINT) AS cost_micro_usd,
             min(ts) AS first_ts, max(ts) AS last_ts,
             CAST(sum(CASE WHEN n_turns <= 1 THEN 1 ELSE 0 END) AS BIGINT) AS single_turn,
             CAST(sum(CASE WHEN h_system <> 0 THEN 1 ELSE 0 END) AS BIGINT) AS with_system,
             CAST(sum(CASE WHEN h_tools <> 0 THEN 1 ELSE 0 END) AS BIGINT) AS with_tools,
             count(DISTINCT h_payload) AS payloads,
             count(DISTINCT h_client) AS clients,
             count(DISTINCT h_prefix) AS prefixes,
             count(DISTINCT epoch_us(ts) // {DAY_US}) AS days,
             CAST(sum(CASE WHEN status IN ('denied', 'rate_limited') THEN 1 ELSE 0 END) AS BIGINT)
               AS blocked,
             [{hours}] AS hours
      FROM (SELECT *, CAST(epoch_us(ts) // {_HOUR_US} % 24 AS UTINYINT) AS hour FROM exchanges)
      GROUP BY sid)
    SELECT p.*, s.* EXCLUDE (sid) FROM people p JOIN seen s ON p.sid = s.sid
    """


SUBJECTS_STEP = Step(
    name="subjects",
    inputs=("exchanges", "people"),
    output="subjects",
    sql=subjects_sql,
    order_by=("sid",),
    key="sid",
    reads=(
        "sid",
        "ts",
        "status",
        "n_turns",
        "input_tokens",
        "output_tokens",
        "cost_micro_usd",
        "h_system",
        "h_tools",
        "h_payload",
        "h_client",
        "h_prefix",
    ),
)
