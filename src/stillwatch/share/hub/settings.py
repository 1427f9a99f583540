"""A hub's folder: hub.toml with its settings, hub.key with its secret."""

from __future__ import annotations

import hashlib
import os
import secrets
import tomllib
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stillwatch.errors import ConfigError
from stillwatch.seal import new_key, public_key, read_private_key

__all__ = [
    "PURPOSES",
    "Settings",
    "Signer",
    "make_home",
    "make_signer",
    "read_key",
    "read_settings",
    "read_signer",
]

PURPOSES: Final = ("detection", "investigation", "mitigation", "measurement", "correction", "audit")
_FILE: Final = "hub.toml"
_KEY: Final = "hub.key"
_LEDGER: Final = "ledger"
_TEMPLATE: Final = """\
# The settings of a stillwatch hub; docs/hub.md explains each. Unknown names are refused.
title = "{title}"
# sqlite:///hub.sqlite (beside this file) or postgresql://user:password@host/database
database = "{database}"
# What is accepted: "antitrust" (docs/antitrust.md) or any STIX 2.1 by its "structure" alone.
rules = "{rules}"
{role}"""
_WITNESS: Final = """\
# A witness: it cosigns these ledgers' checkpoints, and holds the other half of the matching key.
role = "witness"
[ledgers]  # by name, the public key in Base64: both are printed by `stillwatch hub checkpoint`
"""


class Settings(BaseModel):
    """The settings of a hub; each has a default but ``database``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    title: str = "stillwatch hub"
    description: str = "A neutral exchange of warnings about adversarial distillation."
    contact: str | None = None
    database: str
    role: Literal["hub", "witness"] = "hub"
    rules: Literal["antitrust", "structure"] = "antitrust"
    public_url: str | None = Field(default=None, pattern=r"^https://[^/?#]+/?$")
    purpose: Literal["required", "optional"] = "optional"
    types: list[str] = []
    max_object_bytes: int = Field(default=100_000, ge=1_000)
    max_objects: int = Field(default=20_000, ge=1)
    inline_objects: int = Field(default=1_000, ge=0)
    page_size: int = Field(default=100, ge=1, le=1_000)
    max_page_size: int = Field(default=1_000, ge=1, le=10_000)
    status_days: int = Field(default=7, ge=1)
    evaluations_per_day: int = Field(default=20_000, ge=0)
    evaluations_per_month: int = Field(default=200_000, ge=0)
    candidates_per_month: int = Field(default=5_000, ge=0)
    corroborated_from: int = Field(default=2, ge=2)
    ledgers: dict[str, str] = {}
    legal_basis: list[dict[str, Any]] = []


def make_home(
    home: Path, *, title: str, database: str, rules: str = "antitrust", role: str = "hub"
) -> None:
    """Write a new hub's or witness's folder.

    Raises:
        ConfigError: there is a hub already, or a text that TOML cannot hold as it is.
    """
    file = home / _FILE
    if file.exists():
        raise ConfigError("a hub is here already and is not overwritten", where=str(file))
    if any(c in text for text in (title, database) for c in '"\\\n\r'):
        raise ConfigError(
            "a quotation mark, backslash or line break cannot stand in it", where="init"
        )
    home.mkdir(parents=True, exist_ok=True)
    handle = os.open(home / _KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as key:
        key.write(secrets.token_hex(32) + "\n")
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it may hold a password
    with os.fdopen(handle, "w", encoding="utf-8") as settings:
        text = _WITNESS if role == "witness" else ""
        settings.write(_TEMPLATE.format(title=title, database=database, rules=rules, role=text))
    new_key(home / _LEDGER)


def read_settings(home: Path) -> Settings:
    """Return the settings of the hub in a folder; a relative SQLite file lies in it.

    Raises:
        ConfigError: names the file, the setting and what is wrong with it.
    """
    file = home / _FILE
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            "there is no hub", where=str(file), hint="make one: stillwatch hub init"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not TOML: {error}", where=str(file)) from error
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = f"{file}: {'.'.join(map(str, first['loc']))}"
        raise ConfigError(first["msg"], where=where) from None
    prefix = "sqlite:///"
    if settings.database.startswith(prefix):
        path = home.resolve() / settings.database.removeprefix(prefix)
        return settings.model_copy(update={"database": f"{prefix}{path}"})
    return settings


def read_key(home: Path) -> bytes:
    """Return the secret that cursors, digests and pseudonyms are keyed with.

    Raises:
        ConfigError: no such file, or it holds something else.
    """
    file = home / _KEY
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise ConfigError("not a readable key", where=str(file)) from error
    if len(key) != 32:
        raise ConfigError("a key has 64 hexadecimal digits", where=str(file))
    return key


class Signer(NamedTuple):
    """Who signs checkpoints, or cosigns them: a name that follows from the key, and the key."""

    origin: str
    key: Ed25519PrivateKey


def make_signer(home: Path) -> None:
    """Make the key that signs checkpoints in a folder of an earlier version."""
    if not (home / _LEDGER).exists():
        new_key(home / _LEDGER)


def read_signer(home: Path, role: str) -> Signer:
    """Return who signs in this folder.

    Raises:
        ConfigError: there is no such key.
    """
    key = read_private_key(home / _LEDGER)
    raw = public_key(key).public_bytes_raw()
    return Signer(f"stillwatch.{role}/{hashlib.sha256(raw).hexdigest()[:16]}", key)
