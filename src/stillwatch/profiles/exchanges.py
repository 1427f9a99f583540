"""Exchanges once, in time order, each with its subject, organization, segment and block."""

from __future__ import annotations

from stillwatch.schema import Settings, Step, to_micros

__all__ = ["EXCHANGES_STEP", "PEOPLE_STEP", "exchanges_sql", "people_sql"]

_DIGESTED = (
    "exchange_id, epoch_us(ts), account_id, model, org_id, end_user_id, channel, stream, "
    "temperature, max_tokens, status, http_status, input_tokens, output_tokens, cost_micro_usd, "
    "h_prefix, h_client, h_system, h_tools, h_payload, h_output, prefix_full, user_bytes, "
    "output_bytes, reasoning_bytes, simhash, h_blob, hex(topic)"
)


def people_sql(settings: Settings) -> str:
    """Return who sent anything: (account, end user) where the account is a channel for many.

    An account is a channel when most of its exchanges came through a gateway and it names at
    least five end users. Segments are product × plan × channel; country and language are not
    in them. A subject without an organization is one of its own.
    """
    return f"""
    WITH usage AS (
      SELECT account_id,
             count(DISTINCT end_user_id) AS end_users,
             sum(CASE WHEN channel = 'gateway' THEN 1 ELSE 0 END) * 2 > count(*) AS gateway,
             mode(org_id ORDER BY org_id) AS org_seen,
             mode(channel ORDER BY channel) AS channel
      FROM features {_window(settings)} GROUP BY account_id),
    seen AS (
      SELECT DISTINCT f.account_id,
             CASE WHEN u.gateway AND u.end_users >= 5 THEN coalesce(f.end_user_id, '') END
               AS end_user_id
      FROM features f JOIN usage u ON f.account_id = u.account_id {_window(settings, 'f.')})
    SELECT CAST(row_number() OVER (ORDER BY s.account_id, s.end_user_id NULLS FIRST) - 1 AS INTEGER)
             AS sid,
           s.account_id, s.end_user_id,
           coalesce(a.org_id, u.org_seen) AS org_id,
           CASE WHEN s.end_user_id IS NOT NULL THEN 'u:' || s.account_id || chr(31) || s.end_user_id
                ELSE coalesce('o:' || coalesce(a.org_id, u.org_seen), 'a:' || s.account_id) END
             AS org,
           coalesce(a.segment, coalesce(a.plan, 'unknown') || '/' || coalesce(u.channel, 'unknown'))
             AS segment,
           a.plan, a.created_at, a.closed_at, a.closed_reason, a.owner_entity_id,
           a.payment_hash, a.device_hash, a.phone_hash, a.email_hash, a.signup_ip
    FROM seen s JOIN usage u ON s.account_id = u.account_id
    LEFT JOIN accounts a ON s.account_id = a.account_id
    """


def exchanges_sql(settings: Settings) -> str:
    """Return the exchanges of the window, repeats of an exchange_id dropped, numbered by time."""
    block_us = settings.block_hours * 3_600_000_000
    gap_us = settings.gap_minutes * 60_000_000
    return f"""
    WITH digested AS (
      SELECT *, md5_number_lower(concat_ws('|', {_DIGESTED})) AS digest
      FROM features {_window(settings)}),
    first_of AS (
      SELECT exchange_id, arg_min(digest, (epoch_us(ts), digest)) AS digest,
             min(ts) AS ts
      FROM digested GROUP BY exchange_id),
    once AS (
      SELECT d.* FROM digested d JOIN first_of k
        ON d.exchange_id = k.exchange_id AND d.digest = k.digest AND d.ts = k.ts
      QUALIFY row_number() OVER (PARTITION BY d.exchange_id ORDER BY d.digest) = 1)
    SELECT row_number() OVER (ORDER BY e.ts, e.exchange_id) - 1 AS rid,
           p.sid, p.org, p.segment,
           CASE WHEN (epoch_us(e.ts) // {block_us}) % 2 = 0 THEN 'A'
                WHEN epoch_us(e.ts) % {block_us} >= {gap_us} THEN 'B'
                ELSE '-' END AS part,
           e.* EXCLUDE (org_id)
    FROM once e JOIN people p
      ON e.account_id = p.account_id
     AND (p.end_user_id IS NULL OR coalesce(e.end_user_id, '') = p.end_user_id)
    """


def _window(settings: Settings, prefix: str = "") -> str:
    terms = []
    if settings.since is not None:
        terms.append(f"epoch_us({prefix}ts) >= {to_micros(settings.since)}")
    if settings.until is not None:
        terms.append(f"epoch_us({prefix}ts) < {to_micros(settings.until)}")
    return f"WHERE {' AND '.join(terms)}" if terms else ""


PEOPLE_STEP = Step(
    name="people",
    inputs=("features", "accounts"),
    output="people",
    sql=people_sql,
    order_by=("sid",),
)
EXCHANGES_STEP = Step(
    name="exchanges",
    inputs=("features", "people"),
    output="exchanges",
    sql=exchanges_sql,
    order_by=("rid",),
    key="account_id",
)
