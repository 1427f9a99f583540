"""Days of features kept between runs: what was read once is read no more, and a window is composed.

The folder holds ``catalog.duckdb`` and ``parts/YYYY-MM-DD/NNNNNNNN.parquet``. A part is written
aside, brought to the disk and renamed; then one transaction of the catalogue names it, together
with the source files whose rows it holds. A kill in between leaves a part that nothing names, and
the next opening removes it: the store is as before the delivery or as after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import ConfigError, InputError, RunnerError
from stillwatch.schema import held_folder, to_micros
from stillwatch.store.day_catalog import Catalog, SourceFile, StoredFile
from stillwatch.store.day_parts import (
    DAY_US,
    FILE,
    Part,
    PartWriter,
    day_of,
    digest_of,
    span_of,
)

__all__ = [
    "DayStore",
    "DayWindow",
    "Delivery",
    "SourceFile",
    "StoredFile",
    "erase_account",
    "open_days",
]

_CATALOG: Final = "catalog.duckdb"
_PARTS: Final = "parts"
_MERGED: Final = 32  # so many parts of one day and level become one of the next level
_HINT: Final = "move the folder of days aside; it is filled anew from the logs"


@dataclass(frozen=True)
class DayWindow:
    """A window composed of stored days.

    ``files``: those with a row in it, by path, and those that gave none. ``parts``: Parquet files
    whose rows, less those of the files numbered in ``without``, include all of the window's.
    """

    since: datetime
    until: datetime
    files: tuple[StoredFile, ...]
    parts: tuple[Path, ...]
    without: tuple[int, ...]
    rows: int


def erase_account(folder: Path, account_id: str) -> int:
    """Remove an account's rows from every part of a day store; return how many are gone.

    Windows composed afterwards are no longer, byte for byte, those of logs that still hold it.

    Raises ConfigError: there is no day store, or a watch uses it. InputError: it is damaged.
    """
    if not (folder / _CATALOG).is_file():
        raise ConfigError(
            "no day store is there", where=str(folder), hint="give the folder `days` of a watch"
        )
    with held_folder(folder, where=str(folder), busy="another process uses these days"):
        catalog = Catalog(folder / _CATALOG, None)
        try:
            return DayStore(folder, catalog, pa.schema([])).erase(account_id)
        finally:
            catalog.close()


@contextmanager
def open_days(folder: Path, *, key: Mapping[str, str], schema: pa.Schema) -> Iterator[DayStore]:
    """Open a day store, made now where there is none, and hold it against a second process.

    ``key``: what decides the rows that a log gives (kernel, format); days of another key are
    refused. ``schema``: of the features.

    Raises ConfigError: somebody else holds it, or it was filled in another way. InputError: it is
    damaged.
    """
    with held_folder(folder, where=str(folder), busy="another process uses these days"):
        catalog = Catalog(folder / _CATALOG, key)
        try:
            store = DayStore(folder, catalog, schema)
            store.tidy()
            yield store
        finally:
            catalog.close()


class DayStore:
    """Use `open_days`."""

    def __init__(self, folder: Path, catalog: Catalog, schema: pa.Schema) -> None:
        self._parts = folder / _PARTS
        self._catalog = catalog
        self._schema = schema
        self._parts.mkdir(exist_ok=True)

    def tidy(self) -> None:
        """Remove what an interrupted delivery left: files that the catalogue does not name."""
        named = {part.name for part in self._catalog.parts()}
        for path in self._parts.glob("*/*"):
            if path.relative_to(self._parts).as_posix() not in named:
                path.unlink()

    def known(self) -> dict[str, tuple[int, SourceFile, str]]:
        """Return path → (number, file, state) of the files that need not be read again."""
        return self._catalog.known()

    @contextmanager
    def delivery(self, now: datetime) -> Iterator[Delivery]:
        """Take rows of source files; on leaving without an error all of it is kept, else nothing.

        ``now``: UTC. Raises RunnerError when the disk does not take it.
        """
        made = Delivery(
            PartWriter(self._parts, self._schema, self._catalog.next_part()),
            self._catalog.next_file(), to_micros(now),
        )  # fmt: skip
        try:
            yield made
            parts = made.writer.publish()
            with self._catalog.changing():
                for part in parts:
                    self._catalog.enter_part(part)
                for file, state in made.entered:
                    self._catalog.enter_file(file, state, made.read_us)
                    if state == "live":
                        self._catalog.replace_file(file.source.path, but=file.number)
                for number, source in made.moved:
                    self._catalog.move_file(number, source)
        except OSError as error:
            raise _unwritten(error) from error
        finally:
            made.writer.abandon()

    def merge(self) -> int:
        """Make one part of 32 and more of one day and level; return how many parts went.

        Rows of files that count no longer stay behind.
        """
        groups: dict[tuple[str, int], list[Part]] = {}
        for part in self._catalog.parts():
            groups.setdefault((part.day, part.level), []).append(part)
        gone: list[str] = []
        for (day, level), parts in sorted(groups.items()):
            if len(parts) >= _MERGED:
                gone += self._rewrite(day, parts, level + 1)
        return len(gone)

    def erase(self, account_id: str) -> int:
        """Remove an account's rows; return how many. Raises as `erase_account`."""
        gone = 0
        for part in self._catalog.parts():
            held = _checked(self._parts, part).read(columns=["account_id"])["account_id"]
            mine = pc.sum(pc.equal(held, account_id)).as_py() or 0
            if mine:
                self._rewrite(part.day, [part], part.level, without=account_id)
                gone += mine
        return gone

    def _rewrite(
        self, day: str, parts: list[Part], level: int, without: str | None = None
    ) -> list[str]:
        dead = pa.array(self._catalog.dead(), pa.int32())
        shape = pq.read_schema(self._parts / parts[0].name)
        shape = shape.remove(shape.get_field_index(FILE.name))
        writer = PartWriter(self._parts, shape, self._catalog.next_part(), level)
        try:
            for part in parts:
                for rows in _checked(self._parts, part).iter_batches():
                    lost = pc.is_in(rows["file"], dead)
                    if without is not None:
                        lost = pc.or_(lost, pc.equal(rows["account_id"], without))
                    kept = rows.filter(pc.invert(lost))
                    if kept.num_rows:
                        writer.write_day(day, kept)
            made = writer.publish()
        except OSError as error:
            raise _unwritten(error) from error
        finally:
            writer.abandon()
        names = [part.name for part in parts]
        with self._catalog.changing():
            self._catalog.drop_parts(names)
            for part in made:
                self._catalog.enter_part(part)
        self._unlink(names)
        return names

    def expire(self, before: datetime) -> int:
        """Remove the days before a moment's UTC day; return how many parts went."""
        first_kept = day_of(to_micros(before))
        before_us = to_micros(before) // DAY_US * DAY_US
        names = [p.name for p in self._catalog.parts() if p.day < first_kept]
        if not names:
            return 0
        with self._catalog.changing():
            self._catalog.drop_parts(names)
            self._catalog.expire_files(before_us)
        self._unlink(names)
        return len(names)

    def forget_gone(self, present: set[str]) -> None:
        """Drop the memory of expired files that do not lie at their source any more."""
        gone = [
            number
            for path, (number, _, state) in self._catalog.known().items()
            if state == "expired" and path not in present
        ]
        if gone:
            with self._catalog.changing():
                self._catalog.forget_files(gone)

    def newest(self) -> tuple[int | None, int | None]:
        """Return the newest exchange and the last reading (us since 1970), None without any."""
        return self._catalog.newest()

    def size(self) -> tuple[int, int, int]:
        """Return how many days, rows and bytes there are."""
        parts = self._catalog.parts()
        return len({p.day for p in parts}), sum(p.rows for p in parts), sum(p.size for p in parts)

    def window(self, since: datetime, until: datetime) -> DayWindow:
        """Compose the window [since, until). Raises InputError: a part is damaged or missing."""
        since_us, until_us = to_micros(since), to_micros(until)
        parts = self._catalog.parts(day_of(since_us), day_of(until_us - 1))
        for part in parts:
            _check(self._parts, part)
        return DayWindow(
            since, until, tuple(self._catalog.files(since_us, until_us)),
            tuple(self._parts / part.name for part in parts), tuple(self._catalog.dead()),
            sum(part.rows for part in parts),
        )  # fmt: skip

    def files_with(self, window: DayWindow, exchange_ids: list[str]) -> list[StoredFile]:
        """Return which files of a window gave any of these exchanges."""
        numbers = self._catalog.files_with(list(window.parts), exchange_ids)
        return [file for file in window.files if file.number in numbers]

    def _unlink(self, names: list[str]) -> None:
        for name in names:
            (self._parts / name).unlink(missing_ok=True)
        for folder in {(self._parts / name).parent for name in names}:
            if not any(folder.iterdir()):
                folder.rmdir()


