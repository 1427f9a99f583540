"""Dates of statements, which may be a year or a month only."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from datetime import date
from typing import Any

from stillwatch.policy.owners.holdings import Dates

__all__ = ["dates_of", "first_day", "last_day"]


def first_day(value: Any) -> date | None:
    """Return the earliest day that ``2024``, ``2024-05`` or ``2024-05-31…`` can mean, or None.

    >>> first_day("2024-02"), last_day("2024-02")
    (datetime.date(2024, 2, 1), datetime.date(2024, 2, 29))
    """
    parts = _parts(value)
    return None if parts is None else date(parts[0], parts[1] or 1, parts[2] or 1)


def last_day(value: Any) -> date | None:
    """Return the latest day that it can mean, or None when it is no date."""
    parts = _parts(value)
    if parts is None:
        return None
    year, month, day = parts[0], parts[1] or 12, parts[2]
    return date(year, month, day or calendar.monthrange(year, month)[1])


def dates_of(stated: Any, begins: Iterable[Any], ends: Iterable[Any]) -> Dates:
    """Return a statement's dates; where one of its interests has no begin or end, it has none.

    >>> dates_of("2024-05-31", ["2020", "2021"], ["2030", None])
    Dates(stated=datetime.date(2024, 5, 31), since=datetime.date(2020, 1, 1), until=None)
    """
    first, last = [first_day(b) for b in begins], [last_day(e) for e in ends]
    known_first, known_last = [d for d in first if d], [d for d in last if d]
    return Dates(
        first_day(stated),
        min(known_first) if known_first and len(known_first) == len(first) else None,
        max(known_last) if known_last and len(known_last) == len(last) else None,
    )


def _parts(value: Any) -> tuple[int, int | None, int | None] | None:
    if not isinstance(value, str):
        return None
    pieces = value.strip()[:10].split("-")
    try:
        numbers = [int(piece) for piece in pieces]
        year, month, day = (*numbers, None, None)[:3]
        date(year, month or 1, day or 1)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return None
    return year, month, day  # type: ignore[return-value]
