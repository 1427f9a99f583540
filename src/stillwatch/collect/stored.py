"""Which rows are stored already: asked of the segments themselves, so that nothing can disagree.

A delivery that is repeated has the same rows, and so the same hour. A row is a repeat when one in
that hour's segments is equal in every column; two that share an id and differ are both kept, and
`scan` decides between them as it does in any input.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["Stored", "only_once"]

_MOST_IDS: Final = 8_000_000
_SLICE: Final = 4_096
Ids = np.ndarray[Any, np.dtype[np.uint64]]


def _digests(ids: list[str]) -> Ids:
    """Return 64-bit digests: equal ids have equal ones, others are told apart by the rows."""
    joined = b"".join(hashlib.blake2b(i.encode(), digest_size=8).digest() for i in ids)
    return np.frombuffer(joined, np.uint64)


class Stored:
    """Digests of the ids in segments that were asked lately: at most 8 million, 64 MB."""

    def __init__(self, most_ids: int = _MOST_IDS) -> None:
        self._most = most_ids
        self._ids: OrderedDict[Path, Ids] = OrderedDict()

    def without_repeats(self, table: pa.Table, folder: Path) -> pa.Table:
        """Return the rows of one hour without those that its folder holds already."""
        repeats = np.zeros(len(table), bool)
        digests = _digests(table["exchange_id"].to_pylist())
        for path in sorted(folder.glob("*.parquet")):
            here = np.flatnonzero(np.isin(digests, self._of(path)) & ~repeats)
            for start in range(0, len(here), _SLICE):
                some = here[start : start + _SLICE]
                asked = table.take(pa.array(some))
                there = pq.read_table(
                    path, filters=[("exchange_id", "in", asked["exchange_id"].to_pylist())],
                    partitioning=None,
                )  # fmt: skip
                known = {_frozen(row) for row in there.to_pylist()}
                repeats[some] = [_frozen(row) in known for row in asked.to_pylist()]
        return table.filter(pa.array(~repeats)) if repeats.any() else table

    def holds(self, ids: set[str], folder: Path) -> set[str]:
        """Return those of some ids that a folder's segments hold."""
        found: set[str] = set()
        named = sorted(ids)
        digests = _digests(named)
        for path in sorted(folder.glob("*.parquet")):
            some = [named[i] for i in np.flatnonzero(np.isin(digests, self._of(path)))]
            if some:
                there = pq.read_table(
                    path, columns=["exchange_id"], filters=[("exchange_id", "in", some)],
                    partitioning=None,
                )  # fmt: skip
                found.update(there["exchange_id"].to_pylist())
        return found

    def _of(self, path: Path) -> Ids:
        ids = self._ids.pop(path, None)
        if ids is None:
            column = pq.read_table(path, columns=["exchange_id"], partitioning=None)["exchange_id"]
            ids = np.unique(_digests(column.to_pylist()))
        self._ids[path] = ids
        while sum(map(len, self._ids.values())) > self._most and len(self._ids) > 1:
            self._ids.popitem(last=False)
        return ids


def only_once(table: pa.Table) -> pa.Table:
    """Return the table with the first of rows that are equal in every column."""
    digests = _digests(table["exchange_id"].to_pylist())
    _, back, counts = np.unique(digests, return_inverse=True, return_counts=True)
    several = np.flatnonzero(counts[back] > 1)
    if not len(several):
        return table
    keep = np.ones(len(table), bool)
    seen: set[str] = set()
    for start in range(0, len(several), _SLICE):
        some = several[start : start + _SLICE]
        for place, row in zip(some, table.take(pa.array(some)).to_pylist(), strict=True):
            text = _frozen(row)
            keep[place] = text not in seen
            seen.add(text)
    return table.filter(pa.array(keep))


def _frozen(row: dict[str, Any]) -> str:
    """Return a digest of a row's values; a column that is not there and a null are the same."""
    there = sorted((k, v) for k, v in row.items() if v is not None)
    return hashlib.sha256(repr(there).encode("utf-8", "surrogatepass")).hexdigest()
