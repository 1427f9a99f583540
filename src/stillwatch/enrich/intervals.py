"""Rows that hold for a time: from ``valid_from`` on, before ``valid_to``; open where empty."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, NamedTuple

import pyarrow as pa

from stillwatch.errors import SchemaError

__all__ = ["FIRST", "LAST", "Interval", "intervals_of", "refuse_overlaps"]

FIRST: Final = datetime.min.replace(tzinfo=UTC)
LAST: Final = datetime.max.replace(tzinfo=UTC)


class Interval(NamedTuple):
    """From ``begin`` on, until before ``end``; ``line`` is where the row stands."""

    begin: datetime
    end: datetime
    line: int


def intervals_of(table: pa.Table, lines: Iterable[int], name: str) -> list[Interval]:
    """Return each row's interval. Raises SchemaError with file and line where it ends too soon."""
    found = []
    begins, ends = table["valid_from"].to_pylist(), table["valid_to"].to_pylist()
    for begin, end, line in zip(begins, ends, lines, strict=True):
        one = Interval(begin or FIRST, end or LAST, line)
        if one.end <= one.begin:
            raise SchemaError(
                "valid_to: expected a time after valid_from", where=f"{name}:{line}",
                hint="a row holds from valid_from on, until before valid_to",
            )  # fmt: skip
        found.append(one)
    return found


def refuse_overlaps(
    ids: Iterable[str], intervals: Iterable[Interval], name: str, what: str
) -> None:
    """Raise SchemaError, naming both lines, where two rows of one ``what`` hold at one time."""
    rows = sorted(zip(ids, intervals, strict=True))
    for (one, before), (other, after) in pairwise(rows):
        if one != other or before.end <= after.begin:
            continue
        first, second = sorted((before.line, after.line))
        if before[:2] == after[:2] == (FIRST, LAST):
            raise SchemaError(
                f"the same {what} as in line {first}", where=f"{name}:{second}",
                hint="one row, or rows with valid_from and valid_to",
            )  # fmt: skip
        shared = min(before.end, after.end)
        until = "on" if shared == LAST else f"until {shared.isoformat()}"
        since = "the beginning" if after.begin == FIRST else after.begin.isoformat()
        raise SchemaError(
            f"holds at the same time as line {first}, which has the same {what}: "
            f"from {since} {until}",
            where=f"{name}:{second}",
            hint="end one row where the next begins: valid_to is the first moment not in it",
        )
