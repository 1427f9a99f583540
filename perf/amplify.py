"""Copies a simulated world many times over: new ids, shifted times, salted text.

    .venv/bin/python perf/amplify.py --world bench/work/demo --copies 13 --out bench/work/demo-x13

Copy 0 is the world itself. In copy k every id, address, payment, device and opaque blob is another
one, and every text is salted (`salt.py`), so that copies share nothing that accounts of one
provider would not share: clients, tool schemas, models. Requests, closings of accounts and permits
are k·37 minutes later. Accounts are created as much later, honest ones besides k·26 hours earlier:
copies of one honest customer must not look like a burst of sign-ups. What the salt costs: intent
patterns, and response shapes that are words, match copy 0 alone; texts in scripts other than
Latin, Han and kana are not salted.

Each day's file is copied by one of ``--workers`` processes. Writes ``exchanges/*.parquet``,
``accounts.csv``, ``permits.csv``, ``ownership.csv`` and ``truth.parquet``; the folder appears when
it is whole, so a run that was stopped starts anew and one that was done is kept.
"""

from __future__ import annotations

import argparse
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from salt import MOST_COPIES, SaltedTexts

SHIFT_MINUTES: Final = 37
EARLIER_HOURS: Final = 26
_PART: Final = 50  # copies in one file
_IDS = ("exchange_id", "account_id", "org_id", "workspace_id", "key_id", "end_user_id",
        "conversation_id", "trace_id")  # fmt: skip
_ACCOUNT_IDS = ("account_id", "org_id", "email_hash", "phone_hash", "payment_hash", "device_hash",
                "owner_entity_id")  # fmt: skip
_TEXTS = ("output_text", "reasoning_text")
_TIMES = ("created_at", "closed_at", "valid_from", "valid_until")
# Values repeat in these columns; in the others a dictionary costs time and saves nothing.
_REPEATING = ["account_id", "model", "provider", "org_id", "operation", "channel", "client",
              "user_agent", "origin", "status", "finish_reason", "country", "asn", "ja4", "ip",
              "tool_schema", "key_id", "end_user_id", "workspace_id"]  # fmt: skip


def moved(ip: str | None, k: int) -> str | None:
    """Return another address: the first group of a v4 or v6 address is changed."""
    if not k or not ip:
        return ip
    if ":" in ip:
        return f"2{1024 + k:03x}" + ip[ip.index(":") :]
    return f"{(int(ip[: ip.index('.')]) + 17 * k) % 223 + 1}" + ip[ip.index(".") :]


def _moved(column: pa.Array, k: int) -> pa.Array:
    coded = column.dictionary_encode()
    values = pa.array([moved(ip, k) for ip in coded.dictionary.to_pylist()], pa.string())
    return pa.DictionaryArray.from_arrays(coded.indices, values).cast(pa.string())


class Day:
    """The rows of one day and what all their copies need."""

    def __init__(self, rows: pa.RecordBatch) -> None:
        self.rows = rows
        self._texts = {n: SaltedTexts(rows.column(n)) for n in _TEXTS}
        self._said = rows.column("messages").values
        self._contents = SaltedTexts(self._said.field("content"))

    def copy(self, k: int) -> pa.RecordBatch:
        """Return copy ``k`` of the rows."""
        if k == 0:
            return self.rows
        tail = f"-{k}"
        made = {name: self.rows.column(name) for name in self.rows.schema.names}
        for name in _IDS:
            made[name] = pc.binary_join_element_wise(made[name], tail, "")
        later = pa.scalar(k * SHIFT_MINUTES * 60_000_000, pa.duration("us"))
        made["ts"] = pc.add(made["ts"], later)
        made["ip"] = _moved(made["ip"], k)
        for name, texts in self._texts.items():
            made[name] = texts.copy(k)
        blob = made["reasoning_blob"]
        made["reasoning_blob"] = pc.binary_join_element_wise(
            blob, pa.scalar(tail.encode(), blob.type), pa.scalar(b"", blob.type)
        )
        made["messages"] = self._messages(k)
        return pa.RecordBatch.from_arrays(list(made.values()), schema=self.rows.schema)

    def _messages(self, k: int) -> pa.ListArray:
        column = self.rows.column("messages")
        said = pa.StructArray.from_arrays(
            [self._said.field("role"), self._contents.copy(k)], fields=list(column.type.value_type)
        )
        absent = column.is_null() if column.null_count else None
        return pa.ListArray.from_arrays(column.offsets, said, type=column.type, mask=absent)


