"""`stillwatch export`: OCSF that the published schema takes, tables no spreadsheet runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocsf_json_schema.embedded import OcsfJsonSchemaEmbedded
from ocsf_json_schema.loader import get_ocsf_schema

from stillwatch.report.export_tables import EXPORTED, as_csv, export_tables
from stillwatch.report.spreadsheet import csv_text
from stillwatch.scanner import scan
from stillwatch.simulate import simulate
from stillwatch.store import open_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scan a world with accused campaigns once."""
    folder = tmp_path_factory.mktemp("export")
    world = simulate("small", seed=7, out=folder / "world")
    return scan([world.out / "exchanges"], accounts=world.accounts_csv, out=folder / "run",
                threads=1).run_dir  # fmt: skip


def validator(kind: str, profiles: list[str]) -> Any:
    made = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0")).get_class_schema(kind, profiles)
    assert made["additionalProperties"] is False
    return jsonschema.Draft202012Validator(made)


def events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@pytest.mark.slow
def test_findings_are_what_the_schema_allows(stillwatch, run, tmp_path):
    told = stillwatch("export", run, "--format", "ocsf", "--out", tmp_path)
    assert told.code == 0
    found, lines = events(tmp_path / "findings.ocsf.jsonl"), open_run(run).campaigns
    check = validator("detection_finding", [])
    assert [list(check.iter_errors(event)) for event in found] == [[]] * len(lines)
    assert list(check.iter_errors(found[0] | {"prompt": "x"}))
    silent, watched = False, set()
    for event, line in zip(found, lines, strict=True):
        assert event["class_uid"] == 2004
        assert event["finding_info"]["uid"] == line["campaign_id"]
        assert event["is_alert"] is (line["standing"] == "accused")
        assert (event["severity"] == "High") is (line["standing"] == "accused")
        assert len(event["evidences"]) == len(line["members"])
        assert 0 <= event["confidence_score"] <= 100
        tests = [one for claim in ("coordinated", "extractive")
                 for one in line["claims"][claim]["evidence"]]  # fmt: skip
        speak = [one for one in tests if one["e_value"] >= 1]
        watch = {one["signal"] for one in speak if one.get("counts_for") == "watch"}
        alone = " (counts for watching alone)"
        assert event["finding_info"]["desc"] == " ".join(
            one["text"] + (alone if one["signal"] in watch else "") for one in speak
        )
        named = event["finding_info"]["related_analytics"]
        assert {one["name"] for one in named} == {one["signal"] for one in speak}
        assert {one["name"] for one in named if one.get("category") == "watch"} == watch
        watched |= watch
        silent |= len(speak) < len(tests)
    assert watched, "some test counts for watching alone"
    assert silent, "some test was made in vain, and is no part of what was found"
    assert any(event["is_alert"] for event in found)
    assert not (tmp_path / "activity.ocsf.jsonl").exists()


def test_requests_of_the_accused_and_of_nobody_else(stillwatch, run, tmp_path):
    told = stillwatch("export", run, "--format", "ocsf", "--activity", "--provider", "acme",
                      "--out", tmp_path)  # fmt: skip
    assert told.code == 0
    found = events(tmp_path / "activity.ocsf.jsonl")
    check = validator("api_activity", ["ai_operation"])
    assert not [e for event in found[::7] for e in check.iter_errors(event)]
    assert list(
        check.iter_errors({k: v for k, v in found[0].items() if k != "ai_model"} | {"x": 1})
    )
    accounts = open_run(run).table("accounts")
    accused = accounts.filter(pc.equal(accounts["standing"], "accused"))
    assert len(found) == pc.sum(accused["exchanges"]).as_py() > 0
    users = [e["actor"]["user"] for e in found]
    billed = {user.get("account", user)["uid"] for user in users}
    assert billed == set(accused["account_id"].to_pylist())
    assert {e["ai_model"]["ai_provider"] for e in found} == {"acme"}
    assert len({e["metadata"]["uid"] for e in found}) == len(found)
    campaigns = {c["campaign_id"] for c in open_run(run).campaigns}
    assert {e["metadata"]["correlation_uid"] for e in found} <= campaigns
    rows = {r["exchange_id"]: r for r in pq.read_table(
        run / "stages/exchanges.parquet",
        columns=["exchange_id", "output_tokens", "status"]).to_pylist()}  # fmt: skip
    for event in found:
        row = rows[event["metadata"]["uid"]]
        assert event["message_context"].get("completion_tokens") == row["output_tokens"]
        assert (event["status"] == "Success") is (row["status"] in ("ok", "refused", "filtered"))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_hold_what_the_run_holds(stillwatch, run, tmp_path, kind):
    assert stillwatch("export", run, "--format", kind, "--out", tmp_path).code == 0
    assert {f.name for f in tmp_path.iterdir()} == {f"{name}.{kind}" for name in EXPORTED}
    held = open_run(run)
    want = {name: held.table(name).num_rows for name in EXPORTED[2:]}
    want["campaigns"] = len(held.campaigns)
    want["members"] = sum(len(c["members"]) for c in held.campaigns)
    for name, rows in want.items():
        file = tmp_path / f"{name}.{kind}"
        if kind == "parquet":
            assert pq.read_metadata(file).num_rows == rows
        else:
            with file.open(newline="", encoding="utf-8") as text:
                assert len(list(csv.DictReader(text))) == rows
    if kind == "parquet":
        assert pq.read_table(tmp_path / "links.parquet").equals(held.table("links"))
        first = pq.read_table(tmp_path / "campaigns.parquet").to_pylist()[0]
        assert first["coordinated"] == held.campaigns[0]["claims"]["coordinated"]["confidence"]
        assert first["verdict"] == held.campaigns[0]["recommended"]["verdict"]


