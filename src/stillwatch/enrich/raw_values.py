"""Raw addresses, numbers and cards in side tables where keyed hashes belong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from stillwatch.errors import SchemaError

__all__ = ["refuse_raw"]

_RAW: Final = {
    "email_hash": re.compile(r"@"),
    "phone_hash": re.compile(r"^\+|^[0-9]*[() ./-][0-9() ./-]{5,20}$"),
    "payment_hash": re.compile(r"^([0-9]{4}[ -]){3}[0-9]{1,7}$"),
    "device_hash": re.compile(r"^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$"),
    "email_domain": re.compile(r"@"),
}
# A hexadecimal hash can consist of digits by chance (1 in 1,800 at 16 digits): bare digits speak
# for raw values only where most of the column has them.
_DIGITS: Final = {
    "phone_hash": re.compile(r"^[0-9]{6,15}$"),
    "payment_hash": re.compile(r"^[0-9]{12,19}$"),
}
_PSEUDONYMIZE: Final = "run stillwatch pseudonymize where the raw values are"


def refuse_raw(table: pa.Table, lines: Sequence[int], name: str) -> None:
    """Raise SchemaError, with the line and without the value, where one is no keyed hash.

    ``lines``: where each row stands in the file ``name``.
    """
    for column in (c for c in _RAW if c in table.column_names):
        raw = _RAW[column]
        values = table[column].to_pylist()
        digits = _DIGITS.get(column)
        if digits is not None and not _mostly(digits, values):
            digits = None
        for value, line in zip(values, lines, strict=True):
            if value is None:
                continue
            if raw.search(value) or (digits is not None and digits.search(value)):
                raise SchemaError(
                    f"{column} holds a raw value; expected a keyed hash"
                    if column.endswith("_hash")
                    else f"{column} holds an address; expected a domain",
                    where=f"{name}:{line}",
                    hint=_PSEUDONYMIZE,
                )


def _mostly(digits: re.Pattern[str], values: list[str | None]) -> bool:
    held = [value for value in values if value is not None]
    return 2 * sum(1 for value in held if digits.search(value)) > len(held)
