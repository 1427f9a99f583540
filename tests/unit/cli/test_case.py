"""`stillwatch case`, `purge` and `erase`, from a run directory to an evidence pack."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cli.app import run


def _campaign():
    """Return the maker of campaigns of the tests of the room."""
    file = Path(__file__).parents[1] / "cases" / "conftest.py"
    spec = importlib.util.spec_from_file_location("cases_conftest", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["cases_conftest"] = module
    spec.loader.exec_module(module)
    return module.campaign


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    line = json.dumps(_campaign()("c-1", ["a1", "a2", "a3"], periphery=["p1"]))
    Path("run/campaigns.jsonl").write_text(line + "\n", encoding="utf-8")
    Path("run/summary.json").write_text('{"until": "2020-01-01T00:00:00Z"}', encoding="utf-8")
    standing = ["accused"] * 3 + ["clear"] * 5
    table = pa.table({"account_id": [f"a{n}" for n in range(1, 9)], "standing": standing})
    pq.write_table(table, "run/accounts.parquet")
    return tmp_path


@pytest.fixture
def say(folder, capsys):
    def command(*words, code=0):
        got = run([*words, *(() if "--db" in words or words[0] != "case" else ("--db", "c.db"))])
        told = capsys.readouterr()
        assert got == code, told.err
        return told.out + told.err

    return command


def first(pattern, text):
    found = re.search(pattern, text)
    assert found, text
    return found[0]


def test_from_a_run_to_an_upheld_appeal(say):
    case = first(r"case-\d+", say("case", "open", "--run", "run"))
    decide = ["case", "decide", case, "--verdict", "deny", "--reason", "relay", "--by", "Ada"]
    decision = first(r"decision-\d+", say(*decide, "--account", "a1"))
    assert "a1" in say("case", "notice", decision, "--account", "a1")
    appeal = first(
        r"appeal-\d+", say("case", "appeal", decision, "--account", "a1", "--by", "them")
    )
    assert appeal in say("case", "list")
    resolve = ["case", "resolve", appeal, "--outcome", "upheld", "--reason", "a class", "--by"]
    assert "no part" in say(*resolve, "Ada", code=1)
    assert "upheld" in say(*resolve, "Cy")
    say("case", "effects", "--out", "e.json")
    held = json.loads(Path("e.json").read_text(encoding="utf-8"))
    assert [c["account_id"] for c in held["corrections"]] == ["a1"]
    assert held["verdicts"] == []
    assert "upheld" in say("case", "show", case)
    assert "Holds" in say("case", "check")


def test_undo_by_case_account_time_and_decision(say):
    case = first(r"case-\d+", say("case", "open", "--run", "run"))
    decide = ["case", "decide", case, "--verdict", "throttle", "--reason", "relay", "--by", "Ada"]
    say(*decide, "--account", "a1")
    say(*decide)
    undo = ["case", "undo", "--by", "Bo"]
    assert "give one of" in say(*undo, code=1)
    assert "1 decision undone" in say(*undo, "--account", "a1")
    assert "1 decision undone" in say(*undo, "--since", "2020-01-01")
    decision = first(r"decision-\d+", say(*decide))
    assert "1 decision undone" in say(*undo, "--decision", decision)
    assert "0 decisions undone" in say(*undo, "--case", case)


def test_a_pack_is_written_and_verified(say):
    case = first(r"case-\d+", say("case", "open", "--run", "run"))
    run(["case", "key", "--out", "k"])
    export = ["case", "export", case, "--level", "partner", "--key", "k", "--out", "pack"]
    assert "manifest sha256:" in say(*export)
    assert run(["case", "verify", "pack", "--key", "k.pub"]) == 0
    file = Path("pack/case.json")
    file.write_text(file.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert run(["case", "verify", "pack", "--key", "k.pub"]) == 1


def test_a_sample_is_drawn_and_read(folder, capsys):
    assert run(["case", "sample", "6", "--run", "run", "--out", "s", "--seed", "1"]) == 0
    file = Path("s/sample.csv")
    head, *rows = file.read_text(encoding="utf-8").splitlines()
    labels = [row + ("yes" if row[:2] in ("a1", "a2", "a3") else "no") for row in rows]
    file.write_text("\n".join([head, *labels]), encoding="utf-8")
    capsys.readouterr()
    assert run(["case", "rates", "s"]) == 0
    told = capsys.readouterr().out
    assert "6 labels, 0 unsure" in told
    assert "of accused accounts, honest" in told


def test_purge_and_erase(say, folder, capsys):
    say("case", "open", "--run", "run")
    assert run(["purge"]) == 1
    assert run(["erase", "a1", "--by", "Dee"]) == 1
    assert run(["erase", "a1", "--by", "Dee", "--db", "c.db"]) == 0
    capsys.readouterr()
    assert '"a1"' not in say("case", "show", "case-0")
    assert run(["purge", "--db", "c.db", "--runs", "."]) == 0
    assert "1 run directories removed" in capsys.readouterr().out
    assert not Path("run").exists()


def test_a_console_with_an_option_that_is_wrong_makes_nobody_and_nothing(say):
    """Else its administrator is there already when the option is mended, and the password gone."""
    asked = ("--administrator", "Ada", "--require-second-factor", "boss")
    told = say("console", "--run", "run", "--book", "c.db", "--home", "home", *asked, code=1)
    assert "there is no role boss" in told
    assert not Path("home").exists()
    assert not Path("c.db").exists()
