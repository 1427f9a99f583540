"""How far a scan is, and what it left: a run directory whose tables are read on demand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.schema import EXIT_ACCUSED, EXIT_CLEAR
from stillwatch.store import open_run

__all__ = ["Progress", "ScanResult"]


@dataclass(frozen=True)
class Progress:
    """Where a scan stands. ``total`` is None where it cannot be known."""

    stage: str
    done: int
    total: int | None
    unit: str


class ScanResult:
    """A finished scan: its folder, its summary, and its tables read on demand."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._run = open_run(run_dir)

    @property
    def summary(self) -> dict[str, Any]:
        """The content of summary.json."""
        return self._run.summary

    @property
    def campaigns(self) -> list[dict[str, Any]]:
        """The lines of campaigns.jsonl."""
        return self._run.campaigns

    @cached_property
    def accounts(self) -> pa.Table:
        """accounts.parquet: a row for each account seen."""
        return self._run.table("accounts")

    @cached_property
    def subjects(self) -> pa.Table:
        """subjects.parquet: a row for each account and end user of channel accounts."""
        return self._run.table("subjects")

    @cached_property
    def signals(self) -> pa.Table:
        """signals.parquet: a row for each finding."""
        return self._run.table("signals")

    @cached_property
    def links(self) -> pa.Table:
        """links.parquet: a row for each pair of accounts and kind."""
        return self._run.table("links")

    @property
    def exit_code(self) -> int:
        """Return 3 when at least one campaign is accused, else 0."""
        accused = any(c["standing"] == "accused" for c in self.campaigns)
        return EXIT_ACCUSED if accused else EXIT_CLEAR

    def __repr__(self) -> str:
        accused = sum(c["standing"] == "accused" for c in self.campaigns)
        return (
            f"<ScanResult {accused} accused campaigns, {self.summary['accused_accounts']} of "
            f"{self.summary['accounts']} accounts>"
        )

    def _repr_html_(self) -> str:
        from html import escape  # a notebook asks for this, the command line never does

        rows = "".join(
            f"<tr><td>{escape(c['campaign_id'])}</td><td>{escape(c['standing'])}</td>"
            f"<td>{c['accounts']:,}</td><td>{c['exchanges']:,}</td>"
            f"<td>{escape(', '.join(c['methods']))}</td></tr>"
            for c in self.campaigns
        )
        return (
            f"<p>{escape(repr(self)[1:-1])}</p><table><thead><tr><th>campaign</th><th>standing</th>"
            f"<th>accounts</th><th>exchanges</th><th>methods</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )
