"""Brings the tables of a database to those of this version, step by step (Alembic)."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from stillwatch.errors import InputError

__all__ = ["upgrade_tables"]


def upgrade_tables(
    engine: sa.Engine, migrations: Path, *, lock: int, what: str, where: str
) -> None:
    """Make or alter the tables in one transaction; of several processes one at a time.

    ``migrations``: the folder of the steps; ``lock``: the number by which those who do the same
    wait for each other in PostgreSQL; ``what``: is kept in the tables, for a sentence.

    Raises InputError, naming ``where``: a newer stillwatch has made them.
    """
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")
            config = Config()
            config.set_main_option("script_location", str(migrations).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        engine.dispose()
        raise InputError(
            f"{what} are kept in a version that this one does not know", where=where,
            hint="a newer stillwatch has opened them: update this one too",
        ) from error  # fmt: skip
