"""A package: what is to leave together, in a folder of the outbox named for its content.

objects.json (the objects, in the one writing), package.json (purpose, not before), release.json
(the signed release), receipts.jsonl (what the hub answered). A file that exists is whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.schema import write_whole
from stillwatch.seal import canonical, digest
from stillwatch.share.client.home import Home, stamp
from stillwatch.share.shape import read_time

__all__ = ["OBJECTS", "RECEIPTS", "RELEASE", "Package", "package_of", "packages", "write_package"]

OBJECTS: Final = "objects.json"
ABOUT: Final = "package.json"
RELEASE: Final = "release.json"
RECEIPTS: Final = "receipts.jsonl"


@dataclass(frozen=True)
class Package:
    """One package. ``name``: 16 hex digits of its content's digest. ``not_before``: UTC or None."""

    path: Path
    name: str
    digest: str
    purpose: str
    not_before: datetime | None
    objects: tuple[dict[str, Any], ...]

    def envelope(self) -> dict[str, Any] | None:
        """Return the signed release, None while nobody has reviewed."""
        file = self.path / RELEASE
        if not file.exists():
            return None
        found: dict[str, Any] = json.loads(file.read_bytes())
        return found

    def receipts(self) -> dict[tuple[str, str], str]:
        """Return what the hub answered by object version: ``success`` or ``failure``."""
        file = self.path / RECEIPTS
        found = {}
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
            try:
                row = json.loads(line)
                found[(row["id"], row["version"])] = row["status"]
            except (ValueError, KeyError):
                continue  # a line cut off by a crash: its objects are sent once more
        return found

    @property
    def needs_counsel(self) -> bool:
        """Whether it claims something about an operator."""
        return any(o["type"] in ("intrusion-set", "threat-actor") for o in self.objects)


def write_package(
    home: Home, objects: list[dict[str, Any]], purpose: str, *, not_before: datetime | None
) -> Package:
    """Write a package; the same objects for the same purpose are the same package."""
    body = canonical(objects)
    content = digest(body)
    name = content.removeprefix("sha256:")[:16]
    path = home.outbox / name
    if not (path / ABOUT).exists():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path / OBJECTS, body)
        about = {"digest": content, "purpose": purpose,
                 "not_before": stamp(not_before) if not_before else None}  # fmt: skip
        write_whole(path / ABOUT, canonical(about))
    return package_of(home, name)


def package_of(home: Home, name: str) -> Package:
    """Read a package by the first digits of its name.

    Raises:
        ConfigError: there is none, or more than one.
        EvidenceError: its objects are not those that it was made of.
    """
    found = [p for p in sorted(home.outbox.glob("*")) if p.name.startswith(name) and name]
    if len(found) != 1:
        raise ConfigError(
            "no such package" if not found else "more than one package begins so",
            where=str(home.outbox / "…"), hint="`stillwatch share list` names them",
        )  # fmt: skip
    return _read(found[0])


def _read(path: Path) -> Package:
    try:
        about = json.loads((path / ABOUT).read_bytes())
        body = (path / OBJECTS).read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigError("not a whole package", where=str(path)) from error
    if digest(body) != about["digest"]:
        raise EvidenceError("the package was changed after it was prepared", where=path.name)
    return Package(path, path.name, about["digest"], about["purpose"],
                   read_time(about["not_before"]), tuple(json.loads(body)))  # fmt: skip


def packages(home: Home) -> Iterator[Package]:
    """Yield the packages of the outbox, by name."""
    for path in sorted(home.outbox.glob("*")):
        if (path / ABOUT).exists():
            yield _read(path)
