"""What Traefik's forwardAuth asks, by the example's own settings and Traefik's documentation.

Traefik itself is in no package that tests may use: nothing here shows that it runs the example. A
guard of its own process is asked over HTTP what the documentation (v3.3, forwardAuth and headers)
says that Traefik sends, and answers what Traefik would give the user or pass on.
"""

from __future__ import annotations

import http.client
import re
import tomllib
from typing import Any, NamedTuple

import pytest

from .conftest import EXAMPLES

FILE = EXAMPLES / "traefik.toml"
# The example's token is "a token"; tokens hold no space.
HTTP = tomllib.loads(FILE.read_text("utf-8").replace("a token", "token-1"))["http"]


class Told(NamedTuple):
    """What forwardAuth makes of the guard's answer: the user's status, body and headers, or, of a
    call that goes on, the headers that the model gets."""

    passes: bool
    status: int
    headers: dict[str, str]
    body: bytes


def router_of(authorization: str) -> dict[str, Any]:
    """The router whose rule holds; the one with a priority of its own is the last."""
    for router in sorted(HTTP["routers"].values(), key=lambda r: "priority" in r):
        header = re.fullmatch(r"Header\(`Authorization`, `(.*)`\)", router["rule"])
        if header is None or header[1] == authorization:
            return dict(router)
    raise AssertionError("no router")


def through(port: int, key: str, sent: dict[str, str] | None = None) -> Told:
    """A POST through the middlewares of its router."""
    headers = {"Authorization": f"Bearer {key}", "User-Agent": "tests", **(sent or {})}
    told = Told(True, 200, {}, b"")
    for name in router_of(headers["Authorization"])["middlewares"]:
        ((kind, given),) = HTTP["middlewares"][name].items()
        if kind == "headers":
            for header, value in given["customRequestHeaders"].items():
                _set(headers, header, value)  # an empty one is removed
            continue
        assert kind == "forwardAuth"
        told = forward_auth(given, port, headers)
        if not told.passes:
            return told
        for header in given["authResponseHeaders"]:
            _set(headers, header, told.headers.get(header.lower(), ""))
    return told._replace(headers={k.lower(): v for k, v in headers.items()})


def forward_auth(given: dict[str, Any], port: int, headers: dict[str, str]) -> Told:
    """GET without a body, the listed headers of the call, and five that Traefik writes."""
    listed = {name.lower() for name in given["authRequestHeaders"]}
    asks = {k: v for k, v in headers.items() if k.lower() in listed}
    asks |= {
        "X-Forwarded-Method": "POST", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "model",
        "X-Forwarded-Uri": "/v1/chat/completions?x=1", "X-Forwarded-For": "192.0.2.7",
    }  # fmt: skip
    assert given["trustForwardHeader"] is False
    path = given["address"].removeprefix("http://127.0.0.1:8470")
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    link.request("GET", path, headers=asks)
    answer = link.getresponse()
    body, told = answer.read(), {k.lower(): v for k, v in answer.getheaders()}
    link.close()
    return Told(200 <= answer.status < 300, answer.status, told, body)


def _set(headers: dict[str, str], name: str, value: str) -> None:
    for held in [k for k in headers if k.lower() == name.lower()]:
        del headers[held]
    if value:
        headers[name] = value


@pytest.fixture
def port(guarded, tmp_path):
    def make(*options: str, verdict: str = "deny") -> int:
        (tmp_path / "tokens").write_text("token-1\n")
        return int(guarded("--token-file", tmp_path / "tokens", *options, verdict=verdict).port)

    return make


def test_honest_accounts_pass_and_the_accused_are_denied(port):
    guard = port()
    good = through(guard, "sk-good", {"x-stillwatch-verdict": "forged"})
    assert good.passes
    assert good.headers["x-stillwatch-verdict"] == "allow"
    assert "x-stillwatch-token" not in good.headers
    bad = through(guard, "sk-bad")
    assert (bad.passes, bad.status) == (False, 403)
    assert b"not use the model. Reference node-0-" in bad.body
    assert bad.headers["content-type"] == "application/json"


def test_throttled_clients_see_429_and_when_to_come_again(port):
    guard = port(verdict="throttle")
    statuses = [through(guard, "sk-bad") for _ in range(7)]
    assert [t.status for t in statuses] == [200] * 6 + [429]
    assert int(statuses[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize("name", ["X-Account-Id", "x-account-id", "X-ACCOUNT-ID"])
def test_a_caller_cannot_name_another_account(port, name):
    assert through(port(), "sk-bad", {name: "good"}).status == 403


def test_a_caller_cannot_name_what_the_guard_was_told_to_believe(port):
    guard = port("--org-header", "X-Org-Id", "--plan-header", "X-Plan")
    assert through(guard, "sk-bad", {"X-Org-Id": "acme", "X-Plan": "research"}).status == 403


def test_a_key_of_nobody_passes_unless_the_route_fails_closed(port, guarded, tmp_path):
    assert through(port(), "sk-unknown", {"X-Account-Id": "bad-1"}).passes
    tokens = tmp_path / "tokens"
    closed = guarded("--token-file", tokens, "--fail-closed", "authz", name="closed")
    told = through(closed.port, "sk-unknown")
    assert (told.status, b"unchecked" in told.body) == (403, True)


def test_the_example_says_that_nothing_has_run_it():
    assert FILE.read_text("utf-8").startswith("# NOT RUN HERE")
