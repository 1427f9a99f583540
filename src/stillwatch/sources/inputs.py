"""Many files of many formats, read as one stream of canonical batches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import BinaryIO

import pyarrow as pa

from stillwatch.errors import InputError
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources.any_rows import table_columns
from stillwatch.sources.canonical_arrow import TableRows
from stillwatch.sources.canonical_parquet import known_columns
from stillwatch.sources.files import HEAD_BYTES, InputFile, find_files, open_file
from stillwatch.sources.lake_files import Snapshot
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.mapping import Mapping, read_mapping
from stillwatch.sources.registry import SOURCES, choose_source, choose_table
from stillwatch.sources.shipped import SHIPPED, shipped_mapping
from stillwatch.sources.source import MAX_BATCH_BYTES, Source
from stillwatch.sources.strangers import holds_nothing

__all__ = ["Inputs", "complete", "open_inputs"]

_BY_MAGIC = ("parquet", "arrow")
_TABLE = TableRows()
_JOIN_ROWS = 8_192
_ENOUGH_ROWS = 4_096  # from so many rows on, a copy costs more than a batch


class Inputs:
    """What `open_inputs` found. ``batches()`` reads it; standard input can be read once.

    ``columns``: the columns of EXCHANGE that at least one file can fill; a signal that needs
    another one is not evaluable. ``formats``: format names, sorted.
    """

    def __init__(
        self,
        found: list[tuple[InputFile, Source]],
        columns: frozenset[str],
        ledger: Ledger,
        max_rejects: float,
        held: dict[str, BinaryIO],
        streams: ExitStack,
    ) -> None:
        self._found = found
        self.columns = columns
        self.ledger = ledger
        self.max_rejects = max_rejects
        self._held = held
        self._streams = streams
        self._began = False

    @property
    def files(self) -> tuple[InputFile, ...]:
        return tuple(file for file, _ in self._found)

    @property
    def mapping(self) -> Mapping | None:
        """The mapping file that the input is read through, if it is."""
        return next((s for _, s in self._found if isinstance(s, Mapping)), None)

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(sorted({source.name for _, source in self._found}))

    @property
    def tables(self) -> tuple[Snapshot, ...]:
        """What was read of tables of Delta Lake and Iceberg, each once."""
        return tuple(sorted({file.table.snapshot for file in self.files if file.table}))

    def again(self) -> Inputs:
        """Return the same files, and of tables the same snapshots, to be read once more."""
        fresh = {source: source.for_run() for _, source in self._found}
        found = [(file, fresh[source]) for file, source in self._found]
        return Inputs(found, self.columns, Ledger(), 1.0, {}, ExitStack())

    @property
    def joins_files(self) -> bool:
        """Tell whether a format joins records of several files, so that one file is no whole."""
        return any(type(source).for_run is not Source.for_run for _, source in self._found)

    def batches(self, *, judged: bool = True) -> Iterator[pa.RecordBatch]:
        """Yield batches in EXCHANGE's schema, of some 8,000 rows or 32 MB, in file order.

        ``judged`` False leaves the judgement at the end to whoever reads further inputs.

        Raises InputError when a file is damaged, when more than ``max_rejects`` of the rows
        were refused (judged from 1,000 rows on, and at the end), or when nothing is left. The
        ledger stays readable then.
        """
        if self._began:
            raise InputError("inputs are read once", hint="open them again")
        self._began = True
        with self._streams:
            yield from _joined(self._checked())
        if judged:
            self.ledger.judge(self.max_rejects, self.files[0].name)

    def _checked(self) -> Iterator[pa.RecordBatch]:
        for file, source in self._found:
            with self._opened(file) as handle:
                for batch in source.read(handle, file.name, self.ledger):
                    self.ledger.check(self.max_rejects)
                    if batch.num_rows:
                        yield complete(batch)
        for source in dict.fromkeys(source for _, source in self._found):
            for batch in source.rest(self.ledger):
                self.ledger.check(self.max_rejects)
                if batch.num_rows:
                    yield complete(batch)

    @contextmanager
    def _opened(self, file: InputFile) -> Iterator[BinaryIO]:
        if file.path in self._held:
            handle = self._held[file.path]
            if handle.seekable():
                handle.seek(0)
            yield handle
            return
        with open_file(file) as (handle, _):
            yield handle


def complete(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with every column of EXCHANGE, typed nulls where it had none."""
    have = set(batch.schema.names)
    return pa.RecordBatch.from_arrays(
        [
            batch.column(field.name) if field.name in have else pa.nulls(batch.num_rows, field.type)
            for field in EXCHANGE
        ],
        schema=EXCHANGE,
    )


