"""What became of the permits that were read: used, exceeded, not needed, of nobody seen here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from stillwatch.policy import Permit, PermitUse
from stillwatch.runners import LocalRunner

__all__ = ["permits_read"]

_MOST_LISTED: Final = 50


def permits_read(
    runner: LocalRunner, permits: Sequence[Permit], uses: Sequence[PermitUse]
) -> dict[str, Any] | None:
    """Return how many permits were read, name an account of the window, and were used.

    None where no permit was read. A permit is used when an account that it names would be accused
    without it. ``not_used``: up to 50 of the others, each with why; all of them are counted.
    """
    if not permits:
        return None
    named = _named(runner, permits)
    used = {use.permit_id for use in uses}
    span = runner.query(
        "SELECT epoch_us(min(ts)) AS low, epoch_us(max(ts)) AS high FROM exchanges"
    ).to_pylist()[0]
    others = sorted((p for p in permits if p.permit_id not in used), key=lambda p: p.permit_id)
    return {
        "read": len(permits),
        "named": sum(bool(named[p.permit_id]) for p in permits),
        "used": len(used),
        "exceeded": sum(use.exceeded for use in uses),
        "not_used": [
            {
                "permit_id": p.permit_id,
                "accounts": len(named[p.permit_id]),
                "text": _why(p, len(named[p.permit_id]), span["low"], span["high"]),
            }
            for p in others[:_MOST_LISTED]
        ],
    }


def _why(permit: Permit, accounts: int, low: int, high: int) -> str:
    if not accounts:
        return "it names no account seen here"
    if permit.valid_until_us is not None and permit.valid_until_us <= low:
        return "it ended before this window"
    if permit.valid_from_us is not None and permit.valid_from_us > high:
        return "it begins after this window"
    return "not needed: nobody whom it names would be accused"


def _named(runner: LocalRunner, permits: Sequence[Permit]) -> dict[str, set[str]]:
    """Return by permit the accounts of the window that it names."""
    by_name: dict[str | None, list[Permit]] = defaultdict(list)
    for permit in permits:  # what a permit names first decides whom it can speak of
        by_name[permit.account_id or permit.org_id].append(permit)
    people = runner.query("SELECT DISTINCT account_id, org_id, plan FROM people")
    found: dict[str, set[str]] = defaultdict(set)
    for who in zip(*(people[c].to_pylist() for c in people.column_names), strict=True):
        account, org, _ = who
        for name in {account, org, "*"}:
            for permit in by_name.get(name, ()):
                if permit.names(*who):
                    found[permit.permit_id].add(account)
    return found
