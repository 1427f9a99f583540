"""How far the customers of this log differ from each other in what they ask for."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.schema import Desk
from stillwatch.schema.arrow import packed
from stillwatch.stats import group_sums, unit_rows

__all__ = ["least_distinct", "own_share"]

LEAST_ROWS: Final = 12
LEAST_CUSTOMERS: Final = 50
QUARTER: Final = 0.25
_PER_SUBJECT: Final = 24
_SUBJECTS: Final = 3_000


def own_share(desk: Desk, leave_out: np.ndarray) -> float:
    """Return how distinct the least distinct quarter of customers are, as `least_distinct` does.

    Of at most 3,000 with twelve first prompts and more, by the hash of their number, without
    ``leave_out`` (sids of cohorts that act together: what is asked is what independent customers
    are like); of each two dozen prompts at most, the first of the window.
    """
    rows = desk.query(
        f"""WITH asked AS (
              SELECT e.sid, e.rid FROM exchanges e ANTI JOIN follow_ups u ON u.rid = e.rid
              ANTI JOIN left_out l ON l.sid = e.sid WHERE e.user_tokens > 0),
            chosen AS (
              SELECT sid FROM asked GROUP BY sid HAVING count(*) >= {LEAST_ROWS}
              ORDER BY md5_number_lower(CAST(sid AS VARCHAR)), sid LIMIT {_SUBJECTS}),
            first AS (
              SELECT a.sid, a.rid FROM asked a SEMI JOIN chosen c ON c.sid = a.sid
              QUALIFY row_number() OVER (PARTITION BY a.sid ORDER BY a.rid) <= {_PER_SUBJECT})
            SELECT e.sid, e.topic FROM exchanges e SEMI JOIN first f ON f.rid = e.rid
            ORDER BY e.sid, e.rid""",
        left_out=pa.table({"sid": pa.array(leave_out, pa.int32())}),
    )
    return least_distinct(unit_rows(packed(rows["topic"])), rows["sid"].to_numpy())


def least_distinct(vectors: np.ndarray, owner: np.ndarray) -> float:
    """Return which share of topic variance is a customer's own among the least distinct quarter.

    ``vectors``: (rows × directions), rows of one owner next to each other. Every other row of an
    owner says whether it is of the quarter, and the rest, whose noise is another, how distinct it
    is: the lowest of noisy values are lower than what they measure. The median over both ways.
    About 0 when they draw each row from what all draw from. NaN with fewer than fifty owners.
    """
    _, code, size = np.unique(owner, return_inverse=True, return_counts=True)
    if len(size) < LEAST_CUSTOMERS:
        return float("nan")
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    scale = float((centred * centred).sum(axis=1).mean())
    nth = np.arange(len(code)) - np.repeat(np.cumsum(size) - size, size)
    even = nth % 2 == 0
    one, other = (_shares(centred[half], code[half], len(size), scale) for half in (even, ~even))
    low = [mine[told <= np.quantile(told, QUARTER)] for told, mine in ((one, other), (other, one))]
    return float(np.median(np.concatenate(low)))


def _shares(rows: np.ndarray, code: np.ndarray, owners: int, scale: float) -> np.ndarray:
    """Return for each owner how alike its own rows are, as a share of a row's variance.

    *Error*: √(2/(n(n − 1)·d)) for n rows in d independent directions (0.05 for six).
    """
    size = np.bincount(code, minlength=owners)
    sums = group_sums(rows, code, owners)
    alone = np.bincount(code, weights=(rows * rows).sum(axis=1), minlength=owners)
    return np.asarray(((sums * sums).sum(axis=1) - alone) / (size * (size - 1)) / scale)
