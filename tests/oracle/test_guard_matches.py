"""The guard's deterministic matches are those of SQL over the same prefix of the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from stillwatch.cases import compile_snapshot
from stillwatch.guard import Guard, Request
from stillwatch.guard.matching import may_match
from stillwatch.policy import Ladder
from stillwatch.scanner import scan
from stillwatch.schema.snapshot import EVIDENCE, SLOTS, Snapshot, link_key, org_key, subject_key
from stillwatch.simulate import simulate
from stillwatch.store import Run, open_run

SALT = b"parity"
FRAMES = ["h_system" if side == "system" else f"{side}_{n}" for side, n in SLOTS]
BANDS = [f"band_{k}" for k in range(8)]
LINKS = {"payment": "payment_hash", "device": "device_hash", "phone": "phone_hash",
         "email": "email_hash"}  # fmt: skip
NAMES = {bit: name for name, bit in EVIDENCE.items()}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder: Path = tmp_path_factory.mktemp("small")
    made = simulate("small", seed=3, out=folder / "world")
    scan(
        [folder / "world" / "exchanges"], accounts=made.accounts_csv, permits=made.permits_csv,
        out=folder / "run", threads=1,
    )  # fmt: skip
    return open_run(folder / "run")


@pytest.fixture(scope="module")
def snapshot(run: Run) -> Snapshot:
    """Of what was seen in the first half; windows are longer than the log."""
    return compile_snapshot(
        run, now=datetime(2026, 11, 20, tzinfo=UTC), salt=SALT, version=1,
        ladder=Ladder(book_window_s=10**8), as_of=datetime(2026, 11, 19, 12, tzinfo=UTC),
        valid=timedelta(days=99),
    ).snapshot  # fmt: skip


@pytest.fixture(scope="module")
def rows(run: Run) -> list[dict[str, Any]]:
    columns = ", ".join(
        f"e.{c}" for c in ("rid", "ts", "account_id", "end_user_id", "model", "status", "h_prefix",
                           "h_client", "h_payload", "user_tokens", "prefix_full",
                           "prefix_before_last_user", "h_blob", *FRAMES, *BANDS)
    )  # fmt: skip
    people = ", ".join(f"p.{c}" for c in ("org_id", "created_at", *LINKS.values()))
    found: list[dict[str, Any]] = run.query(
        f"SELECT {columns}, {people} FROM exchanges e JOIN people p ON p.sid = e.sid ORDER BY e.rid"
    ).to_pylist()
    return found


def by_guard(snapshot: Snapshot, rows: list[dict[str, Any]]) -> set[tuple[int, int, str]]:
    """(rid, campaign, kind) of all rows, each matched before it is observed."""
    guard = Guard(snapshot, seed_books=False)
    found = set()
    for row in rows:
        request = Request(
            int(row["ts"].timestamp() * 1e6), row["account_id"], row["end_user_id"],
            row["org_id"], row["model"], None, tuple(row[c] for c in FRAMES),
            tuple(row[c] for c in BANDS) if row["user_tokens"] >= 12 else (0,) * 8,
            row["h_prefix"], row["h_client"], row["h_payload"], row["user_tokens"],
            row["prefix_before_last_user"], row["h_blob"],
            {k: row[c] for k, c in LINKS.items() if row[c]},
            int(row["created_at"].timestamp() * 1e6) if row["created_at"] else 0,
        )  # fmt: skip
        for campaign, bits in guard.matches(request).items():
            found |= {(row["rid"], campaign, name) for bit, name in NAMES.items() if bits & bit}
        assert may_match(guard, guard.table, request) >= bool(guard.matches(request))
        guard.observe(request, status=row["status"], prefix_full=row["prefix_full"],
                      h_blob=row["h_blob"])  # fmt: skip
    assert guard.conversations.evicted == guard.blobs.evicted == guard.prompts.evicted == 0
    return found


def tables(snapshot: Snapshot, rows: list[dict[str, Any]]) -> dict[str, pa.Table]:
    """The snapshot and the log as tables, for SQL that knows nothing of the guard's code."""
    position = {"head": 1, "tail": 2, "system": 3}
    keyed = []
    for row in rows:
        account = subject_key(SALT, row["account_id"])
        subject = account
        if account in snapshot.channels:
            subject = subject_key(SALT, row["account_id"], row["end_user_id"])
        keyed.append({
            **{k: v for k, v in row.items() if k not in LINKS.values()},
            "org": org_key(SALT, row["account_id"], row["org_id"]),
            "campaign": snapshot.accused.get(subject, -1),
            "links": [{"kind": k, "v": link_key(SALT, k, row[c])} for k, c in LINKS.items()
                      if row[c]],
        })  # fmt: skip
    kinds = {name: pa.uint64() for name in ("org", *FRAMES, *BANDS, "h_prefix", "h_client",
             "h_payload", "prefix_full", "prefix_before_last_user", "h_blob")}  # fmt: skip
    link = pa.list_(pa.struct([("kind", pa.string()), ("v", pa.uint64())]))
    kinds["links"] = link
    log = pa.table({
        name: pa.array([r[name] for r in keyed], kinds.get(name)) for name in keyed[0]
    })  # fmt: skip
    nodes = [
        {"template": number, "campaign": t.campaign, "slot": slot, "h": h,
         "position": position[SLOTS[slot][0]], "alone": not company}
        for number, t in enumerate(snapshot.templates) for slot, h, company in t.nodes
    ]  # fmt: skip
    marks = [{"kind": m.kind, "h": m.value, "campaign": m.campaign} for m in snapshot.marks]
    bursts = [
        {"campaign": k, "low": c.burst_us[0], "high": c.burst_us[1]}
        for k, c in enumerate(snapshot.campaigns) if c.burst_us
    ]  # fmt: skip
    u64 = {"h": pa.uint64()}
    return {
        "log": log,
        "nodes": _table(nodes, u64),
        "marks": _table(marks, u64),
        "bursts": _table(bursts, {"campaign": pa.int64(), "low": pa.int64(), "high": pa.int64()}),
    }


