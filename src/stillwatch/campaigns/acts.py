"""The exchanges of cohort members by subject: what judging asks again and again, asked once."""

from __future__ import annotations

from stillwatch.schema import Settings, Step

__all__ = ["ACTS_STEP", "acts_sql"]


def acts_sql(settings: Settings) -> str:
    """Return the exchanges whose subject belongs to any cohort, with the columns judging reads.

    In the order of subjects, so that a query for a few of them reads their row groups alone: the
    time of judging follows the size of the campaigns, not campaigns times exchanges.
    """
    del settings
    return """
    SELECT e.sid, e.rid, e.exchange_id, e.ts, e.account_id, e.model, e.status, e.input_tokens,
           e.output_tokens, e.cost_micro_usd, e.h_prefix, e.method_hints
    FROM exchanges e SEMI JOIN cohort_members m ON m.sid = e.sid
    """


ACTS_STEP = Step(
    name="acts",
    inputs=("exchanges", "cohort_members"),
    output="acts",
    sql=acts_sql,
    order_by=("sid", "rid"),
    group_rows=4_096,
    passing=True,
)
