"""What judgement corrects: accounts from which no link is made any more, and labels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import SchemaError
from stillwatch.schema import EFFECTS_HINT, read_effects

__all__ = ["read_corrections", "read_labels"]

_LABELS: Final = ("true", "false", "unsure")


def read_corrections(path: str | os.PathLike[str]) -> frozenset[str]:
    """Return the accounts that the file of `stillwatch case effects` restores.

    Raises InputError: it cannot be read. SchemaError: it is no such file.
    """
    file = Path(path)
    rows = _rows(file, "corrections")
    accounts = [row.get("account_id") if isinstance(row, dict) else None for row in rows]
    if not all(isinstance(account, str) and account for account in accounts):
        raise SchemaError("a correction without account_id", where=file.name, hint=EFFECTS_HINT)
    return frozenset(str(account) for account in accounts)


def read_labels(path: str | os.PathLike[str]) -> Mapping[str, str]:
    """Return account → true (it distils), false or unsure, of a file of `stillwatch case effects`.

    An account on which two cases disagree is unsure. A file without labels has none.

    Raises InputError: it cannot be read. SchemaError: it is no such file.
    """
    file = Path(path)
    found: dict[str, str] = {}
    for row in _rows(file, "labels", missing=[]):
        account, label = (
            (row.get("account_id"), row.get("label")) if isinstance(row, dict) else (None, None)
        )
        if not isinstance(account, str) or not account or label not in _LABELS:
            raise SchemaError("a label that is none", where=file.name, hint=EFFECTS_HINT)
        found[account] = str(label) if found.get(account, label) == label else "unsure"
    return found


def _rows(file: Path, part: str, missing: list[Any] | None = None) -> list[Any]:
    held = read_effects(file)
    rows = held.get(part, missing) if isinstance(held, dict) else None
    if not isinstance(rows, list):
        raise SchemaError(f"no list of {part}", where=file.name, hint=EFFECTS_HINT)
    return rows
