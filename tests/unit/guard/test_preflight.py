"""What is wrong is said before anything is served: by an option, what and what next."""

from __future__ import annotations

import socket

import pytest
from ports import free_port

from stillwatch.cli.app import run as command
from stillwatch.errors import ConfigError
from stillwatch.guard import Orders, write_orders, write_snapshot
from stillwatch.guard.server import _is_local
from stillwatch.schema import bound
from stillwatch.seal import new_key

from .conftest import ordered


@pytest.fixture
def told(tmp_path, capsys, monkeypatch):
    """`guard serve` with options in a folder with a snapshot; its exit code and what it says."""
    monkeypatch.chdir(tmp_path)
    key = new_key(tmp_path / "k.pem")
    write_snapshot(tmp_path / "s.json", ordered("deny", hours=10**6), key)
    write_orders(tmp_path / "o.json", Orders(version=1), key)
    (tmp_path / "half.json").write_bytes((tmp_path / "s.json").read_bytes()[:90])
    new_key(tmp_path / "other.pem")
    (tmp_path / "tokens").write_text("token-1\n")

    def serve(*options: str, snapshot: str = "s.json", trust: str = "k.pem.pub"):
        words = ["guard", "serve", "--snapshot", snapshot, "--trust", trust, *options]
        code = command(words)
        return code, capsys.readouterr().err

    return serve


@pytest.mark.parametrize(
    ("files", "code", "says", "next_step"),
    [
        ({"snapshot": "none.json"}, 2, "none.json: no such file", "guard compile"),
        ({"snapshot": "half.json"}, 1, "half.json: not a DSSE envelope", "guard compile"),
        ({"snapshot": "o.json"}, 1, "o.json: the envelope holds another kind", "guard compile"),
        ({"trust": "other.pem.pub"}, 1, "s.json: not signed by a key that is trusted", "--trust"),
        ({"trust": "k.pem"}, 1, "k.pem: not a readable public key", ".pub"),
    ],
)
def test_files_that_do_not_hold(told, files, code, says, next_step):
    got, error = told("--port", str(free_port()), **files)
    assert (got, says in error, next_step in error.partition("Next: ")[2]) == (code, True, True)


@pytest.mark.parametrize(
    "options",
    [
        ("--log", "nowhere/d.jsonl"),
        ("--ocsf", "nowhere/d.jsonl"),
        ("--tls-cert", "none.pem", "--tls-key", "none.pem"),
        ("--tls-cert", "k.pem", "--tls-key", "k.pem"),
        ("--client-ca", "k.pem"),
        ("--metrics-token",),
        ("--traces", "localhost:4318"),
        ("--account-header", "x account"),
        ("--org-header", "x-org:"),
        ("--host", "203.0.113.9"),
        ("--fail-closed", "everything"),
        ("--token-file", "none"),
        ("--redis", "nonsense://there"),
    ],
)
def test_options_that_cannot_be_carried_out(told, options):
    code, error = told(*options)
    assert code == 1
    assert options[0] in error
    assert "Traceback" not in error


@pytest.mark.parametrize("option", ["--redis", "--traces"])
@pytest.mark.parametrize("rest", ["[::1", "host:6x", "h:99999"])
def test_an_address_that_cannot_be_read_is_not_repeated(told, option, rest):
    """It may hold a password."""
    scheme = "redis" if option == "--redis" else "http"
    code, error = told(option, f"{scheme}://:hunter2@{rest}")
    assert (code, option in error, "Traceback" in error) == (1, True, False)
    assert "hunter2" not in error


def test_a_port_that_is_taken_is_said_before_anything_is_served(told):
    """uvicorn would say so in its own way and end with 3: a campaign was accused."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, error = told("--port", str(port))
    assert code == 1
    assert f"127.0.0.1 port {port} (address already in use)" in error
    assert "serving" not in error
    assert told("--port", "99999")[0] == 1


def test_nobody_is_let_in_before_the_guard_answers():
    (one,) = bound("127.0.0.1", 0)
    with one, socket.socket() as caller, pytest.raises(ConnectionRefusedError):
        caller.connect(one.getsockname())


def test_a_guard_that_others_reach_is_told_from_one_that_they_do_not():
    for host, local in (("127.0.0.1", True), ("0.0.0.0", False), ("localhost", True)):
        sockets = bound(host, 0)
        assert _is_local(sockets) is local
        for one in sockets:
            one.close()
    with pytest.raises(ConfigError, match="cannot listen"):
        bound("203.0.113.9", 0)
