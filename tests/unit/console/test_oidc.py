"""Logging in by a real OpenID provider, a process of its own on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from ports import free_port
from starlette.testclient import TestClient

from stillwatch.console import create_app
from stillwatch.console.desk import COOKIE
from stillwatch.console.entry import add_person, find_person, lock_person, read_people
from stillwatch.console.oidc import read_provider
from stillwatch.errors import ConfigError

BACK = "https://testserver/oidc/callback"


@pytest.fixture(scope="module")
def provider():
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    issuer = f"http://localhost:{port}"
    until = time.monotonic() + 120
    while True:
        try:
            httpx.get(f"{issuer}/jwks").raise_for_status()
            break
        except httpx.HTTPError:
            assert process.poll() is None, "it ended before it listened"
            assert time.monotonic() < until, "it did not listen in time"
            time.sleep(0.05)
    yield issuer
    process.terminate()
    process.wait(timeout=60)


def tell(provider, subject, **claims):
    httpx.put(f"{provider}/users/{subject}", json=claims).raise_for_status()


@pytest.fixture
def settle(desk, provider):
    """Write oidc.toml with the groups that give roles, and return a browser outside."""

    def write(roles: str = "", more: str = "") -> TestClient:
        desk.home.oidc.write_text(
            f'issuer = "{provider}"\nclient_id = "console"\nclient_secret = "of the tests"\n'
            f'redirect_uri = "{BACK}"\n{more}[roles]\n{roles}',
            encoding="utf-8",
        )
        return TestClient(create_app(desk), base_url="https://testserver", follow_redirects=False)

    return write


def ask(http, subject):
    """Go to the provider, say who is there, and return the address that it sends back to."""
    asked = http.get("/oidc/login")
    assert asked.status_code == 303
    said = httpx.post(asked.headers["location"], data={"sub": subject})
    assert said.status_code in (302, 303)
    assert said.headers["location"].startswith(BACK)
    return said.headers["location"].removeprefix("https://testserver")


def test_a_member_of_a_group_enters_with_its_roles(desk, provider, settle):
    http = settle('"trust" = ["analyst"]\n"law" = ["counsel"]\n')
    assert "/oidc/login" in http.get("/login").text
    tell(provider, "s-1", name="Mia M.", groups=["trust", "others"])
    answer = http.get(ask(http, "s-1"))
    assert answer.status_code == 200
    assert 'content="0;url=/"' in answer.text  # a page of ours, so that a strict cookie is sent
    assert COOKIE in answer.headers["set-cookie"]
    assert "SameSite=strict" in answer.headers["set-cookie"]
    assert http.get("/").status_code == 200
    assert find_person(desk.home, "mia m.").roles == ("analyst",)
    tell(provider, "s-1", name="Mia M.", groups=["law"])
    http.get(ask(http, "s-1"))
    assert find_person(desk.home, "mia m.").roles == ("counsel",)
    assert sum(p.name == "Mia M." for p in read_people(desk.home)) == 1


def test_the_question_carries_pkce_state_and_nonce(settle):
    http = settle()
    query = parse_qs(urlsplit(http.get("/oidc/login").headers["location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    assert len(query["state"][0]) >= 40
    assert len(query["nonce"][0]) >= 40
    assert query["response_type"] == ["code"]


def test_without_a_group_or_an_entry_nobody_enters(desk, provider, settle):
    http = settle('"trust" = ["analyst"]\n')
    tell(provider, "s-2", name="Nobody", groups=["others"])
    answer = http.get(ask(http, "s-2"))
    assert answer.status_code == 403
    assert COOKIE not in answer.headers.get("set-cookie", "")
    assert len(read_people(desk.home)) == 5


def test_a_person_entered_by_subject_keeps_the_roles_given_here(desk, provider, settle):
    http = settle()
    assert http.get(ask(http, "s-3")).status_code == 403
    add_person(desk.home, "Sub Ject", ("approver",), subject=f"{provider} s-3")
    assert http.get(ask(http, "s-3")).status_code == 200
    assert http.get("/").status_code == 200
    lock_person(desk.home, "sub ject", locked=True)
    assert http.get("/").headers["location"] == "/login"
    assert http.get(ask(http, "s-3")).status_code in (403, 422)


def test_where_a_role_needs_a_second_factor_the_provider_must_say_that_it_asked(
    desk, provider, settle
):
    roles = '"trust" = ["analyst"]\n"law" = ["counsel"]\n'
    http = settle(roles)
    tell(provider, "s-9", name="Fac Tor", groups=["trust"])
    assert http.get(ask(http, "s-9")).status_code == 200
    desk.second_factor = frozenset({"analyst"})
    assert http.get("/").headers["location"] == "/login", "a session from before the demand"
    http = settle(roles, more='second_factor = ["mfa", "hwk"]\n')
    for said, status in ((None, 403), (["pwd"], 403), (["pwd", "mfa"], 200), ("hwk", 200)):
        tell(provider, "s-9", name="Fac Tor", groups=["trust"], **({"amr": said} if said else {}))
        answer = http.get(ask(http, "s-9"))
        assert answer.status_code == status, said
        assert ("second factor" in answer.text) == (status == 403)
        assert http.get("/").status_code == (200 if status == 200 else 303)
    tell(provider, "s-9", name="Fac Tor", groups=["law"])
    assert http.get(ask(http, "s-9")).status_code == 200, "a role that needs none"


def test_an_answer_that_was_not_asked_for_is_refused(desk, provider, settle):
    http = settle('"trust" = ["analyst"]\n')
    tell(provider, "s-4", name="Vic Tim", groups=["trust"])
    other = TestClient(create_app(desk), base_url="https://testserver", follow_redirects=False)
    back = ask(http, "s-4")
    assert other.get(back).status_code == 403  # another browser: a forged log-in
    assert http.get(back).status_code == 403  # and the state is used up
    fresh = ask(http, "s-4")
    assert http.get(fresh.replace("state=", "state=x")).status_code == 403
    again = ask(http, "s-4")
    assert http.get(again).status_code == 200
    assert http.get(again).status_code == 403  # a code works once


def test_an_answer_after_ten_minutes_is_too_late(desk, provider, settle, clock):
    http = settle('"trust" = ["analyst"]\n')
    tell(provider, "s-5", name="La Te", groups=["trust"])
    back = ask(http, "s-5")
    clock.on(minutes=11)
    assert http.get(back).status_code == 403


def test_a_token_for_another_client_is_refused(desk, provider, settle):
    http = settle('"trust" = ["analyst"]\n')
    tell(provider, "s-6", name="Aud Ience", groups=["trust"])
    back = ask(http, "s-6")
    held = desk.once(
        ("provider", desk.home.oidc.stat().st_mtime_ns), lambda: read_provider(desk.home.oidc)
    )
    (key,) = held._asked
    began, _, verifier = held._asked[key]
    held._asked[key] = began, "another nonce", verifier
    answer = http.get(back)
    assert answer.status_code == 403
    assert "does not hold" in answer.text


def test_no_provider_is_said(desk):
    http = TestClient(create_app(desk), base_url="https://testserver", follow_redirects=False)
    assert http.get("/oidc/login").status_code == 422
    assert "/oidc/login" not in http.get("/login").text


@pytest.mark.parametrize(
    "change",
    ['issuer = "http://idp.example"', 'roles = {g = ["king"]}', "surplus = 1", 'client_id = ""#'],
)
def test_a_wrong_file_is_refused(tmp_path, change):
    file = tmp_path / "oidc.toml"
    text = {"issuer": '"https://idp.example"', "client_id": '"a"', "client_secret": '"b"',
            "redirect_uri": f'"{BACK}"'}  # fmt: skip
    name, _, value = change.partition(" = ")
    if value.startswith('""#'):
        del text["client_id"]
    else:
        text[name] = value
    file.write_text("".join(f"{k} = {v}\n" for k, v in text.items()), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"oidc\.toml"):
        read_provider(file)


class Published:
    """A provider that publishes what the test says, and counts who else is asked."""

    def __init__(self) -> None:
        self.document: dict[str, str] = {}
        self.status, self.location, self.asked = 200, "", []
        outer = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                self.send_response(outer.status)
                if outer.location:
                    self.send_header("Location", outer.location)
                self.end_headers()
                self.wfile.write(json.dumps(outer.document).encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def published():
    made = Published()
    yield made
    made.stop()


def settled(desk, published, issuer=None):
    published.document = {
        "issuer": issuer or published.issuer,
        **{name: f"{published.issuer}/{name}"
           for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")},
    }  # fmt: skip
    desk.home.oidc.write_text(
        f'issuer = "{published.issuer}"\nclient_id = "c"\nclient_secret = "s"\n'
        f'redirect_uri = "{BACK}"\n', encoding="utf-8"
    )  # fmt: skip
    return TestClient(create_app(desk), base_url="https://testserver", follow_redirects=False)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("jwks_uri", "http://169.254.169.254/latest/meta-data/"),
        ("jwks_uri", "https://169.254.169.254/latest/meta-data/"),
        ("jwks_uri", "https://10.0.0.7/keys"),
        ("token_endpoint", "http://idp.example/token"),
        ("token_endpoint", "https://vault.internal/token"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("authorization_endpoint", "file:///etc/passwd"),
        ("token_endpoint", ""),
        ("token_endpoint", "https://[fd00::1]/token"),
    ],
)
def test_a_provider_cannot_send_the_server_into_its_own_network(desk, published, name, address):
    http = settled(desk, published)
    published.document[name] = address
    answer = http.get("/oidc/login")
    assert answer.status_code == 422
    assert f"{name} of the provider" in answer.text
    assert "location" not in answer.headers
    assert address not in answer.text or not address


def test_a_provider_that_says_where_to_ask_is_gone_to(desk, published):
    http = settled(desk, published)
    answer = http.get("/oidc/login")
    assert answer.headers["location"].startswith(f"{published.issuer}/authorization_endpoint?")


def test_a_redirect_of_the_discovery_is_not_followed(desk, published):
    http = settled(desk, published)
    published.status, published.location = 302, f"{published.issuer}/elsewhere"
    assert http.get("/oidc/login").status_code == 422
    assert published.asked == ["/.well-known/openid-configuration"]


def test_another_providers_name_is_refused(desk, published):
    http = settled(desk, published, issuer="https://evil.example")
    answer = http.get("/oidc/login")
    assert answer.status_code == 422
    assert "calls itself otherwise" in answer.text
