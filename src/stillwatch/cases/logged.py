"""A run's exchanges as a guard would have been asked about them, and whom it can match at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from stillwatch.schema import template_column
from stillwatch.schema.snapshot import SLOTS, Snapshot, subject_key
from stillwatch.store import Run

__all__ = ["BAND_COLUMNS", "FRAME_COLUMNS", "LINK_COLUMNS", "logged_rows", "matchable"]

FRAME_COLUMNS: Final = tuple(template_column(side, n) for side, n in SLOTS)
BAND_COLUMNS: Final = tuple(f"band_{k}" for k in range(8))
LINK_COLUMNS: Final = {"payment": "payment_hash", "device": "device_hash", "phone": "phone_hash",
                       "email": "email_hash"}  # fmt: skip
# What a book of the guard's holds of one account and another may show.
_BOOKS: Final = ("prefix_before_last_user", "prefix_full", "h_blob", "h_payload")
_NUMBERS: Final = ("h_prefix", "h_client", "user_tokens", *_BOOKS, *FRAME_COLUMNS, *BAND_COLUMNS)
_AT_ONCE: Final = 20_000


def logged_rows(
    run: Run, *, sids: pa.Table | None = None, since_us: int = -(1 << 62)
) -> Iterator[dict[str, Any]]:
    """Yield a run's exchanges in their order, each with what is known of its account.

    ``sids``: a table with the subjects that are wanted, in its column sid; None: all. ``since_us``:
    only what is later.
    """
    numbers = ", ".join(f"e.{name}" for name in _NUMBERS)
    links = ", ".join(f"p.{name}" for name in LINK_COLUMNS.values())
    table = run.query(
        f"""SELECT e.ts, e.account_id, e.end_user_id, e.org, e.model, e.status,
                   coalesce(e.output_tokens, 0) AS output_tokens,
                   coalesce(e.cost_micro_usd, 0) AS micro_usd, {numbers}, {links},
                   p.org_id, p.plan, p.created_at
            FROM exchanges e JOIN people p ON p.sid = e.sid
            {"" if sids is None else "SEMI JOIN sids s ON s.sid = e.sid"}
            WHERE epoch_us(e.ts) > {since_us} ORDER BY e.rid""",
        **({} if sids is None else {"sids": sids}),
    )
    for batch in table.to_batches(max_chunksize=_AT_ONCE):
        yield from batch.to_pylist()


def matchable(run: Run, snapshot: Snapshot) -> pa.Table:
    """Return the subjects, in a column sid, that are accused or carry a value of a campaign's.

    The guard allows all others whatever they send: it has nothing to match them by.
    """
    people = run.query("SELECT sid, account_id, end_user_id FROM people").to_pylist()
    accused = [
        r["sid"] for r in people
        if subject_key(snapshot.salt, r["account_id"], r["end_user_id"]) in snapshot.accused
    ]  # fmt: skip
    hashes = {h for template in snapshot.templates for _, h, _ in template.nodes}
    hashes |= {m.value for m in snapshot.marks if m.kind in ("near_text", "exit_prefix")}
    books = " UNION ".join(f"SELECT {c} AS h FROM mine WHERE {c} <> 0" for c in _BOOKS)
    carried = " OR ".join(
        f"{c} IN (SELECT h FROM known)"
        for c in (*FRAME_COLUMNS, *BAND_COLUMNS, "h_prefix", *_BOOKS)
    )
    shared = " UNION ALL ".join(
        f"""SELECT sid FROM people WHERE {c} IN (
              SELECT {c} FROM people SEMI JOIN accused USING (sid) WHERE {c} <> '')"""
        for c in LINK_COLUMNS.values()
    )
    return run.query(
        f"""WITH mine AS (SELECT * FROM exchanges SEMI JOIN accused USING (sid)),
            known AS (SELECT h FROM given UNION {books})
            SELECT DISTINCT sid FROM (
              SELECT sid FROM accused UNION ALL SELECT sid FROM exchanges WHERE {carried}
              UNION ALL {shared})""",
        accused=pa.table({"sid": pa.array(accused, pa.int32())}),
        given=pa.table({"h": pa.array(sorted(hashes), pa.uint64())}),
    )
