"""Columns of a few records at a time, joined until they are worth a batch.

Records become columns while their objects are still in the processor's cache: some dozens at a
time, since an object is asked some hundred questions, and of a thousand objects each question
fetches all from memory again (a third of the time of reading, perf/json_speed.py). A batch of so
few rows would cost more than it saves, for Arrow wants 2 ms a batch; so columns are joined first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from stillwatch.errors import StillwatchError
from stillwatch.sources.admit import admit
from stillwatch.sources.garbage import collector_paused
from stillwatch.sources.instants import latencies
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.messages import Messages

__all__ = ["END_TIME", "Part", "admitted"]

END_TIME = "end_time"
"""A column beside those of EXCHANGE: when the answer was there; gives `latency_ms` where that is
null. Times are read by the batch, for Arrow takes as long for a few as for thousands."""


_ROWS = 4_096
_BYTES = 8 << 20
_NOTHING = pa.RecordBatch.from_arrays([], schema=pa.schema([]))


class Part(NamedTuple):
    """Columns of some records under the names of EXCHANGE, and `END_TIME`, one value a record.

    ``lines``: each one's place in its file; ``where``: the file of all or of each; ``size``: bytes
    of the text that they were, 0 where nobody knows.
    """

    columns: dict[str, list[Any]]
    lines: list[int]
    where: str | list[str]
    size: int = 0


class _Joined:
    """Parts one after another; a column that one of them lacks is null there."""

    def __init__(self) -> None:
        self._columns: dict[str, list[Any] | Messages] = {}
        self._lines: list[int] = []
        self._where: list[str] = []
        self._size = 0

    @property
    def full(self) -> bool:
        return len(self._lines) >= _ROWS or self._size >= _BYTES

    def add(self, part: Part) -> None:
        self._size += part.size
        count, before = len(part.lines), len(self._lines)
        if not count:
            return
        mine = self._columns
        for name, values in part.columns.items():
            held = mine.get(name)
            if held is None:
                held = mine[name] = Messages() if name == "messages" else []
                held.extend([None] * before)
            held.extend(values)
        for name in mine.keys() - part.columns.keys():
            mine[name].extend([None] * count)
        self._lines += part.lines
        self._where += [part.where] * count if isinstance(part.where, str) else part.where

    def batch(self, ledger: Ledger) -> pa.RecordBatch:
        """Return the fit rows, in the order of the parts."""
        if not self._lines:
            return _NOTHING
        ends = self._columns.pop(END_TIME, None)
        if isinstance(ends, list):
            nothing: list[Any] = [None] * len(ends)
            starts, told = (self._columns.get(name, nothing) for name in ("ts", "latency_ms"))
            assert isinstance(starts, list)
            assert isinstance(told, list)
            took = latencies(starts, ends)
            self._columns["latency_ms"] = [
                b if a is None or a == "" else a for a, b in zip(told, took, strict=True)
            ]
        return admit(self._columns, np.asarray(self._lines, np.int64), self._where, ledger)


def admitted(parts: Iterator[Part], ledger: Ledger) -> Iterator[pa.RecordBatch]:
    """Yield batches of the fit rows, each of some thousand rows or 8 MB of text.

    Parts are made, joined and freed without Python's cycle collector; between the batches, while
    the caller works, it is as it was. What came before an error is yielded before it is raised.
    """
    failure: StillwatchError | None = None
    more = True
    while more:
        joined = _Joined()
        with collector_paused():
            try:
                more = _filled(joined, parts)
            except StillwatchError as error:
                failure, more = error, False
            batch = joined.batch(ledger)
            del joined
        yield batch
    if failure is not None:
        raise failure


def _filled(joined: _Joined, parts: Iterator[Part]) -> bool:
    """Join parts until there are enough; tell whether there may be more."""
    for part in parts:
        joined.add(part)
        if joined.full:
            return True
    return False
