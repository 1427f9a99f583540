"""Why and until when something may be said or read: legal basis, purpose, approval.

A legal basis is dated by counsel. Once it has run out, or where none is configured, nothing leaves
and nothing is accepted: the lapse fails closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stillwatch.errors import ConfigError, ShareRefused
from stillwatch.schema import parse_time
from stillwatch.share.antitrust import refusals
from stillwatch.share.words import PURPOSES

__all__ = ["LegalBasis", "acceptor", "check_purpose", "in_force", "legal_bases"]


@dataclass(frozen=True)
class LegalBasis:
    """What counsel found the exchange to rest on. Times in UTC; ``until`` is excluded."""

    name: str
    source: str
    since: datetime
    until: datetime
    reviewed_by: str
    purposes: tuple[str, ...]

    def holds(self, now: datetime) -> bool:
        """Return whether it is in force."""
        return self.since <= now < self.until


def legal_bases(rows: Iterable[Mapping[str, Any]]) -> tuple[LegalBasis, ...]:
    """Return the legal bases of a configuration (``[[legal_basis]]`` tables).

    Raises:
        ConfigError: a field is missing, a date is none, a purpose is not on the list, or a basis
            is said to hold for more than 400 days: counsel looks again every year.
    """
    return tuple(_basis(row, f"legal_basis {k}") for k, row in enumerate(rows))


def _basis(row: Mapping[str, Any], where: str) -> LegalBasis:
    names = ("name", "source", "since", "until", "reviewed_by", "purposes")
    missing = [name for name in names if not row.get(name)]
    if missing:
        raise ConfigError(f"lacks {', '.join(missing)}", where=where, hint="see docs/antitrust.md")
    since, until = (parse_time(str(row[name]), where=where) for name in ("since", "until"))
    if since >= until or (until - since).days > 400:
        raise ConfigError(
            "must hold for at most 400 days", where=where, hint="counsel looks again every year"
        )
    purposes = tuple(map(str, row["purposes"]))
    for purpose in purposes:
        check_purpose(purpose)
    return LegalBasis(str(row["name"]), str(row["source"]), since, until,
                      str(row["reviewed_by"]), purposes)  # fmt: skip


def check_purpose(purpose: str) -> str:
    """Return the purpose of a read or release, once it is one of the listed ones.

    Raises:
        ShareRefused: rule ``purpose``.
    """
    if purpose not in PURPOSES:
        raise ShareRefused("purpose: is none of the listed", hint=", ".join(PURPOSES))
    return purpose


def in_force(bases: Iterable[LegalBasis], purpose: str, *, now: datetime) -> LegalBasis:
    """Return the basis that covers a purpose now: the one that runs longest.

    Raises:
        ShareRefused: rules ``purpose`` and ``legal-basis``; nothing is in force.
    """
    check_purpose(purpose)
    held = [one for one in bases if one.holds(now) and purpose in one.purposes]
    if not held:
        raise ShareRefused(
            "legal-basis: none is in force for this purpose",
            hint="counsel renews [[legal_basis]]; until then nothing is shared",
        )
    return max(held, key=lambda one: (one.until, one.name))


def acceptor(
    bases: Iterable[LegalBasis], clock: Callable[[], datetime], purpose: str = "detection"
) -> Callable[[Mapping[str, Any]], tuple[str, ...]]:
    """Return the hub's test of a submission: the guard, and a legal basis that is in force."""
    held = tuple(bases)

    def accept(obj: Mapping[str, Any]) -> tuple[str, ...]:
        now = clock()
        try:
            in_force(held, purpose, now=now)
        except ShareRefused as error:
            return (error.message,)
        return refusals(obj, now=now)

    return accept
