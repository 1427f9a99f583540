"""`stillwatch bench detect` as a person runs it."""

from __future__ import annotations

import json
import shutil

import pytest

from stillwatch.bench.scenarios import scenario
from stillwatch.bench.suites import HELD_OUT_SEED, Suite, Trials
from stillwatch.cli.app import run


@pytest.fixture
def finished(tiny_records, tmp_path, monkeypatch):
    """Return a folder in which a small suite over held-out seeds has all its records."""
    out = tmp_path / "out"
    (out / "trials").mkdir(parents=True)
    for file in (tiny_records / "trials").iterdir():
        shutil.copy(file, out / "trials" / file.name.replace("-3-", f"-{HELD_OUT_SEED}-"))
    small = Suite("smoke", (Trials(scenario("tiny"), 1),), 0, 0, ("none",), "tiny")
    monkeypatch.setattr("stillwatch.bench.suite", lambda name, held_out, corpora: small)
    return out


def test_held_out_run_writes_its_pages_and_enters_each_look(finished, tmp_path, capsys):
    ledger = tmp_path / "heldout.jsonl"
    words = ["bench", "detect", "--suite", "smoke", "--out", str(finished), "--held-out",
             "--ledger", str(ledger)]  # fmt: skip
    assert run(words) == 0
    assert "Look 1" in capsys.readouterr().out
    assert run([*words, "--quiet"]) == 0
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [line["suite"] for line in lines] == ["smoke", "smoke"]
    assert lines[0]["stillwatch"]["own"]["honest"] > 0
    for name in ("benchmark.html", "table.md", "result.json", "recall-by-rung.svg"):
        assert (finished / name).stat().st_size > 100


def test_run_on_open_seeds_enters_no_look(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in list((finished / "trials").iterdir()):
        file.rename(file.with_name(file.name.replace(str(HELD_OUT_SEED), "800000")))
    assert run(["bench", "detect", "--suite", "smoke", "--out", str(finished), "--quiet"]) == 0
    assert not list(tmp_path.rglob("*.jsonl"))


def test_held_out_seeds_are_not_pooled_with_open_ones(finished, tmp_path, capsys):
    words = ["bench", "detect", "--suite", "smoke", "--out", str(finished), "--quiet"]
    ledger = tmp_path / "heldout.jsonl"
    assert run([*words, "--held-out", "--ledger", str(ledger)]) == 0
    assert run(words) == 1
    assert "a folder of its own" in capsys.readouterr().err
    assert not list((finished / "trials").glob("*-800000-*"))


def test_unknown_suite_is_wrong_usage(tmp_path, capsys):
    assert run(["bench", "detect", "--suite", "enormous", "--out", str(tmp_path / "x")]) == 1
    assert "smoke, standard, full" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
