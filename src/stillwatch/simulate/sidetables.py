"""The side tables a provider would export beside its log: accounts, permits, ownership."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.schema import from_micros
from stillwatch.schema.arrow import ACCOUNT, OWNER, PERMIT
from stillwatch.simulate.identity import Account

__all__ = ["write_accounts", "write_ownership", "write_permits"]

_TIMES = {"created_at", "closed_at", "valid_from", "valid_until", "as_of"}


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in _TIMES:
        return from_micros(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, list):
        return ";".join(value)
    return str(value)


def _write(path: Path, names: list[str], rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow([_cell(n, row.get(n)) for n in names])


def write_accounts(accounts: list[Account], path: Path, end: int) -> None:
    """Write the accounts, sorted by id, as an export at ``end`` would show them."""
    names = [name for name in ACCOUNT.names if not name.startswith("valid_")]
    known = [n for n in names if n != "segment"]
    rows = [{n: getattr(a, n) for n in known} for a in sorted(accounts, key=lambda a: a.account_id)]
    for row in rows:
        if row["closed_at"] is not None and row["closed_at"] > end:
            row["closed_at"] = row["closed_reason"] = None
    _write(path, names, rows)


def write_permits(permits: list[dict[str, Any]], path: Path) -> None:
    """Write the permits, in the order in which they are given."""
    _write(path, list(PERMIT.names), permits)


def write_ownership(owners: list[dict[str, Any]], path: Path, as_of: datetime) -> None:
    """Write what is answered of each owner. ``as_of``: UTC, when that was so."""
    micros = int(as_of.timestamp()) * 1_000_000
    rows = [o | {"as_of": micros, "policy": "ownership-2026"} for o in owners]
    _write(path, list(OWNER.names), rows)
