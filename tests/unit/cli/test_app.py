"""Exit codes, errors, versions: what every command has in common."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import stillwatch as package
from stillwatch import errors
from stillwatch.cli import app as app_module
from stillwatch.schema import EXIT_USAGE


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("--nonsense",),
        ("scan",),
        ("scan", "log", "--nonsense"),
        ("scan", "log", "--alpha", "much"),
        ("scan", "log", "--threads", "0"),
        ("scan", "log", "--max-rejects", "2"),
        ("simulate", "tiny", "--out", "x"),
        ("explain", "acct-a"),
        ("ingest", "log"),
        ("ingest", "log", "--check", "--out", "x"),
    ],
)
def test_wrong_usage_ends_with_1_and_leaves_standard_output_empty(stillwatch, words, tmp_path):
    told = stillwatch(*words)
    assert told.code == 1
    assert "Error" in told.err or "Usage" in told.err
    if words:
        assert told.out == ""


@pytest.mark.parametrize("words", [("--help",), ("scan", "--help"), ("--version",)])
def test_help_and_version_end_with_0(stillwatch, words):
    told = stillwatch(*words)
    assert told.code == 0
    assert told.err == ""


def test_no_line_of_the_list_of_commands_is_cut(stillwatch):
    listed = stillwatch("--help").out.partition("Commands:")[2].splitlines()
    assert sum(bool(line) for line in listed) == 21
    assert not any(line.endswith("...") for line in listed)


def test_version_is_the_package_version(stillwatch):
    assert stillwatch("--version").out == f"stillwatch {package.__version__}\n"


@pytest.mark.parametrize(
    "error, code",
    [
        (errors.ConfigError("m", where="--alpha", hint="h"), 1),
        (errors.InputError("m", where="log:3", hint="h"), 2),
        (errors.SchemaError("m", where="log:3", hint="h"), 2),
        (errors.RunnerError("m", where="step", hint="h"), 1),
        (errors.EvidenceError("m", where="step", hint="h"), 1),
        (errors.NotPermitted("m", where="step", hint="h"), 1),
        (SystemExit(3), 3),
        (SystemExit(2), 1),
        (SystemExit(130), 130),
    ],
)
def test_every_error_has_its_exit_code(monkeypatch, capsys, error, code):
    def raises(**_):
        raise error

    monkeypatch.setattr(app_module, "app", raises)
    assert app_module.run(["scan", "log"]) == code
    if isinstance(error, errors.StillwatchError):
        assert capsys.readouterr().err == f"Error: {error.where}: m\nNext: h\n"


def test_a_full_disk_is_said_in_a_sentence(monkeypatch, capsys):
    def raises(**_):
        raise OSError(28, "No space left on device", "run/summary.json")

    monkeypatch.setattr(app_module, "app", raises)
    assert app_module.run(["scan", "log"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Error: run/summary.json: no space left on device\nNext: free disk space")


def test_a_folder_that_may_not_be_written_is_no_matter_of_disk_space(monkeypatch, capsys):
    def raises(**_):
        raise PermissionError(13, "Permission denied", "run")

    monkeypatch.setattr(app_module, "app", raises)
    assert app_module.run(["demo"]) == 1
    err = capsys.readouterr().err
    assert err == (
        "Error: run: permission denied\n"
        "Next: give a folder that you may write to, or get the right to this one\n"
    )


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (FileNotFoundError(2, "No such file or directory"), "see that it is spelled right"),
        (PermissionError(13, "Permission denied"), "get the right to read it"),
        (IsADirectoryError(21, "Is a directory"), "give a file"),
    ],
)
def test_a_file_that_cannot_be_had_has_a_next_step(monkeypatch, capsys, cause, said):
    """Whoever raised the error need not write one."""

    def raises(**_):
        raise errors.InputError(f"cannot be read ({errors.why(cause)})", where="a.toml") from cause

    monkeypatch.setattr(app_module, "app", raises)
    assert app_module.run(["scan", "log"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"Error: a.toml: cannot be read ({cause.strerror.lower()})"
    assert second.startswith(f"Next: {said}")


def test_errors_send_no_hidden_character_to_the_terminal(monkeypatch, capsys):
    def raises(**_):
        raise errors.InputError("a\x1b[2J\nb\u202e", where="\x07.jsonl", hint="\u2066")

    monkeypatch.setattr(app_module, "app", raises)
    assert app_module.run(["scan", "log"]) == 2
    err = capsys.readouterr().err
    assert err == "Error: ⟨U+0007⟩.jsonl: a⟨U+001B⟩[2J⟨U+000A⟩b⟨U+202E⟩\nNext: ⟨U+2066⟩\n"


@pytest.mark.parametrize(
    "words, extra",
    [
        (["prove", "prompts", "--out", "p.jsonl"], "prove"),
        (["case", "key", "--out", "k"], "cases"),
        (["guard", "keygen", "k"], "guard"),
        (["share", "start", "--home", "s"], "share"),
    ],
)
def test_a_package_that_is_not_installed_is_told_with_its_extra(tmp_path, words, extra):
    """In a process of its own, since what another test imported stays imported."""
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from stillwatch.cli.app import run; sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == EXIT_USAGE
    assert f"stillwatch[{extra}]" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_extra_that_is_named_exists():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert set(app_module._EXTRAS.values()) <= set(project["project"]["optional-dependencies"])
    names = {g.name for g in app_module.app.registered_groups}
    assert names <= set(app_module._EXTRAS)
