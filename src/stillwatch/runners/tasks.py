"""What runs on an engine's workers: one call a task, told by position and answered by a note.

A task reads files that every worker sees, writes its rows to a part of its own in the run's folder
and answers with a note; the node believes the parts that notes name and no others. A task that was
killed, repeated or run twice therefore leaves a file that nothing names, and changes nothing.
What a worker says is wrong with the input travels as a note too: an engine would try it again.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import errors
from stillwatch.errors import ConfigError, StillwatchError, why
from stillwatch.runners.local import ENGINES, listed, quoted
from stillwatch.runners.wire import received, sent
from stillwatch.schema import to_disk

__all__ = [
    "DAMAGED",
    "NOTE",
    "NOTE_DDL",
    "TASK_MEMORY",
    "Beside",
    "Ground",
    "Item",
    "Keyed",
    "Reader",
    "collect_rows",
    "each_item",
    "probe",
    "publish",
    "raise_noted",
    "read_rows",
    "reading",
    "run_key",
    "task_engine",
    "write_parts",
]

# What a task answers: which item it is about, a JSON object, and rows as an Arrow stream.
NOTE: Final = pa.schema(
    [pa.field("item", pa.int64()), pa.field("note", pa.string()), pa.field("rows", pa.binary())]
)
NOTE_DDL: Final = "item BIGINT, note STRING, rows BINARY"
TASK_MEMORY: Final = "1GB"
DAMAGED: Final = "a file of a table cannot be read"
_ROW_GROUP: Final = 65_536

Item = Mapping[str, Any]
# Tables that a task reads as a whole, as files of Parquet by name.
Beside = tuple[tuple[str, tuple[str, ...]], ...]
# Yields the batches of one item and returns what is to be noted of it.
Reader = Callable[[Item], Generator[pa.RecordBatch, None, dict[str, Any]]]
# Returns what is to be noted of one item, and rows as an Arrow stream where it has any.
Work = Callable[[Item], dict[str, Any] | tuple[dict[str, Any], bytes]]


@dataclass(frozen=True)
class Ground:
    """What a task must find where it runs.

    ``folder``: the run's, as the node names it. ``token``: what the node wrote there, in
    ``.token``. ``versions``: of everything that decides bytes, by name.
    """

    folder: str
    token: str
    versions: tuple[tuple[str, str], ...]

    def check(self) -> None:
        """Raise ConfigError where a worker's results would be others or go astray."""
        for name, version in self.versions:
            here = _version(name)
            if here != version:
                raise ConfigError(
                    f"a worker has {name} {here}, this node {version}",
                    where="--engine", hint="install the same versions on every worker",
                )  # fmt: skip
        try:
            told = (Path(self.folder) / ".token").read_text(encoding="ascii")
        except OSError:
            told = ""
        if told != self.token:
            raise ConfigError(
                "a worker does not see the run's folder", where="--out",
                hint="give a folder on a file system that all workers share, under the same path",
            )  # fmt: skip


@dataclass(frozen=True)
class Keyed:
    """A step that is run on every part of a key.

    ``table``, ``schema``: the split table and its columns that the SQL reads.
    """

    sql: str
    table: str
    schema: pa.Schema
    beside: Beside
    out: str


def _version(name: str) -> str:
    if name == "stillwatch":
        import stillwatch

        return stillwatch.__version__
    return str(ENGINES[name])