def copy_day(day: Path, copies: int, folder: Path) -> int:
    """Write all copies of one day's file into ``folder`` and return the number of exchanges."""
    pa.set_cpu_count(1)
    table = pq.read_table(day, use_threads=False).combine_chunks()
    if not table.num_rows:
        return 0
    rows = Day(table.to_batches()[0])
    for first in range(0, copies, _PART):
        path = folder / f"{day.stem}-{first:03d}.parquet"
        with pq.ParquetWriter(
            path, table.schema, compression="zstd", compression_level=1, use_dictionary=_REPEATING
        ) as writer:
            for k in range(first, min(first + _PART, copies)):
                writer.write_batch(rows.copy(k), row_group_size=20_000)
    return int(table.num_rows * copies)


def renamed(column: str) -> str:
    return f"CASE WHEN k = 0 OR {column} = '*' THEN {column} ELSE {column} || '-' || k END"


def later_sql(column: str, honest: str) -> str:
    """Return SQL of a time that moves as the traffic does; honest accounts are created earlier."""
    hours = f"- CASE WHEN {honest} THEN k * {EARLIER_HOURS} ELSE 0 END * INTERVAL 1 HOUR"
    earlier = hours if column == "created_at" else ""
    at = f"CAST({column} AS TIMESTAMP) + k * INTERVAL {SHIFT_MINUTES} MINUTE {earlier}"
    return f"CASE WHEN {column} <> '' THEN strftime({at}, '%Y-%m-%dT%H:%M:%SZ') END"


def side_sql(source: Path, copies: int, columns: list[str]) -> str:
    """Return SQL of all copies of a side table; ``honest(account_id)`` is a table beside it."""
    ids = [c for c in columns if c in _ACCOUNT_IDS or c in ("end_user_id", "permit_id", "campaign")]
    changed = {c: renamed(c) for c in ids}
    is_honest = "account_id IN (SELECT account_id FROM honest)"
    changed |= {c: later_sql(c, is_honest) for c in columns if c in _TIMES}
    changed |= {c: f"moved({c}, k)" for c in columns if c == "signup_ip"}
    star = ", ".join(f"{sql} AS {c}" for c, sql in changed.items())
    return (
        f"SELECT * EXCLUDE (k) REPLACE ({star}) FROM {_reader(source)} "
        f"CROSS JOIN range({copies}) t(k)"
    )


def _reader(source: Path) -> str:
    if source.suffix == ".parquet":
        return f"read_parquet('{source}')"
    return f"read_csv('{source}', header = true, all_varchar = true)"


def copy_side_tables(world: Path, copies: int, out: Path) -> None:
    with duckdb.connect() as con:
        con.create_function(
            "moved", moved, ["VARCHAR", "BIGINT"], "VARCHAR", null_handling="special"
        )
        truth = world / "truth.parquet"
        con.execute(
            f"CREATE TABLE honest AS SELECT account_id FROM '{truth}' WHERE campaign IS NULL"
        )
        for name in ("accounts.csv", "permits.csv", "ownership.csv", "truth.parquet"):
            source = world / name
            kind = "parquet" if source.suffix == ".parquet" else "csv"
            found = con.sql(f"SELECT * FROM {_reader(source)} LIMIT 0").description
            sql = side_sql(source, copies, [d[0] for d in found])
            con.execute(f"COPY ({sql}) TO '{out / name}' (FORMAT {kind})")


def amplify(world: Path, copies: int, out: Path, *, workers: int = 2) -> int:
    """Write ``copies`` copies of ``world`` to ``out`` and return the number of exchanges.

    Raises ValueError for more than `salt.MOST_COPIES` copies.
    """
    if not 1 <= copies <= MOST_COPIES:
        raise ValueError(f"{copies} copies: choose 1 to {MOST_COPIES}, or a larger world")
    aside = out.with_name(f".{out.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    folder = aside / "exchanges"
    folder.mkdir(parents=True)
    copy_side_tables(world, copies, aside)
    days = sorted((world / "exchanges").glob("*.parquet"))
    task = partial(copy_day, copies=copies, folder=folder)
    if workers == 1:
        counted = [task(day) for day in days]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            counted = list(pool.map(task, days))
    aside.replace(out)
    return sum(counted)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--copies", type=int, default=13)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    if asked.out.exists():
        print(f"{asked.out} is there already")
        return
    began = time.monotonic()
    rows = amplify(asked.world, asked.copies, asked.out, workers=asked.workers)
    took = time.monotonic() - began
    print(f"{rows:,} exchanges in {took:.1f} s ({rows / took:,.0f} rows/s)")


if __name__ == "__main__":
    main()
