"""The truth of a world: who was who. Only tests and benchmarks may read it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.simulate.stage import Truth

__all__ = ["PLAN_TRUTH", "TRUTH", "write_truth"]

TRUTH: Final = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("end_user_id", pa.string()),
        pa.field("family", pa.string(), nullable=False),
        pa.field("campaign", pa.string()),
        pa.field("role", pa.string(), nullable=False),
        pa.field("rung", pa.int32()),
        pa.field("language", pa.string()),
    ]
)


# of worlds from a file: who ran the campaign, and as which honest family an account poses
PLAN_TRUTH: Final = pa.schema(
    [*TRUTH, pa.field("operator", pa.string()), pa.field("benign_family", pa.string())]
)


def write_truth(rows: Iterable[Truth], path: Path, schema: pa.Schema = TRUTH) -> int:
    """Write the columns of ``schema`` sorted by account and return the number of rows."""
    columns = list(zip(*sorted(rows, key=lambda r: r.account_id), strict=True))
    arrays = [
        pa.array(columns[i] if columns else [], type=field.type) for i, field in enumerate(schema)
    ]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path)
    return len(columns[0]) if columns else 0
