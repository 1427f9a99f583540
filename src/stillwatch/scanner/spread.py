"""Logs that an engine's workers read, a file a task: what reads one file, and what joins them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import ConfigError, InputError, RunnerError
from stillwatch.pipeline import FEATURES, features
from stillwatch.runners import EngineRunner, LocalRunner
from stillwatch.scanner.feed import READ_AGAIN, Joined, Logs, again
from stillwatch.sources import Inputs, open_inputs

__all__ = ["SpreadLogs", "read_features", "read_texts"]


def read_features(item: Mapping[str, Any]) -> Generator[pa.RecordBatch, None, dict[str, Any]]:
    """Yield the features of one file and return its ledger: what a worker does with a log.

    What is wrong with the file is told beside the ledger, which says what was read before.
    """
    now = item["now"]
    error = None
    opened = open_inputs(
        [item["path"]], format=item["format"], max_rejects=1.0,
        now=None if now is None else datetime.fromisoformat(now),
    )  # fmt: skip
    try:
        yield from map(features, opened.batches(judged=False))
    except InputError as wrong:
        where = wrong.where.replace(opened.files[0].name, item["name"], 1)
        error = ["InputError", wrong.message, where, wrong.hint]
    return {"ledger": opened.ledger.state(), **({"failed": error} if error else {})}


def read_texts(item: Mapping[str, Any]) -> Generator[pa.RecordBatch, None, dict[str, Any]]:
    """Yield the wanted exchanges of one file, in the columns of READ_AGAIN."""
    wanted = pa.array(item["wanted"], pa.string())
    for batch in again([item["path"]], item["format"]):
        rows = batch.filter(pc.is_in(batch.column("exchange_id"), value_set=wanted))
        if rows.num_rows:
            yield rows.select(list(READ_AGAIN))
    return {}


class SpreadLogs(Logs):
    """Logs of which each file is read by one task of an engine, whose ``runner`` is given later.

    Raises ConfigError: what comes through a pipe or out of a database, tables of Delta Lake and
    Iceberg, and formats whose records are spread over files, are read by one process.
    """

    def __init__(
        self, opened: Inputs, paths: Sequence[str], format: str, *, now: datetime | None,
        max_rejects: float,
    ) -> None:  # fmt: skip
        super().__init__(opened, paths, format)
        self._max_rejects = max_rejects
        self._dearest = sorted(opened.files, key=lambda file: (-file.size, file.path))
        self._now = None if now is None else now.isoformat()
        self.runner: EngineRunner | None = None
        if any(file.size < 0 for file in opened.files):
            raise ConfigError(
                "a pipe or a database is read by one process", where="--engine",
                hint="write it to files first: `stillwatch ingest`",
            )  # fmt: skip
        if opened.tables:
            raise ConfigError(
                f"a table of {opened.tables[0].kind} is read by one process", where="--engine",
                hint="write it to files first: `stillwatch ingest`",
            )  # fmt: skip
        if opened.joins_files:
            raise ConfigError(
                f"records of the format {opened.formats[0]} are spread over files, "
                "which an engine reads apart", where="--engine",
                hint="turn them into Parquet first: `stillwatch ingest`",
            )  # fmt: skip

    def _cluster(self) -> EngineRunner:
        if self.runner is None:
            raise RunnerError("no engine reads these logs", where="--engine")
        return self.runner

    def _items(self) -> list[dict[str, Any]]:
        """Return what a worker is told of each file, the dearest first: it would be waited for."""
        return [
            {"path": os.path.abspath(file.path) if os.path.exists(file.path) else file.path,
             "name": file.name, "format": self._format, "now": self._now}
            for file in self._dearest
        ]  # fmt: skip

    def fill(self, runner: LocalRunner, joined: Joined, tell: Callable[[int], None]) -> None:
        """Make the table `features` on the engine. Rejected rows are judged when all is read.

        Raises InputError: a file that a worker could not read, or too many rejected rows.
        """
        del joined  # whoever builds this has refused what is joined to exchanges
        del runner  # its own, which has a cluster
        notes = self._cluster().map_items("features", read_features, self._items(), FEATURES, tell)
        for file, note in zip(self._dearest, notes, strict=True):
            self.ledger.join(note["ledger"], file.name)
        for note in notes:
            if "failed" in note:
                _, message, where, hint = note["failed"]
                raise InputError(message, where=where, hint=hint)
        self.ledger.judge(self._max_rejects, self.files[0].name)

    def texts(self, exchange_ids: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Have the workers look for these exchanges; their texts come here and are not stored."""
        wanted = sorted(exchange_ids)
        return self._cluster().gather(
            read_texts, [{**item, "wanted": wanted} for item in self._items()]
        )
