"""What reaches a terminal, and what reaches a pipe."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from stillwatch.cli.terminal import Page, command, printable


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, *range(0x80, 0xA0), *range(0x202A, 0x202F)])
def test_no_control_or_bidirectional_character_is_printable(code):
    assert printable(f"a{chr(code)}b") == f"a⟨U+{code:04X}⟩b"


def test_ordinary_text_is_printed_as_it_is():
    assert printable("Zürich 東京 – ok") == "Zürich 東京 – ok"
    assert printable("2.1\u00a0%") == "2.1 %"


def test_a_terminal_wraps_and_a_pipe_does_not():
    text = "word " * 30
    screen, pipe = Screen(), io.StringIO()
    Page(screen).point(text)
    Page(pipe).point(text)
    assert len(screen.getvalue().splitlines()) > 3
    assert max(map(len, screen.getvalue().splitlines())) <= 40
    assert screen.getvalue().splitlines()[1].startswith("  word")
    assert pipe.getvalue() == "- " + text + "\n"


def test_markup_in_data_is_text():
    pipe = io.StringIO()
    page = Page(pipe)
    page.sentence("[bold red]x[/] :smile: https://example.org")
    page.table(("a", ">b"), [("[red]y[/]", "1")])
    assert pipe.getvalue().startswith("[bold red]x[/] :smile: https://example.org\n")
    assert "[red]y[/]" in pipe.getvalue()


def test_colour_on_a_terminal_and_none_where_it_is_refused(monkeypatch):
    screen, refused = Screen(), Screen()
    Page(screen).sentence("x", style="red")
    monkeypatch.setenv("NO_COLOR", "1")
    Page(refused).sentence("x", style="red")
    assert "\x1b[31m" in screen.getvalue()
    assert "\x1b[3" not in refused.getvalue()


def test_a_heading_has_air_above_it_but_not_at_the_top():
    pipe = io.StringIO()
    page = Page(pipe)
    page.heading("One")
    page.point("x")
    page.heading("Two")
    assert pipe.getvalue() == "One\n- x\n\nTwo\n"


def test_a_command_can_be_pasted(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pytest"])
    assert command("explain", "it's", "--run", "a b") == (
        "stillwatch explain 'it'\"'\"'s' --run 'a b'"
    )
    assert command("explain", "a\u202eb") == "stillwatch explain …"


def test_a_command_names_the_program_as_it_was_called_where_it_is_on_no_path(monkeypatch):
    monkeypatch.setattr(sys, "argv", [".venv/bin/stillwatch"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert command("--help") == ".venv/bin/stillwatch --help"


def test_a_terminal_that_knows_few_characters_gets_question_marks(run_dir):
    told = subprocess.run(
        [sys.executable, "-m", "stillwatch.cli", "explain", "acct-a", "--run", run_dir],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PATH": "/usr/bin:/bin"},
    )
    assert told.returncode == 0
    assert told.stderr == b""
    assert b"p = 1.0 ? 10??" in told.stdout
