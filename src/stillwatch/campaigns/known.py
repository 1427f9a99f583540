"""What the tables say of each cohort, asked once for all: a question each would read them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from stillwatch.campaigns.methods import count_hints
from stillwatch.schema import Desk

__all__ = ["Known", "ask"]


@dataclass(frozen=True)
class Known:
    """One cohort; ``core``: the sids that speak for it.

    ``ids``: the sum of the hashed ids of their exchanges; ``exits``: the most of them behind one
    address prefix; ``handoffs`` in how many ``pairs`` of members; ``hints`` as of `count_hints`.
    """

    cohort: int
    core: Sequence[int]
    found_by: list[str]
    ids: str
    exits: int
    handoffs: int
    pairs: int
    hints: Mapping[str, int]


def ask(desk: Desk, cores: Mapping[int, Sequence[int]]) -> dict[int, Known]:
    """Return what is known of each cohort of ``cores`` (cohort → sids)."""
    core = pa.table(
        {
            "cohort": pa.array([c for c, sids in cores.items() for _ in sids], pa.int32()),
            "sid": pa.array([s for sids in cores.values() for s in sids], pa.int32()),
        }
    )
    ids = desk.query(
        """SELECT c.cohort, CAST(sum(CAST(md5_number_lower(e.exchange_id) AS HUGEINT)) AS VARCHAR)
                    AS ids
           FROM acts e JOIN core c ON c.sid = e.sid GROUP BY c.cohort ORDER BY c.cohort""",
        core=core,
    )
    exits = desk.query(
        """SELECT cohort, max(n) AS n FROM (
             SELECT c.cohort, e.h_prefix, count(DISTINCT e.sid) AS n
             FROM acts e JOIN core c ON c.sid = e.sid WHERE e.h_prefix <> 0 GROUP BY ALL)
           GROUP BY cohort ORDER BY cohort""",
        core=core,
    )
    moved = desk.query(
        """SELECT x.cohort, count(*) AS n, count(DISTINCT (d.a, d.b)) AS pairs FROM direct d
           JOIN cohort_members x ON x.sid = d.a
           JOIN cohort_members y ON y.sid = d.b AND y.cohort = x.cohort
           WHERE d.kind = 'handoff' GROUP BY x.cohort ORDER BY x.cohort"""
    )
    found_by = _column(desk.query("SELECT cohort, found_by FROM cohorts"), "found_by")
    digests, most = _column(ids, "ids"), _column(exits, "n")
    handoffs, pairs = _column(moved, "n"), _column(moved, "pairs")
    hints = count_hints(desk, list(cores))
    return {
        c: Known(
            c, sids, found_by[c], str(digests.get(c)), most.get(c, 0), handoffs.get(c, 0),
            pairs.get(c, 0), hints.get(c, {}),
        )
        for c, sids in cores.items()
    }  # fmt: skip


def _column(table: pa.Table, name: str) -> dict[int, Any]:
    return dict(zip(table["cohort"].to_pylist(), table[name].to_pylist(), strict=True))
