"""Instants as whole microseconds since 1970, and the two ways in which they are written."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["DAY_US", "micros", "parse_timestamp", "timestamp"]

DAY_US: Final = 86_400_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,32}))?Z", re.ASCII
)


def micros(now: datetime) -> int:
    """Return an aware instant as microseconds since 1970; exact.

    >>> micros(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (now - _EPOCH) // timedelta(microseconds=1)


def timestamp(at_us: int) -> str:
    """Return a TAXII timestamp: UTC, six digits of a second (TAXII 2.1, section 2).

    >>> timestamp(1)
    '1970-01-01T00:00:00.000001Z'
    """
    return (_EPOCH + timedelta(microseconds=at_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_timestamp(text: object) -> int | None:
    """Return the microseconds of an RFC 3339 instant in UTC with Z, or None where it is none.

    Digits beyond the sixth are cut off, and a leap second is none.

    >>> parse_timestamp("1970-01-01T00:00:00.0000019Z"), parse_timestamp("1970-01-01")
    (1, None)
    """
    found = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    *whole, fraction = found.groups()
    try:
        instant = datetime(*map(int, whole), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return None
    return micros(instant) + int((fraction or "0")[:6].ljust(6, "0"))
