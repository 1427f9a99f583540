"""Unreadable input on the command line: exit 2, where, what and what next; nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.errors import why

BAD = Path(__file__).parents[2] / "fixtures" / "bad"


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("negative_tokens.csv", [5, 6]),
        ("time_in_the_future.csv", [5]),
        ("uneven_records.csv", [21, 22]),
        ("deep.litellm.jsonl", [5]),
        ("broken_array.litellm.json", [20]),
        ("no_account.otlp.jsonl", list(range(1, 21))),
        ("wrong_shape.otlp.jsonl", [21, 22]),
        ("event_without_its_span.otlp.jsonl", [21]),
        ("damaged_page.parquet", []),
    ],
)
def test_a_scan_ends_with_2_and_keeps_what_was_refused(stillwatch, tmp_path, name, refused):
    run = tmp_path / "run"
    told = stillwatch("scan", BAD / name, "--out", run)
    assert told.code == 2
    assert told.out == ""
    assert f"Error: {name}:" in told.err
    assert "\nNext: " in told.err
    assert "Traceback" not in told.err
    assert "question" not in told.err
    assert [p.name for p in run.rglob("*") if p.is_file()] == ["rejected.jsonl"]
    lines = (run / "rejected.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["line"] for line in lines] == refused


@pytest.mark.parametrize("name", ["truncated.parquet", "truncated.arrow", "empty.jsonl"])
def test_a_file_that_cannot_be_opened_leaves_no_folder(stillwatch, tmp_path, name):
    told = stillwatch("scan", BAD / name, "--out", tmp_path / "run")
    assert told.code == 2
    assert "Next: " in told.err
    assert list(tmp_path.iterdir()) == []


def test_ingest_leaves_nothing_either(stillwatch, tmp_path):
    told = stillwatch("ingest", BAD / "negative_tokens.csv", "--out", tmp_path / "out")
    assert told.code == 2
    assert not (tmp_path / "out" / "exchanges").exists()
    assert not [p for p in tmp_path.rglob("*") if "partial" in p.name]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "x"), "no such file or directory"),
        (FileNotFoundError(2, "Failed to open '/home/ada/x'"), "no such file or directory"),
        (FileNotFoundError("/home/ada/x"), "no such file or directory"),
        (OSError("no number"), "OSError"),
        (UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "invalid"), "not UTF-8 text"),
        (ValueError("a prompt"), "ValueError"),
    ],
)
def test_why_a_file_cannot_be_had_names_neither_path_nor_content(error, said):
    assert why(error) == said


def test_a_missing_file_of_answers_is_said_to_be_missing(stillwatch, tmp_path):
    told = stillwatch(
        "prove", "lineage", "--suspect", tmp_path / "none.parquet", "--references", tmp_path,
        "--out", tmp_path / "l.json",
    )  # fmt: skip
    assert told.code == 2
    assert "none.parquet: cannot be read as Parquet (no such file or directory)" in told.err


def test_a_permit_whose_columns_have_other_names_says_what_to_do(stillwatch, tmp_path):
    permits = tmp_path / "permits.csv"
    permits.write_text("permit_id,account,methods\np1,a,*\n")
    told = stillwatch(
        "scan", BAD / "negative_tokens.csv", "--permits", permits, "--out", tmp_path / "run"
    )
    assert told.code == 2
    assert "either account_id or org_id" in told.err
    assert "Next: name the columns so" in told.err


def test_a_folder_with_other_things_names_one_of_them(stillwatch, tmp_path):
    out = tmp_path / "papers"
    out.mkdir()
    (out / "thesis.doc").write_text("a")
    (out / "will.doc").write_text("a")
    told = stillwatch("scan", BAD / "negative_tokens.csv", "--out", out)
    assert told.code == 1
    assert "papers holds other things: thesis.doc and 1 more" in told.err
    assert sorted(p.name for p in out.iterdir()) == ["thesis.doc", "will.doc"]
