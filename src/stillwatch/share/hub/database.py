"""Connections: SQLite beside the hub, or PostgreSQL; a statement sees one moment.

In SQLite a write takes the file's only write lock at once (BEGIN IMMEDIATE), so that it never fails
halfway for a lock. In PostgreSQL every write takes its locks in one order, so that none waits for
another in a ring: submission, collection, usage, chain.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from stillwatch.errors import ConfigError

__all__ = ["Database", "lock_chain"]

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_CHAIN_LOCK: Final = 7_305_801_142_960_217  # any number that nobody else takes
_BUSY_MS: Final = 30_000


class Database:
    """The engine of a hub, and its two kinds of transaction."""

    def __init__(self, url: str, *, connections: int = 10) -> None:
        """Open nothing yet.

        Raises:
            ConfigError: the URL names neither SQLite nor PostgreSQL.
        """
        target = _driven(url)
        self.is_sqlite = target.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._reader = create_async_engine(target, pool_size=connections)
            self._writer = create_async_engine(target, pool_size=1, max_overflow=0)
            _prepare_sqlite(self._reader, "BEGIN")
            _prepare_sqlite(self._writer, "BEGIN IMMEDIATE")
        else:
            self._writer = create_async_engine(
                target,
                pool_size=connections,
                max_overflow=connections,
                connect_args={"server_settings": {"jit": "off"}},  # it costs more than a page
            )
            self._reader = self._writer.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection that only reads; in PostgreSQL each statement sees its own moment."""
        async with self._reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection inside a transaction: all of it is committed at the end, or nothing."""
        async with self._writer.begin() as connection:
            yield connection

    async def forget(self) -> None:
        """Empty SQLite's write-ahead log, which still holds what was deleted.

        PostgreSQL clears rows that are gone by itself (autovacuum).
        """
        if self.is_sqlite:
            async with self._writer.connect() as connection:
                raw = await connection.get_raw_connection()
                if raw.driver_connection is not None:
                    await raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        """Close all connections."""
        await self._reader.dispose()
        await self._writer.dispose()


def _driven(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError("not a database URL", where="database") from error
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise ConfigError(
            f"databases are {' and '.join(_DRIVERS)}, not {parsed.get_backend_name()}",
            where="database",
        )
    return parsed.set(drivername=driver)


def _prepare_sqlite(engine: AsyncEngine, begin: str) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # what was acknowledged survives a power cut
            f"busy_timeout={_BUSY_MS}",
            "foreign_keys=ON",
            "secure_delete=ON",  # what is deleted is overwritten
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)


async def lock_chain(connection: AsyncConnection) -> None:
    """Wait until this transaction is the only one that appends to the chain."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CHAIN_LOCK})
