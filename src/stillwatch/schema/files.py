"""How a file is written so that a reader sees it whole, a folder held, a configuration read."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError, InputError, why

__all__ = ["held_folder", "locked", "read_toml", "to_disk", "write_whole"]

_ANEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})


@contextmanager
def held_folder(folder: Path, *, where: str, busy: str) -> Iterator[None]:
    """Hold a folder, made now where it is missing, against a second process; a kill lets go.

    Raises ConfigError when no folder can be made, or another holds it: ``busy`` says what that
    one does. A file system without locks is used without one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"no folder can be made at {folder} ({why(error)})",
            where=where, hint="give another folder",
        ) from error  # fmt: skip
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                busy, where=where, hint="wait for it, or give another folder"
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield
    finally:
        os.close(handle)


def write_whole(path: Path, data: bytes, *, secret: bool = False) -> None:
    """Write a file aside, to the disk, then rename it: it is there whole or not at all.

    ``secret``: its owner alone may read it (0600), from its first byte on.
    """
    aside = path.with_name(f"{path.name}.part")
    if secret:
        aside.unlink(missing_ok=True)  # what was left there may be open to others
    with os.fdopen(os.open(aside, _ANEW, 0o600 if secret else 0o666), "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    aside.replace(path)


def to_disk(path: Path) -> None:
    """Bring a file's content, or a folder's names, to the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold ``NAME.lock`` beside a file while it is read and written anew; wait where it is held.

    Raises ConfigError: the folder cannot be written to.
    """
    try:
        handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({why(error)})", where=str(path),
            hint="make the folder, or give another place",
        ) from error  # fmt: skip
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def read_toml(file: Path) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises InputError: it cannot be read. ConfigError: it is not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(file)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML ({error})", where=file.name) from None
