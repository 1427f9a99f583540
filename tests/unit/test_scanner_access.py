"""Ownership answers set the access column and touch nothing else of a scan."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.policy import OwnershipRow, table_text
from stillwatch.scanner import scan
from stillwatch.simulate import simulate


@pytest.mark.slow
def test_every_answer_leaves_every_standing_as_it_is(tmp_path: Path) -> None:
    world = simulate("tiny", seed=5, out=tmp_path / "world")
    with world.accounts_csv.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["owner_entity_id"] = f"e-{row['account_id']}"
    accounts = tmp_path / "accounts.csv"
    with accounts.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    words = ("restricted", "possible", "undetermined", "clear")
    today = datetime(2026, 11, 26, tzinfo=UTC)
    answers = [
        OwnershipRow(row["owner_entity_id"], words[n % 4], today, "policy p")
        for n, row in enumerate(rows)
    ]
    (tmp_path / "ownership.csv").write_text(table_text(answers), encoding="utf-8")
    plain = look(world.out / "exchanges", accounts, tmp_path / "plain")
    owned = look(
        world.out / "exchanges", accounts, tmp_path / "owned", ownership=tmp_path / "ownership.csv"
    )
    wanted = {r.owner_entity_id.removeprefix("e-"): r.access for r in answers}
    assert {row["access"] for row in owned} == set(words)
    assert all(row["access"] == wanted[row["account_id"]] for row in owned)
    assert {row.pop("access") for row in plain} == {"clear"}
    assert [row.pop("access") for row in owned]
    assert plain == owned
    for name in ("campaigns.jsonl", "links.parquet", "signals.parquet"):
        one, two = (tmp_path / run / name for run in ("plain", "owned"))
        assert one.read_bytes() == two.read_bytes(), name


def look(logs: Path, accounts: Path, out: Path, **options: Any) -> list[dict[str, Any]]:
    scan([logs], accounts=accounts, out=out, **options)
    rows: list[dict[str, Any]] = pq.read_table(out / "accounts.parquet").to_pylist()
    return rows
