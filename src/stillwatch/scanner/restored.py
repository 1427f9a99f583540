"""Accounts that an upheld appeal restored make no links: theirs are taken out as they are found."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import pyarrow as pa

from stillwatch.runners import LocalRunner

__all__ = ["take_out"]

# Every table from which cohorts, members or links are made, with its columns of subjects.
_LINKING: Final = {"carried": ("sid",), "objects": ("sid",), "direct": ("a", "b")}


def take_out(runner: LocalRunner, table: str, accounts: Collection[str]) -> None:
    """Remove the rows of the accounts, and of end users behind them, from one of these tables.

    Done again it changes nothing, so that a run that goes on may do it again. The others' links
    stay, also those over an object that a restored account carries: it is no evidence less.
    """
    if not accounts or table not in _LINKING:
        return
    restored = pa.table({"account_id": pa.array(sorted(accounts), pa.string())})
    unless = " ".join(
        f"ANTI JOIN (SELECT sid AS {column} FROM people SEMI JOIN restored USING (account_id)) "
        f"USING ({column})"
        for column in _LINKING[table]
    )
    runner.put(table, runner.query(f"SELECT * FROM {table} {unless}", restored=restored))
