"""The permits table: distillation that is allowed by agreement, to whom and how far."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa

from stillwatch.enrich.table_file import no_column, read_records, to_table
from stillwatch.errors import SchemaError
from stillwatch.schema import METHODS
from stillwatch.schema.arrow import PERMIT

__all__ = ["read_permits"]


def read_permits(path: str | os.PathLike[str]) -> pa.Table:
    """Return permits in the PERMIT schema from CSV, JSON, JSON lines or Parquet.

    1. A permit is for one account, one organization, or all (``org_id`` is ``*``).
    2. One for all needs models or a plan: it is what a model's own terms allow.
    3. Methods are words of the design or ``*``; models are names or ``*``. None means all.
    4. It ends after it begins. A permit_id occurs once.

    Raises SchemaError with file and line, InputError when the file cannot be read.
    """
    records, columns = read_records(path)
    name = Path(path).name
    if "permit_id" not in columns:
        raise no_column("permit_id", columns, name, "give a table with a row an agreement")
    table = to_table(records, PERMIT, name)
    seen: dict[str, int] = {}
    for row, (line, _) in zip(table.to_pylist(), records, strict=True):
        where = f"{name}:{line}"
        _check_holder(row, where)
        _check_scope(row, where)
        if row["permit_id"] in seen:
            raise SchemaError(
                f"the same permit_id as in line {seen[row['permit_id']]}", where=where
            )
        seen[row["permit_id"]] = line
    return table


def _check_holder(row: dict[str, object], where: str) -> None:
    holders = [row["account_id"], row["org_id"]]
    if sum(h is not None for h in holders) != 1:
        raise SchemaError(
            "expected either account_id or org_id, and not both", where=where,
            hint="name the columns so, and fill one of them; docs/schema.md lists all columns",
        )  # fmt: skip
    if "*" in holders and row["models"] in (None, ["*"]) and row["plan"] is None:
        raise SchemaError("a permit for everyone needs models or a plan", where=where)


def _check_scope(row: dict[str, object], where: str) -> None:
    methods = row["methods"]
    if isinstance(methods, list) and set(methods) - {*METHODS, "*"}:
        raise SchemaError(
            "methods: a word that is no method",
            where=where,
            hint=f"one of {', '.join(METHODS)} or *",
        )
    limit = row["max_output_tokens_per_day"]
    if isinstance(limit, int) and limit < 0:
        raise SchemaError("max_output_tokens_per_day: expected 0 or more", where=where)
    begins, ends = row["valid_from"], row["valid_until"]
    if begins is not None and ends is not None and ends <= begins:  # type: ignore[operator]
        raise SchemaError("valid_until: expected a time after valid_from", where=where)
