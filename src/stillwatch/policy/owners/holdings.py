"""Parties and the interests between them, in whole parts of a thousand millionth of an asset.

Shares are integers, so that three holdings of a third and a threshold of a half are compared
exactly. Reading rounds a lower bound down and an upper bound up, by at most one part.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, NamedTuple

__all__ = ["UNIT", "Dates", "Interest", "Note", "Party", "Register", "parts_of", "percent"]

UNIT: Final = 1_000_000_000  # the whole of an asset


@dataclass(frozen=True)
class Party:
    """One owner or owned. ``kind``: person, entity or arrangement.

    Of a person there is an identifier and nothing else: no name, no nationality, no address, since
    none of them is an input of a rule. ``jurisdiction`` is where an entity is registered (ISO
    3166-1 alpha-2, or a subdivision of ISO 3166-2). ``perhaps``: where it may be registered, as
    several are named or one that is no register. ``ended``: its record is closed.
    """

    party_id: str
    kind: str
    name: str | None = None
    jurisdiction: str | None = None
    ended: bool = False
    perhaps: tuple[str, ...] = ()

    def is_in(self, places: Collection[str], *, perhaps: bool) -> bool:
        """Return whether an entity is, or ``perhaps`` is, registered in a place or a part of it.

        >>> Party("p", "entity", jurisdiction="XX-AB").is_in({"XX"}, perhaps=False)
        True
        """
        named = () if self.jurisdiction is None else (self.jurisdiction,)
        asked = (*named, *self.perhaps) if perhaps else named
        return self.kind != "person" and any(
            place in places or place.partition("-")[0] in places for place in asked
        )


@dataclass(frozen=True)
class Interest:
    """``owner`` holds between ``low`` and ``high`` parts of ``asset``; owner None: not known who.

    ``kind`` is a BODS interest type; ``sources`` the statements that say so.
    """

    owner: str | None
    asset: str
    kind: str
    low: int
    high: int
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Note:
    """Something in the statements that a person should look at; never the text of a name."""

    statement: str
    text: str


class Dates(NamedTuple):
    """When a statement was made, and from when until when it says that something is held.

    None: it does not say. Of several interests in one statement the first begin and the last end.
    """

    stated: date | None
    since: date | None
    until: date | None


@dataclass(frozen=True)
class Register:
    """What the statements say on one day; ``dates``: of the statements that interests rest on."""

    parties: Mapping[str, Party]
    interests: tuple[Interest, ...]
    notes: tuple[Note, ...]
    dates: Mapping[str, Dates] = field(default_factory=dict)


def parts_of(value: Decimal, *, up: bool) -> int:
    """Return a percentage in parts of the whole, rounded up or down to the next part.

    >>> parts_of(Decimal("33.3333333333"), up=False), parts_of(Decimal("33.3333333333"), up=True)
    (333333333, 333333334)
    """
    exact = value * (UNIT // 100)
    return int(exact.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))


def percent(parts: int) -> str:
    """Return parts as a percentage without trailing zeros.

    >>> percent(500_000_000), percent(333_333_333)
    ('50 %', '33.3333333 %')
    """
    text = f"{parts // 10_000_000}.{parts % 10_000_000:07d}".rstrip("0").rstrip(".")
    return f"{text} %"
