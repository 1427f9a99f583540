"""What an unfinished run is worth: the digest of all that was asked, and what was read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import scipy

import stillwatch
from stillwatch.errors import ConfigError
from stillwatch.kernel import KERNEL_VERSION
from stillwatch.runners import ENGINES
from stillwatch.scanner.feed import TABLE, Feed
from stillwatch.schema import RESUME, STAGES, TIMING, write_whole

__all__ = ["KEY", "asked", "reading_of", "refuse_other", "save_reading", "was_finished"]

KEY: Final = "asked"
_DIGEST_BYTES: Final = 16


def asked(
    feed: Feed, files: Mapping[str, str | Path | None], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return everything that decides a run's bytes, as JSON types: one entry by name.

    ``files``: side tables by the name of their option, digested whole. Memory and threads do not
    change a byte and are left out, so that a run may go on with more or less of them.
    """
    logs = feed.identity()
    sides = {
        f"--{name}": None if path is None else _digest(_contents(Path(path)))
        for name, path in files.items()
    }
    versions = {
        "stillwatch": stillwatch.__version__, "the kernel": KERNEL_VERSION,
        "numpy": np.__version__, "scipy": scipy.__version__, **ENGINES,
    }  # fmt: skip
    versions = {f"version of {name}": text for name, text in versions.items()}
    plain: dict[str, Any] = orjson.loads(orjson.dumps({**versions, **parameters, **sides, **logs}))
    return plain


def _contents(path: Path) -> list[bytes]:
    """Return a side table's bytes; of a folder, each file's after its name."""
    if not path.is_dir():
        return [path.read_bytes()]
    files = sorted(f for f in path.iterdir() if f.is_file())
    return [part for f in files for part in (f.name.encode(), f.read_bytes())]


def refuse_other(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ConfigError naming what differs between the run in the folder and what is asked."""
    differing = sorted(
        (name for name in before.keys() | now.keys() if before.get(name) != now.get(name)),
        key=lambda name: (not name.startswith(TABLE), name),
    )
    if differing:
        shown = ", ".join(differing[:3]) + (", …" if len(differing) > 3 else "")
        raise ConfigError(
            f"the run in this folder was asked for something else: {shown}",
            where="--resume",
            hint=f"{_same_version(before, now, differing)}give the same options and files, or "
            "leave out --resume to begin anew",
        )


def _same_version(before: Mapping[str, Any], now: Mapping[str, Any], differing: list[str]) -> str:
    """Return how to ask for the versions of tables that were read, "" where none is another now.

    A snapshot of Iceberg that is named is read with its own schema, the newest one with the
    table's: where that had changed since, only the metadata file of then gives both.
    """
    named = []
    for name in differing:
        if not name.startswith(TABLE):
            continue
        versions = [version for _, version, _ in before.get(name, ())]
        if versions and versions == [version for _, version, _ in now.get(name, ())]:
            return (
                f"it read this version of {name.removeprefix(TABLE)} with another schema: give the "
                "metadata file that was the newest then (TABLE/metadata/….metadata.json); "
            )
        named += [f"{name.removeprefix(TABLE)}@{version}" for version in versions]
    return f"what it read is {', '.join(named)}: " if named else ""


def was_finished(run_dir: Path) -> dict[str, Any] | None:
    """Return what a finished run was asked, or None where none is: timing.json is its last file."""
    held = _object(run_dir / TIMING)
    return None if held is None else dict(held.get(KEY, {}))


def save_reading(run_dir: Path, key: Mapping[str, Any], feed: Feed) -> None:
    """Note that the table of features is whole, for which request, and what the ledger says."""
    note = {KEY: key, "ledger": feed.ledger.state()}
    write_whole(run_dir / STAGES / RESUME, orjson.dumps(note))


def reading_of(run_dir: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return what an unfinished run was asked and its ledger, or None: nothing was read whole."""
    held = _object(run_dir / STAGES / RESUME)
    return None if held is None else (held[KEY], held["ledger"])


def _object(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        held: dict[str, Any] = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ConfigError(
            f"{path.name} is damaged", where="--resume", hint="leave out --resume to begin anew"
        ) from error
    return held


def _digest(parts: Iterable[bytes]) -> str:
    state = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        state.update(part)
    return state.hexdigest()
