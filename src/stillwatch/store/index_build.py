"""How the index of a run is made: members apart from their campaigns, tables as pages ask."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import InputError
from stillwatch.schema import CAMPAIGNS, HARVEST_SUMS_SQL
from stillwatch.store.requests import lay_out
from stillwatch.store.run import STAGE_TABLES, TABLES, Run, rows_sql

__all__ = ["build_index", "config_of", "key_of", "ref_of"]

_VERSION: Final = 5
_MEMBER: Final = pa.schema(
    [
        ("c", pa.int32()), ("place", pa.int32()), ("account_id", pa.string()),
        ("end_user_id", pa.string()), ("role", pa.string()), ("standing", pa.string()),
        ("confidence", pa.float64()), ("reasons", pa.list_(pa.string())),
    ]
)  # fmt: skip
_HEAD: Final = pa.schema(
    [("c", pa.int32()), ("campaign_id", pa.string()), ("head", pa.string()),
     ("accounts", pa.int32())]
)  # fmt: skip
_AT_ONCE: Final = 50_000
# By which column a table of the run is laid out, so that a question reads a small piece of it.
# Strings are compared by their hash: DuckDB keeps the range of a piece's strings by eight bytes.
_LAID_OUT: Final = {
    "signals": "hash(subject)",
    "raster": "campaign_id",
    "clock": "campaign_id",
    "coverage": "campaign_id",
    "subjects": "account_id",
}


def config_of(memory: str) -> dict[str, Any]:
    """Return how the engine is opened."""
    return {"memory_limit": memory, "threads": 2}


def key_of(run: Run, salt: str) -> str:
    """Return what tells one run from another: its summary, and its files' sizes and times."""
    told = hashlib.sha256(f"{_VERSION} {duckdb.__version__} {salt}".encode())
    told.update(orjson.dumps(run.summary, option=orjson.OPT_SORT_KEYS))
    for name in (CAMPAIGNS, *TABLES.values(), STAGE_TABLES["exchanges"]):
        file = run.path / name
        if file.is_file():
            seen = file.stat()
            told.update(f"{name} {seen.st_size} {seen.st_mtime_ns}".encode())
    return told.hexdigest()[:32]


