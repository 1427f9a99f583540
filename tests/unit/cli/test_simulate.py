"""`stillwatch simulate`: a world on disk and the command that scans it."""

from __future__ import annotations

import re

import pytest

from stillwatch.simulate import FORMATS, WORLDS, known_corpora


def test_writes_a_world_and_says_how_to_scan_it(stillwatch, tmp_path):
    told = stillwatch("simulate", "tiny", "--seed", "3", "--out", tmp_path)
    assert told.code == 0
    assert re.match(
        r"World tiny, seed 3: [\d,]+ exchanges from 2026-11-16 to before 2026-11-23, in ", told.out
    )
    assert (
        f"Next: stillwatch scan {tmp_path / 'exchanges'} --accounts {tmp_path / 'accounts.csv'} "
        f"--permits {tmp_path / 'permits.csv'} --out {tmp_path / 'run'}"
    ) in told.out
    assert list((tmp_path / "exchanges").glob("*.parquet"))


def test_writes_litellm_logs(stillwatch, tmp_path):
    told = stillwatch("simulate", "tiny", "--seed", "3", "--out", tmp_path, "--format", "litellm")
    assert told.code == 0
    assert f"scan {tmp_path / 'litellm.jsonl'} " in told.out
    assert not (tmp_path / "exchanges").exists()


@pytest.mark.parametrize("words", [("nowhere",), ("tiny", "--format", "xml")])
def test_unknown_world_or_format_is_wrong_usage(stillwatch, tmp_path, words):
    told = stillwatch("simulate", *words, "--seed", "3", "--out", tmp_path)
    assert told.code == 1
    assert "Next: choose from" in told.err


def test_help_names_every_world_and_format(stillwatch):
    words = set(re.findall(r"[\w.-]+\b", stillwatch("simulate", "world", "--help").out))
    assert set(WORLDS) <= words
    assert set(FORMATS) <= words


def test_a_world_of_ones_own_in_toml(stillwatch, tmp_path):
    plan = tmp_path / "mine.toml"
    plan.write_text('people = [{ family = "chat", accounts = 5, requests = 3 }]\n')
    told = stillwatch("simulate", plan, "--seed", "3", "--out", tmp_path / "out")
    assert told.code == 0
    assert "World mine, seed 3: " in told.out
    plan.write_text('people = [{ family = "chat", accounts = 5 }]\n')
    told = stillwatch("simulate", plan, "--seed", "3", "--out", tmp_path / "out")
    assert told.code == 1
    assert "mine.toml: people.0.requests: Field required" in told.err


def test_corpora_are_listed_with_licence_and_source(stillwatch, tmp_path):
    told = stillwatch("corpora", "--corpora", tmp_path)
    assert told.code == 0
    for one in known_corpora():
        line = next(x for x in told.out.splitlines() if x.startswith(one.name + " "))
        assert one.source.removeprefix("https://") in line
    assert f"0 of {len(known_corpora())} are in {tmp_path}." in told.out


def test_students_of_a_known_teacher_are_made_and_tested(stillwatch, tmp_path):
    told = stillwatch("simulate", "student", "--out", tmp_path, "--arm", "1-percent", "--quiet")
    assert told.code == 0
    row = next(line.split() for line in told.out.splitlines() if line.startswith("1-percent"))
    assert 0 < int(row[1]) < 300  # tokens from the campaign
    assert float(row[3]) < 1e-6  # the canary, by log-probabilities
    assert (tmp_path / "result.json").is_file()


def test_the_real_student_says_what_it_needs(stillwatch, tmp_path, monkeypatch):
    monkeypatch.delenv("STILLWATCH_DATA", raising=False)
    told = stillwatch("simulate", "student", "--out", tmp_path, "--model", "smollm2")
    assert told.code == 1
    assert "data folder" in told.err