class Delivery:
    """Rows of source files on their way into a store. Use `DayStore.delivery`."""

    def __init__(self, writer: PartWriter, first: int, read_us: int) -> None:
        self.writer = writer
        self.read_us = read_us
        self.rows = 0
        self.entered: list[tuple[StoredFile, str]] = []
        self.moved: list[tuple[int, SourceFile]] = []
        self._next = first
        self._rows = 0
        self._span: tuple[int, int] | None = None

    def write(self, features: pa.RecordBatch) -> None:
        """Take rows of the file that is being read."""
        if not features.num_rows:
            return
        low, high = span_of(features)
        self._span = (
            (low, high) if self._span is None
            else (min(low, self._span[0]), max(high, self._span[1]))
        )  # fmt: skip
        self._rows += features.num_rows
        self.writer.write(features, self._next)

    def finish(
        self, source: SourceFile, *, format: str, columns: tuple[str, ...],
        ledger: Mapping[str, Any], failed: bool = False,
    ) -> StoredFile:  # fmt: skip
        """Enter the file that was read; what is written from now on is of the next one.

        ``failed``: it could not be read to its end, so its rows count nowhere.
        """
        first, last = self._span or (None, None)
        file = StoredFile(self._next, source, format, columns, ledger, self._rows, first, last)
        self.entered.append((file, "failed" if failed else "live"))
        self.rows += self._rows
        self._next, self._rows, self._span = self._next + 1, 0, None
        return file

    def move(self, number: int, source: SourceFile) -> None:
        """Note that a known file lies elsewhere or was touched, with the same bytes."""
        self.moved.append((number, source))


def _check(folder: Path, part: Part) -> None:
    try:
        whole = digest_of(folder / part.name) == part.digest
    except OSError as error:
        raise InputError(
            f"a part of the day store cannot be read ({error.strerror})", where=part.name,
            hint=_HINT,
        ) from error  # fmt: skip
    if not whole:
        raise InputError("other bytes than were written", where=part.name, hint=_HINT)


def _checked(folder: Path, part: Part) -> pq.ParquetFile:
    _check(folder, part)
    return pq.ParquetFile(folder / part.name)


def _unwritten(error: OSError) -> RunnerError:
    return RunnerError(
        f"the day store cannot be written ({error.strerror or type(error).__name__})",
        where="days", hint="free disk space and go on; what was kept is whole",
    )  # fmt: skip
