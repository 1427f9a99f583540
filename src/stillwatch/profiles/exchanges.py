"""Exchanges once, in time order, each with its subject, organization, segment and block."""

from __future__ import annotations

from typing import Final

from stillwatch.schema import Along, Settings, Step, to_micros

__all__ = [
    "EXCHANGES_STEP",
    "FOLLOW_UPS_STEP",
    "PEOPLE_STEP",
    "REPEATS_STEP",
    "exchanges_sql",
    "in_window",
    "people_sql",
    "places_sql",
    "repeats_sql",
]


_OF_THE_WHOLE: Final = ("plan", "segment", "payment_hash", "owner_entity_id")
_OF_THE_END: Final = ("closed_at", "closed_reason")
_OF_THE_SIGN_UP: Final = ("created_at", "email_hash", "phone_hash", "device_hash", "signup_ip")


def repeats_sql(settings: Settings) -> str:
    """Return of each repeated exchange_id the row that stays: the first by time, then by digest."""
    return f"""
    WITH given AS (SELECT exchange_id, ts, digest FROM features {in_window(settings)}),
    again AS (SELECT exchange_id FROM given GROUP BY exchange_id HAVING count(*) > 1)
    SELECT g.exchange_id, min(g.ts) AS ts, arg_min(g.digest, (g.ts, g.digest)) AS digest
    FROM given g SEMI JOIN again a ON g.exchange_id = a.exchange_id GROUP BY g.exchange_id
    """


def _once(columns: str, settings: Settings) -> str:
    """Return SQL of the window's rows with one row per exchange_id."""
    return f"""
      SELECT {columns} FROM features f ANTI JOIN repeats r ON f.exchange_id = r.exchange_id
      {in_window(settings, "f.")}
      UNION ALL
      SELECT {columns} FROM features f JOIN repeats r
        ON f.exchange_id = r.exchange_id AND f.ts = r.ts AND f.digest = r.digest
      QUALIFY row_number() OVER (PARTITION BY f.exchange_id) = 1"""


def people_sql(settings: Settings) -> str:
    """Return who sent anything: (account, end user) where the account is a channel for many.

    An account is a channel when most of its exchanges came through a gateway and it names at
    least five end users. Segments are product × plan × channel; country and language are not
    in them. A subject without an organization is one of its own. Of an account's rows in the side
    table the one counts that holds at its last request in the window; its reader refuses two.
    What it leaves empty its organization's row of that moment tells. Facts of a sign-up are told of
    an organization's only account in the window: colleagues who came later did not sign up there,
    and would look like accounts that one hand made.
    """
    told = ", ".join(f"coalesce(a.{c}, o.{c}) AS {c}" for c in _OF_THE_WHOLE)
    ended = ", ".join(
        f"CASE WHEN coalesce(a.closed_reason, CAST(a.closed_at AS VARCHAR)) IS NULL "
        f"THEN o.{c} ELSE a.{c} END AS {c}"
        for c in _OF_THE_END
    )
    signed_up = ", ".join(
        f"coalesce(a.{c}, CASE WHEN a.alone THEN o.{c} END) AS {c}" for c in _OF_THE_SIGN_UP
    )
    return f"""
    WITH once AS ({_once("f.account_id, f.end_user_id, f.org_id, f.channel, f.ts", settings)}),
    usage AS (
      SELECT account_id,
             count(DISTINCT end_user_id) AS end_users,
             sum(CASE WHEN channel = 'gateway' THEN 1 ELSE 0 END) * 2 > count(*) AS gateway,
             mode(org_id ORDER BY org_id) AS org_seen,
             mode(channel ORDER BY channel) AS channel,
             max(ts) AS last_ts
      FROM once GROUP BY account_id),
    own AS (
      SELECT u.account_id, u.channel, u.last_ts, coalesce(a.org_id, u.org_seen) AS org_id,
             a.* EXCLUDE (account_id, org_id)
      FROM usage u LEFT JOIN accounts a ON {_holds("a", "account_id", "u")}),
    held AS (
      SELECT a.account_id, a.org_id, a.channel, {told}, {ended}, {signed_up}
      FROM (SELECT *, count(*) OVER (PARTITION BY org_id) = 1 AS alone FROM own) a
      LEFT JOIN organizations o ON {_holds("o", "org_id", "a")}),
    seen AS (
      SELECT DISTINCT f.account_id,
             CASE WHEN u.gateway AND u.end_users >= 5 THEN coalesce(f.end_user_id, '') END
               AS end_user_id
      FROM once f JOIN usage u ON f.account_id = u.account_id)
    SELECT CAST(row_number() OVER (ORDER BY s.account_id, s.end_user_id NULLS FIRST) - 1 AS INTEGER)
             AS sid,
           s.account_id, s.end_user_id, h.org_id,
           CASE WHEN s.end_user_id IS NOT NULL THEN 'u:' || s.account_id || chr(31) || s.end_user_id
                ELSE coalesce('o:' || h.org_id, 'a:' || s.account_id) END AS org,
           coalesce(h.segment, coalesce(h.plan, 'unknown') || '/' || coalesce(h.channel, 'unknown'))
             AS segment,
           h.plan, h.created_at, h.closed_at, h.closed_reason, h.owner_entity_id,
           h.payment_hash, h.device_hash, h.phone_hash, h.email_hash, h.signup_ip
    FROM seen s JOIN held h ON s.account_id = h.account_id
    """


