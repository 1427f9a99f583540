"""Traits of single accounts: what a reader of one account could measure, no other account needed.

Language, script and country are left out: they are never evidence. So is every shared value.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

__all__ = ["traits"]

_SQL = """
WITH sent AS (
  SELECT account_id, ts, status, model, user_agent, ip, channel, temperature, max_tokens, stream,
    output_tokens, reasoning_tokens, latency_ms, conversation_id, end_user_id, tools,
    finish_reason, response_format, input_tokens,
    list_filter(messages, lambda m: m.role = 'user') AS users,
    list_filter(messages, lambda m: m.role = 'system') AS systems,
    hour(ts) AS h, dayofweek(ts) AS d,
    date_diff('second', lag(ts) OVER (PARTITION BY account_id ORDER BY ts), ts) AS gap
  FROM read_parquet('{folder}/exchanges/*.parquet')
),
each AS (
  SELECT account_id,
    count(*) AS requests,
    count(DISTINCT date_trunc('day', ts)) AS days,
    count(DISTINCT h) AS hours,
    avg(CAST(h < 6 AS INT)) AS night, avg(CAST(d IN (0, 6) AS INT)) AS weekend,
    entropy(h) AS hour_entropy,
    avg(len(users)) AS turns, max(len(users)) AS most_turns,
    avg(CAST(len(users) = 1 AS INT)) AS one_turn,
    avg(CAST(len(systems) > 0 AS INT)) AS system_share,
    count(DISTINCT systems[1].content) AS systems,
    avg(len(users[-1].content)) AS prompt_chars,
    coalesce(stddev_pop(len(users[-1].content)), 0) AS prompt_chars_sd,
    count(DISTINCT users[-1].content) / count(*) AS distinct_prompts,
    avg(output_tokens) AS output_tokens, coalesce(stddev_pop(output_tokens), 0) AS output_sd,
    avg(reasoning_tokens) AS reasoning_tokens, avg(input_tokens) AS input_tokens,
    avg(CAST(status <> 'ok' AS INT)) AS failures,
    avg(CAST(status = 'rate_limited' AS INT)) AS limited,
    avg(CAST(status = 'refused' AS INT)) AS refused,
    avg(CAST(status = 'denied' AS INT)) AS denied,
    count(DISTINCT user_agent) AS clients, count(DISTINCT ip) AS addresses,
    count(DISTINCT model) AS models, avg(CAST(model = 'lumen-5' AS INT)) AS newest_model,
    avg(CAST(model = 'lumen-4-reason' AS INT)) AS reason_model,
    avg(CAST(channel = 'api' AS INT)) AS api,
    avg(coalesce(temperature, -0.1)) AS temperature, avg(coalesce(max_tokens, 0)) AS max_tokens,
    avg(CAST(coalesce(stream, false) AS INT)) AS stream,
    avg(CAST(conversation_id IS NOT NULL AS INT)) AS conversation_ids,
    avg(CAST(end_user_id IS NOT NULL AS INT)) AS end_users,
    avg(CAST(len(coalesce(tools, [])) > 0 AS INT)) AS tools,
    avg(CAST(response_format IS NOT NULL AS INT)) AS formats,
    coalesce(median(gap), 1e6) AS gap_median, coalesce(min(gap), 1e6) AS gap_least,
    coalesce(stddev_pop(gap) / nullif(avg(gap), 0), 0) AS gap_cv,
    date_diff('minute', min(ts), max(ts)) AS span, min(ts) AS first_ts
  FROM sent GROUP BY ALL
),
known AS (
  SELECT account_id, CAST(created_at AS TIMESTAMP) AS created, plan, kyc_level,
    CAST(closed_at <> '' AS INT) AS closed, CAST(coalesce(payment_hash, '') <> '' AS INT) AS paid,
    CAST(coalesce(phone_hash, '') <> '' AS INT) AS phone,
    CAST(coalesce(device_hash, '') <> '' AS INT) AS device,
    CAST(coalesce(declared_use, '') <> '' AS INT) AS declared,
    CAST(coalesce(org_id, '') <> '' AS INT) AS org, CAST(rate_limit_rpm AS DOUBLE) AS rpm
  FROM read_csv('{folder}/accounts.csv', header = true, all_varchar = true)
)
SELECT each.* EXCLUDE (first_ts),
  date_diff('hour', created, CAST(first_ts AT TIME ZONE 'UTC' AS TIMESTAMP)) AS age_at_first,
  date_diff('hour', created, (SELECT CAST(max(ts) AT TIME ZONE 'UTC' AS TIMESTAMP) FROM sent))
    AS age,
  CAST(plan = 'free' AS INT) AS plan_free, CAST(plan = 'pro' AS INT) AS plan_pro,
  CAST(plan = 'enterprise' AS INT) AS plan_enterprise,
  CAST(kyc_level = 'business' AS INT) AS business,
  CAST(kyc_level = 'email' AS INT) AS kyc_email, coalesce(closed, 0) AS closed, paid, phone, device,
  declared, org, rpm, truth.role = 'core' AS core, coalesce(truth.campaign, '') AS campaign
FROM each JOIN known USING (account_id)
  JOIN read_parquet('{folder}/truth.parquet') truth USING (account_id)
ORDER BY account_id
"""


def traits(folder: Path) -> tuple[list[str], NDArray[np.float64], NDArray[np.bool_], list[str]]:
    """Return (names, one row of numbers an account, which are core, their campaigns)."""
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("SET TimeZone = 'UTC'")
        table = con.sql(_SQL.format(folder=folder)).to_arrow_table()
    names = [n for n in table.column_names if n not in ("account_id", "core", "campaign")]
    columns = [np.asarray(table[n].to_pylist(), dtype=float) for n in names]
    core = np.asarray(table["core"].to_pylist(), dtype=bool)
    return names, np.nan_to_num(np.column_stack(columns)), core, table["campaign"].to_pylist()
