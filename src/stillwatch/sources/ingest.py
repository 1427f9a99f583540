"""Any input becomes canonical Parquet by day, sorted, in bounded memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import ConfigError, RunnerError
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources.inputs import Inputs

__all__ = ["IngestResult", "ingest"]

_ROW = pa.field("_row", pa.int64())
_GROUP_ROWS = 65_536
_SPILL_BYTES = 256 << 20
_DUPLICATE = "repeated exchange_id dropped"


@dataclass(frozen=True)
class IngestResult:
    """What `ingest` wrote: rows kept, repeats dropped, one file a day (UTC) in order."""

    rows: int
    duplicates: int
    files: tuple[Path, ...]
    size_bytes: int


def ingest(
    inputs: Inputs,
    out_dir: str | os.PathLike[str],
    *,
    sort_memory_rows: int = 200_000,
    memory: str = "1GB",
    change: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None,
) -> IngestResult:
    """Write ``out_dir/exchanges/YYYY-MM-DD.parquet``, each sorted by (ts, exchange_id).

    ``change``: what is done to every batch before it touches the disk.

    1. Batches are split by day (UTC) and spilled when ``sort_memory_rows`` or 256 MB are held.
    2. Of rows with one exchange_id the first by time, then by content, stays.
    3. DuckDB sorts each day under ``memory``, spilling; the result does not depend on the
       order in which rows came.
    4. The finished folder is renamed into place: it is there whole or not at all.

    Raises ConfigError when ``out_dir/exchanges`` exists, RunnerError when writing fails (a full
    disk), InputError when the input cannot be read.
    """
    target = Path(out_dir) / "exchanges"
    if target.exists():
        raise ConfigError("exists already", where=str(target), hint="choose another directory")
    aside = target.with_name(".exchanges.partial")
    shutil.rmtree(aside, ignore_errors=True)
    with _undone_on_failure(aside):
        (aside / "spill").mkdir(parents=True)
        batches = inputs.batches() if change is None else map(change, inputs.batches())
        days = _spill(batches, aside / "spill", sort_memory_rows)
        rows, duplicates = _sort_days(aside, days, memory)
        inputs.ledger.notes[_DUPLICATE] += duplicates
        shutil.rmtree(aside / "spill")
        aside.replace(target)
    files = tuple(target / f"{day}.parquet" for day in days)
    return IngestResult(rows, duplicates, files, sum(f.stat().st_size for f in files))


@contextmanager
def _undone_on_failure(aside: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException, pa.ArrowException) as error:
        shutil.rmtree(aside, ignore_errors=True)
        why = getattr(error, "strerror", None) or type(error).__name__
        raise RunnerError(
            f"cannot write ({why}); nothing was kept",
            where=str(aside.parent),
            hint="free disk space, or give another directory or more --memory",
        ) from error
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _spill(batches: Iterator[pa.RecordBatch], folder: Path, limit_rows: int) -> list[str]:
    """Write unsorted pieces ``day/number.parquet`` with a row number; return the days, sorted."""
    held: dict[str, list[pa.RecordBatch]] = {}
    rows = size = first = 0
    pieces = 0
    for batch in batches:
        numbers = pa.array(range(first, first + batch.num_rows), pa.int64())
        first += batch.num_rows
        for day, part in _by_day(batch.append_column(_ROW, numbers)):
            held.setdefault(day, []).append(part)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= limit_rows or size >= _SPILL_BYTES:
            _flush(held, folder, pieces)
            pieces += 1
            rows = size = 0
    _flush(held, folder, pieces)
    return sorted(path.name for path in folder.iterdir())


def _by_day(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    days = pc.strftime(pc.cast(batch["ts"], pa.date32()), "%Y-%m-%d")
    for day in pc.unique(days).to_pylist():
        yield day, batch.filter(pc.equal(days, day))


def _flush(held: dict[str, list[pa.RecordBatch]], folder: Path, number: int) -> None:
    for day, parts in held.items():
        (folder / day).mkdir(exist_ok=True)
        table = pa.Table.from_batches(parts)
        pq.write_table(table, folder / day / f"{number:06d}.parquet", compression="lz4")
    held.clear()


def _sort_days(aside: Path, days: list[str], memory: str) -> tuple[int, int]:
    rows = 0
    with duckdb.connect(
        config={
            "memory_limit": memory,
            "temp_directory": str(aside / "spill" / "duckdb"),
            "threads": 1,
            "preserve_insertion_order": False,
        }
    ) as engine:
        engine.execute("SET TimeZone = 'UTC'").fetchall()
        engine.execute(_repeats_sql(aside / "spill")).fetchall()
        found = engine.execute("SELECT count(*) FROM repeats").fetchall()
        for day in days:
            batches = engine.sql(_day_sql(aside / "spill" / day)).to_arrow_reader(_GROUP_ROWS)
            rows += _write_day(batches, aside / f"{day}.parquet")
    return rows, int(found[0][0])


def _repeats_sql(folder: Path) -> str:
    """Name the rows to drop: all but the first of each repeated exchange_id."""
    spilled = f"read_parquet({_quoted(folder / '*' / '*.parquet')})"
    return f"""
        CREATE TEMP TABLE repeats AS
        WITH twice AS (
            SELECT exchange_id FROM {spilled} GROUP BY exchange_id HAVING count(*) > 1
        ), ranked AS (
            SELECT _row, row_number() OVER (
                PARTITION BY exchange_id
                ORDER BY ts, account_id, model, status, messages::VARCHAR, output_text,
                         input_tokens, output_tokens, _row
            ) AS place
            FROM {spilled} SEMI JOIN twice USING (exchange_id)
        )
        SELECT _row FROM ranked WHERE place > 1"""  # noqa: S608


def _day_sql(folder: Path) -> str:
    return f"""
        SELECT * EXCLUDE (_row)
        FROM read_parquet({_quoted(folder / "*.parquet")}) ANTI JOIN repeats USING (_row)
        ORDER BY ts, exchange_id"""  # noqa: S608


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _write_day(batches: pa.RecordBatchReader, path: Path) -> int:
    rows = 0
    with pq.ParquetWriter(path, EXCHANGE, compression="zstd") as writer:
        for batch in batches:
            table = pa.Table.from_batches([batch]).select(EXCHANGE.names).cast(EXCHANGE)
            writer.write_table(table, row_group_size=_GROUP_ROWS)
            rows += batch.num_rows
    return rows
