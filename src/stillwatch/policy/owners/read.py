"""Files of statements → the register of one day; BODS and FollowTheMoney are told apart."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from stillwatch.errors import InputError, SchemaError, why
from stillwatch.policy.owners.bods import register_from_bods
from stillwatch.policy.owners.ftm import register_from_ftm
from stillwatch.policy.owners.holdings import Interest, Register

__all__ = ["read_statements"]


def read_statements(paths: Sequence[str | os.PathLike[str]], at: date) -> Register:
    """Return what all the files together say on the day ``at``.

    A file is a JSON array or one object a line. Objects with ``recordType`` are BODS 0.4, objects
    with ``schema`` FollowTheMoney; one file is one of the two.

    Raises InputError: a file cannot be read. SchemaError: it is neither, or an object is damaged.
    """
    bods: list[tuple[str, Mapping[str, Any]]] = []
    ftm: list[tuple[str, Mapping[str, Any]]] = []
    for path in paths:
        rows = _objects(Path(path))
        kinds = {("recordType" in row, "schema" in row) for _, row in rows}
        if kinds == {(True, False)}:
            bods += rows
        elif kinds == {(False, True)}:
            ftm += rows
        elif rows:
            raise SchemaError(
                "neither BODS 0.4 statements nor FollowTheMoney entities",
                where=Path(path).name, hint="each object needs recordType, or schema",
            )  # fmt: skip
    return _joined([register_from_bods(bods, at), register_from_ftm(ftm, at)])


def _joined(registers: Sequence[Register]) -> Register:
    parties = {k: v for register in registers for k, v in register.parties.items()}
    interests: list[Interest] = [i for register in registers for i in register.interests]
    dates = {k: v for register in registers for k, v in register.dates.items()}
    return Register(parties, tuple(interests), tuple(n for r in registers for n in r.notes), dates)


def _objects(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(path)) from error
    if text.lstrip().startswith("["):
        rows = _parsed(text, path.name)
        return [(f"{path.name}: statement {n}", _object(row, f"{path.name}: statement {n}"))
                for n, row in enumerate(rows, 1)]  # fmt: skip
    return [
        (f"{path.name}:{n}", _object(_parsed(line, f"{path.name}:{n}"), f"{path.name}:{n}"))
        for n, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise SchemaError(
            "not JSON", where=where, hint="give a JSON array, or one object a line"
        ) from None


def _object(row: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise SchemaError("expected an object", where=where)
    return row
