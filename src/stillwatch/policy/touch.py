"""Which requests each rung of the ladder interferes with, as SQL over ``exchanges``.

Both ask by it, so that a preview counts as the scan did: the scan over its window, a preview over
the last days of one.
"""

from __future__ import annotations

from typing import Final

__all__ = ["RUNGS", "TOUCH_COUNTS", "limit_sql", "touched_sql"]

# Verdict → (the requests that it interferes with, what it does in words).
RUNGS: Final = {
    "watch": ("FALSE", "nothing acts on anybody"),
    "throttle": ("busy > {limit}", "requests beyond {limit} an hour wait"),
    "step_up": ("TRUE", "each account is asked once to prove who it is"),
    "summarize": ("reasons", "reasoning is given in summary only"),
    "deny": ("TRUE", "every request is refused"),
}
TOUCH_COUNTS: Final = {
    "accounts": "count(DISTINCT account_id) FILTER (aside AND {hit})",
    "end_users": "count(DISTINCT sid) FILTER (aside AND end_user_id IS NOT NULL AND {hit})",
    "organizations": "count(DISTINCT org) FILTER (aside AND {hit})",
    "exchanges": "count(*) FILTER (aside AND {hit})",
    "output_tokens": "sum(coalesce(output_tokens, 0)) FILTER (aside AND {hit})",
    "permitted_exchanges": "count(*) FILTER (permitted AND {hit})",
}
_SAMPLE: Final = 20_000
_TERMS: Final = {
    **TOUCH_COUNTS, "micro_usd": "sum(coalesce(cost_micro_usd, 0)) FILTER (aside AND {hit})",
}  # fmt: skip


def touched_sql(limit: int, since: str = "TRUE") -> str:
    """Return SQL over ``exchanges`` and ``reach`` (campaign, sid, aside, permitted).

    A row a campaign, a column a rung and count: ``deny_accounts`` … ``limit``: requests an hour
    beyond which *throttle* makes wait. ``since``: a condition on the exchange ``e``.
    """
    terms = ", ".join(
        f"CAST({term.format(hit=f'({hit.format(limit=limit)})')} AS BIGINT) AS {rung}_{name}"
        for rung, (hit, _) in RUNGS.items()
        for name, term in _TERMS.items()
    )
    return f"""WITH rows AS (
          SELECT r.campaign, r.aside, r.permitted, e.sid, e.org, e.account_id, e.end_user_id,
                 e.output_tokens, e.cost_micro_usd,
                 coalesce(e.reasoning_tokens, 0) > 0 OR e.reasoning_bytes > 0 AS reasons,
                 count(*) OVER (PARTITION BY r.campaign, e.sid, date_trunc('hour', e.ts)
                                ORDER BY e.rid ROWS UNBOUNDED PRECEDING) AS busy
          FROM exchanges e JOIN reach r ON r.sid = e.sid WHERE {since})
        SELECT campaign, {terms} FROM rows GROUP BY campaign ORDER BY campaign"""


def limit_sql(subjects: int) -> str:
    """Return SQL over ``exchanges`` and ``members`` (sid): ``top``, the requests an hour that 95 %
    of the subjects in no campaign never exceed; over 20,000 of them at most, evenly taken.
    """
    step = subjects // _SAMPLE + 1
    return f"""SELECT quantile_disc(top, 0.95) AS top FROM (
          SELECT sid, max(n) AS top FROM (
            SELECT e.sid, date_trunc('hour', e.ts) AS hour, count(*) AS n FROM exchanges e
            ANTI JOIN members m ON m.sid = e.sid WHERE e.sid % {step} = 0 GROUP BY ALL)
          GROUP BY sid)"""
