"""The accounts table: what a provider knows about who pays, without raw identifiers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from stillwatch.enrich.intervals import intervals_of, refuse_overlaps
from stillwatch.enrich.litellm_tables import accounts_of, litellm_table
from stillwatch.enrich.raw_values import refuse_raw
from stillwatch.enrich.table_file import no_column, read_records, to_table
from stillwatch.errors import InputError, SchemaError
from stillwatch.schema.arrow import ACCOUNT

__all__ = ["Accounts", "read_accounts"]


class Accounts(NamedTuple):
    """``columns``: those the file has; a signal that needs another one is not evaluable."""

    table: pa.Table
    columns: frozenset[str]


def read_accounts(path: str | os.PathLike[str]) -> Accounts:
    """Return accounts in the ACCOUNT schema from CSV, Parquet, JSON or JSON lines.

    Only account_id is required. Times without a zone are taken as UTC. A file may be an export
    of LiteLLM's tables of users, teams or keys; a folder may hold several files. An account may
    have several rows, each with its time (valid_from, valid_to): of them the one holds that is
    valid at the account's last request in the window.

    Raises SchemaError: rows of one account that hold at one time (naming the lines), a value of
    the wrong type, or a raw value where a keyed hash belongs. InputError: the file cannot be read.
    """
    folder = Path(path)
    if not folder.is_dir():
        return _read_file(folder)
    files = sorted(f for f in folder.iterdir() if f.is_file() and f.name[:1] not in "._")
    if not files:
        raise InputError("an empty folder", where=folder.name, hint="give tables of accounts")
    found = [_read_file(file) for file in files]
    whole = pa.concat_tables([one.table for one in found])
    seen: dict[str, str] = {}
    for file, one in zip(files, found, strict=True):
        for account in one.table["account_id"].to_pylist():
            if seen.setdefault(account, file.name) != file.name:
                raise SchemaError(
                    f"an account_id that {seen[account]} has too",
                    where=file.name,
                    hint="one row an account, in one of the files",
                )
    return Accounts(whole, frozenset().union(*(one.columns for one in found)))


def _read_file(file: Path) -> Accounts:
    records, columns = read_records(file)
    name = file.name
    theirs = litellm_table(columns)
    if theirs:
        records, columns = accounts_of(records, theirs)
    if "account_id" not in columns:
        raise no_column(
            "account_id", columns, name,
            "a table of organizations is for --organizations"
            if {"org_id", "organization_alias"} & columns
            else "give a table with a row an account; every column but account_id is optional",
        )  # fmt: skip
    if len(columns) > 1 and columns & frozenset(ACCOUNT.names) == {"account_id"}:
        raise SchemaError(
            "account_id is the only column of an account", where=name,
            hint="name the others as docs/schema.md does (created_at, plan, payment_hash …); is it "
            "a log?",
        )  # fmt: skip
    table = to_table(records, ACCOUNT, name)
    lines = [line for line, _ in records]
    times = intervals_of(table, lines, name)
    refuse_overlaps(table["account_id"].to_pylist(), times, name, "account_id")
    refuse_raw(table, lines, name)
    return Accounts(table, columns & frozenset(ACCOUNT.names))
