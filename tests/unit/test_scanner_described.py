"""A side table of other accounts clears nobody, and one with gaps is told of."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.scanner import scan
from stillwatch.simulate import SimulatedWorld, simulate

READS_ACCOUNTS = {"signup_burst", "shared_account_values", "succession", "ban_waves", "one_fleet"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    return simulate("tiny", seed=5, out=tmp_path_factory.mktemp("tiny"))


def told(
    tiny: SimulatedWorld, folder: Path, keep: Callable[[int, str], str | None]
) -> tuple[dict[str, Any], str]:
    """Scan with a table whose n-th account is renamed, or left out; return summary and page."""
    rows = list(csv.reader(tiny.accounts_csv.read_text().splitlines()))
    at = rows[0].index("account_id")
    with (folder / "accounts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows[0])
        for number, row in enumerate(rows[1:]):
            name = keep(number, row[at])
            if name is not None:
                writer.writerow([*row[:at], name, *row[at + 1 :]])
    out = folder / "run"
    scan([tiny.out / "exchanges"], accounts=folder / "accounts.csv", out=out)
    return json.loads((out / "summary.json").read_text()), (out / "report.html").read_text()


def not_evaluable(summary: dict[str, Any]) -> set[str]:
    return {s["name"] for s in summary["signals"] if not s["evaluable"]}


def test_a_table_of_other_accounts_makes_what_reads_it_not_evaluable(tiny, tmp_path):
    summary, page = told(tiny, tmp_path, lambda _, name: f"other-{name}")
    assert summary["described"] == 0
    assert not_evaluable(summary) >= READS_ACCOUNTS
    assert "The accounts table is of other accounts" in page


def test_gaps_in_the_table_are_told_and_the_rest_of_it_counts(tiny, tmp_path):
    summary, page = told(tiny, tmp_path, lambda n, name: name if n % 2 else None)
    assert 0.3 < summary["described"] / summary["accounts"] < 0.7
    assert not not_evaluable(summary) & READS_ACCOUNTS
    assert f"It tells of {summary['described']} of {summary['accounts']} accounts" in page


def test_a_table_of_all_accounts_is_no_matter(tiny, tmp_path):
    summary, page = told(tiny, tmp_path, lambda _, name: name)
    assert summary["described"] == summary["accounts"]
    assert "not described" not in page


def test_without_a_table_nothing_is_said_of_one(tiny, tmp_path):
    summary, page = told(tiny, tmp_path, lambda *_: None)
    assert summary["described"] is None
    assert not_evaluable(summary) >= READS_ACCOUNTS
    assert "It tells of" not in page


def test_a_log_of_two_accounts_whose_texts_were_not_kept_clears_nobody(tmp_path):
    """One address of both, which weighs nothing among two; columns that are there and empty."""
    log = tmp_path / "log.csv"
    log.write_text(
        "exchange_id,ts,account_id,model,messages,ip\n"
        "x1,2026-11-01T00:00:00Z,a,m,,203.0.113.9\n"
        "x2,2026-11-01T00:00:05Z,b,m,,203.0.113.9\n"
    )
    summary = json.loads((scan([log], out=tmp_path / "run").run_dir / "summary.json").read_text())
    assert summary["cannot_accuse"]
    assert not_evaluable(summary) >= {"harvest", "shared_mix", "handoff"}
    assert "shared_exits" not in not_evaluable(summary)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "The log lacks messages" in page


def test_a_column_that_is_there_and_never_filled_clears_nobody(tiny, tmp_path):
    """Parquet promises every column of its header; answers, blobs and states are all null here."""
    table = pq.read_table(tiny.out / "exchanges")
    for name in ("output_text", "reasoning_text", "reasoning_blob", "status", "http_status"):
        place = table.schema.get_field_index(name)
        nothing = pa.nulls(len(table), table.schema.field(place).type)
        table = table.set_column(place, name, nothing)
    pq.write_table(table, tmp_path / "log.parquet")
    accounts = tmp_path / "accounts.csv"
    rows = list(csv.DictReader(tiny.accounts_csv.read_text().splitlines()))
    with accounts.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        empty = dict.fromkeys(("created_at", "closed_at", "payment_hash", "phone_hash"), "")
        writer.writerows({**row, **empty} for row in rows)
    out = tmp_path / "run"
    scan([tmp_path / "log.parquet"], accounts=accounts, out=out)
    summary = json.loads((out / "summary.json").read_text())
    lacking = {s["name"]: s for s in summary["signals"] if not s["evaluable"]}
    assert {name: signal["missing"] for name, signal in lacking.items()} == {
        "handoff": ["output_text"],
        "crossed_cards": ["accounts.payment_hash"],
        "blob_replay": ["reasoning_blob"],
        "retry": ["status"],
        "signup_burst": ["accounts.created_at"],
        "succession": ["accounts.created_at"],
        "ban_waves": ["accounts.created_at"],
        "one_fleet": ["accounts.payment_hash", "accounts.created_at"],
    }
    assert "reasoning_blob" in (out / "report.html").read_text()
