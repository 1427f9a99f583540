"""The catalogue of a day store: which source files were read, which parts hold their rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson

from stillwatch.errors import ConfigError, InputError
from stillwatch.store.day_parts import Part

__all__ = ["Catalog", "SourceFile", "StoredFile"]

_FORMAT: Final = "1"
_TABLES: Final = (
    "kept (key VARCHAR, value VARCHAR)",
    "files (id INTEGER, path VARCHAR, size BIGINT, changed_ns BIGINT, digest VARCHAR, "
    "format VARCHAR, columns VARCHAR, ledger BLOB, rows BIGINT, first_us BIGINT, last_us BIGINT, "
    "read_us BIGINT, state VARCHAR)",
    "parts (name VARCHAR, day VARCHAR, digest VARCHAR, size BIGINT, rows BIGINT, level INTEGER)",
)


@dataclass(frozen=True)
class SourceFile:
    """A file of logs as it was when it was read: its digest is of the bytes as they lie there."""

    path: str
    size: int
    changed_ns: int
    digest: str


@dataclass(frozen=True)
class StoredFile:
    """What a source file gave. ``ledger``: its ledger's state; times are None without rows."""

    number: int
    source: SourceFile
    format: str
    columns: tuple[str, ...]
    ledger: Mapping[str, Any]
    rows: int
    first_us: int | None
    last_us: int | None


