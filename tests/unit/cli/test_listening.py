"""A port that another program has: every server says so, and none ends as an accusation does."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from stillwatch.schema import EXIT_USAGE


@pytest.fixture
def taken() -> Iterator[str]:
    """Return a port of loopback that somebody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield str(one.getsockname()[1])


def refused(told, port: str) -> None:
    assert told.code == EXIT_USAGE
    assert f"cannot listen at 127.0.0.1 port {port} (address already in use)" in told.err
    assert "\nNext: end what listens there, or give another address or port" in told.err


def test_the_console_makes_no_administrator_first(stillwatch, run_dir, tmp_path, taken):
    home, book = tmp_path / "home", tmp_path / "cases.db"
    told = stillwatch(
        "console", "--run", run_dir, "--book", book, "--home", home, "--port", taken,
        "--administrator", "ada",
    )  # fmt: skip
    refused(told, taken)
    assert told.out == ""
    assert not home.exists()
    assert not book.exists()


def test_collect(stillwatch, tmp_path, taken):
    refused(stillwatch("collect", tmp_path / "logs", "--port", taken), taken)
    assert not (tmp_path / "logs").exists()


def test_the_hub(stillwatch, tmp_path, taken):
    assert stillwatch("hub", "init", "--home", tmp_path / "hub").code == 0
    told = stillwatch("hub", "serve", "--home", tmp_path / "hub", "--port", taken)
    refused(told, taken)
    assert "Will serve" not in told.err
