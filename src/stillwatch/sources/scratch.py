"""A temporary database on disk for what waits for a record of another file."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Sequence
from typing import Any

from stillwatch.errors import RunnerError

__all__ = ["Scratch"]

_CACHE_KIB = 16_384


class Scratch:
    """SQLite whose cache is all the memory it takes; it is gone when the object is.

    ``tables``: what CREATE TABLE is followed by. Raises RunnerError when the disk is full.
    """

    def __init__(self, *tables: str) -> None:
        self._base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self.close = weakref.finalize(self, self._base.close)
        for order in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            f"PRAGMA cache_size = -{_CACHE_KIB}",
            *(f"CREATE TABLE {table}" for table in tables),
        ):
            self._base.execute(order)

    def write(self, order: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Execute an order once a row, all in one transaction."""
        if not rows:
            return
        try:
            self._base.execute("BEGIN")
            self._base.executemany(order, rows)
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            raise RunnerError(
                f"cannot keep waiting records on disk ({error})",
                hint="free disk space, or set SQLITE_TMPDIR to a folder that has some",
            ) from error

    def rows(self, query: str, *values: object) -> sqlite3.Cursor:
        """Return what a query finds, row by row; an order without result is executed."""
        return self._base.execute(query, values)

    def one(self, query: str, *values: object) -> Any:
        """Return the first column of the first row that a query finds, None where it finds none."""
        row = self._base.execute(query, values).fetchone()
        return None if row is None else row[0]
