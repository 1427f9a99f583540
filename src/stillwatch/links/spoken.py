"""The exchanges that speak for each hypothesis, read once for all that is asked of them."""

from __future__ import annotations

from stillwatch.schema import Settings, Step

__all__ = ["CHOSEN_STEP", "SPOKEN_STEP", "chosen_sql", "spoken_sql"]


def chosen_sql(settings: Settings) -> str:
    """Return which exchanges speak for each cohort, over the whole window (parts A, B and gaps).

    Of a cohort found by its text those that carry its templates and whose subject belongs to it
    by text; of another one all that its members sent, the merely associated left out.
    ``template`` tells the variants of the cohort's templates apart (0: none). A table of its own:
    with what `spoken` joins to it, its joins would not fit into 2 GB for ten million exchanges.
    """
    del settings
    return """
    WITH labelled AS (
      SELECT t.cohort, k.rid, any_value(k.sid) AS sid, bit_xor(k.template) AS template
      FROM (SELECT cohort, unnest(frames) AS frame FROM cohorts) t
      JOIN carried k ON k.frame = t.frame GROUP BY t.cohort, k.rid)
    SELECT l.cohort, l.rid, l.template FROM labelled l
    JOIN cohorts c ON c.cohort = l.cohort AND c.by_text
    JOIN cohort_members m ON m.cohort = l.cohort AND m.sid = l.sid AND m.how = 'text'
    UNION ALL
    SELECT m.cohort, e.rid, coalesce(l.template, 0) FROM cohort_members m
    JOIN cohorts c ON c.cohort = m.cohort AND NOT c.by_text
    JOIN exchanges e ON e.sid = m.sid
    LEFT JOIN labelled l ON l.cohort = m.cohort AND l.rid = e.rid
    WHERE m.how <> 'associated'
    """


CHOSEN_STEP = Step(
    name="chosen",
    inputs=("exchanges", "carried", "cohorts", "cohort_members"),
    output="chosen",
    sql=chosen_sql,
    order_by=("cohort", "rid"),
)


def spoken_sql(settings: Settings) -> str:
    """Return what is asked of the exchanges that speak for a cohort.

    ``fresh``: no continuation of the subject's own conversation and no prompt that it sent before;
    ``opens``: no continuation; ``answered``: not refused by a limit or a ban. Behind an answer an
    item is what was said before and the prompt together: "Print your reasoning." asks something
    else of every conversation. ``later`` is then the prompt itself, else 0.
    """
    del settings
    return """
    SELECT c.cohort, c.rid, c.template, e.sid, e.part, epoch_us(e.ts) AS ts_us,
           CASE WHEN e.h_payload = 0 THEN 0
                ELSE xor(e.h_payload, e.prefix_before_last_user) END AS h_payload,
           CASE WHEN e.prefix_before_last_user = 0 THEN 0 ELSE e.h_payload END AS later,
           e.topic, e.user_tokens, e.method_hints <> 0 AS harvest,
           coalesce(e.status, 'ok') NOT IN ('denied', 'rate_limited') AS answered,
           u.rid IS NULL AS fresh, NOT coalesce(u.goes_on, false) AS opens
    FROM chosen c JOIN exchanges e ON e.rid = c.rid LEFT JOIN follow_ups u ON u.rid = e.rid
    """


SPOKEN_STEP = Step(
    name="spoken",
    inputs=("chosen", "exchanges", "follow_ups"),
    output="spoken",
    sql=spoken_sql,
    order_by=("cohort", "rid"),
    passing=True,
)
