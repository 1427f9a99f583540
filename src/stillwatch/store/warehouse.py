"""A finished run as tables of a PostgreSQL database: all of it, or nothing.

1. One transaction: whoever reads sees the database before the run or with it.
2. Every row has its run's id. The same run again replaces its rows; another run's stay.
3. Tables are made where they are missing; one with other columns is refused, never altered.
4. Two that write at once wait for each other, by an advisory lock of the transaction.

What the server says about an error is in no message: it quotes values, which may be identifiers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import ConfigError, RunnerError
from stillwatch.schema import CAMPAIGNS, SUMMARY, parse_time
from stillwatch.store.run import Run

__all__ = ["RUNS", "run_id", "run_row", "write_tables"]

_TS: Final = pa.timestamp("us", tz="UTC")
RUNS: Final = pa.schema([
    ("since", _TS), ("until", _TS), ("look", pa.int64()), ("alpha", pa.float64()),
    ("rows_in", pa.int64()), ("rows_kept", pa.int64()), ("rejected", pa.int64()),
    ("accounts", pa.int64()), ("accused_accounts", pa.int64()), ("watch_accounts", pa.int64()),
    ("permitted_accounts", pa.int64()), ("cannot_accuse", pa.bool_()),
    ("rows_digest", pa.string()), ("version", pa.string()),
])  # fmt: skip
"""The table ``runs``; the others are those of `report.export_tables`, each with ``run`` before."""

_KINDS: Final = {
    "string": "text", "int64": "bigint", "int32": "integer", "double": "double precision",
    "bool": "boolean", "timestamp[us, tz=UTC]": "timestamp with time zone",
}  # fmt: skip
_RUN: Final = "run"
_WRITTEN: Final = "written_at"
_NUL: Final = "\0"
_INSTEAD: Final = "\ufffd"
_LOCK: Final = 7_311_425_903_265_217  # ours alone, by chance
_HINTS: Final = {
    "42501": "give the user CREATE on the database, or make the schema and give CREATE on it",
    "53100": "make room on the database's disk, then export again",
    "25006": "give a database that may be written to, not a replica",
}


def run_id(run: Run) -> str:
    """Return 16 hexadecimal digits that are the same for runs with the same results."""
    made = hashlib.sha256()
    for name in (SUMMARY, CAMPAIGNS):
        made.update((run.path / name).read_bytes())
    return made.hexdigest()[:16]


def run_row(run: Run) -> pa.Table:
    """Return the row of ``runs``. Raises InputError: the run cannot be read."""
    held = run.summary
    found = {name: held.get(name) for name in RUNS.names}
    found["rows_digest"] = held["inputs"]["rows_digest"]
    found["version"] = held["versions"]["stillwatch"]
    for name in ("since", "until"):
        found[name] = parse_time(held[name]) if held[name] else None
    return pa.Table.from_pylist([found], schema=RUNS)


def write_tables(
    connection: Any, schema: str, run: str, tables: Mapping[str, pa.Table], *, where: str
) -> int:
    """Write the tables of ``run`` into ``schema``, which is made if missing; return the rows.

    ``connection``: ADBC's to PostgreSQL. ``where``: what messages call the database. A NUL, which
    PostgreSQL holds in no text, becomes U+FFFD.

    Raises ConfigError: a table is there with other columns. RunnerError: the database refused or
    broke; then nothing of the run was changed.
    """
    import adbc_driver_manager

    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_advisory_xact_lock($1)", (_LOCK,))
            _make_schema(cursor, schema)
            for name, table in tables.items():
                _make_table(cursor, schema, name, table.schema, where)
                cursor.execute(f"DELETE FROM {_quoted(schema, name)} WHERE run = $1", (run,))  # noqa: S608
                if table.num_rows:
                    cursor.adbc_ingest(
                        name, _with_run(table, run), mode="append", db_schema_name=schema
                    )
        connection.commit()
    except adbc_driver_manager.Error as error:
        code = f"SQLSTATE {error.sqlstate}" if error.sqlstate else type(error).__name__
        raise RunnerError(
            f"the run was not written ({code})", where=where,
            hint=_HINTS.get(error.sqlstate or "", "the database is as it was; try again"),
        ) from None  # fmt: skip
    return sum(table.num_rows for table in tables.values())


def _make_schema(cursor: Any, schema: str) -> None:
    """Make the schema where it is missing; one that is there needs no right to make any."""
    cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = $1", (schema,))
    if not cursor.fetchone()[0]:
        cursor.execute(f"CREATE SCHEMA {_quoted(schema)}")


def _make_table(cursor: Any, schema: str, name: str, columns: pa.Schema, where: str) -> None:
    cursor.execute(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = $1 AND table_name = $2",
        (schema, name),
    )
    held = dict(cursor.fetchall())
    wanted = {_RUN: "text", **{field.name: _kind(field.type) for field in columns}}
    if name == "runs":
        wanted[_WRITTEN] = "timestamp with time zone"
    if held:
        strange = sorted(c for c in wanted if held.get(c) != wanted[c].replace("text[]", "ARRAY"))
        if strange:
            raise ConfigError(
                f"the table {name} is there with other columns: {', '.join(strange)}",
                where=where, hint="name another --schema, or rename that table",
            )  # fmt: skip
        return
    listed = ", ".join(
        f"{_quoted(column)} {kind}{' DEFAULT now()' if column == _WRITTEN else ''}"
        for column, kind in wanted.items()
    )
    cursor.execute(f"CREATE TABLE {_quoted(schema, name)} ({listed})")
    cursor.execute(f"CREATE INDEX ON {_quoted(schema, name)} (run)")


def _kind(kind: pa.DataType) -> str:
    return "text[]" if pa.types.is_list(kind) else _KINDS[str(kind)]


def _with_run(table: pa.Table, run: str) -> pa.Table:
    columns = [pa.array([run] * table.num_rows, pa.string())]
    for column in table.columns:
        if pa.types.is_string(column.type):
            columns.append(pc.replace_substring(column, _NUL, _INSTEAD))
        elif pa.types.is_list(column.type):
            columns.append(_lists(column))
        else:
            columns.append(column)
    return pa.table(columns, names=[_RUN, *table.column_names])


def _lists(column: pa.ChunkedArray) -> Any:
    """Return lists of text without a NUL; hardly any has one, so that only those are made anew."""
    if not pc.any(pc.match_substring(pc.list_flatten(column), _NUL)).as_py():
        return column
    made = [
        words and [word and word.replace(_NUL, _INSTEAD) for word in words]
        for words in column.to_pylist()
    ]
    return pa.array(made, column.type)


def _quoted(*names: str) -> str:
    """Return an identifier as PostgreSQL takes any, whatever it holds."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
