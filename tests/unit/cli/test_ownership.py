"""`stillwatch ownership` from statements to the table that a scan reads."""

from __future__ import annotations

import csv
import json

import bods_fixtures
import pytest

from stillwatch.cli.app import run
from stillwatch.enrich import read_ownership
from stillwatch.policy import access_of, example_rules


@pytest.fixture
def given(tmp_path):
    for case in bods_fixtures.list_cases():
        name = case.rsplit("/", 1)[1]
        statements = bods_fixtures.load(case).statements
        (tmp_path / f"{name}.json").write_text(json.dumps(statements), encoding="utf-8")
    rules = example_rules()["ofac_50_percent"].read_text(encoding="utf-8")
    seeded = rules.replace("entities = []", 'entities = ["rec-jane-smith-1975"]')
    (tmp_path / "rules.toml").write_text(seeded, encoding="utf-8")
    rows = "a1,rec-acme-holdings-ltd\na2,rec-opaque-holdings-sa\na3,\na4,rec-nobody-knows\n"
    (tmp_path / "accounts.csv").write_text(f"account_id,owner_entity_id\n{rows}", encoding="utf-8")
    files = [f"{tmp_path}/{n}.json" for n in ("01-direct-ownership", "11-anonymous-person")]
    return [x for file in files for x in ("--statements", file)] + [
        "--rules", f"{tmp_path}/rules.toml", "--at", "2026-11-26",
    ]  # fmt: skip


def test_the_answers_are_a_table_that_a_scan_reads(given, tmp_path, capsys):
    out = tmp_path / "ownership.csv"
    accounts = ["--accounts", f"{tmp_path}/accounts.csv", "--out", str(out)]
    assert run(["ownership", "answer", *given, *accounts]) == 0
    assert "restricted: 1 owners" in capsys.readouterr().out
    table = read_ownership(out)
    answers = dict(
        zip(table["owner_entity_id"].to_pylist(), table["access"].to_pylist(), strict=True)
    )
    assert answers == {
        "rec-acme-holdings-ltd": "restricted",
        "rec-opaque-holdings-sa": "undetermined",
        "rec-nobody-knows": "undetermined",
    }
    assert access_of("rec-acme-holdings-ltd", answers) == "restricted"
    with out.open(encoding="utf-8") as file:
        cited = {row["owner_entity_id"]: row["policy"] for row in csv.DictReader(file)}
    told = cited["rec-acme-holdings-ltd"]
    assert "policy owned-by-listed-parties" in told
    assert "rule ofac-50-percent" in told
    assert "rec-jane-smith-1975 holds 75 % of rec-acme-holdings-ltd" in told
    assert "f01-r1-3b88-4cbb-bb4f-72e9c7c4d201" in told
    assert "Jane Smith" not in out.read_text(encoding="utf-8")


def test_owners_of_organizations_are_looked_up_beside_those_of_accounts(given, tmp_path, capsys):
    whole = tmp_path / "organizations.csv"
    whole.write_text("org_id,owner_entity_id\no1,rec-of-o1\no2,rec-nobody-knows\n", "utf-8")
    out = tmp_path / "ownership.csv"
    files = ["--accounts", f"{tmp_path}/accounts.csv", "--organizations", str(whole)]
    assert run(["ownership", "answer", *given, *files, "--out", str(out)]) == 0
    assert len(read_ownership(out)) == 4
    assert "rec-of-o1" in out.read_text(encoding="utf-8")
    assert run(["ownership", "answer", *given, "--out", str(out)]) == 1
    assert "give --accounts, --organizations, or both" in capsys.readouterr().err


def test_why_prints_the_chain(given, capsys):
    assert run(["ownership", "why", "rec-acme-holdings-ltd", *given]) == 0
    told = capsys.readouterr().out
    assert "restricted on 2026-11-26" in told
    assert "75 % at least" in told
    assert "on the list" in told


def test_a_rule_that_is_not_in_force_is_named_with_what_counsel_found_about_it(
    given, tmp_path, capsys
):
    """Whoever runs it may otherwise take *clear* for the rule's own answer."""
    given[given.index("--rules") + 1] = str(example_rules()["bis_affiliates"])
    (tmp_path / "accounts.csv").write_text("account_id,owner_entity_id\na1,rec-acme-holdings-ltd\n")
    table = ["--accounts", f"{tmp_path}/accounts.csv", "--out", f"{tmp_path}/o.csv"]
    for words in (["why", "rec-acme-holdings-ltd", *given], ["answer", *given, *table]):
        assert run(["ownership", *words]) == 0
        told = " ".join(capsys.readouterr().out.split())
        assert "bis-affiliates is not in force on that day" in told
        assert "as of 2026-11-26: Not confirmed; a person must check." in told


def test_wrong_input_ends_with_a_sentence(given, tmp_path, capsys):
    (tmp_path / "none.csv").write_text("account_id\na1\n", encoding="utf-8")
    accounts = ["--accounts", f"{tmp_path}/none.csv", "--out", f"{tmp_path}/o.csv"]
    assert run(["ownership", "answer", *given, *accounts]) == 1
    assert "owner_entity_id" in capsys.readouterr().err
    (tmp_path / "01-direct-ownership.json").write_text("{", encoding="utf-8")
    assert run(["ownership", "why", "e", *given]) == 2
    assert "not JSON" in capsys.readouterr().err
