"""What the formats share of whose records some wait on the disk for what another file holds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Self

import pyarrow as pa

from stillwatch.sources.json_rows import SOME_ROWS, Records
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.parts import Part, admitted
from stillwatch.sources.scratch import Scratch
from stillwatch.sources.wrapped import Wrapped

__all__ = ["Held"]


class Held(Wrapped):
    """A format that keeps some records until all files were read, and joins them then.

    ``tables``: those of what waits and of what it waits for; ``for_run`` gives the object that
    holds one run's.
    """

    tables: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._base: Scratch | None = None

    def for_run(self) -> Self:
        return type(self)()

    @abstractmethod
    def waiting(self, base: Scratch) -> Iterator[tuple[str, int, Any]]:
        """Yield what waits, file by file: its file, its line, and what `joined` is told of it."""

    @abstractmethod
    def joined(self, base: Scratch, held: Any, ledger: Ledger) -> tuple[dict[str, Any], int]:
        """Return a record with what it waited for, and about how many bytes it has."""

    def scratch(self) -> Scratch:
        """Return what is kept on the disk, begun where nothing was kept yet."""
        self._base = self._base or Scratch(*self.tables)
        return self._base

    def rest(self, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        """Yield the records that waited."""
        if self._base is None:
            return
        yield from admitted(self._parts(self._base, ledger), ledger)
        self._base.close()
        self._base = None

    def _parts(self, base: Scratch, ledger: Ledger) -> Iterator[Part]:
        some, where = Records(), ""
        for file, line, held in self.waiting(base):
            if some.objects and (file != where or len(some.objects) >= SOME_ROWS):
                yield self.converted(some, where, ledger)
                some = Records()
            where = file
            record, size = self.joined(base, held, ledger)
            some.add(record, line)
            some.size += size
        if some.objects:
            yield self.converted(some, where, ledger)
