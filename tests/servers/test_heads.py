"""Heads and bodies beyond all bounds: they cost the guard no memory and are no way around it."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path

import pytest

from .test_faults import _raw


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


ENDLESS = {
    "many headers": (b"", b"x-a: " + b"y" * 8_000 + b"\r\n"),
    "one header": (b"x-a: ", b"y" * 8_000),
    "an account's name": (b"x-account-id: ", b"y" * 8_000),
    "trailers": (b"transfer-encoding: chunked\r\n\r\n0\r\n", b"x-a: " + b"y" * 8_000 + b"\r\n"),
    "one trailer": (b"transfer-encoding: chunked\r\n\r\n0\r\nx-a: ", b"y" * 8_000),
}


@pytest.mark.parametrize("path", ["/v1/decide", "/authz/x", "/v1/observe"])
def test_a_head_without_an_end_takes_no_memory(guarded, path):
    """Nobody has shown a token by then; it used to take 1.7 GB within the five seconds."""
    node = guarded()
    assert node.verdict("bad-1") == "deny"
    before = resident_mb(node.process.pid)
    for begins, goes_on in ENDLESS.values():
        with socket.create_connection(("127.0.0.1", node.port), 120) as link:
            link.sendall(b"POST %b HTTP/1.1\r\nhost: g\r\n" % path.encode() + begins)
            sent, end = 0, time.monotonic() + 4
            with contextlib.suppress(OSError):
                while time.monotonic() < end and sent < 16 << 20:
                    link.sendall(goes_on * 20)
                    sent += len(goes_on) * 20
            assert sent < 16 << 20, "it went on listening"
    assert resident_mb(node.process.pid) - before < 12
    assert node.verdict("bad-1") == "deny"


def test_whose_request_it_is_counts_behind_any_number_of_headers(guarded):
    node = guarded()
    junk = [f"x-{k}: {k}\r\n" for k in range(300)]
    cookies = [f"cookie: {'c' * 8_000}\r\n" for _ in range(100)]
    for version in ("1.0", "1.1"):  # through ASGI, and on the short way
        for account, status in (("bad-1", 403), ("good", 200)):
            for more in (junk, cookies):
                whose = [f"x-account-id: {account}\r\n", "content-length: 0\r\n"]
                for lines in (more + whose, whose + more):
                    head = f"POST /authz/x HTTP/{version}\r\nhost: g\r\n" + "".join(lines)
                    answers = _raw(node.port, head.encode() + b"\r\n")
                    assert [s for s, _ in answers] == [status], (version, account)
    many = f"POST /v1/decide HTTP/1.1\r\nhost: g\r\n{''.join(junk)}content-length: 2\r\n\r\n{{}}"
    assert [s for s, _ in _raw(node.port, many.encode())] == [431]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_whose_request_it_is_counts_in_a_body_of_any_length(guarded, version):
    node = guarded()
    text = {"messages": [{"role": "user", "content": '\\"y' * 300_000}]}
    for account, verdict in (("bad-1", "deny"), ("good", "allow")):
        for call in ({"account_id": account, **text}, {**text, "account_id": account}):
            body = json.dumps(call).encode()
            head = f"POST /v1/decide HTTP/{version}\r\nhost: g\r\ncontent-length: {len(body)}"
            ((status, answer),) = _raw(node.port, head.encode() + b"\r\n\r\n" + body)
            assert (status, json.loads(answer)["verdict"]) == (200, verdict)