def probe(ground: Ground, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Answer whether a worker can work here."""
    for batch in batches:
        for item in batch.column(0).to_pylist():
            yield _answered(item, lambda _: _checked(ground), {})


def _checked(ground: Ground) -> dict[str, Any]:
    ground.check()
    return {}


def write_parts(
    ground: Ground, items: Sequence[Sequence[Item]], reader: Reader, schema: pa.Schema, out: str,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:  # fmt: skip
    """Write the rows of each item to a part in the folder ``out`` and note its name and rows.

    ``items``: by task; the tasks of this call are the numbers in the only column of ``batches``.
    """

    def write(item: Item) -> dict[str, Any]:
        ground.check()
        loose = pa.schema([column.with_nullable(True) for column in schema])
        name = f"{uuid.uuid4().hex}.parquet"
        aside = Path(out) / f"{name}.part"
        rows = 0
        # As in runners.local: hashes neither compress nor repeat.
        with pq.ParquetWriter(
            aside, loose, compression="lz4", use_dictionary=False, write_statistics=False
        ) as writer:
            made = _Noted(reader(item))
            for batch in made:
                whole = pa.RecordBatch.from_arrays(batch.columns, schema=loose)
                writer.write_batch(whole, row_group_size=_ROW_GROUP)
                rows += batch.num_rows
        publish(aside, Path(out) / name)
        return {**made.note, "part": name, "rows": rows}

    yield from each_item(items, write, batches)


def collect_rows(
    ground: Ground, items: Sequence[Sequence[Item]], reader: Reader,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:  # fmt: skip
    """Answer with the rows of each item themselves: for what is little and must not be stored."""
    yield from each_item(items, partial(_gathered, ground, reader), batches)


def _gathered(ground: Ground, reader: Reader, item: Item) -> tuple[dict[str, Any], bytes]:
    ground.check()
    made = _Noted(reader(item))
    rows = [batch for batch in made if batch.num_rows]
    if not rows:
        return made.note, b""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows[0].schema) as writer:
        for batch in rows:
            writer.write_batch(batch)
    return made.note, sink.getvalue().to_pybytes()


def read_rows(
    items: Sequence[Sequence[Item]], schema: pa.Schema, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Yield row groups of a table's parts in the types of the wire, to be split by a key."""
    for item in _items_of(items, batches):
        groups = range(item["first"], item["stop"])
        with reading(item["path"]), pq.ParquetFile(item["path"]) as file:
            for rows in file.iter_batches(
                _ROW_GROUP, row_groups=groups, columns=schema.names, use_threads=False
            ):
                yield sent(rows.select(schema.names))


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Raise OSError that says so where a file of a table is damaged or gone.

    No note, so that the engine tries again: a shared disk may have hiccuped.
    """
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise OSError(f"{Path(path).name}: {DAMAGED} ({why(error)})") from error


def run_key(
    ground: Ground, keyed: Keyed, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Run a step's SQL on the rows of one partition; note the part with what it gave."""
    first = next((batch for batch in batches if batch.num_rows), None)
    if first is None:
        return
    yield _answered(0, lambda _: _keyed(ground, keyed, chain([first], batches)), {})


def _keyed(ground: Ground, keyed: Keyed, batches: Iterator[pa.RecordBatch]) -> dict[str, Any]:
    ground.check()
    name = f"{uuid.uuid4().hex}.parquet"
    aside = Path(keyed.out) / f"{name}.part"
    with task_engine(keyed.beside) as con:
        rows = pa.RecordBatchReader.from_batches(
            keyed.schema, (received(batch, keyed.schema) for batch in batches)
        )
        con.register("arriving", rows)
        con.execute(f"CREATE TABLE {keyed.table} AS SELECT * FROM arriving")
        con.unregister("arriving")
        seen = con.execute(f"SELECT count(*) FROM {keyed.table}").fetchone()
        con.execute(f"COPY ({keyed.sql}) TO {quoted(aside)} (FORMAT parquet)")
    publish(aside, Path(keyed.out) / name)
    return {"part": name, "seen": seen[0] if seen else 0}


@contextmanager
def task_engine(beside: Beside) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the engine of one task, which has one thread, with views of the tables beside."""
    with tempfile.TemporaryDirectory() as spill, duckdb.connect() as con:
        for setting in (
            f"memory_limit = '{TASK_MEMORY}'",
            f"temp_directory = {quoted(spill)}",
            "threads = 1",
            "TimeZone = 'UTC'",
            "enable_progress_bar = false",
        ):
            con.execute(f"SET {setting}")
        for table, files in beside:
            con.execute(f"CREATE VIEW {table} AS SELECT * FROM {listed(files)}")
        yield con


class _Noted:
    """The batches of a reader and, when all are read, its note."""

    def __init__(self, made: Generator[pa.RecordBatch, None, Mapping[str, Any]]) -> None:
        self._made = made
        self.note: dict[str, Any] = {}

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        self.note = dict((yield from self._made))


def _items_of(items: Sequence[Sequence[Item]], batches: Iterator[pa.RecordBatch]) -> Iterator[Item]:
    for batch in batches:
        for task in batch.column(0).to_pylist():
            yield from items[task]


def each_item(
    items: Sequence[Sequence[Item]], work: Work, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Do the work on each item of these tasks and answer with its note."""
    for item in _items_of(items, batches):
        yield _answered(item["item"], work, item)


def _answered(number: int, work: Work, item: Item) -> pa.RecordBatch:
    """Return the note of one piece of work; what is wrong with input or set-up is one, too."""
    rows = b""
    try:
        done = work(item)
        note, rows = done if isinstance(done, tuple) else (done, b"")
    except StillwatchError as error:
        note = {"error": [type(error).__name__, error.message, error.where, error.hint]}
    return pa.RecordBatch.from_pydict(
        {"item": [number], "note": [json.dumps(note)], "rows": [rows]}, schema=NOTE
    )


def raise_noted(note: Mapping[str, Any]) -> None:
    """Raise the error that a note tells of, if it does."""
    if "error" in note:
        kind, message, where, hint = note["error"]
        raise getattr(errors, kind)(message, where=where, hint=hint)


def publish(aside: Path, target: Path) -> None:
    """Bring a part to the disk under its name: the node may look before the engine is done."""
    to_disk(aside)
    aside.replace(target)