def ref_of(salt: str, account_id: str) -> str:
    """Return a name for an account that tells nothing without the salt."""
    return hashlib.sha256((salt + account_id).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def build_index(run: Run, file: Path, salt: str, memory: str) -> None:
    """Write the index of a run. Raises InputError: the run cannot be read."""
    with duckdb.connect(str(file), config=config_of(memory)) as engine:
        engine.execute("CREATE TABLE heads (c INTEGER, campaign_id TEXT, head TEXT, accounts INT)")
        engine.execute(
            "CREATE TABLE members (c INTEGER, place INTEGER, account_id TEXT, end_user_id TEXT, "
            "role TEXT, standing TEXT, confidence DOUBLE, reasons TEXT[], ha UBIGINT)"
        )
        for heads, members in _batches(run.path / CAMPAIGNS):
            engine.register("some_heads", heads)
            engine.register("some_members", members)
            engine.execute("INSERT INTO heads SELECT * FROM some_heads")
            engine.execute("INSERT INTO members SELECT *, hash(account_id) FROM some_members")
            engine.unregister("some_heads")
            engine.unregister("some_members")
        _copy_tables(run, engine, salt)
        _sum_harvest(run, engine)
        _copy_people(run, engine)
        lay_out(run, engine)


def _copy_tables(run: Run, engine: Any, salt: str) -> None:
    def source(name: str) -> str:
        return rows_sql(run.path / TABLES[name])

    for name, order in _LAID_OUT.items():
        if run.has(name):
            engine.execute(f"CREATE TABLE {name} AS SELECT * FROM {source(name)} ORDER BY {order}")
    if run.has("accounts"):
        engine.execute(
            "CREATE TABLE accounts AS SELECT *, substr(sha256(concat(?, account_id)), 1, 24) "
            f"AS ref FROM {source('accounts')} ORDER BY ref", [salt],
        )  # fmt: skip
    if run.has("links"):
        engine.execute(
            "CREATE TABLE links AS SELECT *, hash(a) AS ha, hash(b) AS hb "
            f"FROM {source('links')} ORDER BY ha"
        )
        engine.execute("CREATE TABLE links_by_account AS SELECT * FROM links ORDER BY hb, ha")
        engine.execute(
            "CREATE TABLE objects AS SELECT a, ha, count(DISTINCT b) AS accounts FROM links "
            "GROUP BY a, ha ORDER BY ha"
        )
        engine.execute(
            """CREATE TABLE campaign_links AS
               SELECT m.c, l.a, l.b, l.kind, l.llr
               FROM links l JOIN (SELECT DISTINCT c, account_id FROM members) m
                 ON l.b = m.account_id ORDER BY m.c, l.kind, l.a, l.b"""
        )
        engine.execute(
            """CREATE TABLE campaign_objects AS
               SELECT c, a, hash(a) AS ha, any_value(kind) AS kind,
                      count(DISTINCT b) AS accounts, sum(llr) AS nats
               FROM campaign_links GROUP BY c, a ORDER BY c, ha"""
        )


def _copy_people(run: Run, engine: Any) -> None:
    file = run.path / STAGE_TABLES["people"]
    if not file.is_file():
        return
    engine.execute(
        "CREATE TABLE people AS SELECT account_id, hash(account_id) AS ha, created_at, first_ts, "
        f"last_ts, input_tokens, output_tokens FROM {rows_sql(file)} ORDER BY ha"
    )
    engine.execute(
        """CREATE TABLE signups AS
           SELECT m.c, min(p.created_at) AS signed_low, max(p.created_at) AS signed_high
           FROM members m JOIN people p ON p.ha = m.ha AND p.account_id = m.account_id
           GROUP BY m.c ORDER BY m.c"""
    )


def _sum_harvest(run: Run, engine: Any) -> None:
    files = [run.path / STAGE_TABLES[name] for name in ("exchanges", "people")]
    if not all(file.is_file() for file in files):
        return
    exchanges, people = map(rows_sql, files)
    engine.execute(
        f"""CREATE TABLE harvest AS
            SELECT {HARVEST_SUMS_SQL} FROM {exchanges} e JOIN {people} p ON p.sid = e.sid
            WHERE EXISTS (SELECT 1 FROM members m WHERE m.standing = 'accused'
                            AND m.account_id = p.account_id
                            AND coalesce(m.end_user_id, '') = coalesce(p.end_user_id, ''))"""
    )


def _batches(file: Path) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield heads and members of as many campaigns as together have some 50,000 members.

    An insert a campaign took minutes where a run has 10,000.
    """
    heads: list[dict[str, Any]] = []
    members: list[pa.Table] = []
    for c, campaign in enumerate(_campaigns(file)):
        held = campaign.pop("members", None)
        rows = _member_rows(c, held if isinstance(held, list) else [])
        heads.append({"c": c, "campaign_id": str(campaign.get("campaign_id")),
                      "head": orjson.dumps(campaign).decode(),
                      "accounts": pc.count_distinct(rows["account_id"]).as_py()})  # fmt: skip
        members.append(rows)
        if sum(rows.num_rows for rows in members) >= _AT_ONCE or len(heads) >= _AT_ONCE // 50:
            yield pa.Table.from_pylist(heads, schema=_HEAD), pa.concat_tables(members)
            heads, members = [], []
    if heads:
        yield pa.Table.from_pylist(heads, schema=_HEAD), pa.concat_tables(members)


def _campaigns(file: Path) -> Iterator[dict[str, Any]]:
    """Yield one campaign at a time: their members together may not fit."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError:
                value = None
            if not isinstance(value, dict):
                raise InputError("expected a JSON object", where=f"{file}:{number}",
                                 hint="run the scan again")  # fmt: skip
            yield value


def _member_rows(c: int, members: list[Any]) -> pa.Table:
    """Return members in the order in which people read them: the surest of the core first."""
    held = [m for m in members if isinstance(m, dict) and isinstance(m.get("account_id"), str)]
    held.sort(key=lambda m: (m.get("role") != "core", -_number(m.get("confidence")),
                             m["account_id"], str(m.get("end_user_id") or "")))  # fmt: skip
    return pa.Table.from_pylist(
        [
            {"c": c, "place": place, "account_id": m["account_id"],
             "end_user_id": _text(m.get("end_user_id")), "role": _text(m.get("role")),
             "standing": _text(m.get("standing")), "confidence": _number(m.get("confidence")),
             "reasons": [str(r) for r in m.get("reasons") or []]}
            for place, m in enumerate(held)
        ],
        schema=_MEMBER,
    )  # fmt: skip


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and value == value else 0.0


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
