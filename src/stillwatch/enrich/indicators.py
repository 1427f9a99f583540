"""What other providers shared: the file of `stillwatch share pull`, as far as it may be used."""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from stillwatch.errors import InputError, SchemaError, why
from stillwatch.schema import Indicator, indicator_of

__all__ = ["read_corroborated", "read_indicators"]

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
        raise InputError(f"cannot be read ({why(error)})", where=str(file)) from error
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


def read_corroborated(path: str | os.PathLike[str]) -> pa.Table:
    """Return the templates of the file that `share propose` wrote: ``pos``, ``len``, ``h``.

    Raises InputError: it cannot be read. SchemaError: a line is no template; file and line are
    named.
    """
    file = Path(path)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(file)) from error
    found: set[tuple[int, int, int]] = set()
    for number, text in enumerate(lines, 1):
        try:
            row = json.loads(text)
            pos, length, value = row["pos"], row["len"], row["value"]
            if set(row) != {"pos", "len", "value"} or not _FINGERPRINT.fullmatch(value):
                raise ValueError
            if type(pos) is not int or type(length) is not int or not 0 <= length <= 16:
                raise ValueError
            found.add((pos, length, int(value, 16)))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise SchemaError(
                "no template", where=f"{file.name}:{number}",
                hint="give the corroborated.jsonl of `stillwatch share propose`",
            ) from None  # fmt: skip
    rows = sorted(found)
    return pa.table(
        {
            "pos": pa.array([pos for pos, _, _ in rows], pa.int64()),
            "len": pa.array([length for _, length, _ in rows], pa.int64()),
            "h": pa.array([h for _, _, h in rows], pa.uint64()),
        }
    )