class Catalog:
    """DuckDB tables in one file; a change is whole or it did not happen, also after a kill.

    States of a file: live; replaced (it changed since, other rows stand for it); failed (it could
    not be read to its end); expired. Rows of replaced and failed files count nowhere.
    """

    def __init__(self, path: Path, key: Mapping[str, str] | None) -> None:
        """Open or make it; ``key`` None takes it as it is.

        Raises InputError: damaged. ConfigError: made for another ``key``.
        """
        try:
            self._con = duckdb.connect(str(path), config={"threads": 1, "memory_limit": "1GB"})
            for table in _TABLES:
                self._con.execute(f"CREATE TABLE IF NOT EXISTS {table}")
            held = dict(self._con.execute("SELECT key, value FROM kept").fetchall())
        except duckdb.Error as error:
            raise InputError(
                f"the catalogue cannot be opened ({type(error).__name__})", where=str(path),
                hint="move the folder of days aside; it is filled anew from the logs",
            ) from error  # fmt: skip
        if key is None:
            return
        wanted = {"format": _FORMAT, **key}
        if not held:
            self._con.executemany("INSERT INTO kept VALUES (?, ?)", sorted(wanted.items()))
        elif held != wanted:
            differing = sorted(k for k in held.keys() | wanted if held.get(k) != wanted.get(k))
            self._con.close()
            raise ConfigError(
                f"these days were read in another way: {', '.join(differing)}", where=str(path),
                hint="give the same options, or move the folder of days aside to read anew",
            )  # fmt: skip

    def close(self) -> None:
        """Let go of the file; the catalog answers nothing from here on."""
        self._con.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold a transaction: what is entered in it is entered whole or not at all."""
        self._con.begin()
        try:
            yield
            self._con.commit()
        except BaseException:
            self._con.rollback()
            raise

    def enter_file(self, file: StoredFile, state: str, read_us: int) -> None:
        """Note a file that was read. ``state``: live or failed; ``read_us``: when, UTC."""
        self._con.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                file.number, file.source.path, file.source.size, file.source.changed_ns,
                file.source.digest, file.format, json.dumps(file.columns),
                orjson.dumps(file.ledger), file.rows, file.first_us, file.last_us, read_us, state,
            ],
        )  # fmt: skip

    def enter_part(self, part: Part) -> None:
        """Note a part that lies in the folder, whole."""
        self._con.execute(
            "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?)",
            [part.name, part.day, part.digest, part.size, part.rows, part.level],
        )

    def replace_file(self, path: str, *, but: int) -> None:
        """Let the rows that a path gave before count no longer; file ``but`` stands for it now."""
        self._con.execute(
            "UPDATE files SET state = 'replaced' WHERE path = ? AND state = 'live' AND id <> ?",
            [path, but],
        )

    def move_file(self, number: int, source: SourceFile) -> None:
        """Note that a file lies elsewhere now, or was touched, with the same bytes."""
        self._con.execute(
            "UPDATE files SET path = ?, size = ?, changed_ns = ? WHERE id = ?",
            [source.path, source.size, source.changed_ns, number],
        )

    def drop_parts(self, names: list[str]) -> None:
        """Forget parts; their files are the caller's to remove."""
        self._con.executemany("DELETE FROM parts WHERE name = ?", [[name] for name in names])

    def expire_files(self, before_us: int) -> None:
        """Forget what files gave whose rows are all earlier, or that gave none and are as old."""
        self._con.execute(
            "UPDATE files SET state = 'expired', ledger = '{}' "
            "WHERE state = 'live' AND coalesce(last_us, read_us) < ?",
            [before_us],
        )
        self._con.execute(
            "DELETE FROM files WHERE state IN ('replaced', 'failed') "
            "AND coalesce(last_us, read_us) < ?",
            [before_us],
        )

    def forget_files(self, numbers: list[int]) -> None:
        """Forget that files were ever read."""
        self._con.executemany("DELETE FROM files WHERE id = ?", [[n] for n in numbers])

    def known(self) -> dict[str, tuple[int, SourceFile, str]]:
        """Return path → (number, file, state) of what need not be read again."""
        rows = self._con.execute(
            "SELECT id, path, size, changed_ns, digest, state FROM files "
            "WHERE state IN ('live', 'expired') ORDER BY id"
        ).fetchall()
        return {r[1]: (r[0], SourceFile(*r[1:5]), r[5]) for r in rows}

    def files(self, since_us: int, until_us: int) -> list[StoredFile]:
        """Return the live files with a row in the window, and those that gave none, by path."""
        rows = self._con.execute(
            "SELECT id, path, size, changed_ns, digest, format, columns, ledger, rows, first_us, "
            "last_us FROM files WHERE state = 'live' AND (rows = 0 OR (first_us < ? AND last_us >= "
            "?)) ORDER BY path",
            [until_us, since_us],
        ).fetchall()
        return [
            StoredFile(
                r[0], SourceFile(*r[1:5]), r[5], tuple(json.loads(r[6])), orjson.loads(r[7]),
                r[8], r[9], r[10],
            )
            for r in rows
        ]  # fmt: skip

    def dead(self) -> list[int]:
        """Return the numbers of files whose rows count nowhere."""
        rows = self._con.execute(
            "SELECT id FROM files WHERE state IN ('replaced', 'failed') ORDER BY id"
        ).fetchall()
        return [row[0] for row in rows]

    def parts(self, first_day: str = "", last_day: str = "9999-12-31") -> list[Part]:
        """Return the parts of days from the first to the last, both included, by name."""
        rows = self._con.execute(
            "SELECT name, day, digest, size, rows, level FROM parts "
            "WHERE day BETWEEN ? AND ? ORDER BY name",
            [first_day, last_day],
        ).fetchall()
        return [Part(*row) for row in rows]

    def next_file(self) -> int:
        """Return a number that no file in the catalogue has."""
        return self._one("SELECT coalesce(max(id), -1) + 1 FROM files")

    def next_part(self) -> int:
        """Return a number that no part in the catalogue has."""
        return self._one("SELECT coalesce(max(CAST(name[12:19] AS INTEGER)), 0) + 1 FROM parts")

    def newest(self) -> tuple[int | None, int | None]:
        """Return the newest exchange and the newest reading, in microseconds since 1970."""
        row = self._con.execute(
            "SELECT max(last_us), max(read_us) FROM files WHERE state IN ('live', 'expired')"
        ).fetchone()
        return (None, None) if row is None else (row[0], row[1])

    def files_with(self, paths: list[Path], exchange_ids: list[str]) -> set[int]:
        """Return the numbers of the files that gave any of these exchanges."""
        if not paths or not exchange_ids:
            return set()
        rows = self._con.execute(
            "SELECT DISTINCT file FROM read_parquet(?) WHERE exchange_id IN (SELECT unnest(?))",
            [[str(p) for p in paths], exchange_ids],
        ).fetchall()
        return {row[0] for row in rows}

    def _one(self, sql: str) -> int:
        row = self._con.execute(sql).fetchone()
        return int(row[0]) if row else 0
