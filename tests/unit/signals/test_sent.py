"""Who sent how much through which prefix, told apart by part from one reading."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from stillwatch.runners import LocalRunner
from stillwatch.schema import Settings
from stillwatch.signals.data import STATIC_KINDS, Sent, load_population

OWN = np.array([True, True, False, True])
# sid, prefix, exchanges of part A, of part B, first of part B
ROWS = [
    (0, 0, 5, 5, 10.0),  # no address
    (0, 7, 2, 0, np.nan),
    (0, 8, 2, 1, 30.0),
    (0, 9, 0, 3, 20.0),
    (1, 7, 1, 1, 40.0),
    (2, 9, 4, 4, 50.0),  # an end user
    (3, 8, 0, 6, 60.0),
]


def sent() -> Sent:
    sid, prefix, a, b, late = (np.array(column) for column in zip(*ROWS, strict=True))
    return Sent(OWN, sid, prefix.astype(np.uint64), {"A": a, "B": b}, late)


def test_volumes_count_everything_and_exits_only_addresses_of_ones_own():
    volume, exits, share = sent().traffic("A")
    assert volume.tolist() == [9, 1, 4, 0]
    assert exits.tolist() == [0, 0, -1, -1]  # of two used alike, 7 and 8, the smaller
    assert share.round(3).tolist() == [0.222, 1, 0, 0]  # of all that each sent
    volume, exits, share = sent().traffic("B")
    assert volume.tolist() == [9, 1, 4, 6]
    assert exits.tolist() == [0, 1, -1, 2]  # codes by first appearance: 9, 7, 8
    assert share.round(3).tolist() == [0.333, 1, 0, 1]


def test_who_moved_takes_the_first_prefix_that_its_organization_had_not_used():
    org = np.array([0, 1, 2, 1])
    moved = sent().moved(org)
    assert sorted(zip(moved.org.tolist(), moved.prefix.tolist(), strict=True)) == [
        (0, 0), (0, 1), (1, 0),
    ]  # fmt: skip
    assert moved.first_new.tolist() == [2, 1, -1]  # prefix 9; 8 by another account; unknown


def test_who_is_closed_is_an_account_and_not_its_end_users(tmp_path: Path) -> None:
    """A gateway that is closed is one ban, and who it serves was none."""
    day = datetime(2026, 11, 17, tzinfo=UTC)
    words = pa.string()
    runner = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    runner.put("subjects", pa.table({
        "sid": pa.array(range(5), pa.int32()), "org": list("abcde"), "segment": ["s"] * 5,
        "end_user_id": pa.array(["", "u-1", None, None, None], words),
        "org_id": pa.array([None] * 5, words), "created_at": [day] * 5,
        "closed_at": [day, day, day, day, None],
        "closed_reason": pa.array(["policy", "policy", "Abuse", "user_request", "abuse"], words),
        **{kind: pa.array([None] * 5, words) for kind in STATIC_KINDS},
    }))  # fmt: skip
    runner.put("exchanges", pa.table({
        "sid": pa.array(range(5), pa.int32()), "ts": [day] * 5, "part": ["B"] * 5,
        "h_prefix": pa.array([0] * 5, pa.uint64()), "method_hints": pa.array([0] * 5, pa.int64()),
    }))  # fmt: skip
    runner.put("background", pa.table({
        "turn": pa.array([1], pa.uint64()), "topic": pa.array([b"\1" * 64], pa.binary()),
    }))  # fmt: skip
    banned = load_population(runner).banned_us
    runner.close()
    assert banned is not None
    assert np.isnan(banned).tolist() == [True, True, False, True, True]
    assert banned[2] == day.timestamp() * 1e6
