"""Times are UTC microseconds in tables and aware datetimes in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from stillwatch.errors import ConfigError

__all__ = ["DAY_US", "from_micros", "parse_time", "to_micros"]

DAY_US: Final = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(moment: datetime) -> int:
    """Return microseconds since 1970-01-01 UTC. Raises ConfigError for a naive datetime."""
    if moment.tzinfo is None:
        raise ConfigError(
            "a time without a zone", hint="give UTC, for example 2026-01-31T00:00:00Z"
        )
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Return the aware UTC datetime of microseconds since 1970-01-01."""
    return _EPOCH + timedelta(microseconds=int(micros))


def parse_time(text: str, *, where: str = "") -> datetime:
    """Return an aware UTC datetime from ISO 8601; a time without a zone is taken as UTC.

    Raises ConfigError when the text is not a time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        given = f": {text[:40]!r}" if where.startswith("--") else ""  # nothing of a table's row
        raise ConfigError(
            f"not an ISO 8601 time{given}",
            where=where,
            hint="write it like 2026-01-31, or 2026-01-31T00:00:00Z; another zone as +02:00",
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
