"""Copies a simulated world many times over: new ids, shifted times, salted text.

    .venv/bin/python perf/amplify.py --world bench/work/demo --copies 13 --out bench/work/demo-x13

One DuckDB statement writes all exchanges: 65,000 rows per CPU second measured (the salt takes 40 %
of it, writing another 40 %). Copy 0 is the world itself.
In copy k every id, address, payment, device and opaque blob is another one, so that copies share
nothing that accounts of one provider would not share (clients, tool schemas, models); times are
k·37 minutes later; every word and every clause of a text starts with a salt of its own, the same
in a prompt and in the answer that it quotes, so that templates and conversations hold within a
copy and not across; but not in scripts without spaces, whose characters are tokens: copies of one
such customer share a template, and all copies share the moment of creation, so a cohort of copies
of one customer says nothing of false accusations. What the salt costs: intent patterns match copy 0
alone.

Writes ``exchanges/*.parquet``, ``accounts.csv``, ``permits.csv``, ``ownership.csv`` and
``truth.parquet``; the folder appears when it is whole, so a run that was stopped starts anew and
one that was done is kept.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import duckdb

SHIFT_MINUTES = 37
_IDS = ("exchange_id", "account_id", "org_id", "workspace_id", "key_id", "end_user_id",
        "conversation_id", "trace_id")  # fmt: skip
_ACCOUNT_IDS = ("account_id", "org_id", "email_hash", "phone_hash", "payment_hash", "device_hash",
                "owner_entity_id")  # fmt: skip
_CLAUSES = (" ", "，", "。", "、")  # CJK is written without spaces


def renamed(column: str) -> str:
    return f"CASE WHEN k = 0 OR {column} = '*' THEN {column} ELSE {column} || '-' || k END"


def moved(column: str) -> str:
    """Return SQL of another address: the first group of a v4 or v6 address is changed."""
    first = f"CAST((CAST(split_part({column}, '.', 1) AS INTEGER) + 17 * k) % 223 + 1 AS VARCHAR)"
    v4 = f"{first} || substr({column}, strpos({column}, '.'))"
    v6 = f"printf('2%03x', 1024 + k) || substr({column}, strpos({column}, ':'))"
    return (
        f"CASE WHEN k = 0 OR {column} IS NULL OR {column} = '' THEN {column} "
        f"WHEN contains({column}, ':') THEN {v6} ELSE {v4} END"
    )


def salted(text: str) -> str:
    out = text
    for mark in _CLAUSES:
        out = f"replace({out}, '{mark}', '{mark}' || salt)"
    return f"CASE WHEN k = 0 THEN {text} ELSE salt || {out} END"


def copies_sql(source: str, copies: int) -> str:
    """Return the SELECT of all copies of the exchanges in ``source``."""
    changed = [f"{renamed(c)} AS {c}" for c in _IDS]
    changed += [
        f"ts + to_minutes(CAST(k * {SHIFT_MINUTES} AS BIGINT)) AS ts",
        f"{moved('ip')} AS ip",
        f"{salted('output_text')} AS output_text",
        f"{salted('reasoning_text')} AS reasoning_text",
        "CASE WHEN k = 0 THEN reasoning_blob ELSE reasoning_blob || encode(salt) END "
        "AS reasoning_blob",
        "list_transform(messages, lambda m: "
        f"struct_pack(role := m.role, content := {salted('m.content')})) AS messages",
    ]
    return (
        f"SELECT e.* REPLACE ({', '.join(changed)}) FROM read_parquet('{source}') e "
        "CROSS JOIN (SELECT k, 'q' || chr(CAST(97 + k // 26 AS INTEGER)) "
        f"|| chr(CAST(97 + k % 26 AS INTEGER)) AS salt FROM range({copies}) t(k))"
    )


def side_sql(source: Path, copies: int, columns: list[str]) -> str:
    ids = [c for c in columns if c in _ACCOUNT_IDS or c in ("end_user_id", "permit_id", "campaign")]
    changed = [f"{renamed(c)} AS {c}" for c in ids]
    changed += [f"{moved(c)} AS {c}" for c in columns if c == "signup_ip"]
    star = f"* REPLACE ({', '.join(changed)})" if changed else "*"
    return (
        f"SELECT {star} EXCLUDE (k)"
        if not changed
        else f"SELECT {star.replace('* REPLACE', '* EXCLUDE (k) REPLACE')}"
    ) + f" FROM {_reader(source)} CROSS JOIN range({copies}) t(k)"


def _reader(source: Path) -> str:
    if source.suffix == ".parquet":
        return f"read_parquet('{source}')"
    return f"read_csv('{source}', header = true, all_varchar = true)"


def amplify(world: Path, copies: int, out: Path, *, threads: int = 2) -> int:
    """Write ``copies`` copies of ``world`` to ``out`` and return the number of exchanges."""
    aside = out.with_name(f".{out.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    (aside / "exchanges").mkdir(parents=True)
    with duckdb.connect() as con:
        con.execute(f"SET threads = {threads}")
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET preserve_insertion_order = false")
        for name in ("accounts.csv", "permits.csv", "ownership.csv", "truth.parquet"):
            source = world / name
            kind = "parquet" if source.suffix == ".parquet" else "csv"
            columns = [
                d[0] for d in con.sql(f"SELECT * FROM {_reader(source)} LIMIT 0").description
            ]
            sql = side_sql(source, copies, columns)
            con.execute(f"COPY ({sql}) TO '{aside / name}' (FORMAT {kind})")
        sql = copies_sql(str(world / "exchanges" / "*.parquet"), copies)
        con.execute(
            f"COPY ({sql}) TO '{aside / 'exchanges'}' (FORMAT parquet, COMPRESSION zstd, "
            "COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 20000, FILE_SIZE_BYTES '64MB')"
        )
        counted = con.execute(
            f"SELECT count(*) FROM read_parquet('{aside / 'exchanges'}/*.parquet')"
        ).fetchone()
    aside.replace(out)
    return int(counted[0]) if counted else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--copies", type=int, default=13)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    if asked.out.exists():
        print(f"{asked.out} is there already")
        return
    began = time.monotonic()
    rows = amplify(asked.world, asked.copies, asked.out)
    took = time.monotonic() - began
    print(f"{rows:,} exchanges in {took:.1f} s ({rows / took:,.0f} rows/s)")


if __name__ == "__main__":
    main()
