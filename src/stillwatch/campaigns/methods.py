"""Which methods a campaign's exchanges show, by the hints on each exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from stillwatch.schema import METHODS, Desk

__all__ = ["count_hints", "methods_of"]

_MIN_SHARE = 0.2
_MIN_DIRECT = 10


def count_hints(desk: Desk, cohorts: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return of each cohort its exchanges (``n``) and how many hint at each method.

    Members that are only associated do not speak. A cohort without exchanges is not in it.
    """
    terms = ", ".join(
        f"count(*) FILTER (method_hints & {1 << k} <> 0) AS {name}"
        for k, name in enumerate(METHODS)
    )
    rows = desk.query(
        f"""SELECT m.cohort, count(*) AS n, {terms} FROM acts e
            JOIN cohort_members m ON m.sid = e.sid JOIN asked a ON a.cohort = m.cohort
            WHERE m.how <> 'associated' GROUP BY m.cohort ORDER BY m.cohort""",
        asked=pa.table({"cohort": pa.array(cohorts, pa.int64())}),
    ).to_pylist()
    return {row.pop("cohort"): row for row in rows}


def methods_of(hints: Mapping[str, int], direct: Mapping[str, int]) -> list[str]:
    """Return the methods that a fifth of the campaign's exchanges hint at, most frequent first.

    ``hints``: what `count_hints` says of its cohort. `relay` and `blob_replay` come from direct
    evidence. Hints say what is taken; they are no part of the accusation, which stands without
    them.
    """
    least = _MIN_SHARE * max(hints.get("n", 0), 1)
    counts = {name: n for name, n in hints.items() if name != "n" and n >= least}
    found = sorted(counts, key=lambda k: (-counts[k], k))
    if direct.get("handoff", 0) >= _MIN_DIRECT:
        found.insert(0, "relay")
    if direct.get("blob_replay", 0) >= _MIN_DIRECT:
        found.append("blob_replay")
    return found