def _table(rows: list[dict[str, Any]], kinds: dict[str, pa.DataType]) -> pa.Table:
    names = list(rows[0]) if rows else list(kinds)
    return pa.table({n: pa.array([r[n] for r in rows], kinds.get(n)) for n in names})


def rules_sql() -> str:
    """Each rule as SQL: a row matches by what stands in earlier rows and in the snapshot."""
    slots = " UNION ALL ".join(
        f"SELECT rid, {k} AS slot, {name} AS h FROM log WHERE {name} <> 0"
        for k, name in enumerate(FRAMES)
    )
    bands = " UNION ALL ".join(
        f"SELECT rid, {name} AS h FROM log WHERE {name} <> 0 AND user_tokens >= 12"
        for name in BANDS
    )

    def held(kind: str, before: str, now: str, own_clears: str, where: str, within: str) -> str:
        return f"""
        SELECT rid, campaign, '{kind}' AS kind FROM (
          SELECT e.rid, e.org AS mine, s.org, arg_max(s.campaign, s.rid)
                   FILTER (s.campaign >= 0) AS campaign,
                 count(*) OVER (PARTITION BY e.rid) AS holders,
                 max(CASE WHEN s.org = e.org THEN 1 ELSE 0 END) OVER (PARTITION BY e.rid) AS own
          FROM log e JOIN {before} s ON s.h = e.{now} AND s.rid < e.rid
          WHERE e.{now} <> 0 {where} GROUP BY e.rid, e.org, s.org {within})
        WHERE campaign IS NOT NULL AND org <> mine AND holders <= 4 {own_clears}"""

    failed = "('filtered', 'rate_limited', 'denied', 'client_error', 'server_error')"
    blobs = f"(SELECT *, h_blob AS h FROM log WHERE status NOT IN {failed})"
    prompts = "(SELECT *, h_payload AS h FROM log)"
    had = f"""(SELECT rid, org, campaign, prefix_full AS h FROM log
               WHERE prefix_full <> 0 AND status NOT IN {failed} UNION ALL
               SELECT rid, org, -1, prefix_before_last_user FROM log
               WHERE prefix_before_last_user <> 0 AND status = 'ok')"""
    retry = "AND s.campaign >= 0 AND s.status IN ('denied', 'rate_limited') AND s.user_tokens >= 8"
    return f"""
    WITH matched AS (
      SELECT rid, campaign, 'frame' AS kind FROM (
        SELECT u.rid, n.template, n.campaign FROM ({slots}) u
        JOIN nodes n ON n.slot = u.slot AND n.h = u.h
        GROUP BY ALL HAVING count(DISTINCT n.position) >= 2 OR bool_or(n.alone))
      UNION
      SELECT b.rid, m.campaign, m.kind FROM ({bands}) b
      JOIN marks m ON m.kind = 'near_text' AND m.h = b.h
      UNION
      SELECT l.rid, m.campaign, m.kind FROM log l
      JOIN marks m ON m.kind = 'exit_prefix' AND m.h = l.h_prefix
      UNION
      SELECT l.rid, m.campaign, m.kind FROM (SELECT rid, unnest(links) AS k FROM log) l
      JOIN marks m ON m.kind = l.k.kind AND m.h = l.k.v
      UNION {held("handoff", had, "prefix_before_last_user", "AND own = 0", "", "")}
      UNION {held("blob_replay", blobs, "h_blob", "AND own = 0", "", "")}
      UNION {
        held(
            "retry",
            prompts,
            "h_payload",
            "",
            retry,
            "HAVING epoch_us(any_value(e.ts)) - max(epoch_us(s.ts)) <= 600000000",
        )
    })
    SELECT * FROM matched
    UNION
    SELECT m.rid, m.campaign, 'client' FROM matched m JOIN log l ON l.rid = m.rid
    JOIN marks c ON c.kind = 'client' AND c.h = l.h_client AND c.campaign = m.campaign
    UNION
    SELECT DISTINCT m.rid, m.campaign, 'signup_burst' FROM matched m JOIN log l ON l.rid = m.rid
    JOIN bursts b ON b.campaign = m.campaign
     AND epoch_us(l.created_at) >= b.low AND epoch_us(l.created_at) < b.high
    """


