"""Permits that were read: which name an account of the window, which were used, and why not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.policy import Permit, PermitUse
from stillwatch.runners import LocalRunner
from stillwatch.scanner.permits import permits_read
from stillwatch.schema import Settings

DAY = datetime(2026, 9, 10, tzinfo=UTC)
US = int(DAY.timestamp() * 1e6)
HOUR = 3_600_000_000


def permit(name: str, account: str | None = None, org: str | None = None, low=None, high=None):
    return Permit(name, account, org, None, (), (), None, low, high)


@pytest.fixture
def runner(tmp_path: Path):
    held = LocalRunner(tmp_path / "stages", Settings(), threads=1)
    held.put("people", pa.table({
        "account_id": ["a", "a", "b", "c"], "org_id": ["o", "o", "o", None],
        "plan": pa.array([None] * 4, pa.string()),
    }))  # fmt: skip
    held.put("exchanges", pa.table({"ts": pa.array([DAY], pa.timestamp("us", "UTC"))}))
    yield held
    held.close()


def test_each_permit_that_was_not_used_says_why(runner) -> None:
    permits = [
        permit("of-org", org="o"),
        permit("of-all", org="*"),
        permit("absent", "nobody"),
        permit("over", "a", high=US),
        permit("to-come", "a", low=US + HOUR),
        permit("used", "c"),
    ]
    told = permits_read(runner, permits, [PermitUse("used", ("c",), 3, 1, 0)])
    assert told is not None
    assert {k: told[k] for k in ("read", "named", "used", "exceeded")} == {
        "read": 6, "named": 5, "used": 1, "exceeded": 1,
    }  # fmt: skip
    assert [(p["permit_id"], p["accounts"], p["text"][:12]) for p in told["not_used"]] == [
        ("absent", 0, "it names no "),
        ("of-all", 3, "not needed: "),
        ("of-org", 2, "not needed: "),
        ("over", 1, "it ended bef"),
        ("to-come", 1, "it begins af"),
    ]


def test_without_permits_there_is_nothing_to_tell(runner) -> None:
    assert permits_read(runner, [], []) is None
    many = permits_read(runner, [permit(f"p{k:03}", "x") for k in range(70)], [])
    assert many is not None
    assert (many["read"], len(many["not_used"])) == (70, 50)
