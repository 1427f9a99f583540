"""What guards decide by, kept where many nodes can fetch it: signed, numbered, each step back one
command.

A depot is a folder or a prefix in an object store. Of each kind (snapshot, orders, effects) it
holds every version as an object of its own that is never written again, and one small signed
pointer, ``KIND.current.json``, that says which is in use. They are replaced one at a time, so that
a reader sees an old state or a new one. A pointer carries a number that only rises: whoever can
write to the store but has no key cannot bring an older state back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stillwatch.errors import ConfigError, EvidenceError, InputError, SchemaError
from stillwatch.guard.orders import ORDERS_KIND
from stillwatch.schema import EFFECTS_KIND, to_micros, write_whole
from stillwatch.schema.snapshot import SNAPSHOT_KIND
from stillwatch.seal import canonical, open_sealed, public_key, seal

__all__ = ["KINDS", "Files", "Pointer", "prune", "publish", "pull", "read_pointer", "step_back"]

KINDS: Final[Mapping[str, str]] = {
    "snapshot": SNAPSHOT_KIND, "orders": ORDERS_KIND, "effects": EFFECTS_KIND,
}  # fmt: skip
POINTER_KIND: Final = "guard-depot-pointer"
_FORMAT: Final = 1
_MOST_VERSIONS: Final = 50  # that a pointer names


class Files(Protocol):
    """Where a depot lies. All raise OSError; an object is whole or not there."""

    def read(self, name: str) -> bytes | None:
        """Return an object, None where there is none."""

    def write(self, name: str, data: bytes) -> None:
        """Write an object whole."""

    def names(self) -> list[str]:
        """Return the names of all objects of the depot, in any order."""

    def remove(self, name: str) -> None:
        """Remove an object; one that is not there is removed already."""


@dataclass(frozen=True)
class Version:
    """One object of a depot: its name, its digest, who put it there and when."""

    file: str
    sha256: str
    by: str
    at_us: int


@dataclass(frozen=True)
class Pointer:
    """Which version is in use. ``serial`` rises with every step, also with one back.

    ``versions``: the newest last; ``current`` is the place of the one in use.
    """

    kind: str
    serial: int
    current: int
    versions: tuple[Version, ...]

    @property
    def version(self) -> Version:
        """The version in use."""
        return self.versions[self.current]


def publish(
    files: Files, kind: str, sealed: bytes, *, key: Ed25519PrivateKey, by: str, now: datetime
) -> Pointer:
    """Put a signed file into a depot and make it the one in use.

    Raises:
        ConfigError: no such kind, or nobody is named.
        EvidenceError: the file is not of this kind or not signed by this key; the pointer that is
            there is not signed by it.
        InputError: the store does not answer.
    """
    _check(kind, by)
    open_sealed(sealed, KINDS[kind], [public_key(key)])
    held = read_pointer(files, kind, [public_key(key)])
    serial = held.serial + 1 if held else 1
    sha256 = hashlib.sha256(sealed).hexdigest()
    new = Version(f"{kind}-{serial:08d}-{sha256[:12]}.json", sha256, by, to_micros(now))
    _write(files, new.file, sealed)
    before = held.versions[: held.current + 1] if held else ()
    versions = (*before, new)[-_MOST_VERSIONS:]
    return _point(files, Pointer(kind, serial, len(versions) - 1, versions), key)


def step_back(files: Files, kind: str, *, key: Ed25519PrivateKey, by: str) -> Pointer:
    """Make the version before the one in use the one in use.

    Raises ConfigError: there is none. Else as `publish`.
    """
    _check(kind, by)
    held = read_pointer(files, kind, [public_key(key)])
    if held is None or held.current == 0:
        raise ConfigError(f"there is no {kind} before the one in use", where="depot")
    return _point(files, Pointer(kind, held.serial + 1, held.current - 1, held.versions), key)


def prune(
    files: Files, kind: str, *, key: Ed25519PrivateKey, by: str, keep: int = 1
) -> tuple[Pointer, list[str]]:
    """Remove all versions but the one in use and ``keep`` − 1 before it; return what is gone.

    The pointer is written first: a prune that is killed leaves objects that nothing names, and the
    next one removes them. What nodes have pulled is theirs (``KIND.json.previous``).

    Raises ConfigError: nothing of the kind was published, or ``keep`` is below 1. Else as
    `publish`.
    """
    _check(kind, by)
    held = read_pointer(files, kind, [public_key(key)])
    if held is None or keep < 1:
        raise ConfigError(
            f"there is no {kind}" if keep >= 1 else "the version in use stays", where="depot",
            hint="keep 1 or more",
        )  # fmt: skip
    versions = held.versions[: held.current + 1][-keep:]
    new = held
    if versions != held.versions:
        new = _point(files, Pointer(kind, held.serial + 1, len(versions) - 1, versions), key)
    named = {version.file for version in versions}
    try:
        found = files.names()
        gone = sorted(n for n in found if n.startswith(f"{kind}-") and n not in named)
        for name in gone:
            files.remove(name)
    except OSError as error:
        raise _unanswered(error, kind) from error
    return new, gone


def read_pointer(files: Files, kind: str, keys: Sequence[Ed25519PublicKey]) -> Pointer | None:
    """Return a depot's pointer; None where nothing of the kind was published. Raises as `pull`."""
    data = _read(files, f"{kind}.current.json")
    return None if data is None else _opened(data, kind, keys, f"{kind}.current.json")


