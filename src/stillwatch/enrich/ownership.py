"""The ownership table: the policy answer for an owner, as computed or screened elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa

from stillwatch.enrich.table_file import no_column, read_records, to_table
from stillwatch.errors import SchemaError
from stillwatch.schema import ACCESS
from stillwatch.schema.arrow import OWNER

__all__ = ["read_ownership"]


def read_ownership(path: str | os.PathLike[str]) -> pa.Table:
    """Return answers in the OWNER schema, one an owner, from CSV, JSON or Parquet.

    It sets ``access`` alone and is no evidence of anything.

    Raises SchemaError: a missing column, an unknown access word, an owner twice.
    """
    records, columns = read_records(path)
    name = Path(path).name
    for required in ("owner_entity_id", "access"):
        if required not in columns:
            raise no_column(required, columns, name, "give what `ownership answer` writes")
    table = to_table(records, OWNER, name)
    seen: dict[str, int] = {}
    for row, (line, _) in zip(table.to_pylist(), records, strict=True):
        if row["access"] not in ACCESS:
            raise SchemaError(
                f"access: expected one of {', '.join(ACCESS)}", where=f"{name}:{line}"
            )
        owner = row["owner_entity_id"]
        if owner in seen:
            raise SchemaError(
                f"the same owner_entity_id as in line {seen[owner]}", where=f"{name}:{line}"
            )
        seen[owner] = line
    return table