def test_the_guard_matches_what_sql_finds_on_the_same_log(snapshot, rows):
    with duckdb.connect() as engine:
        for name, table in tables(snapshot, rows).items():
            engine.register(name, table)
        by_sql = set(engine.sql(rules_sql()).fetchall())
    guards = by_guard(snapshot, rows)
    kinds = {kind for _, _, kind in by_sql}
    assert kinds >= {"frame", "exit_prefix", "payment", "handoff", "blob_replay"}
    assert len(by_sql) > 1_000
    assert guards == by_sql


def test_what_small_books_lose_is_counted(snapshot, rows):
    """With room for few conversations, blobs and refused prompts, some of what was taken over goes
    unseen, and nothing is invented."""
    from stillwatch.guard import Capacity

    def taken_over(capacity: Capacity) -> tuple[set[tuple[int, int, str]], int]:
        guard = Guard(snapshot, seed_books=False, capacity=capacity)
        seen = set()
        for row in rows:
            request = Request(
                int(row["ts"].timestamp() * 1e6), row["account_id"], row["end_user_id"],
                row["org_id"], prefix_before=row["prefix_before_last_user"], h_blob=row["h_blob"],
                h_payload=row["h_payload"], user_tokens=row["user_tokens"],
            )  # fmt: skip
            for campaign, bits in guard.matches(request).items():
                seen |= {(row["rid"], campaign, n) for bit, n in NAMES.items() if bits & bit}
            guard.observe(request, status=row["status"], prefix_full=row["prefix_full"],
                          h_blob=row["h_blob"])  # fmt: skip
        return seen, guard.conversations.evicted + guard.blobs.evicted

    everything, none_lost = taken_over(Capacity())
    few, lost = taken_over(Capacity.for_conversations(8))
    assert none_lost == 0
    assert lost > 0
    assert {kind for _, _, kind in everything} >= {"handoff", "blob_replay"}
    assert few < everything
