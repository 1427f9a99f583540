"""What a test leaves behind: one JSON file with its kind, its inputs' digests and its numbers."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Final

from stillwatch import __version__
from stillwatch.errors import InputError
from stillwatch.seal import digest
from stillwatch.stats import round9

__all__ = ["KINDS", "file_digest", "plain", "read_bytes", "read_result", "write_result"]

KINDS: Final = (
    *("lineage", "canary", "guardrails", "dependence"),
    *("agreement", "identity", "profiles", "equality"),
)


def file_digest(path: Path) -> str:
    """Return the digest of a file's bytes.

    Raises:
        InputError: it cannot be read.
    """
    return digest(read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError("cannot be read", where=path.name) from error


def write_result(
    path: Path, kind: str, value: Mapping[str, Any], inputs: Mapping[str, Path]
) -> dict[str, Any]:
    """Write a result aside, rename it into place, and return what was written."""
    result = {
        "kind": kind,
        "stillwatch": __version__,
        "inputs": {name: file_digest(held) for name, held in sorted(inputs.items())},
        "result": plain(value),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    aside.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(aside, path)
    return result


def read_result(path: Path) -> dict[str, Any]:
    """Return a result that a test wrote.

    Raises:
        InputError: not readable, not JSON, or not a result of a known kind.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("not a readable result", where=path.name) from error
    if not isinstance(value, dict) or value.get("kind") not in KINDS or "result" not in value:
        raise InputError(
            "not a result of a test",
            where=path.name,
            hint=f"give files that prove wrote: {', '.join(KINDS)}",
        )
    return value


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: floats to nine digits, NaN as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [plain(held) for held in value]
    if isinstance(value, float):
        return round9(value) if math.isfinite(value) else None
    return value
