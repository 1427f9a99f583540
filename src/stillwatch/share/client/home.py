"""The member's home folder: share.toml, keys of its people, outbox, what was pulled, its ledger."""

from __future__ import annotations

import os
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stillwatch.errors import ConfigError
from stillwatch.schema import write_whole
from stillwatch.seal import Ledger, read_public_key
from stillwatch.share.catalogue import IEP
from stillwatch.share.legal import LegalBasis, legal_bases

__all__ = ["SETTINGS", "Home", "open_home", "start_home"]

SETTINGS: Final = "share.toml"
_TEMPLATE: Final = """# A member's settings of the exchange; see docs/sharing.md.
contributor = "{contributor}"   # the pseudonym under which you share
tlp = "amber"

# [hub]
# url = "https://hub.example/api1/"       # the API root, with its last slash
# collection = "00000000-0000-4000-8000-000000000000"
# token_env = "STILLWATCH_HUB_TOKEN"      # the variable that holds the bearer token
# ledger = "stillwatch.hub/0123456789abcdef"   # both as the hub's operator publishes them
# ledger_key = ""

# Who cosigns the hub's ledger and holds the other half of the matching key.
# [witness]
# url = "https://witness.example/"
# token_env = "STILLWATCH_WITNESS_TOKEN"
# ledger = "stillwatch.witness/0123456789abcdef"
# ledger_key = ""

# Two of them release what leaves. `stillwatch share keys NAME` makes a pair.
# [people.alice]
# key = "keys/alice.pub"
# [people.bob]
# key = "keys/bob.pub"
# [people.carol]
# key = "keys/carol.pub"
# counsel = true

# Without a basis that is in force nothing leaves.
# [[legal_basis]]
# name = ""
# source = ""
# since = 2026-01-01
# until = 2027-01-01
# reviewed_by = ""
# purposes = ["detection", "correction"]
"""


@dataclass(frozen=True)
class Person:
    """Somebody who may release. ``counsel``: may release claims about operators."""

    name: str
    key: Ed25519PublicKey
    counsel: bool


@dataclass(frozen=True)
class Home:
    """A member's settings. ``approval_days``: how long a release holds."""

    path: Path
    contributor: str
    tlp: str
    hub: Mapping[str, str]
    people: Mapping[str, Person]
    bases: tuple[LegalBasis, ...]
    approval: timedelta
    warninglist: frozenset[str]
    canaries: frozenset[str]
    arbiters: frozenset[str]
    witness: Mapping[str, str]

    @property
    def outbox(self) -> Path:
        """Folder of packages."""
        return self.path / "outbox"

    @property
    def pulled(self) -> Path:
        """Folder of what came from the hub."""
        return self.path / "pulled"

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """Yield the member's own ledger of what it said, refused and read."""
        with Ledger(self.path / "ledger.db", origin=f"stillwatch.client/{self.contributor}") as own:
            yield own

    def token(self) -> str:
        """Return the bearer token of the hub from its variable, empty where none is named.

        Raises:
            ConfigError: the variable is named and not set.
        """
        name = self.hub.get("token_env", "")
        if name and not os.environ.get(name):
            raise ConfigError("the variable is not set", where=name, hint="export the hub's token")
        return os.environ.get(name, "") if name else ""


def start_home(path: Path, *, contributor: uuid.UUID) -> Path:
    """Make a home folder with settings to be filled in, and return the settings' path.

    Raises:
        ConfigError: there is one already.
    """
    settings = path / SETTINGS
    if settings.exists():
        raise ConfigError("there are settings already", where=str(settings))
    for folder in (path, path / "keys", path / "outbox", path / "pulled"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(settings, _TEMPLATE.format(contributor=f"identity--{contributor}").encode())
    return settings


def open_home(path: Path) -> Home:
    """Read a home folder.

    Raises:
        ConfigError: no settings, an unknown name in them, a key that cannot be read, two people
            with one key.
    """
    settings = path / SETTINGS
    try:
        raw = tomllib.loads(settings.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            "no settings", where=str(settings), hint="make them with `stillwatch share start`"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"no TOML: {error}", where=str(settings)) from error
    known = {"contributor", "tlp", "hub", "people", "legal_basis", "approval_days", "warninglist",
             "canaries", "arbiters", "witness"}  # fmt: skip
    if set(raw) - known:
        raise ConfigError(
            f"unknown settings: {', '.join(sorted(set(raw) - known))}", where=str(settings)
        )
    tlp = raw.get("tlp", "amber")
    if tlp not in IEP:
        raise ConfigError("is no TLP level that leaves", where="tlp", hint=", ".join(IEP))
    days = raw.get("approval_days", 14)
    if not isinstance(days, int) or not 1 <= days <= 90:
        raise ConfigError("must be 1 to 90", where="approval_days")
    return Home(
        path, str(raw.get("contributor", "")), tlp, raw.get("hub", {}),
        _people(path, raw.get("people", {})), legal_bases(raw.get("legal_basis", ())),
        timedelta(days=days), _values(path, raw.get("warninglist")),
        frozenset(map(str, raw.get("canaries", ()))), frozenset(map(str, raw.get("arbiters", ()))),
        raw.get("witness", {}),
    )  # fmt: skip


def _people(path: Path, rows: Mapping[str, Any]) -> dict[str, Person]:
    people = {
        name: Person(name, read_public_key(path / str(row["key"])), bool(row.get("counsel")))
        for name, row in rows.items()
    }
    keys = {person.key.public_bytes_raw() for person in people.values()}
    if len(keys) != len(people):
        raise ConfigError("two people have one key", where="people", hint="a key each")
    return people


def _values(path: Path, name: str | None) -> frozenset[str]:
    if name is None:
        return frozenset()
    try:
        lines = (path / name).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError("cannot be read", where=str(path / name)) from error
    return frozenset(line.strip() for line in lines if line.strip() and line[0] != "#")


def stamp(moment: datetime) -> str:
    """Return ISO 8601 in UTC to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
