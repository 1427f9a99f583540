"""What other providers shared: the file of `stillwatch share pull`, as far as it may be used."""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Final

from stillwatch.errors import InputError, SchemaError
from stillwatch.schema import Indicator, indicator_of

__all__ = ["read_indicators"]

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{16}")
_HINT: Final = "give the indicators.jsonl of `stillwatch share pull`"


def read_indicators(path: str | os.PathLike[str], *, now: datetime | None) -> tuple[Indicator, ...]:
    """Return the fingerprints of the file that are in force, in its order.

    Tokens are left out: who made them compares them in the matching (docs/sharing.md), and a scan
    has no keys. ``now``: UTC; None uses all, run out or not.

    Raises InputError: it cannot be read. SchemaError: a line is no indicator; file and line are
    named, values are not.
    """
    file = Path(path)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({type(error).__name__})", where=str(file)) from error
    found = []
    for number, text in enumerate(lines, 1):
        where = f"{file.name}:{number}"
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            raise SchemaError("not JSON", where=where, hint=_HINT) from None
        if not isinstance(row, dict):
            raise SchemaError("no object", where=where, hint=_HINT)
        one = indicator_of(row, where=where)
        if one.epoch is not None:
            continue
        if not _FINGERPRINT.fullmatch(one.value):
            raise SchemaError("no 16 hex digits", where=f"{where}.value", hint=_HINT)
        if now is None or one.valid_from <= now < one.valid_until:
            found.append(one)
    return tuple(found)