def pull(files: Files, kind: str, keys: Sequence[Ed25519PublicKey], folder: Path) -> Pointer | None:
    """Bring the version in use into a folder as ``KIND.json``; None where it is there already.

    What is there stays where anything is wrong, and lies beside as ``KIND.json.previous`` after.
    The pointer is kept as well: a later one with a smaller number is refused.

    Raises:
        EvidenceError: not signed by a key that is trusted, other bytes than the pointer says, or a
            pointer older than the last one.
        InputError: the store does not answer, or lacks what the pointer names.
        SchemaError: signed, but no pointer of this format.
    """
    name = f"{kind}.current.json"
    data = _read(files, name)
    if data is None:
        return None
    pointer, last = _opened(data, kind, keys, name), _last(folder / name, kind, keys)
    target = folder / f"{kind}.json"
    if last is not None and pointer.serial < last.serial:
        raise EvidenceError(
            f"number {pointer.serial}, after {last.serial}: an older state was brought back",
            where=name, hint="see who can write to the store; a step back takes the key",
        )  # fmt: skip
    if last == pointer and target.exists():
        return None
    version = pointer.version
    sealed = _read(files, version.file)
    if sealed is None:
        raise InputError("the pointer names it, and it is not there", where=version.file)
    if hashlib.sha256(sealed).hexdigest() != version.sha256:
        raise EvidenceError("other bytes than the pointer says", where=version.file)
    open_sealed(sealed, KINDS[kind], keys)
    if target.exists():
        write_whole(target.with_name(f"{target.name}.previous"), target.read_bytes())
    write_whole(target, sealed)
    write_whole(folder / name, data)
    return pointer


def _point(files: Files, pointer: Pointer, key: Ed25519PrivateKey) -> Pointer:
    value = {"format": _FORMAT, **asdict(pointer)}
    data = json.dumps(seal(canonical(value), POINTER_KIND, [key])).encode()
    _write(files, f"{pointer.kind}.current.json", data)
    return pointer


def _opened(data: bytes, kind: str, keys: Sequence[Ed25519PublicKey], where: str) -> Pointer:
    try:
        held: Any = json.loads(open_sealed(data, POINTER_KIND, keys))
    except EvidenceError as error:
        raise EvidenceError(error.message, where=where, hint=error.hint) from error
    try:
        versions = tuple(
            Version(str(v["file"]), str(v["sha256"]), str(v["by"]), int(v["at_us"]))
            for v in held["versions"]
        )
        pointer = Pointer(
            str(held["kind"]), int(held["serial"]), int(held["current"]), versions
        )  # fmt: skip
        known = held["format"] == _FORMAT and pointer.kind == kind
        if not known or not 0 <= pointer.current < len(versions):
            raise ValueError("another kind or format")
        if any("/" in v.file or not v.file.startswith(f"{kind}-") for v in versions):
            raise ValueError("names what is not of the depot")
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaError(f"no pointer of a depot ({type(error).__name__})", where=where) from None
    return pointer


def _last(file: Path, kind: str, keys: Sequence[Ed25519PublicKey]) -> Pointer | None:
    """Return the pointer that was pulled last; None where there was none or it does not hold."""
    try:
        return _opened(file.read_bytes(), kind, keys, file.name)
    except (OSError, EvidenceError, SchemaError):
        return None


def _check(kind: str, by: str) -> None:
    if kind not in KINDS:
        raise ConfigError("no such kind", where="--kind", hint=f"one of {', '.join(KINDS)}")
    if not by.strip():
        raise ConfigError("expected who does this", where="--by")


def _read(files: Files, name: str) -> bytes | None:
    try:
        return files.read(name)
    except OSError as error:
        raise _unanswered(error, name) from error


def _write(files: Files, name: str, data: bytes) -> None:
    try:
        files.write(name, data)
    except OSError as error:
        raise _unanswered(error, name) from error


def _unanswered(error: OSError, where: str) -> InputError:
    return InputError(
        f"the depot does not answer ({type(error).__name__})", where=where,
        hint="see its address, its credentials and the network",
    )  # fmt: skip
