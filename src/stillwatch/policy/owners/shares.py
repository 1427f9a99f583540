"""Shares as registers write them → the interval of parts that they allow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from stillwatch.policy.owners.holdings import UNIT, parts_of

__all__ = ["UNKNOWN_SHARE", "Bounds", "from_bods", "from_text"]


class Bounds(NamedTuple):
    """A closed interval of parts; ``read`` is False where the text said nothing usable."""

    low: int
    high: int
    read: bool


UNKNOWN_SHARE: Final = Bounds(0, UNIT, False)
# A comma before exactly three digits may part thousands: "1,000" is not one per cent.
_NUMBER = r"(\d{1,3}(?:\.\d+|,\d{1,2}|,\d{4,})?)\s*(?:%|percent|per cent)?"
_RANGE = re.compile(rf"{_NUMBER}\s*(?:-|–|—|to|and|\.\.)\s*{_NUMBER}")
_PSC = re.compile(r"(\d{1,3})-to-(\d{1,3})-percent")
_ABOVE = re.compile(rf"(?:>|more than|over|above)\s*{_NUMBER}")
_BELOW = re.compile(rf"(?:<|less than|under|below)\s*{_NUMBER}")
_AT_LEAST = re.compile(rf"(?:>=|≥|at least|from)\s*{_NUMBER}|{_NUMBER}\s*(?:or more|and over|\+)")
_AT_MOST = re.compile(rf"(?:<=|≤|at most|up to|not more than|no more than)\s*{_NUMBER}")
_PLAIN = re.compile(rf"{_NUMBER}")


def from_bods(share: Any) -> Bounds:
    """Return the interval of a BODS 0.4 share object; numbers come as Decimal or int.

    An exclusive bound excludes one part. Without a usable number the whole interval is open.
    """
    if not isinstance(share, Mapping) or not share:
        return UNKNOWN_SHARE
    exact = _number(share.get("exact"))
    if exact is not None:
        return _ordered(parts_of(exact, up=False), parts_of(exact, up=True))
    low, high, read = 0, UNIT, False
    for key, up in (
        ("minimum", False), ("exclusiveMinimum", False),
        ("maximum", True), ("exclusiveMaximum", True),
    ):  # fmt: skip
        number = _number(share.get(key))
        if number is None:
            continue
        read = True
        parts = parts_of(number, up=up)
        if up:
            high = min(high, parts - (key == "exclusiveMaximum"))
        else:
            low = max(low, parts + (key == "exclusiveMinimum"))
    return _ordered(low, high) if read else UNKNOWN_SHARE


def from_text(text: str) -> Bounds:
    """Return the interval of a free text such as ``25-50%``, ``> 25 %`` or ``75 or more``.

    >>> from_text("25-50%")
    Bounds(low=250000000, high=500000000, read=True)
    >>> from_text("the majority")
    Bounds(low=0, high=1000000000, read=False)
    >>> from_text("1,000").read, from_text("12,5 %") == from_text("12.5")
    (False, True)
    """
    words = " ".join(text.lower().split())
    if match := _PSC.search(words) or _RANGE.fullmatch(words):
        return _between(match[1], match[2])
    both = re.fullmatch(
        rf"more than {_NUMBER}\s*(?:but|and)\s*(?:not|no) more than {_NUMBER}", words
    )
    if both:
        return _exclusive(both[1], both[2])
    if match := _AT_LEAST.fullmatch(words):
        return _between(match[1] or match[2], "100")
    if match := _ABOVE.fullmatch(words):
        return _exclusive(match[1], "100")
    if match := _AT_MOST.fullmatch(words):
        return _between("0", match[1])
    if match := _BELOW.fullmatch(words):
        below = _between("0", match[1])
        return _ordered(below.low, below.high - 1) if below.read else below
    if match := _PLAIN.fullmatch(words):
        return _between(match[1], match[1])
    return UNKNOWN_SHARE


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value))
    return number if number.is_finite() and 0 <= number <= 100 else None


def _between(low: str, high: str) -> Bounds:
    try:
        a, b = (Decimal(text.replace(",", ".")) for text in (low, high))
    except InvalidOperation:
        return UNKNOWN_SHARE
    if not 0 <= a <= b <= 100:
        return UNKNOWN_SHARE
    return _ordered(parts_of(a, up=False), parts_of(b, up=True))


def _exclusive(low: str, high: str) -> Bounds:
    bounds = _between(low, high)
    return _ordered(bounds.low + 1, bounds.high) if bounds.read else bounds


def _ordered(low: int, high: int) -> Bounds:
    """Refuse an empty interval: a share of more than 60 and less than 40 is not known."""
    return Bounds(low, high, True) if 0 <= low <= high <= UNIT else UNKNOWN_SHARE
