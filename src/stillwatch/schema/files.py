"""How a file is written so that a reader sees it whole, and how a configuration is read."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, InputError

__all__ = ["read_toml", "write_whole"]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file aside, to the disk, then rename it: it is there whole or not at all."""
    aside = path.with_name(f"{path.name}.part")
    with aside.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    aside.replace(path)


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
