"""Whose a key was at the time of a request: a key may move between accounts and organizations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.enrich.intervals import FIRST, LAST, intervals_of, refuse_overlaps
from stillwatch.enrich.table_file import no_column, read_records, to_table
from stillwatch.errors import SchemaError
from stillwatch.schema import to_micros
from stillwatch.schema.arrow import KEY

__all__ = ["Keys", "read_keys"]

_TOLD: Final = ("account_id", "org_id", "workspace_id")


class Keys:
    """Answers whose a key was at a time. ``table`` is in the KEY schema, no interval overlaps."""

    def __init__(self, table: pa.Table) -> None:
        rows = sorted(
            table.to_pylist(), key=lambda row: (row["key_id"], row["valid_from"] or FIRST)
        )
        self._table = pa.Table.from_pylist(rows, schema=KEY)
        self._begins = np.array([_micros(row["valid_from"], FIRST) for row in rows], np.int64)
        self._ends = np.array([_micros(row["valid_to"], LAST) for row in rows], np.int64)
        self._spans: dict[str, tuple[int, int]] = {}
        for place, row in enumerate(rows):
            first, _ = self._spans.get(row["key_id"], (place, place))
            self._spans[row["key_id"]] = (first, place + 1)

    def columns(self) -> frozenset[str]:
        """Return the columns of an exchange that at least one row tells."""
        return frozenset(n for n in _TOLD if self._table[n].null_count < self._table.num_rows)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return exchanges with the account, organization and workspace of their keys.

        What the row of a key leaves empty stays as the log has it, as do requests whose key is not
        listed, or not for that time.
        """
        place = self._places(batch.column("key_id"), batch.column("ts"))
        if place is None:
            return batch
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name in _TOLD:
            told = self._table[name].take(place).combine_chunks()
            columns[name] = pc.coalesce(told, columns[name])
        return pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)

    def _places(self, keys: pa.Array, times: pa.Array) -> pa.Array | None:
        """Return each exchange's row of the table, null where there is none; None for no row."""
        encoded = keys.dictionary_encode()
        nothing = (0, 0)
        spans = np.array(
            [*(self._spans.get(word, nothing) for word in encoded.dictionary.to_pylist()), nothing]
        )
        codes = pc.fill_null(encoded.indices.cast(pa.int64()), len(spans) - 1)
        first, end = spans[codes.to_numpy(zero_copy_only=False)].T
        if not (end > first).any():
            return None
        moments = times.cast(pa.int64()).to_numpy(zero_copy_only=False)
        place = np.full(len(moments), -1)
        for step in range(int((end - first).max())):  # a key's own number of rows: a few
            row = np.minimum(first + step, len(self._begins) - 1)
            holds = (first + step < end) & (self._begins[row] <= moments) & (
                moments < self._ends[row])  # fmt: skip
            place[holds] = row[holds]
        return pa.array(place, mask=place < 0)


def read_keys(path: str | os.PathLike[str]) -> Keys:
    """Return the keys table from CSV, Parquet, JSON or JSON lines, in the KEY schema.

    A key may have several rows, each with its time (valid_from, valid_to), in any order.

    Raises SchemaError: two rows of one key hold at one time (both lines are named), a value of the
    wrong type, no column key_id, a key that is one and not its hash. InputError: it cannot be read.
    """
    records, columns = read_records(path)
    name = Path(path).name
    if "key_id" not in columns:
        raise no_column("key_id", columns, name, "every other one is optional")
    table = to_table(records, KEY, name)
    lines = [line for line, _ in records]
    for key, line in zip(table["key_id"].to_pylist(), lines, strict=True):
        if key.startswith("sk-"):
            raise SchemaError(
                "key_id holds a key; expected its hash", where=f"{name}:{line}",
                hint="give the hash that the log has",
            )  # fmt: skip
    times = intervals_of(table, lines, name)
    refuse_overlaps(table["key_id"].to_pylist(), times, name, "key_id")
    return Keys(table)


def _micros(moment: Any, otherwise: Any) -> int:
    if moment is not None:
        return to_micros(moment)
    return -(2**63) if otherwise is FIRST else 2**63 - 1
