"""What a scan in the middle of a replay is told of accounts is what was known by then."""

from __future__ import annotations

import csv
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
from guard_replay import known_by, told

from stillwatch.store import Run

HEAD = ["account_id", "created_at", "closed_at", "closed_reason"]
MIDNIGHT = datetime(2026, 11, 18, tzinfo=UTC)


def test_accounts_and_closures_of_later_are_not_known(tmp_path):
    given = [
        ["open", "2026-11-01T00:00:00Z", "", ""],
        ["banned", "2026-11-01T00:00:00Z", "2026-11-17T23:59:59Z", "abuse"],
        ["banned-later", "2026-11-01T00:00:00Z", "2026-11-18T00:00:00Z", "abuse"],
        ["later", "2026-11-18T00:00:00Z", "", ""],
    ]
    with (tmp_path / "all.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEAD, *given])
    known_by(MIDNIGHT, tmp_path / "all.csv", tmp_path / "then.csv")
    with (tmp_path / "then.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [HEAD, given[0], given[1], [*given[2][:2], "", ""]]


def test_a_campaign_that_the_truth_names_has_its_core_and_nobody_else(tmp_path):
    rows = [
        {"account_id": name, "end_user_id": None, "campaign": campaign, "role": role}
        for name, campaign, role in (
            ("bad", "c", "core"), ("neighbour", "c", "periphery"), ("other", "d", "core"),
            ("honest", None, "honest"),
        )
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "truth.parquet")
    (campaign,) = told(Run(tmp_path), tmp_path / "truth.parquet", "c").campaigns
    assert [m["account_id"] for m in campaign["members"]] == ["bad"]
    assert campaign["standing"] == campaign["members"][0]["standing"] == "accused"
