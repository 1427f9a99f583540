"""Brings a database to the tables of this version, step by step (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from stillwatch.errors import ConfigError
from stillwatch.share.hub.database import Database

__all__ = ["demand_current", "upgrade"]


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


async def upgrade(database: Database) -> None:
    """Make or alter the tables, in one transaction."""
    async with database.writing() as connection:
        await connection.run_sync(_upgrade)


def _current(connection: Connection) -> tuple[str | None, str | None]:
    found = MigrationContext.configure(connection).get_current_revision()
    return found, ScriptDirectory.from_config(_config()).get_current_head()


async def demand_current(database: Database) -> None:
    """Return if the tables are those of this version.

    Raises:
        ConfigError: they are older or newer.
    """
    async with database.reading() as connection:
        found, head = await connection.run_sync(_current)
    if found != head:
        raise ConfigError(
            f"the database has the tables of step {found or 'none'}, this version those of {head}",
            where="database",
            hint="stillwatch hub migrate",
        )
