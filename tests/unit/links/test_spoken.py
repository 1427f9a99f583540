"""What is asked of the exchanges that speak for a hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from stillwatch.links.spoken import spoken_sql
from stillwatch.runners import LocalRunner
from stillwatch.schema import Settings


def test_behind_an_answer_an_item_is_what_was_said_before_and_the_prompt(tmp_path: Path) -> None:
    """Print your reasoning, asked of two conversations, is two items; in one conversation one."""
    runner = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    behind = pa.array([0, 0, 50, 60, 60, 70], pa.uint64())
    said = pa.array([9, 9, 9, 9, 9, 0], pa.uint64())
    rids = pa.array(range(6), pa.int64())
    runner.put("chosen", pa.table({
        "cohort": pa.array([0] * 6, pa.int32()), "rid": rids,
        "template": pa.array([1] * 6, pa.uint64()),
    }))  # fmt: skip
    runner.put("exchanges", pa.table({
        "rid": rids, "sid": pa.array(range(6), pa.int32()), "part": ["A"] * 6,
        "ts": pa.array([datetime(2026, 11, 17, tzinfo=UTC)] * 6, pa.timestamp("us", tz="UTC")),
        "h_payload": said, "prefix_before_last_user": behind, "topic": [bytes(64)] * 6,
        "user_tokens": pa.array([12] * 6, pa.uint32()),
        "method_hints": pa.array([0] * 6, pa.uint64()), "status": ["ok"] * 6,
    }))  # fmt: skip
    runner.put("follow_ups", pa.table({
        "rid": pa.array([4], pa.int64()), "goes_on": [True],
    }))  # fmt: skip
    rows = runner.query(f"SELECT * FROM ({spoken_sql(Settings())}) ORDER BY rid").to_pylist()
    runner.close()
    item = [row["h_payload"] for row in rows]
    assert item[0] == item[1] == 9, "who begins with it asks one thing"
    assert item[3] == item[4] != item[2]
    assert len({item[0], item[2], item[3]}) == 3
    assert item[5] == 0, "nothing said is no item"
    assert [row["later"] for row in rows] == [0, 0, 9, 9, 9, 0]
    assert [row["opens"] for row in rows] == [True, True, True, True, False, True]
