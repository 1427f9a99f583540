"""A run's tables as a spreadsheet or a warehouse takes them: flat, one file a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import pyarrow as pa

from stillwatch.report.spreadsheet import csv_text
from stillwatch.store import Run

__all__ = ["EXPORTED", "as_csv", "export_tables"]

EXPORTED: Final = ("campaigns", "members", "accounts", "subjects", "signals", "links")
"""Names of the exported tables; the last four are the run's own."""

_TS: Final = pa.timestamp("us", tz="UTC")
CAMPAIGN: Final = pa.schema([
    ("campaign_id", pa.string()), ("standing", pa.string()), ("first_seen", _TS),
    ("last_seen", _TS), ("accounts", pa.int64()), ("core", pa.int64()), ("periphery", pa.int64()),
    ("exchanges", pa.int64()), ("output_tokens", pa.int64()), ("revenue_usd", pa.float64()),
    ("methods", pa.list_(pa.string())), ("coordinated", pa.float64()),
    ("extractive", pa.float64()), ("e_value", pa.float64()), ("q_value", pa.float64()),
    ("needed_e", pa.float64()), ("verdict", pa.string()),
])  # fmt: skip
MEMBER: Final = pa.schema([
    ("campaign_id", pa.string()), ("account_id", pa.string()), ("end_user_id", pa.string()),
    ("role", pa.string()), ("standing", pa.string()), ("confidence", pa.float64()),
    ("reasons", pa.list_(pa.string())),
])  # fmt: skip


def export_tables(run: Run) -> dict[str, pa.Table]:
    """Return the tables by name, rows in the run's order. Raises InputError: one cannot be read."""
    lines = run.campaigns
    members = [m | {"campaign_id": c["campaign_id"]} for c in lines for m in c["members"]]
    return {
        "campaigns": _table(map(_campaign, lines), CAMPAIGN),
        "members": _table(members, MEMBER),
        **{name: run.table(name) for name in EXPORTED[2:]},
    }


def as_csv(table: pa.Table) -> bytes:
    """Return a table as CSV, lists joined by semicolons, times as ISO 8601, no formulas."""
    rows = ([_plain(value) for value in row.values()] for row in table.to_pylist())
    return csv_text(table.column_names, rows).encode()


def _campaign(line: dict[str, Any]) -> dict[str, Any]:
    claims = line["claims"]
    return line | {
        "coordinated": claims["coordinated"]["confidence"],
        "extractive": claims["extractive"]["confidence"],
        "verdict": (line.get("recommended") or {}).get("verdict"),
    }


def _table(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    from stillwatch.report.numbers import parse

    made = [
        {f.name: parse(row[f.name]) if f.type == _TS else row[f.name] for f in schema}
        for row in rows
    ]
    return pa.Table.from_pylist(made, schema=schema)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return value.isoformat() if hasattr(value, "isoformat") else value
