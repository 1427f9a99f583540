"""The console's own folder: who may enter, who is inside, who read what, and its keys.

Nothing of a case is kept here. Passwords are Argon2id hashes, sessions and identifiers digests,
secrets of second factors encrypted:
whoever copies the folder can neither enter nor tell whom anybody looked at. Where several consoles
serve one team, what they share lies in PostgreSQL and the keys in each one's folder.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from stillwatch.cases import upgrade_tables
from stillwatch.errors import InputError

__all__ = ["Home", "factors", "failures", "habits", "open_home", "people", "reads", "sessions",
           "skips", "views"]  # fmt: skip

# Not Alembic's own name: the case database may lie in the same PostgreSQL database.
VERSIONS: Final = "console_version"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"

metadata = sa.MetaData()
people = sa.Table(
    "people", metadata,
    sa.Column("login", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("plain_name", sa.Text, nullable=False, unique=True),
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("secret", sa.Text),
    sa.Column("secret_until_us", sa.BigInteger),
    sa.Column("subject", sa.Text, unique=True),
    sa.Column("locked", sa.Boolean, nullable=False, default=False),
    sa.Column("email", sa.Text),
)  # fmt: skip
sessions = sa.Table(
    "sessions", metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("login", sa.Text, nullable=False, index=True),
    sa.Column("csrf", sa.Text, nullable=False),
    sa.Column("began_us", sa.BigInteger, nullable=False),
    sa.Column("seen_us", sa.BigInteger, nullable=False),
    sa.Column("second", sa.Boolean, nullable=False, server_default=sa.false()),
)  # fmt: skip
failures = sa.Table(
    "failures", metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("login", sa.Text, nullable=False, index=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
)  # fmt: skip
reads = sa.Table(
    "reads", metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at_us", sa.BigInteger, nullable=False, index=True),
    sa.Column("login", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("outcome", sa.Integer, nullable=False),
)  # fmt: skip
views = sa.Table(
    "views", metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("login", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("shared", sa.Boolean, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("login", "name"),
)  # fmt: skip
skips = sa.Table(
    "skips", metadata,
    sa.Column("login", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("until_us", sa.BigInteger, nullable=False),
)  # fmt: skip
habits = sa.Table(
    "habits", metadata,
    sa.Column("login", sa.Text, primary_key=True),
    sa.Column("zone", sa.Text, nullable=False),
)  # fmt: skip
factors = sa.Table(
    "factors", metadata,
    sa.Column("login", sa.Text, primary_key=True),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("confirmed", sa.Boolean, nullable=False),
    sa.Column("last_step", sa.BigInteger, nullable=False),
)  # fmt: skip


class Home:
    """The folder, opened. Use `open_home`."""

    def __init__(self, folder: Path, engine: sa.Engine, secret: bytes) -> None:
        self.folder, self.engine, self._secret = folder, engine, secret

    def key(self, purpose: str) -> str:
        """Return a secret for one purpose alone, in hex."""
        return hmac.new(self._secret, purpose.encode(), hashlib.sha256).hexdigest()

    @property
    def index(self) -> Path:
        """Return where indexes of runs are kept; they can be deleted at any time."""
        return self.folder / "index"

    @property
    def oidc(self) -> Path:
        """Return the file with the identity provider, which need not exist."""
        return self.folder / "oidc.toml"

    @property
    def mail(self) -> Path:
        """Return the file with the mail server, which need not exist."""
        return self.folder / "mail.toml"

    @property
    def signing_key(self) -> Path:
        """Return the file of the key that signs evidence packs."""
        return self.folder / "signing.key"

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()


def open_home(folder: Path, database: str | None = None) -> Home:
    """Open the console's folder; a new one is made, readable by its owner alone.

    ``database``: the URL of a PostgreSQL database for what several consoles of a team share; the
    folder then holds keys and the index alone. Its schema is brought to the present version.

    Raises InputError: it cannot be written or reached, is another program's, or a newer stillwatch
    has opened it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        secret = _secret(folder / "secret.key")
        engine = _engine(folder, database)
        upgrade_tables(
            engine, _MIGRATIONS, lock=7202612, what="the console's people", where=str(folder)
        )
    except (OSError, sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
        raise InputError(
            f"the console's folder cannot be opened ({type(error).__name__})", where=str(folder),
            hint="name a folder that this user may write with --home, or the URL of a PostgreSQL "
            "database with --people",
        ) from error  # fmt: skip
    return Home(folder, engine, secret)


def _engine(folder: Path, database: str | None) -> sa.Engine:
    if database is not None:
        return sa.create_engine(
            database.replace("postgresql://", "postgresql+pg8000://", 1), pool_pre_ping=True
        )
    os.close(os.open(folder / "console.db", os.O_CREAT | os.O_RDWR, 0o600))
    engine = sa.create_engine(f"sqlite:///{folder / 'console.db'}")
    sa.event.listen(engine, "connect", _prepare)
    return engine


def _secret(file: Path) -> bytes:
    if not file.exists():
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "wb") as out:
            out.write(secrets.token_bytes(32))
    held = file.read_bytes()
    if len(held) < 32:
        raise InputError("is no key of 32 bytes", where=str(file), hint="delete it; all must log in"
                         " again")  # fmt: skip
    return held


def _prepare(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA busy_timeout = 10000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
