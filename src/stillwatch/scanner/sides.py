"""What a scan is given beside the log: all of it is read before a line of the log is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from stillwatch.enrich import (
    Accounts,
    Organizations,
    read_accounts,
    read_corrections,
    read_corroborated,
    read_indicators,
    read_organizations,
    read_ownership,
    read_permits,
)
from stillwatch.policy import Permit, permits_from_rows
from stillwatch.scanner.enrichment import Enrichment
from stillwatch.schema import Indicator

__all__ = ["Sides", "read_sides"]

File: TypeAlias = str | Path | None


@dataclass(frozen=True)
class Sides:
    """The side tables of a scan; None: not given.

    ``answers``: access (clear, restricted …) by owner_entity_id. ``restored``: accounts that make
    no links. ``files``: name of the option → file, to know a run's request by.
    """

    accounts: Accounts | None
    organizations: Organizations | None
    enrichment: Enrichment
    permits: tuple[Permit, ...]
    answers: dict[str, str]
    restored: frozenset[str]
    indicators: tuple[Indicator, ...] | None
    corroborated: pa.Table | None
    files: dict[str, File]

    @property
    def columns_told(self) -> dict[str, frozenset[str]]:
        """Return which columns the tables of accounts and of organizations have."""
        return {
            "accounts": self.accounts.columns if self.accounts else frozenset(),
            "organizations": self.organizations.columns if self.organizations else frozenset(),
        }

    @property
    def columns(self) -> frozenset[str]:
        """Return what they add to the columns of the log: ``accounts.…`` and an exchange's own."""
        told = {f"accounts.{c}" for held in self.columns_told.values() for c in held}
        return self.enrichment.columns | told


def read_sides(
    *,
    accounts: File,
    organizations: File,
    keys: File,
    networks: Sequence[str | Path],
    disposable: File,
    permits: File,
    ownership: File,
    corrections: File,
    indicators: File,
    corroborated: File,
    now: datetime | None,
) -> Sides:
    """Read what was given; what each is, `scan` says. ``now``: UTC, which indicators are in force.

    Raises InputError, SchemaError, ConfigError: what a side table is wrong in.
    """
    held = read_accounts(accounts) if accounts else None
    whole = read_organizations(organizations) if organizations else None
    enrichment = Enrichment(held, keys, networks, disposable)
    return Sides(
        accounts=held,
        organizations=whole,
        enrichment=enrichment,
        permits=permits_from_rows(read_permits(permits).to_pylist()) if permits else (),
        answers=_answers(ownership),
        restored=read_corrections(corrections) if corrections else frozenset(),
        indicators=read_indicators(indicators, now=now) if indicators else None,
        corroborated=read_corroborated(corroborated) if corroborated else None,
        files={
            "accounts": accounts, "organizations": organizations, **enrichment.files,
            "permits": permits, "ownership": ownership, "corrections": corrections,
            "indicators": indicators, "corroborated": corroborated,
        },
    )  # fmt: skip


def _answers(ownership: File) -> dict[str, str]:
    if ownership is None:
        return {}
    table = read_ownership(ownership)
    return dict(zip(table["owner_entity_id"].to_pylist(), table["access"].to_pylist(), strict=True))
