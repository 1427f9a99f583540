"""The console's own folder: who may enter, who is inside, who read what, and its keys.

Nothing of a case is kept here. Passwords are Argon2id hashes, sessions and identifiers digests:
whoever copies the folder can neither enter nor tell whom anybody looked at.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from stillwatch.errors import InputError

__all__ = ["Home", "failures", "open_home", "people", "reads", "sessions"]

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
)  # fmt: skip
sessions = sa.Table(
    "sessions", metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("login", sa.Text, nullable=False, index=True),
    sa.Column("csrf", sa.Text, nullable=False),
    sa.Column("began_us", sa.BigInteger, nullable=False),
    sa.Column("seen_us", sa.BigInteger, nullable=False),
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
_APPEND_ONLY: Final = "what was read is append-only"


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
    def signing_key(self) -> Path:
        """Return the file of the key that signs evidence packs."""
        return self.folder / "signing.key"

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()


def open_home(folder: Path) -> Home:
    """Open the console's folder; a new one is made, readable by its owner alone.

    Raises InputError: it cannot be written, or is another program's.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        secret = _secret(folder / "secret.key")
        engine = sa.create_engine(f"sqlite:///{folder / 'console.db'}")
        sa.event.listen(engine, "connect", _prepare)
        os.close(os.open(folder / "console.db", os.O_CREAT | os.O_RDWR, 0o600))
        metadata.create_all(engine)
        with engine.begin() as connection:
            for change in ("UPDATE", "DELETE"):
                connection.exec_driver_sql(
                    f"CREATE TRIGGER IF NOT EXISTS reads_no_{change.lower()} BEFORE {change} "
                    f"ON reads BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END"
                )
    except (OSError, sa.exc.SQLAlchemyError) as error:
        raise InputError(
            f"the console's folder cannot be opened ({type(error).__name__})", where=str(folder),
            hint="name a folder that this user may write with --home",
        ) from error  # fmt: skip
    return Home(folder, engine, secret)


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
