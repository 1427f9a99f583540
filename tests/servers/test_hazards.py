"""What an honest user sees through a gateway when the model or the guard misbehaves."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from .test_gateways import ASK, KINDS, SAID, ask_openai, asked, clients, gateway, proxy

__all__ = ["asked"]  # the fixture

BEFORE_IT_IS_READ = b'{"error":{"message":"too much at once"}}'


@contextlib.contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server of raw sockets; ``answer`` has each connection, on a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def one(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                answer(connection)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def head_of(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(1_024)
        if not more:
            return b""
        data += more
    return data


def answers_early(connection: socket.socket) -> None:
    """Refuse at the head of a call, as APIs do, and read on what still comes (RFC 9112, 9.6)."""
    if head_of(connection):
        connection.sendall(
            b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n"
            % len(BEFORE_IT_IS_READ)
            + BEFORE_IT_IS_READ
        )
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(120)
        while connection.recv(65_536):
            pass


def hangs_up(connection: socket.socket) -> None:
    """A guard that is stopped between a question and its answer."""
    head_of(connection)


def says_nothing(connection: socket.socket) -> None:
    """Who hangs, until the gateway goes away."""
    while connection.recv(65_536):
        pass


def post(port: int, body: bytes) -> tuple[int, bytes]:
    """Send a call whole, then read: as a client that waits for no answer before it has spoken."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=180)
    with contextlib.closing(link):
        link.request("POST", "/v1/chat/completions", body, {
            "authorization": "Bearer sk-good", "content-type": "application/json"})  # fmt: skip
        answer = link.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_before_the_call_was_read_reaches_the_user(kind, asked, tmp_path):
    guard = asked()
    long = [{"role": "user", "content": "tide " * 400_000}]
    body = json.dumps({"model": "m-1", "messages": long}).encode()
    token = {"a token": "token-1"}
    with (
        answering(answers_early) as model,
        gateway(kind, tmp_path / kind, guard.port, model, token) as port,
    ):
        for _ in range(5):
            assert post(port, body) == (429, BEFORE_IT_IS_READ)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("guard", [hangs_up, says_nothing])
def test_a_guard_that_stops_in_mid_request_lets_the_user_pass_at_once(kind, guard, model, tmp_path):
    with (
        answering(guard) as guard_port,
        gateway(kind, tmp_path / kind, guard_port, model.server_port, patient=False) as port,
    ):
        client, other = clients(port, "sk-good")
        with client, other:
            began = time.monotonic()
            done = client.chat.completions.create(model="m-1", messages=ASK, timeout=180)
            assert done.choices[0].message.content == SAID
            assert (
                time.monotonic() - began < 30
            )  # gateways wait for a minute where nobody told them


# What says how long the model may be silent, in seconds, and a shorter word for the test.
SILENCE = {
    "nginx": {"proxy_read_timeout 3600s": "proxy_read_timeout 1s"},
    "envoy": {"stream_idle_timeout: 3600s": "stream_idle_timeout: 1s"},
}


@pytest.mark.parametrize("kind", sorted(SILENCE))
def test_a_model_that_thinks_for_long_is_waited_for(kind, asked, tmp_path):
    """nginx gave up after a minute of silence, Envoy after five, with the user's 504."""

    def thinks(connection: socket.socket) -> None:
        head_of(connection)
        time.sleep(1.5)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    guard = asked()
    body = json.dumps({"model": "m-1", "messages": ASK}).encode()
    cases = [({}, thinks, 200), (SILENCE[kind], says_nothing, 504)]
    for number, (shorter, silent, status) in enumerate(cases):
        more = {"a token": "token-1", **shorter}
        with (
            answering(silent) as model,
            gateway(kind, tmp_path / f"{kind}{number}", guard.port, model, more) as port,
        ):
            assert post(port, body)[0] == status


@pytest.mark.slow
def test_litellm_goes_on_where_a_guard_stops_in_mid_request(model, tmp_path):
    """It asks before the call and tells after it; what hangs up it may try again."""
    stops = [hangs_up]
    met: list[str] = []

    def as_told(connection: socket.socket) -> None:
        met.append(stops[0].__name__)
        stops[0](connection)

    with (
        answering(as_told) as guard_port,
        proxy("litellm.yaml", tmp_path / "l", guard_port, model.server_port, patient=False) as port,
    ):
        for stops[0] in (hangs_up, says_nothing):
            assert ask_openai(port, "sk-good", timeout=180) == SAID
            assert met.count(stops[0].__name__) >= 2
