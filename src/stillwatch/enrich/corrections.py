"""What upheld appeals correct: accounts from which no link is made any more."""

from __future__ import annotations

import os
from pathlib import Path

from stillwatch.errors import SchemaError
from stillwatch.schema import EFFECTS_HINT, read_effects

__all__ = ["read_corrections"]


def read_corrections(path: str | os.PathLike[str]) -> frozenset[str]:
    """Return the accounts that the file of `stillwatch case effects` restores.

    Raises InputError: it cannot be read. SchemaError: it is no such file.
    """
    file = Path(path)
    held = read_effects(file)
    rows = held.get("corrections") if isinstance(held, dict) else None
    if not isinstance(rows, list):
        raise SchemaError("no list of corrections", where=file.name, hint=EFFECTS_HINT)
    accounts = [row.get("account_id") if isinstance(row, dict) else None for row in rows]
    if not all(isinstance(account, str) and account for account in accounts):
        raise SchemaError("a correction without account_id", where=file.name, hint=EFFECTS_HINT)
    return frozenset(str(account) for account in accounts)