def test_stix_is_the_runs_own(stillwatch, run, tmp_path):
    assert stillwatch("export", run, "--format", "stix", "--out", tmp_path).code == 0
    assert (tmp_path / "stix.json").read_bytes() == (run / "stix.json").read_bytes()
    told = stillwatch("export", run, "--format", "stix", "--activity", "--out", tmp_path)
    assert told.code == 1
    assert stillwatch("export", tmp_path, "--format", "csv", "--out", tmp_path / "x").code == 2


def test_a_run_is_tables_of_a_database_once(stillwatch, run, tmp_path, postgres):
    import adbc_driver_postgresql.dbapi as dbapi

    address = postgres.database("exported")
    for _ in range(2):
        told = stillwatch("export", run, "--format", "postgresql", "--to", address)
        assert told.code == 0
    held = open_run(run)
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM stillwatch.runs")
        (row,) = cursor.fetch_arrow_table().to_pylist()
        assert row["run"] in told.out
        assert row["written_at"] is not None
        assert row["accused_accounts"] == held.summary["accused_accounts"] > 0
        assert row["until"].isoformat() == held.summary["until"].replace("Z", "+00:00")
        for name, table in export_tables(held).items():
            cursor.execute(f"SELECT * FROM stillwatch.{name}")
            got = cursor.fetch_arrow_table().drop_columns("run").cast(table.schema)
            assert sorted(map(repr, got.to_pylist())) == sorted(map(repr, table.to_pylist())), name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "postgresql"], "--to: --format postgresql needs it"),
        (["--format", "csv", "--to", "postgresql://x"], "--to: goes with --format postgresql"),
        (["--format", "csv"], "--out: no folder for the files"),
        (["--format", "postgresql", "--to", "mysql://a:secret@x"], "--to: an address of this kind"),
        (["--format", "postgresql", "--to", "postgresql://a:secret@127.0.0.1:1/x"], "cannot conn"),
    ],
)
def test_what_does_not_go_together_is_told(stillwatch, run, words, said):
    told = stillwatch("export", run, *words)
    assert told.code in (1, 2)
    assert said in told.err
    assert "secret" not in told.err


# Spreadsheets

FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1",
            "＝1+1", "－1"]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_a_formula(text: str) -> None:
    table = pa.table({"account_id": [text], "reasons": [[text, "x"]], "n": [-5]})
    (row,) = list(csv.reader(as_csv(table).decode().splitlines()[1:]))
    assert row[0].startswith("'")
    assert row[1].startswith("'")
    assert row[2] == "-5"


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_what_is_read_back_is_one_row_of_as_many_harmless_cells(cells: list[str]) -> None:
    text = csv_text(["h"] * len(cells), [cells])
    rows = list(csv.reader(text.splitlines()))
    assert len(rows) == 2
    assert len(rows[1]) == len(cells)
    assert not any(cell.lstrip(" ").startswith(("=", "+", "-", "@")) for cell in rows[1])
