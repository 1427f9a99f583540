"""Results as JSON files, one a piece of work: written aside and renamed, so none is half there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stillwatch.schema import write_whole

__all__ = ["once", "read_records", "write_record"]


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record aside and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(record, sort_keys=True) + "\n").encode())


def once(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the record at ``path``, made now where it is missing."""
    if not path.is_file():
        write_record(path, make())
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def read_records(folder: Path) -> list[dict[str, Any]]:
    """Return all records under a folder, by file name."""
    return [json.loads(p.read_text(encoding="utf-8")) for p in sorted(folder.glob("*.json"))]
