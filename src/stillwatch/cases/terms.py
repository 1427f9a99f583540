"""The terms of judgement: who may decide what, for how long, and how fast an appeal is heard."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError
from stillwatch.schema import VERDICTS, read_toml

__all__ = ["Terms", "read_terms"]

SHIPPED: Final = Path(__file__).parent / "judgement.toml"
_NEVER_LONGER: Final = timedelta(days=366)


@dataclass(frozen=True)
class Terms:
    """See judgement.toml, which has every value with its meaning."""

    automatic: frozenset[str]
    two_people_above_accounts: int
    longest: Mapping[str, timedelta]
    time_to_appeal: timedelta
    time_to_decide: timedelta
    relaxes_to: str
    corrections_hold: timedelta
    contact: str
    restricted_stands: bool = True


def read_terms(path: str | os.PathLike[str] | None = None) -> Terms:
    """Return the terms of a TOML file, or the shipped ones.

    Raises InputError: it cannot be read. ConfigError: a key is missing, unknown or out of range.
    """
    file = Path(path) if path is not None else SHIPPED
    held = read_toml(file)
    try:
        terms = _terms(held)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"a key is missing or wrong ({error})", where=file.name,
            hint="copy the shipped judgement.toml and change its values",
        ) from None  # fmt: skip
    return terms


def _terms(held: Mapping[str, Any]) -> Terms:
    _only(held, {"deciding", "days_until_expiry", "appeal"})
    deciding, longest, appeal = held["deciding"], held["days_until_expiry"], held["appeal"]
    _only(deciding, {"automatic", "two_people_above_accounts"})
    _only(
        appeal,
        {"days_to_appeal", "hours_to_decide", "relaxes_to", "days_corrections_hold", "contact"},
        {"restricted_stands"},  # terms of before there was this have it not
    )
    _only(longest, set(VERDICTS) - {"allow"})
    automatic = frozenset(deciding["automatic"])
    if not automatic <= set(VERDICTS):
        raise ValueError("automatic: a word that is no verdict")
    if appeal["relaxes_to"] not in ("allow", "watch"):
        raise ValueError("relaxes_to: expected allow or watch")
    stands = appeal.get("restricted_stands", True)
    if not isinstance(stands, bool):
        raise ValueError("restricted_stands: expected true or false")
    limit = deciding["two_people_above_accounts"]
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise ValueError("two_people_above_accounts: expected a whole number")
    return Terms(
        automatic=automatic,
        two_people_above_accounts=limit,
        longest={verdict: _span(timedelta(days=days)) for verdict, days in longest.items()},
        time_to_appeal=_span(timedelta(days=appeal["days_to_appeal"])),
        time_to_decide=_span(timedelta(hours=appeal["hours_to_decide"])),
        relaxes_to=appeal["relaxes_to"],
        corrections_hold=_span(timedelta(days=appeal["days_corrections_hold"])),
        contact=str(appeal["contact"]),
        restricted_stands=stands,
    )


def _only(held: Mapping[str, Any], known: set[str], more: Collection[str] = ()) -> None:
    if set(held) - set(more) != known:
        raise ValueError(f"expected {sorted(known)}, got {sorted(held)}")


def _span(span: timedelta) -> timedelta:
    if not timedelta(0) < span <= _NEVER_LONGER:
        raise ValueError("a time: expected over 0, at most 366 days")
    return span
