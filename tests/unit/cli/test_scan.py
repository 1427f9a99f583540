"""`stillwatch scan` and `stillwatch demo` on simulated worlds, from arguments to exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from stillwatch import scan
from stillwatch.simulate import simulate
from stillwatch.sources import SOURCES


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return simulate("small", seed=11, out=tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def honest(tmp_path_factory):
    return simulate("small-benign", seed=12, out=tmp_path_factory.mktemp("benign"))


def tables(world):
    return ("--accounts", world.accounts_csv, "--permits", world.permits_csv)


@pytest.fixture(scope="session")
def scanned(world, tmp_path_factory):
    """Return a campaign world's run, made from Python."""
    return scan(
        [world.out / "exchanges"],
        accounts=world.accounts_csv,
        permits=world.permits_csv,
        out=tmp_path_factory.mktemp("scanned") / "run",
    )


def test_a_world_with_campaigns_ends_with_3_and_says_what_was_found(stillwatch, world, tmp_path):
    out = tmp_path / "run"
    told = stillwatch("scan", world.out / "exchanges", *tables(world), "--out", out, "--quiet")
    assert told.code == 3
    assert told.err == ""
    assert re.match(r"\w+ campaigns?: \d+ of [\d,]+ accounts", told.out)
    assert "Not calibrated on your traffic." in told.out
    assert (out / "report.html").is_file()
    (line,) = (x for x in told.out.splitlines() if x.startswith("Why an account: "))
    account = line.split()[-3]
    why = stillwatch("explain", account, "--run", out)
    assert why.code == 0
    assert f"{account}: accused" in why.out
    assert "Evidence that the campaign's accounts act as one" in why.out


def test_an_honest_world_ends_with_0(stillwatch, honest, tmp_path):
    told = stillwatch(
        "scan", honest.out / "exchanges", *tables(honest), "--out", tmp_path / "run", "--quiet"
    )
    assert told.code == 0
    assert "campaign: " not in told.out


def test_json_is_summary_json_and_nothing_else(stillwatch, world, tmp_path):
    out = tmp_path / "run"
    told = stillwatch("scan", world.out / "exchanges", *tables(world), "--out", out, "--json")
    assert told.out.rstrip("\n") == (out / "summary.json").read_text().rstrip("\n")
    assert json.loads(told.out)["accused_accounts"] > 0
    assert told.err  # progress, in lines


def test_the_command_and_the_function_say_the_same(stillwatch, world, scanned, tmp_path):
    out = tmp_path / "run"
    told = stillwatch("scan", world.out / "exchanges", *tables(world), "--out", out, "--quiet")
    assert told.code == scanned.exit_code
    assert json.loads((out / "summary.json").read_text()) == scanned.summary


def test_every_account_of_a_real_run_can_be_explained(stillwatch, scanned):
    by_standing = {row["standing"]: row["account_id"] for row in scanned.accounts.to_pylist()}
    assert {"clear", "accused"} <= set(by_standing)
    for standing, account in by_standing.items():
        told = stillwatch("explain", account, "--run", scanned.run_dir)
        assert told.code == 0
        assert told.out.startswith(f"{account}: {standing}\n")


def test_the_window_is_cut_at_since_and_until(stillwatch, world, tmp_path):
    out = tmp_path / "run"
    stillwatch(
        "scan", world.out / "exchanges", "--since", "2026-11-18", "--until", "2026-11-20T12:00:00Z",
        "--out", out, "--quiet",
    )  # fmt: skip
    summary = json.loads((out / "summary.json").read_text())
    assert summary["since"] >= "2026-11-18T00:00:00Z"
    assert summary["until"] <= "2026-11-20T12:00:00Z"


@pytest.mark.parametrize(
    "words, code, said",
    [
        (("--since", "yesterday"), 1, "--since: not an ISO 8601 time"),
        (("--since", "2026-11-20", "--until", "2026-11-19"), 1, "the window is empty"),
        (("--since", "yesterday"), 1, "'yesterday'\nNext: write it like 2026-01-31"),
        (("--alpha", "0"), 1, "alpha must lie between 0 and 1"),
        (("--format", "litelm"), 1, "--format: unknown format 'litelm'"),
        (("--memory", "4"), 1, "got 4\nNext: write the unit"),
        (("--value", "absent.toml"), 1, "no such file or directory)\nNext: see that it is spelled"),
        (("--accounts", "absent.csv"), 2, "absent.csv"),
        (("--permits", "absent.csv"), 2, "absent.csv"),
    ],
)
def test_wrong_options_and_unreadable_tables_have_their_codes(
    stillwatch, world, tmp_path, words, code, said
):
    told = stillwatch("scan", world.out / "exchanges", "--out", tmp_path / "run", *words)
    assert told.code == code
    assert said in told.err
    assert told.out == ""


@pytest.mark.parametrize("name", ["absent.parquet", "*.nothing"])
def test_input_that_is_not_there_ends_with_2(stillwatch, tmp_path, name):
    told = stillwatch("scan", tmp_path / name, "--out", tmp_path / "run")
    assert told.code == 2
    assert told.out == ""


@pytest.mark.parametrize("stage", [b"", b"objects"])  # while reading, and inside the engine
def test_ctrl_c_ends_with_130(world, tmp_path, stage):
    words = ["scan", world.out / "exchanges", "--out", tmp_path / "run"]
    # who runs the tests in the background ignores Ctrl-C, and children would inherit that
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        [sys.executable, "-m", "stillwatch.cli", *map(str, words)],
        preexec_fn=heard,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as job:
        assert job.stderr is not None
        while not job.stderr.readline().startswith(stage):  # any line: the first stage has begun
            assert job.poll() is None
        job.send_signal(signal.SIGINT)
        out, err = job.communicate(timeout=240)
    assert job.returncode == 130
    assert out == b""
    assert b"Traceback" not in err


def test_help_names_every_format(stillwatch):
    assert "docs/formats.md" in stillwatch("scan", "--help").out
    page = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    assert {source.name for source in SOURCES} <= set(re.findall(r"[\w-]+", page))


@pytest.mark.slow
def test_demo_leaves_a_report_and_can_be_run_again(stillwatch, tmp_path, monkeypatch):
    """The first run's week is a tiny one, to save half a minute."""
    for tiny in (True, False):
        with monkeypatch.context() as patched:
            if tiny:
                patched.setattr(
                    "stillwatch.simulate.simulate", lambda _, **how: simulate("tiny", **how)
                )
            told = stillwatch("demo", "--out", tmp_path / "demo", "--quiet")
        assert told.code == 0
        assert "Simulated traffic of a fictional provider, seed 7" in told.out
        assert f"Report: {tmp_path / 'demo' / 'report.html'}" in told.out
        assert (tmp_path / "demo" / "report.html").stat().st_size > 10_000
    assert 6 <= len(told.out.splitlines()) <= 20  # a watched campaign says why, in a line