def _joined(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Join neighbours until they are worth a batch: many formats have small files."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if not held and batch.num_rows >= _ENOUGH_ROWS:
            yield batch
            continue
        if held and size + batch.nbytes > 2 * MAX_BATCH_BYTES:
            yield pa.concat_batches(held)
            held, rows, size = [], 0, 0
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= _JOIN_ROWS or size >= MAX_BATCH_BYTES:
            yield pa.concat_batches(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.concat_batches(held)


def open_inputs(
    paths: Iterable[str | os.PathLike[str]],
    *,
    format: str = "auto",
    max_rejects: float = 0.01,
    now: datetime | None = None,
    query: str | os.PathLike[str] | None = None,
) -> Inputs:
    """Find the files, tell each one's format by its content, and read their headers.

    ``format``: a name, one of `SHIPPED`, a mapping file (``….toml``), or ``auto``.
    ``max_rejects``: share of rows, 0 to 1. ``now``: aware UTC; rows more than a day later are
    refused, none when it is None. ``query``: file with the SQL that a database, the only one of
    ``paths``, is asked.

    A folder that is a table of Delta Lake or Iceberg is read at its newest version, or at the one
    that is named behind ``@``, whatever is written into it from now on.

    Raises InputError when a path does not exist, a file is in no known format, or all are empty.
    """
    ledger = Ledger(now=now)
    found: list[tuple[InputFile, Source]] = []
    columns: set[str] = set()
    streams = ExitStack()
    held: dict[str, BinaryIO] = {}
    blank = ("", b"")
    if format.endswith(".toml") or format in SHIPPED:
        mapping = shipped_mapping(format) if format in SHIPPED else read_mapping(format)
        sources: tuple[Source, ...] = (mapping,)
        format = mapping.name
    else:
        sources = tuple(source.for_run() for source in SOURCES)
    files = find_files(paths, query, tables=True)
    for file in files:
        with ExitStack() as closing:
            keep = streams if file.size < 0 else closing
            handle, head = keep.enter_context(open_file(file))
            if len(head) < HEAD_BYTES and holds_nothing(head):
                ledger.notes["empty files"] += 1
                blank = blank if blank[1] else (file.name, head)
                continue
            asked = "auto" if file.table and format in _BY_MAGIC else format
            source = choose_source(head, file.name, asked, sources)
            if asked != "auto" and not source.sniff(head, file.name):
                _doubt(ledger, head, file.name, sources)
                if ledger.doubt and source.name in _BY_MAGIC:
                    raise InputError(f"no {source.name}", where=file.name, hint=ledger.doubt)
            names: list[str] = []
            if format == "auto" and source.name in _BY_MAGIC:
                names = table_columns(handle, head)
                foreign = choose_table(names, file.name, sources)
                if foreign is not None:
                    source, names = foreign, []
            if file.table and source.name in _BY_MAGIC:
                source = _TABLE
            columns |= set(known_columns(names)) if names else source.present(handle, file.name)
            found.append((file, source))
            if file.size < 0:
                held[file.path] = handle
    if not found:
        if blank[1]:
            choose_source(blank[1], blank[0], format, sources)  # says what it is
        raise InputError(
            "every input file is empty", where=files[0].name, hint="is the export finished?"
        )
    return Inputs(found, frozenset(columns), ledger, max_rejects, held, streams)


def _doubt(ledger: Ledger, head: bytes, name: str, sources: tuple[Source, ...]) -> None:
    """Note what a file looks like that is read as another format, for errors to tell."""
    like = next((source.name for source in sources if source.sniff(head, name)), "")
    if like:
        ledger.doubt = f"leave --format out: {name} looks like {like}"
