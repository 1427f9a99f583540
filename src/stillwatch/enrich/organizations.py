"""The organizations table: what is known of an organization and not account by account."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from stillwatch.enrich.intervals import intervals_of, refuse_overlaps
from stillwatch.enrich.litellm_tables import organizations_of
from stillwatch.enrich.raw_values import refuse_raw
from stillwatch.enrich.table_file import no_column, read_records, to_table
from stillwatch.errors import SchemaError
from stillwatch.schema.arrow import ORGANIZATION

__all__ = ["Organizations", "read_organizations"]

_TIMES: Final = frozenset({"org_id", "valid_from", "valid_to"})


class Organizations(NamedTuple):
    """``columns``: those of an account that the file can fill."""

    table: pa.Table
    columns: frozenset[str]


def read_organizations(path: str | os.PathLike[str]) -> Organizations:
    """Return organizations in the ORGANIZATION schema from CSV, Parquet, JSON or JSON lines.

    Only org_id is required. The file may be an export of LiteLLM's table of organizations. An
    organization may have several rows, each with its time (valid_from, valid_to).

    Raises SchemaError: rows of one organization that hold at one time (naming the lines), a value
    of the wrong type, a raw value where a keyed hash belongs, no column org_id. InputError: the
    file cannot be read.
    """
    records, columns = organizations_of(*read_records(path))
    name = Path(path).name
    if "account_id" in columns:
        raise SchemaError(
            "a table of accounts; expected a row an organization", where=name,
            hint="give it as --accounts",
        )  # fmt: skip
    if "org_id" not in columns:
        raise no_column(
            "org_id", columns, name,
            "give a table with a row an organization; every column but org_id is optional",
        )  # fmt: skip
    table = to_table(records, ORGANIZATION, name)
    lines = [line for line, _ in records]
    times = intervals_of(table, lines, name)
    refuse_overlaps(table["org_id"].to_pylist(), times, name, "org_id")
    refuse_raw(table, lines, name)
    return Organizations(table, columns & frozenset(ORGANIZATION.names) - _TIMES)
