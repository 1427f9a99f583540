"""The aggregate lane: figures about several contributors, and what several give away together.

1. At least five contributors that have something to add, none with more than 25 percent of any
   figure.
2. The period ended at least 90 days ago and consists of whole months.
3. Differencing: only whole periods are repeated, for at most four different groups of contributors,
   and no sum of the groups' figures with any factors, negative ones as well, is about fewer than
   five contributors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import combinations
from typing import Any, Final

from stillwatch.errors import ShareRefused
from stillwatch.share.words import band

__all__ = ["Contribution", "Publication", "combine", "difference_refusals", "isolates"]

FEWEST: Final = 5
LARGEST_PERCENT: Final = 25
MOST_GROUPS: Final = 4  # of the same months; more would cost too much to hold against each other
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
    named = {part.contributor for part in parts}
    # whoever adds nothing would hide that the others are the same but for a few
    members = frozenset(p.contributor for p in parts if any(getattr(p, n) for n in _FIGURES))
    if len(named) != len(parts) or len(members) < FEWEST:
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

    Periods that overlap without being the same could be subtracted to parts of a period, which is
    refused outright. Of the same months no combination of the groups may be about fewer than five.
    """
    overlapping = [o for o in earlier if new.first <= o.last and o.first <= new.last]
    if any((new.first, new.last) != (old.first, old.last) for old in overlapping):
        return ("no-differencing: the period overlaps one that was published",)
    groups = list(dict.fromkeys(old.contributors for old in overlapping))
    if new.contributors in groups:
        return ()
    if any(len(new.contributors ^ old) < FEWEST for old in groups):
        return ("no-differencing: fewer than five contributors differ from what was published",)
    if len(groups) >= MOST_GROUPS:
        return (f"no-differencing: figures of {len(groups)} groups of these months are published",)
    if isolates([*groups, new.contributors]):
        return ("no-differencing: with what was published it leaves fewer than five contributors",)
    return ()


def isolates(groups: Sequence[frozenset[str]], fewest: int = FEWEST) -> bool:
    """Return whether a sum of groups' figures, each with a factor, is about fewer than ``fewest``.

    A sum is about the contributors whose factors do not add up to 0. Contributors of the same
    groups cannot be told apart and form one part. A sum that is about some parts alone exists
    exactly if the groups' table without those parts has a lower rank than the whole (rank-nullity).

    *Error*: exact, in rational numbers. *Cost*: m groups make at most 2^m - 1 parts, of which at
    most ``fewest`` - 1 are left out at a time: 1,940 ranks of 4 by 15 tables for four groups.
    """
    sizes = Counter(
        tuple(int(one in group) for group in groups) for one in frozenset[str]().union(*groups)
    )
    whole = _rank(list(sizes))
    small = [part for part, size in sizes.items() if size < fewest]
    for count in range(1, min(len(small), fewest - 1) + 1):
        for left_out in combinations(small, count):
            if sum(sizes[part] for part in left_out) < fewest:
                kept = [part for part in sizes if part not in left_out]
                if _rank(kept) < whole:
                    return True
    return False


def _rank(rows: Sequence[Sequence[int]]) -> int:
    """Return the rank of a small table of whole numbers, exactly (Gaussian elimination)."""
    table = [[Fraction(value) for value in row] for row in rows]
    rank = 0
    for column in range(len(table[0]) if table else 0):
        pivot = next((k for k in range(rank, len(table)) if table[k][column]), None)
        if pivot is None:
            continue
        table[rank], table[pivot] = table[pivot], table[rank]
        for row in table[rank + 1 :]:
            factor = row[column] / table[rank][column]
            if factor:
                row[:] = [a - factor * b for a, b in zip(row, table[rank], strict=True)]
        rank += 1
    return rank
