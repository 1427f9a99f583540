"""A port that another program has: every server says so, and none ends as an accusation does."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from stillwatch.errors import ConfigError
from stillwatch.schema import EXIT_USAGE, bound


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


def test_an_address_of_a_name_that_this_machine_lacks_is_passed_over(monkeypatch):
    """As localhost stands for ::1 too where there is no IPv6; 192.0.2.1 is nobody's (RFC 5737)."""
    lacks, has = (
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))
        for address in ("192.0.2.1", "127.0.0.1")
    )
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [lacks, has])
    (one,) = bound("localhost", 0)
    with one:
        assert one.getsockname()[0] == "127.0.0.1"
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [lacks])
    with pytest.raises(ConfigError, match="cannot assign requested address"):
        bound("localhost", 0)


def test_a_name_that_no_host_can_have_is_refused_in_words():
    with pytest.raises(ConfigError, match="not a host name"):
        bound(f"{'a' * 70}.example", 1)


def test_a_port_beyond_the_last_is_refused_and_not_taken_modulo(stillwatch, tmp_path):
    told = stillwatch("collect", tmp_path / "logs", "--port", "65537")
    assert told.code == EXIT_USAGE
    assert "less than or equal to 65535" in told.err
