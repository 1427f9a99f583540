"""The case database, opened: one writer at a time, every entry chained to the one before it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from stillwatch.cases.projection import project
from stillwatch.cases.tables import bodies, history
from stillwatch.errors import ConfigError, InputError
from stillwatch.schema import from_micros, to_micros
from stillwatch.seal import Link, append, canonical, digest

try:
    import sqlalchemy as sa

    from stillwatch.cases.upgrading import upgrade_tables
except ImportError as error:  # pragma: no cover
    raise ConfigError(
        "cases need the packages sqlalchemy and alembic", hint="pip install 'stillwatch[cases]'"
    ) from error

__all__ = ["Book", "Writer", "commitment", "leave_the_file", "open_book"]

# Clocks of two machines differ a little. More than this is a clock that was set back, and then
# neither an expiry nor an appeal's time can be told.
_CLOCK_SLACK: Final = timedelta(minutes=5)
_BUSY_S: Final = 30
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def open_book(where: str | Path, *, make: bool = True) -> Book:
    """Open a case database, bringing its schema to the present version.

    ``where``: a file (SQLite) or the URL of a PostgreSQL database. ``make``: a file that is not
    there is made; else its name may be mistyped, and an empty one would say that nobody was ever
    let go or restored.

    Raises InputError: it is not there, cannot be opened, is another program's, or a newer
    stillwatch has opened it.
    """
    url = _url(str(where))
    file = url.removeprefix("sqlite:///") if url.startswith("sqlite:///") else ""
    if not make and file and not Path(file).exists():
        raise InputError(
            "no such case database", where=f"--db {file}",
            hint="give the one that `stillwatch case open` or `watch` writes",
        )  # fmt: skip
    try:
        engine = sa.create_engine(url)
        if engine.dialect.name == "sqlite":
            _one_writer(engine)
        upgrade_tables(engine, _MIGRATIONS, lock=7202611, what="the cases", where="--db")
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
        raise InputError(
            f"the case database cannot be opened ({type(error).__name__})",
            where="--db",
            hint="give a file where you may write, or the URL of a PostgreSQL database",
        ) from error  # fmt: skip
    return Book(engine)


class Book:
    """An open case database. Use `open_book`."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Hold a transaction that sees one state of the database."""
        with _told():
            reader = self.engine.connect().execution_options(reading=True)
            with reader as connection, connection.begin():
                yield connection

    @contextmanager
    def writing(self, now: datetime) -> Iterator[Writer]:
        """Hold the only transaction that writes; everything in it happens, or nothing.

        The time of an entry is never before that of the entry before it.

        Raises ConfigError: the clock is more than five minutes behind the last entry.
        """
        with _told(), self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.exec_driver_sql("LOCK TABLE history IN EXCLUSIVE MODE")
            last = last_link(connection)
            yield Writer(connection, last, _checked_clock(now, last))

    def time(self, now: datetime) -> datetime:
        """Return the later of the clock and the last entry: a clock set back revives nothing."""
        with self.reading() as connection:
            last = last_link(connection)
        return now if last is None else max(now, from_micros(last.value["at_us"]))


@dataclass
class Writer:
    """Adds entries within one transaction. ``now`` is the time of all of them."""

    connection: sa.Connection
    last: Link | None
    now: datetime

    @property
    def next_number(self) -> int:
        """Return the number that the next entry gets."""
        return 0 if self.last is None else self.last.number + 1

    def add(self, kind: str, body: Mapping[str, Any]) -> int:
        """Write an entry and what follows from it in the other tables; return its number.

        The chain holds the kind, the time and a salted commitment to the body: the body can be
        erased later, and the chain still verifies.
        """
        salt = secrets.token_hex(16)
        at_us = to_micros(self.now)
        value = {"kind": kind, "at_us": at_us, "commitment": commitment(salt, body)}
        link = append(value, self.last)
        text = canonical(dict(body)).decode()
        self.connection.execute(
            history.insert().values(
                number=link.number, value=canonical(value).decode(), before=link.before,
                own=link.own,
            )
        )  # fmt: skip
        self.connection.execute(bodies.insert().values(number=link.number, salt=salt, body=text))
        project(self.connection, link.number, kind, json.loads(text), at_us)
        self.last = link
        return link.number


def leave_the_file(book: Book) -> None:
    """Bring SQLite's log of changes into the file and empty it, so that nothing stays there."""
    if book.engine.dialect.name == "sqlite":
        raw = book.engine.raw_connection()
        try:
            raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
        finally:
            raw.close()


def commitment(salt: str, body: Mapping[str, Any]) -> str:
    """Return the digest that stands in the chain for a body; without the salt it tells nothing."""
    return digest({"salt": salt, "body": dict(body)})


def last_link(connection: sa.Connection) -> Link | None:
    """Return the newest entry of the chain."""
    row = connection.execute(
        sa.select(history).order_by(history.c.number.desc()).limit(1)
    ).one_or_none()
    return None if row is None else Link(row.number, json.loads(row.value), row.before, row.own)


@contextmanager
def _told() -> Iterator[None]:
    """Turn the driver's errors into one of ours; their texts quote values and are left out."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        raise InputError(
            f"the case database failed ({type(error).__name__})",
            where="--db", hint="nothing of this step was written; is it locked, full, or damaged?",
        ) from error  # fmt: skip


def _checked_clock(now: datetime, last: Link | None) -> datetime:
    if last is None:
        return now
    before = from_micros(last.value["at_us"])
    if now < before - _CLOCK_SLACK:
        raise ConfigError(
            f"the clock is {before - now} behind the last entry",
            where="case database", hint="set this machine's clock; nothing was written",
        )  # fmt: skip
    return max(now, before)


def _url(where: str) -> str:
    if where.startswith("postgresql://"):
        return "postgresql+pg8000://" + where.removeprefix("postgresql://")
    return where if "://" in where else f"sqlite:///{where}"


def _one_writer(engine: sa.Engine) -> None:
    """Let SQLAlchemy, not the driver, begin transactions, and each as the only writer.

    Two processes that both read the chain's end and then write would fork it.
    """

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_S * 1000}")
        connection.execute("PRAGMA journal_mode = WAL")  # readers do not wait for the writer
        connection.execute("PRAGMA secure_delete = ON")  # what is erased leaves the file

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        reads = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
