"""The local runner: Arrow readers for the map, DuckDB under a memory limit for the SQL."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import ConfigError, RunnerError
from stillwatch.schema import Settings, Step, to_disk, write_whole

__all__ = ["ENGINES", "PARTS", "SPILL", "LocalRunner", "engine_bytes", "holds", "parse_memory"]

ENGINES = {"duckdb": duckdb.__version__, "pyarrow": pa.__version__}
SPILL = "spill"
PARTS = ".parts"
_WHOLE = "whole.json"
_LEAST_MEMORY = 512_000_000

_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(kb|mb|gb|tb|kib|mib|gib|tib)?\s*$", re.IGNORECASE)
ROW_GROUP = 65_536
# Most columns of a bulky table are hashes: a search for repeats that goes on finds none. This takes
# two thirds of the time of the engine's own choice, also to read, and 4 % more bytes.
_FAST = "COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 4096"


def parse_memory(text: str) -> int:
    """Return bytes from a size such as 4GB. Raises ConfigError for anything else."""
    match = _SIZE.match(text)
    if match is None:
        raise ConfigError("not a size", where="--memory", hint="write it like 4GB or 512MB")
    unit = (match[2] or "b").lower()
    power = {"b": 0, "k": 1, "m": 2, "g": 3, "t": 4}[unit[0]]
    return int(float(match[1]) * (1024 if "i" in unit else 1000) ** power)


def engine_bytes(memory: str) -> int:
    """Return what of ``--memory`` the engine gets: 60 %, the rest is Arrow's and the tests'.

    Raises ConfigError where it is no size, or less than the engine and Python can live on.
    """
    size = parse_memory(memory)
    if size < _LEAST_MEMORY:
        raise ConfigError(
            f"expected at least {_LEAST_MEMORY // 10**6} MB, got {memory.strip()}",
            where="--memory",
            hint="write the unit, as in 4GB; a million exchanges want that, and do with 2GB",
        )  # fmt: skip
    return size * 6 // 10


class LocalRunner:
    """One DuckDB connection over the Parquet files of one run.

    ``memory``: as `engine_bytes`.
    Tables are written aside and renamed, so a table that exists is whole. One that an engine's
    workers wrote is a folder of parts, whole when it holds the list of them.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        *,
        columns: frozenset[str] = frozenset(),
        memory: str = "4GB",
        threads: int | None = None,
    ) -> None:
        limit = engine_bytes(memory)
        self.folder = folder
        self.settings = settings
        self.columns = columns
        self._running = "query"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._con = duckdb.connect()
        spill = folder / SPILL
        self.threads = max(1, threads or os.cpu_count() or 1)
        for statement in (
            f"SET memory_limit = '{limit}B'",
            f"SET temp_directory = {quoted(spill)}",
            f"SET threads = {self.threads}",
            "SET preserve_insertion_order = true",
            "SET TimeZone = 'UTC'",
            "SET enable_progress_bar = false",
            "SET parquet_metadata_cache = true",  # judging asks a thousand times
        ):
            self._con.execute(statement)

    def close(self) -> None:
        """Close the engine and remove what it spilled."""
        self._con.close()
        shutil.rmtree(self.folder / SPILL, ignore_errors=True)

    def path(self, table: str) -> Path:
        """Return the Parquet file of a table."""
        return self.folder / f"{table}.parquet"

    def parts(self, table: str) -> list[Path]:
        """Return the files that hold the rows of a table: one, or those that workers wrote."""
        folder = self._parts_folder(table)
        if self.path(table).is_file() or not (folder / _WHOLE).is_file():
            return [self.path(table)]
        return [folder / name for name in json.loads((folder / _WHOLE).read_bytes())]

    def _parts_folder(self, table: str) -> Path:
        return self.folder / f"{table}{PARTS}"

    def _settle(self, table: str, names: Sequence[str]) -> None:
        """Let a table be these parts in its folder, from now on and for a run that goes on."""
        to_disk(self._parts_folder(table))
        write_whole(self._parts_folder(table) / _WHOLE, json.dumps(list(names)).encode())
        self._view(table)

    def map(
        self,
        output: str,
        function: Callable[[pa.RecordBatch], pa.RecordBatch],
        batches: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Write ``function`` of every batch to the table ``output``; return the rows written.

        The file does not say whether a column has nulls: the engine would write later tables in
        other bytes for it, and days that are read from many files do not say it either.
        """
        rows = 0
        loose = pa.schema([column.with_nullable(True) for column in schema])
        # Hashes neither compress nor repeat: lz4 without dictionaries writes them in a third of
        # the time that zstd takes, and the table is read once.
        with (
            self._aside(output) as aside,
            pq.ParquetWriter(
                aside, loose, compression="lz4", use_dictionary=False, write_statistics=False
            ) as writer,
        ):
            for batch in batches:
                done = pa.RecordBatch.from_arrays(function(batch).columns, schema=loose)
                writer.write_batch(done, row_group_size=ROW_GROUP)
                rows += done.num_rows
                if progress is not None:
                    progress(rows)
        self._view(output)
        return rows

    def put(self, output: str, table: pa.Table) -> None:
        """Write an Arrow table as the table ``output``."""
        with self._aside(output) as aside:
            pq.write_table(table, aside, compression="zstd", row_group_size=ROW_GROUP)
        self._view(output)

    def read_parts(
        self, table: str, parts: Sequence[Path], schema: pa.Schema, without: Sequence[int]
    ) -> None:
        """Let a table be the rows of Parquet files, read where they lie, in these columns.

        ``without``: numbers in their column ``file`` whose rows do not count.

        Raises RunnerError when one cannot be read.
        """
        columns = ", ".join(f'"{name}"' for name in schema.names)
        live = f"WHERE file NOT IN ({', '.join(map(str, without))})" if without else ""
        with self._named(f"table {table}"), self._engine():
            self._con.execute(
                f"CREATE OR REPLACE VIEW {table} AS SELECT {columns} FROM {listed(parts)} {live}"
            )

    def adopt(self, table: str) -> None:
        """Take a table that an earlier run of the same request left whole.

        Raises RunnerError when it cannot be read.
        """
        with self._named(f"table {table}"), self._engine():
            self._view(table)

    def run(self, step: Step) -> None:
        """Execute one step. Raises RunnerError naming the step when the engine fails."""
        if step.function is None:
            self._write_sql(step)
            return
        with self._named(f"step {step.name}"):
            self.put(step.output, step.function(self))

    def query(self, sql: str, **tables: Any) -> pa.Table:
        """Return the rows of a SELECT over this run's tables (and the given Arrow tables).

        Raises RunnerError naming the step that asked when the engine fails.
        """
        for name, table in tables.items():
            self._con.register(name, table)
        try:
            with self._engine():
                return self._in_memory(lambda text: self._con.sql(text).to_arrow_table(), sql)
        finally:
            for name in tables:
                self._con.unregister(name)

    def _write_sql(self, step: Step, given: str = "") -> None:
        """Write the rows of a step's SQL, or of ``given``, which selects the same rows.

        What a key splits may come from an engine, in many files, of which nothing tells that a
        column has no nulls; so nothing may tell it here either, or the bytes would be others.
        """
        if step.sql is None:
            raise RunnerError("nothing to execute", where=f"step {step.name}")
        order = f" ORDER BY {', '.join(step.order_by)}" if step.order_by else ""
        rows = f"({given or step.sql(self.settings)}) made"
        if step.key:
            rows += " FULL JOIN (SELECT 1 WHERE false) nothing ON true"
        select = f"SELECT made.* FROM {rows}{order}"
        named = self._named(f"step {step.name}")
        with self._aside(step.output) as aside, named, self._engine():
            self._in_memory(
                self._con.execute,
                f"COPY ({select}) TO {quoted(aside)} (FORMAT parquet, "
                f"{packing(step)}, "
                f"ROW_GROUP_SIZE {step.group_rows or ROW_GROUP})",
            )
        self._view(step.output)

    def _in_memory(self, execute: Callable[[str], Any], sql: str) -> Any:
        """Execute, and where memory does not do for all threads, once more on a single one.

        Each thread holds buffers of its own; results do not depend on their number.
        """
        try:
            return execute(sql)
        except duckdb.OutOfMemoryException:
            if self.threads == 1:
                raise
        self._con.execute("SET threads = 1")
        try:
            return execute(sql)
        finally:
            self._con.execute(f"SET threads = {self.threads}")

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """Let errors of the engine meanwhile say that they happened in this step or table."""
        self._running = what
        try:
            yield
        finally:
            self._running = "query"

    @contextmanager
    def _engine(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise RunnerError(
                f"the engine failed ({type(error).__name__}): {_first_line(error)}",
                where=self._running,
                hint="free disk space or give more --memory, then go on with --resume",
            ) from error

    @contextmanager
    def _aside(self, table: str) -> Iterator[Path]:
        """Hand out a file beside the table's; it becomes the table, or nothing when that fails."""
        aside = self.path(table).with_suffix(".part")
        try:
            yield aside
            to_disk(aside)
            aside.replace(self.path(table))
            to_disk(self.folder)
        except OSError as error:
            raise RunnerError(
                f"cannot be written ({error.strerror or type(error).__name__})",
                where=f"table {table}",
                hint="free disk space and go on with --resume, or give another --out",
            ) from error
        finally:
            aside.unlink(missing_ok=True)

    def _view(self, table: str) -> None:
        self._con.execute(
            f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM {listed(self.parts(table))}"
        )


def packing(step: Step) -> str:
    """Return how a step's table is packed, as SQL writes it."""
    if step.passing:
        return "COMPRESSION uncompressed"
    return _FAST if step.bulky else "COMPRESSION zstd"


def holds(folder: Path, table: str) -> bool:
    """Tell whether a table of a run's stages is whole, in one file or in parts."""
    return (folder / f"{table}.parquet").is_file() or (
        folder / f"{table}{PARTS}" / _WHOLE
    ).is_file()


def listed(files: Iterable[Path | str]) -> str:
    """Return SQL of the rows of Parquet files."""
    return f"read_parquet([{', '.join(map(quoted, files))}])"


def quoted(path: Path | str) -> str:
    """Return a path as SQL writes it."""
    return "'" + str(path).replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    """Keep the engine's reason but nothing that it quotes, up to the last quotation mark.

    Greedy on purpose: a quoted value may hold quotation marks of its own.
    """
    return re.sub(r"['\"].*['\"]", "…", str(error).splitlines()[0])[:200]
