"""Which of a cohort's templates an exchange carries, where the cohort has several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.schema import TEMPLATE_COLUMNS, Desk

__all__ = ["NO_VARIANT", "apart", "told_apart"]

NO_VARIANT: Final = -1
_COMMON: Final = 0.8


def told_apart(desk: Desk, events: pa.Table) -> np.ndarray:
    """Return which of its cohort's templates each event carries, −1 for none.

    ``events``: cohort, template, rid, in the order of cohorts.
    """
    cohort, template, rid = (events[c].to_numpy() for c in ("cohort", "template", "rid"))
    keys, first, place = np.unique(
        np.stack([cohort.astype(np.uint64), template.astype(np.uint64)]),
        axis=1, return_index=True, return_inverse=True,
    )  # fmt: skip
    nodes = _nodes_sent(desk, rid[first][keys[1] != 0].tolist())
    sent = {k: nodes.get(r, frozenset()) for k, r in enumerate(rid[first].tolist())}
    found = np.full(len(cohort), NO_VARIANT, dtype=np.int64)
    for number in np.unique(cohort).tolist():
        low, high = np.searchsorted(cohort, [number, number + 1])
        found[low:high] = apart(place.ravel()[low:high], sent)
    return found


def _nodes_sent(desk: Desk, rids: Iterable[int]) -> dict[int, frozenset[int]]:
    """Return the speaking template nodes of the given exchanges, by rid."""
    asked = pa.table({"rid": pa.array(sorted(set(rids)), pa.int64())})
    if not asked.num_rows:
        return {}
    rows = desk.query(
        f"""SELECT u.rid, f.h FROM (
              SELECT e.rid, unnest([{", ".join(TEMPLATE_COLUMNS)}]) AS h
              FROM exchanges e JOIN asked a ON a.rid = e.rid) u
            JOIN (SELECT DISTINCT h FROM frames WHERE speaks) f ON f.h = u.h
            ORDER BY 1, 2""",
        asked=asked,
    )
    sent: dict[int, set[int]] = {}
    for rid, node in zip(rows["rid"].to_pylist(), rows["h"].to_pylist(), strict=True):
        sent.setdefault(rid, set()).add(node)
    return {rid: frozenset(nodes) for rid, nodes in sent.items()}


def apart(template: np.ndarray, nodes: Mapping[int, frozenset[int]]) -> np.ndarray:
    """Return a number from 0 for each exchange: which of the templates it carries; −1 for none.

    ``template``: the variant of each exchange; ``nodes``: the template nodes of each variant.
    Nodes that four fifths of the exchanges carry (one system prompt over several questions) tell
    nothing apart. Of the others, two that any exchange carries together belong to one template,
    so that a closing line which comes and goes never makes two of one.
    """
    values, place, often = np.unique(template, return_inverse=True, return_counts=True)
    share: dict[int, int] = {}
    for value, n in zip(values.tolist(), often.tolist(), strict=True):
        for node in nodes.get(value, ()):
            share[node] = share.get(node, 0) + n
    common = {node for node, n in share.items() if n >= _COMMON * len(template)}
    leader: dict[int, int] = {}

    def lead(node: int) -> int:
        while leader.setdefault(node, node) != node:
            node = leader[node]
        return node

    left = [sorted(nodes.get(value, frozenset()) - common) for value in values.tolist()]
    for own in left:
        for node in own[1:]:
            first, second = sorted((lead(own[0]), lead(node)))
            leader[second] = first
    numbers: dict[int, int] = {}
    code = [numbers.setdefault(lead(own[0]), len(numbers)) if own else NO_VARIANT for own in left]
    return np.array(code, dtype=np.int64)[place.ravel()] if len(template) else np.zeros(0, np.int64)
