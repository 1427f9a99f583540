"""Progress: bars on a terminal, a line now and then elsewhere, nothing when quiet."""

from __future__ import annotations

import io
import re
import time

import pytest

from stillwatch.cli.progress import progress
from stillwatch.scanner import Progress


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_quiet_asks_for_no_reports():
    file = io.StringIO()
    with progress(quiet=True, file=file) as report:
        assert report is None
    assert file.getvalue() == ""


def test_elsewhere_a_line_begins_a_stage_and_long_ones_get_more(monkeypatch):
    clock = iter([0.0, 1.0, 2.0, 13.0, 14.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    file = io.StringIO()
    with progress(quiet=False, file=file) as report:
        report(Progress("reading", 0, None, "rows"))
        report(Progress("reading", 1000, None, "rows"))
        report(Progress("reading", 2000, 9000, "rows"))
        report(Progress("reading", 3000, 9000, "rows"))
        report(Progress("links\x1b[2J", 1, 8, "steps"))
    assert file.getvalue() == (
        "reading\nreading: 3,000 of 9,000 rows, 231/s, about 26 s left\n"
        "links⟨U+001B⟩[2J: 1 of 8 steps\n"
    )


def test_a_terminal_gets_bars_that_go_away():
    screen = Screen()
    with progress(quiet=False, file=screen) as report:
        report(Progress("reading", 5, 10, "rows"))
        report(Progress("testing", 1, None, "cohorts"))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert "reading" in shown
    assert "testing" in shown
    assert "1 cohorts" in shown
    assert screen.getvalue().endswith("\x1b[2K")


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    screen = Screen()
    with progress(quiet=False, file=screen) as report:
        report(Progress("reading", 5, 10, "rows"))
    assert screen.getvalue() == "reading: 5 of 10 rows\n"


@pytest.mark.parametrize(
    ("done", "total", "said"),
    [
        (200_000, 1_000_000, "200,000 of 1,000,000 rows, 20,000/s, about 40 s left"),
        (10_000, 1_000_000, "10,000 of 1,000,000 rows, 1,000/s, about 16 min left"),
        (1_000, 10_000_000, "1,000 of 10,000,000 rows, 100/s, about 27.8 h left"),
        (5_000, None, "5,000 rows, 500/s"),
    ],
)
def test_a_stage_at_work_tells_its_rate_and_the_time_left(monkeypatch, done, total, said):
    clock = iter([0.0, 10.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    file = io.StringIO()
    with progress(quiet=False, file=file) as report:
        report(Progress("reading", 0, total, "rows"))
        report(Progress("reading", done, total, "rows"))
    assert file.getvalue() == f"reading\nreading: {said}\n"
