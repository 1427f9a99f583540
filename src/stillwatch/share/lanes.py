"""The aggregate lane: figures about several contributors, and what two of them give away together.

1. At least five contributors that have something to add, none with more than 25 percent of any
   figure.
2. The period ended at least 90 days ago and consists of whole months.
3. Differencing: against every earlier publication whose period overlaps, the contributors that are
   in one of the two only number none or at least five, and only whole periods are repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from stillwatch.errors import ShareRefused
from stillwatch.share.words import band

__all__ = ["Contribution", "Publication", "combine", "difference_refusals"]

FEWEST: Final = 5
LARGEST_PERCENT: Final = 25
_AGE: Final = timedelta(days=90)
_FIGURES: Final = ("campaigns", "accounts", "exchanges")


@dataclass(frozen=True)
class Contribution:
    """What one contributor adds to a period. ``contributor``: its identity's id."""

    contributor: str
    campaigns: int
    accounts: int
    exchanges: int
    methods: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Publication:
    """Whose figures of which months were published; kept by the hub, never published itself.

    ``first``, ``last``: first days of the first and last month.
    """

    first: datetime
    last: datetime
    contributors: frozenset[str]


def combine(
    parts: Sequence[Contribution], first: datetime, last: datetime,
    earlier: Iterable[Publication], *, now: datetime,
) -> tuple[dict[str, Any], Publication]:  # fmt: skip
    """Return the figures of a report of the aggregate lane, and what to remember of it.

    Raises:
        ShareRefused: rules ``aggregate-lane`` and ``no-differencing``.
    """
    members = frozenset(part.contributor for part in parts)
    adding = sum(any(getattr(part, name) for name in _FIGURES) for part in parts)
    if len(members) != len(parts) or adding < FEWEST:
        raise ShareRefused(
            f"aggregate-lane: needs {FEWEST} contributors, each once, with figures above 0"
        )
    if any((day.day, day.hour, day.minute) != (1, 0, 0) for day in (first, last)) or first > last:
        raise ShareRefused("aggregate-lane: the period is not made of whole months")
    if last > now or now - (last.astimezone(UTC) + timedelta(days=32)).replace(day=1) < _AGE:
        raise ShareRefused("aggregate-lane: the period ended less than 90 days ago")
    publication = Publication(first, last, members)
    found = difference_refusals(publication, earlier)
    if found:
        raise ShareRefused(found[0])
    largest = max(_largest_percent([getattr(p, name) for p in parts]) for name in _FIGURES)
    if largest > LARGEST_PERCENT:
        raise ShareRefused(
            f"aggregate-lane: one contributor holds over {LARGEST_PERCENT} percent",
            hint="leave it out, or take a longer period",
        )
    methods = sorted(frozenset[str]().union(*(p.methods for p in parts)))
    counts = band(len(members))
    figures: dict[str, Any] = {
        "contributors": "5-10" if counts == "0-10" else counts,
        "largest_share_percent": LARGEST_PERCENT,  # the bound, not the share itself
        "first_month": f"{first:%Y-%m}-01T00:00:00Z", "last_month": f"{last:%Y-%m}-01T00:00:00Z",
        **{name: band(sum(getattr(p, name) for p in parts)) for name in _FIGURES},
        **({"methods": methods} if methods else {}),
    }  # fmt: skip
    return figures, publication


def _largest_percent(values: Sequence[int]) -> float:
    total = sum(values)
    return 100 * max(values) / total if total else 0.0


def difference_refusals(new: Publication, earlier: Iterable[Publication]) -> tuple[str, ...]:
    """Return why a publication would give away a few contributors' figures, empty if it does not.

    Subtracting two publications shows what stands in one only. Of the same months, those must be no
    contributors or at least five. Periods that overlap without being the same could be subtracted
    to parts of a period, which is refused outright.
    """
    found = []
    for old in earlier:
        if new.first > old.last or old.first > new.last:
            continue
        if (new.first, new.last) != (old.first, old.last):
            found.append("no-differencing: the period overlaps one that was published")
        elif 0 < len(new.contributors ^ old.contributors) < FEWEST:
            found.append(
                "no-differencing: fewer than five contributors differ from what was published"
            )
    return tuple(dict.fromkeys(found))
