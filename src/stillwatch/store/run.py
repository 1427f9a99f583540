"""A run directory, opened for reading: two JSON files at once, Parquet tables on demand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import InputError, why
from stillwatch.schema import (
    ACCOUNTS,
    CAMPAIGNS,
    LINKS,
    SHARED,
    SIGNALS,
    STAGES,
    SUBJECTS,
    SUMMARY,
)

__all__ = ["STAGE_TABLES", "TABLES", "Run", "open_run", "rows_sql"]

TABLES: Final[dict[str, str]] = {
    "accounts": ACCOUNTS,
    "subjects": SUBJECTS,
    "signals": SIGNALS,
    "links": LINKS,
    "raster": f"{STAGES}/raster.parquet",
    "clock": f"{STAGES}/clock.parquet",
    "volume": f"{STAGES}/volume.parquet",
    "coverage": f"{STAGES}/coverage.parquet",
    "context": f"{STAGES}/context.parquet",
}
# What steps wrote and a later question may need; columns are the steps' own and may change.
STAGE_TABLES: Final[dict[str, str]] = {
    "exchanges": f"{STAGES}/exchanges.parquet",
    "people": f"{STAGES}/subjects.parquet",
    "frame_nodes": f"{STAGES}/frames.parquet",
    "cohorts": f"{STAGES}/cohorts.parquet",
    "cohort_members": f"{STAGES}/cohort_members.parquet",
    "findings": f"{STAGES}/findings.parquet",
    "cohort_scores": f"{STAGES}/cohort_scores.parquet",
}
_FRAMES: Final = f"{STAGES}/frames.jsonl"
_HINT: Final = "give the folder that `stillwatch scan --out` wrote"


def rows_sql(file: Path) -> str:
    """Return SQL of the rows of a Parquet file."""
    return "read_parquet('" + str(file).replace("'", "''") + "')"


class Run:
    """One run directory. Use `open_run`, which checks that the folder is one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Return summary.json. Raises InputError when it is not a JSON object."""
        file = self.path / SUMMARY
        return _object(_read(file), where=str(file))

    @cached_property
    def campaigns(self) -> list[dict[str, Any]]:
        """Return campaigns.jsonl in file order. Raises InputError naming file and line."""
        return _lines(self.path / CAMPAIGNS)

    @cached_property
    def frames(self) -> list[dict[str, Any]]:
        """Return the template skeletons; none when the run kept none."""
        file = self.path / _FRAMES
        return _lines(file) if file.is_file() else []

    @cached_property
    def shared(self) -> list[dict[str, Any]]:
        """Return shared.jsonl; nothing where no indicators were given."""
        file = self.path / SHARED
        return _lines(file) if file.is_file() else []

    def has(self, name: str) -> bool:
        """Tell whether the run holds the table `name`."""
        return name in TABLES and (self.path / TABLES[name]).is_file()

    def has_stages(self, *names: str) -> bool:
        """Tell whether the run holds all these tables of `STAGE_TABLES`."""
        return all((self.path / STAGE_TABLES[name]).is_file() for name in names)

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a table by name, or only some of its columns.

        Raises InputError when the run does not hold it, it is not Parquet, or a column is absent.
        """
        if name not in TABLES:
            raise InputError(
                f"there is no table {name!r}", where=str(self.path), hint=f"one of {sorted(TABLES)}"
            )
        file = self.path / TABLES[name]
        if not file.is_file():
            raise InputError(
                f"the run has no {TABLES[name]}", where=str(self.path), hint="run the scan again"
            )
        try:
            held = pq.read_schema(file).names
            absent = [c for c in columns or () if c not in held]
            if absent:
                raise InputError(f"lacks the columns {absent}", where=str(file), hint=_HINT)
            return pq.read_table(file, columns=None if columns is None else list(columns))
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(
                f"cannot be read as Parquet ({type(error).__name__})",
                where=str(file),
                hint="run the scan again",
            ) from None

    def batches(self, stage: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns of a stage's table, a batch at a time.

        Raises InputError when the run has no such table, or lacks a column.
        """
        file = self.path / STAGE_TABLES[stage]
        try:
            held = pq.ParquetFile(file)
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(
                f"cannot be read as Parquet ({type(error).__name__})", where=str(file),
                hint="run the scan again",
            ) from None  # fmt: skip
        absent = [c for c in columns if c not in held.schema_arrow.names]
        if absent:
            raise InputError(f"lacks the columns {absent}", where=str(file), hint=_HINT)
        with held:
            yield from held.iter_batches(columns=list(columns))

    def links_of(self, account_id: str, campaigns: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return an account's links: a, b, kind, llr, count, and who else they lead to.

        ``others``: further accounts with the object; ``inside``: how many of them are members of
        one of the campaigns; of a direct link, of the other account itself.
        """
        table = self.table("links", ["a", "b", "kind", "llr", "count"])
        ours: list[dict[str, Any]] = table.filter(
            pc.or_(pc.equal(table["a"], account_id), pc.equal(table["b"], account_id))
        ).to_pylist()
        members = {m.get("account_id") for c in campaigns for m in c.get("members") or ()}
        carriers: dict[str, set[str]] = {}
        wanted = pa.array([row["a"] for row in ours], pa.string())
        rows = table.filter(pc.is_in(table["a"], wanted))
        for a, b in zip(rows["a"].to_pylist(), rows["b"].to_pylist(), strict=True):
            carriers.setdefault(a, set()).add(b)
        for row in ours:
            other = row["b"] if row["a"] == account_id else row["a"]
            others = carriers.get(row["a"], set()) - {account_id}
            row["others"], row["inside"] = len(others), len(others & members)
            row["beside"] = other in members
        return ours

    def query(self, sql: str, **tables: pa.Table) -> pa.Table:
        """Return the answer of one SQL statement over the run's tables, by their names.

        ``tables`` are further Arrow tables by name. The tables of `STAGE_TABLES` are there too.
        DuckDB is opened in memory for this statement alone, and can read nothing outside the
        run directory. Raises InputError when the statement is wrong.
        """
        # Not at the top: the report reads runs through this room and needs no engine.
        import duckdb

        with duckdb.connect(":memory:") as engine:
            for name, file in {**TABLES, **STAGE_TABLES}.items():
                if (self.path / file).is_file():
                    rows = rows_sql(self.path / file)
                    engine.execute(f"CREATE VIEW {name} AS SELECT * FROM {rows}")  # noqa: S608
            for name, table in tables.items():
                engine.register(name, table)
            folder = str(self.path).replace("'", "''")
            engine.execute(f"SET allowed_directories = ['{folder}']")
            engine.execute("SET enable_external_access = false")
            engine.execute("SET lock_configuration = true")
            try:
                answer = engine.sql(sql)
                if answer is None:
                    raise InputError("the statement gives no rows", where="query", hint="SELECT …")
                return answer.to_arrow_table()
            except duckdb.Error as error:
                raise InputError(
                    str(error).splitlines()[0], where="query", hint=f"tables: {sorted(TABLES)}"
                ) from None


def open_run(path: Path | str) -> Run:
    """Open a run directory.

    Raises InputError when the folder does not exist or lacks summary.json or campaigns.jsonl.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError("there is no such folder", where=str(folder), hint=_HINT)
    for name in (SUMMARY, CAMPAIGNS):
        if not (folder / name).is_file():
            raise InputError(
                f"not a run directory: {name} is missing", where=str(folder), hint=_HINT
            )
    return Run(folder.resolve())


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(file), hint=_HINT) from None


def _lines(file: Path) -> list[dict[str, Any]]:
    # Not str.splitlines: U+2028 and its like are legal inside a JSON string.
    return [
        _object(line, where=f"{file}:{number}")
        for number, line in enumerate(_read(file).split("\n"), start=1)
        if line.strip()
    ]


def _object(text: str, *, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise InputError("not JSON", where=where, hint="run the scan again") from None
    if not isinstance(value, dict):
        raise InputError("expected a JSON object", where=where, hint="run the scan again")
    return value