def _holds(side: str, key: str, asked: str) -> str:
    """Return the ON of a side table whose row holds at the account's last request."""
    return f"""{side}.{key} = {asked}.{key}
        AND ({side}.valid_from IS NULL OR {side}.valid_from <= {asked}.last_ts)
        AND ({side}.valid_to IS NULL OR {asked}.last_ts < {side}.valid_to)"""


def exchanges_sql(settings: Settings) -> str:
    """Return the exchanges of the window, repeats of an exchange_id dropped, numbered by time.

    The rows come in the order of their numbers: they are sorted once, and numbered as they stream
    by (the runner preserves order); a window over whole rows would hold all of them again.
    """
    block_us = settings.block_hours * 3_600_000_000
    gap_us = settings.gap_minutes * 60_000_000
    return f"""
    WITH once AS ({_once("f.*", settings)}),
    placed AS (
      SELECT p.sid, p.org, p.segment,
             CASE WHEN (epoch_us(e.ts) // {block_us}) % 2 = 0 THEN 'A'
                  WHEN epoch_us(e.ts) % {block_us} >= {gap_us} THEN 'B'
                  ELSE '-' END AS part,
             e.* EXCLUDE (org_id)
      FROM once e JOIN people p
        ON e.account_id = p.account_id
       AND (p.end_user_id IS NULL OR coalesce(e.end_user_id, '') = p.end_user_id)
      ORDER BY e.ts, e.exchange_id)
    SELECT row_number() OVER () - 1 AS rid, * FROM placed
    """


def places_sql(settings: Settings) -> str:
    """Return time and id of every exchange that `exchanges_sql` gives, in no order."""
    return _once("f.ts, f.exchange_id", settings)


def in_window(settings: Settings, prefix: str = "") -> str:
    """Return the WHERE of a scan's window over a table with ``ts``; nothing without ends."""
    terms = []
    if settings.since is not None:
        terms.append(f"epoch_us({prefix}ts) >= {to_micros(settings.since)}")
    if settings.until is not None:
        terms.append(f"epoch_us({prefix}ts) < {to_micros(settings.until)}")
    return f"WHERE {' AND '.join(terms)}" if terms else ""


REPEATS_STEP = Step(
    name="repeats",
    inputs=("features",),
    output="repeats",
    sql=repeats_sql,
    order_by=("exchange_id",),
    key="exchange_id",
    reads=("exchange_id", "ts", "digest"),
)
PEOPLE_STEP = Step(
    name="people",
    inputs=("features", "repeats", "accounts", "organizations"),
    output="people",
    sql=people_sql,
    order_by=("sid",),
)
EXCHANGES_STEP = Step(
    name="exchanges",
    inputs=("features", "repeats", "people"),
    output="exchanges",
    sql=exchanges_sql,
    bulky=True,
    along=Along(("ts", "exchange_id"), "rid", places_sql),
)


def follow_ups_sql(settings: Settings) -> str:
    """Return the exchanges that go on with a subject's own conversation or repeat its own prompt.

    They speak of the same topic again, so tests that count topics leave them out. ``goes_on``: the
    former, whether or not the prompt is a repeated one too.
    """
    del settings
    return """
    SELECT rid, bool_or(goes_on) AS goes_on FROM (
      SELECT DISTINCT e.rid, true AS goes_on FROM exchanges e
      JOIN (SELECT DISTINCT sid, prefix_full FROM exchanges WHERE prefix_full <> 0) f
        ON f.sid = e.sid AND f.prefix_full = e.prefix_before_last_user
      WHERE e.prefix_before_last_user <> 0
      UNION ALL
      SELECT rid, false FROM exchanges WHERE h_payload <> 0
      QUALIFY row_number() OVER (PARTITION BY sid, h_payload ORDER BY rid) > 1)
    GROUP BY rid
    """


FOLLOW_UPS_STEP = Step(
    name="follow_ups",
    inputs=("exchanges",),
    output="follow_ups",
    sql=follow_ups_sql,
    order_by=("rid",),
    key="sid",
    reads=("sid", "rid", "prefix_full", "prefix_before_last_user", "h_payload"),
)
