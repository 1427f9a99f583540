"""Where a scan's features come from: logs that are read now, or days that were read before."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.pipeline import FEATURES, features
from stillwatch.runners import LocalRunner
from stillwatch.scanner.disk import guess_rows
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources import (
    S3,
    InputFile,
    Inputs,
    Ledger,
    object_state,
    open_inputs,
    short_names,
)
from stillwatch.store.days import DayStore, DayWindow

__all__ = ["READ_AGAIN", "TABLE", "Feed", "Logs", "StoredDays"]

TABLE: Final = "table "
READ_AGAIN: Final = ("exchange_id", "ts", "messages")
_BLOCK: Final = 1 << 16
_BLOCKS: Final = 64
_DIGEST_BYTES: Final = 16

Joined = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class Feed(Protocol):
    """What a scan reads. ``columns``: those of EXCHANGE that can be filled; ``ledger``: counts."""

    @property
    def columns(self) -> frozenset[str]: ...
    @property
    def formats(self) -> tuple[str, ...]: ...
    @property
    def files(self) -> tuple[InputFile, ...]: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def tables(self) -> list[dict[str, str]]:
        """Return what was read of tables of Delta Lake and Iceberg: name, kind, version."""
        ...

    def identity(self) -> dict[str, Any]:
        """Return what tells these inputs from others, by name."""
        ...

    def rows(self) -> int | None:
        """Return how many exchanges are to come, None where nothing tells."""
        ...

    def fill(self, runner: LocalRunner, joined: Joined, tell: Callable[[int], None]) -> None:
        """Make the table `features`. ``joined``: adds to exchanges what side tables tell.

        Raises InputError as `sources.Inputs.batches`.
        """
        ...

    def texts(self, exchange_ids: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield batches of READ_AGAIN that hold these exchanges; none where nothing is left."""
        ...


class Logs:
    """Logs, read from their beginning to their end. ``paths`` and ``format`` as they were given.

    ``once``: what came through a pipe or a query, which is not asked again.
    """

    def __init__(
        self, opened: Inputs, paths: Sequence[str], format: str, *, once: bool = False
    ) -> None:
        self._opened = opened
        self._once = once
        self._paths = paths
        self._format = format

    @property
    def columns(self) -> frozenset[str]:
        return self._opened.columns

    @property
    def formats(self) -> tuple[str, ...]:
        return self._opened.formats

    @property
    def files(self) -> tuple[InputFile, ...]:
        return self._opened.files

    @property
    def ledger(self) -> Ledger:
        return self._opened.ledger

    @property
    def tables(self) -> list[dict[str, str]]:
        return [one.told for one in self._opened.tables]

    def identity(self) -> dict[str, Any]:
        """Know a log by name, size, time of change and 64 samples spread over it.

        Reading terabytes twice to be surer than every build tool is would cost more than it saves.
        Of a table it is also known at which version it was read.
        """
        files = {f"input {f.name}": [f.size, *_sample(f.path, f.size)] for f in self.files}
        tables: dict[str, Any] = {}
        for one in self._opened.tables:
            tables.setdefault(f"{TABLE}{one.name}", []).append([one.kind, one.version, one.schema])
        return {**files, **tables}

    def rows(self) -> int | None:
        return guess_rows(self.files)

    def fill(self, runner: LocalRunner, joined: Joined, tell: Callable[[int], None]) -> None:
        runner.map("features", features, joined(self._opened.batches()), FEATURES, tell)

    def texts(self, exchange_ids: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read all again: nothing tells in which file an exchange is."""
        if self._once or any(file.size < 0 for file in self.files):
            return iter(())
        if self._opened.tables:  # others may have written into it since
            return self._opened.again().batches(judged=False)
        return again(self._paths, self._format)


class StoredDays:
    """A window of a day store, which must stay open while it is scanned."""

    def __init__(
        self, store: DayStore, window: DayWindow, *, format: str, max_rejects: float
    ) -> None:
        self._store = store
        self.window = window
        self._format = format
        self._max_rejects = max_rejects
        names = short_names([file.source.path for file in window.files])
        self._names = {file.number: names[file.source.path] for file in window.files}
        self._ledger = Ledger()
        for file in window.files:
            self._ledger.join(dict(file.ledger), self._names[file.number])

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(column for file in self.window.files for column in file.columns)

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(sorted({file.format for file in self.window.files}))

    @property
    def files(self) -> tuple[InputFile, ...]:
        return tuple(
            InputFile(self._names[f.number], f.source.path, f.source.size)
            for f in self.window.files
        )

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    @property
    def tables(self) -> list[dict[str, str]]:
        return []  # `watch`, which fills the days, refuses them

    def identity(self) -> dict[str, Any]:
        """Know each file by the digest of all its bytes, taken when it was read."""
        return {f"input {self._names[f.number]}": [f.source.digest] for f in self.window.files}

    def rows(self) -> int | None:
        return self.window.rows

    def fill(self, runner: LocalRunner, joined: Joined, tell: Callable[[int], None]) -> None:
        if not self.window.files:
            raise InputError(
                "no exchanges in the window", where="days", hint="are logs arriving there?"
            )
        self._ledger.judge(self._max_rejects, self.files[0].name)
        runner.read_parts("features", self.window.parts, FEATURES, self.window.without)
        tell(self.window.rows)

    def texts(self, exchange_ids: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read the files again that gave these exchanges, where they still lie."""
        found = self._store.files_with(self.window, list(exchange_ids))
        there = [f.source.path for f in found if _lies(f.source.path)]
        return again(there, self._format) if there else iter(())


def _lies(path: str) -> bool:
    if not path.startswith(S3):
        return os.path.isfile(path)
    try:
        return object_state(path)[0] >= 0
    except OSError:  # the store is away: what only shows texts does without
        return False


def again(paths: Sequence[str], format: str) -> Iterator[pa.RecordBatch]:
    """Yield batches with the columns of READ_AGAIN.

    Parquet in canonical types gives these columns alone, a fifth of the work of all of them.
    """
    opened = open_inputs(paths, format=format, max_rejects=1.0)
    files = [file.path for file in opened.files]
    if opened.formats == ("parquet",) and all(map(_canonical, files)):
        for path in files:
            yield from pq.ParquetFile(path).iter_batches(8_192, columns=list(READ_AGAIN))
    else:
        yield from opened.batches(judged=False)


def _canonical(path: str) -> bool:
    if not Path(path).is_file():
        return False
    with suppress(pa.ArrowException, OSError):  # compressed Parquet is read the other way
        held = pq.read_schema(path)
        return all(
            name in held.names and held.field(name).type == EXCHANGE.field(name).type
            for name in READ_AGAIN
        )
    return False


def _sample(path: str, size: int) -> list[int | str]:
    """Return time of change (ns) and a digest of blocks of a local file; nothing for others."""
    if not os.path.isfile(path):
        return []
    state = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    with open(path, "rb") as file:
        changed = os.fstat(file.fileno()).st_mtime_ns
        step = max((size - _BLOCK) // (_BLOCKS - 1), _BLOCK)
        for at in range(0, max(size, 1), step):
            file.seek(at)
            state.update(file.read(_BLOCK))
    return [changed, state.hexdigest()]
