"""How a file is written so that a reader sees it whole, and how a configuration is read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, InputError

__all__ = ["locked", "read_toml", "write_whole"]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file aside, to the disk, then rename it: it is there whole or not at all."""
    aside = path.with_name(f"{path.name}.part")
    with aside.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    aside.replace(path)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold ``NAME.lock`` beside a file while it is read and written anew; wait where it is held.

    Raises ConfigError: the folder cannot be written to.
    """
    try:
        handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({type(error).__name__})", where=str(path),
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
        raise InputError(f"cannot be read ({type(error).__name__})", where=str(file)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML ({error})", where=file.name) from None
