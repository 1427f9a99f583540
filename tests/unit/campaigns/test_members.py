"""What is known of the members of a cohort: bursts they were made in, and how much else they do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.campaigns.members import read_belonging
from stillwatch.runners import LocalRunner
from stillwatch.schema import Settings

DAY = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LocalRunner]:
    """Four members of cohort 0, made a day apart, who sent 4, 4, 4 and 1 of its prompts of 4."""
    runner = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    sids = pa.array(range(4), pa.int32())
    cohort = pa.array([0] * 4, pa.int32())
    runner.put("cohort_members", pa.table({"cohort": cohort, "sid": sids, "how": ["text"] * 4}))
    runner.put("subjects", pa.table({
        "sid": sids, "org": ["a", "b", "c", "d"], "exchanges": pa.array([4] * 4, pa.int64()),
        "created_at": pa.array([DAY + timedelta(days=k) for k in range(4)],
                               pa.timestamp("us", tz="UTC")),
    }))  # fmt: skip
    runner.put("objects", pa.table({
        "kind": pa.array([], pa.string()), "object": pa.array([], pa.uint64()),
        "sid": pa.array([], pa.int32()), "carriers": pa.array([], pa.int64()),
    }))  # fmt: skip
    runner.put("direct", pa.table({
        "a": pa.array([], pa.int32()), "b": pa.array([], pa.int32()),
        "kind": pa.array([], pa.string()), "part": pa.array([], pa.string()),
    }))  # fmt: skip
    told = [(sid, item) for sid in range(3) for item in range(4)] + [(3, 0)]
    runner.put("spoken", pa.table({
        "cohort": pa.array([0] * len(told), pa.int32()),
        "sid": pa.array([sid for sid, _ in told], pa.int32()),
        "h_payload": pa.array([100 * (1 + sid) + item if sid < 3 else 100 for sid, item in told],
                              pa.uint64()),
        "fresh": [True] * len(told), "answered": [True] * len(told),
        "user_tokens": pa.array([12] * len(told), pa.uint32()),
    }))  # fmt: skip
    yield runner
    runner.close()


def test_share_is_how_much_of_what_one_sends_speaks_for_the_cohort(desk: LocalRunner) -> None:
    found = read_belonging(desk, {0: []})[0]
    assert found.share == {0: 1.0, 1: 1.0, 2: 1.0, 3: 0.25}
    assert found.repeating == {0, 3}  # each sent the one prompt that the other sent too


def test_every_burst_names_its_own_accounts(desk: LocalRunner) -> None:
    hours = [(DAY + timedelta(days=k)).timestamp() for k in (0, 2)]
    bursts = {0: [[start - 60, start + 60] for start in hours]}
    shown = read_belonging(desk, bursts)[0].shown
    assert {sid for sid, kinds in shown.items() if "signup_burst" in kinds} == {0, 2}
