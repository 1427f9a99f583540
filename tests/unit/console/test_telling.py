"""People hear by e-mail, over a real mail server, of what was changed of theirs (ASVS 2.2.3)."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from letters import mail_server
from ports import free_port

from stillwatch.console import create_app, make_administrator, read_post, send
from stillwatch.console import told_of_administrator as told_anew
from stillwatch.console.desk import COOKIE
from stillwatch.console.entry import _keep, add_person, find_person, log_in, set_email
from stillwatch.errors import ConfigError

SECRET = "a phrase that nobody tries 7"
OTHER = "and one that is quite another 8"


@pytest.fixture
def letters():
    with mail_server() as held:
        yield held


@pytest.fixture
def posted(desk, letters):
    """Return a desk with mail, whose people have addresses, and the letters that came."""
    kept, port = letters
    configure(desk, port)
    for login in ("ana", "ad"):
        set_email(desk.home, login, f"{login}@provider.example")
    return desk, kept


def configure(desk, port: int) -> None:
    desk.home.mail.write_text(
        f'host = "127.0.0.1"\nport = {port}\nsecurity = "none"\nfrom = "console@provider.example"\n'
        'console = "https://console.example"\n'
    )
    desk.post = read_post(desk.home)


def came(kept) -> list[tuple[str, str, str]]:
    """Return (to, subject, text) of what came since the last time."""
    out = [(to, letter["Subject"], letter.get_content()) for (to,), letter in kept.read()]
    kept.got.clear()
    return out


def test_a_changed_password_is_told_to_its_person(posted, inside):
    desk, kept = posted
    _keep(desk.home, "ana", SECRET, None)
    who = inside("Ana", desk)
    form = {"old": SECRET, "new": OTHER, "again": OTHER}
    assert who.post("/password", form).status_code == 303
    ((to, subject, text),) = came(kept)
    assert (to, subject) == ("ana@provider.example", "[stillwatch] Your password was changed")
    assert "on 2026-11-26 at 12:00 UTC your password was changed, by you." in text
    assert "https://console.example" in text
    assert SECRET not in text
    assert OTHER not in text


def test_what_was_not_changed_is_told_to_nobody(posted, inside):
    desk, kept = posted
    _keep(desk.home, "ana", SECRET, None)
    who = inside("Ana", desk)
    wrong = {"old": "not the password", "new": OTHER, "again": OTHER}
    assert who.post("/password", wrong).status_code == 422
    admin = inside("Ad", desk)
    same = {"login": "ana", "what": "roles", "role": ["analyst"]}
    assert admin.post("/people/change", same).status_code == 303
    assert came(kept) == []


def test_a_new_first_password_is_told_without_the_password(posted, inside):
    desk, kept = posted
    page = inside("Ad", desk).post("/people/change", {"login": "ana", "what": "secret"}).text
    given = re.search(r"<code>(\S{24})</code>", page)[1]
    ((to, _, text),) = came(kept)
    assert to == "ana@provider.example"
    assert "you were given a new first password, by Ad." in text
    assert given not in text


def test_other_roles_are_told_and_a_new_administrator_to_all_others(posted, inside):
    desk, kept = posted
    admin = inside("Ad", desk)
    change = {"login": "ana", "what": "roles", "role": ["analyst", "approver"]}
    admin.post("/people/change", change)
    ((to, subject, text),) = came(kept)
    assert (to, subject) == ("ana@provider.example", "[stillwatch] Your roles were changed")
    assert "from analyst to analyst and approver, by Ad." in text

    admin.post("/people/change", change | {"role": ["analyst", "admin"]})
    told = {to: (subject, text) for to, subject, text in came(kept)}
    assert set(told) == {"ana@provider.example", "ad@provider.example"}
    assert told["ad@provider.example"][0] == "[stillwatch] Ana is an administrator"

    admin.post("/people/change", change)
    assert ("ad@provider.example", "[stillwatch] Ana is no longer an administrator") in [
        (to, subject) for to, subject, _ in came(kept)
    ]


def test_a_person_who_is_let_in_as_an_administrator_is_told_of(posted, inside):
    desk, kept = posted
    form = {"name": "New\u202e One", "role": ["admin"], "email": "new@provider.example"}
    assert inside("Ad", desk).post("/people/add", form).status_code == 200
    told = {to: text for to, _, text in came(kept)}
    assert set(told) == {"new@provider.example", "ad@provider.example"}
    assert "you were let in as admin, by Ad." in told["new@provider.example"]
    assert "\u202e" not in told["ad@provider.example"], "what turns a line around is shown"


def test_a_name_that_looks_like_an_encoded_header_is_a_name(posted, inside):
    """RFC 2047: decoded, it would end the subject and begin a header of its own."""
    desk, kept = posted
    name = "=?utf-8?q?Eve=0d=0aBcc=3a_x=40evil.example?="
    assert inside("Ad", desk).post("/people/add", {"name": name, "role": ["admin"]}).is_success
    (((to,), letter),) = kept.read()
    assert to == "ad@provider.example"
    assert letter["Bcc"] is None
    assert letter["Subject"] == f"[stillwatch] {name.replace('=?', '= ?')} is an administrator"
    assert f": {name} is an administrator, by Ad." in letter.get_content()


def test_an_administrator_named_at_the_server_is_told_to_all(posted, clock):
    desk, kept = posted
    make_administrator(desk.home, "Ana", now=clock())
    assert send(desk.post, told_anew(desk.home, "Ana", now=clock()), now=clock()) == 2
    told = {to: text for to, _, text in came(kept)}
    assert set(told) == {"ana@provider.example", "ad@provider.example"}
    assert "by whoever runs the server" in told["ad@provider.example"]


def test_a_second_factor_set_up_or_taken_away_is_told(posted, inside, clock):
    desk, kept = posted
    _keep(desk.home, "ana", SECRET, None)
    who = inside("Ana", desk)
    page = who.post("/factor/begin", {"secret": SECRET}).text
    assert came(kept) == [], "what is not in force changed nothing"
    key = re.search(r"<code>([A-Z2-7 ]{39})</code>", page)[1].replace(" ", "")
    totp = TOTP(base64.b32decode(key), 6, SHA1(), 30)
    code = totp.generate(int(clock().timestamp())).decode()
    assert who.post("/factor/set", {"code": code}).status_code == 303
    assert "a second factor was set up, by you" in came(kept)[0][2]
    inside("Ad", desk).post("/people/change", {"login": "ana", "what": "factor"})
    ((_, subject, text),) = came(kept)
    assert subject == "[stillwatch] Your second factor was changed"
    assert "your second factor was removed, by Ad" in text


def test_another_address_is_told_at_the_old_one_too(posted, inside):
    desk, kept = posted
    admin = inside("Ad", desk)
    form = {"login": "ana", "what": "email", "email": "elsewhere@example.org"}
    assert admin.post("/people/change", form).status_code == 303
    assert [to for to, _, _ in came(kept)] == ["ana@provider.example", "elsewhere@example.org"]
    assert find_person(desk.home, "ana").email == "elsewhere@example.org"
    bad = admin.post("/people/change", form | {"email": "a@b.example\r\nBcc: c@d.example"})
    assert bad.status_code == 422
    assert came(kept) == []
    assert admin.post("/people/change", form | {"email": ""}).status_code == 303
    assert [to for to, _, _ in came(kept)] == ["elsewhere@example.org"]


def test_addresses_are_an_administrators_to_see_and_each_their_own(posted, inside):
    desk, _ = posted
    assert "ana@provider.example" in inside("Ad", desk).get("/people").text
    assert "ana@provider.example" in inside("Ana", desk).get("/password").text
    assert "ana@provider.example" not in inside("Apo", desk).get("/password").text


@pytest.mark.parametrize("answer", ["451 later", "554 no", None])
def test_what_no_server_takes_is_logged_without_a_name_and_the_change_stands(
    posted, inside, caplog, answer
):
    desk, kept = posted
    kept.answers[:] = [answer] if answer else []
    if answer is None:
        configure(desk, free_port())  # nobody listens there
    _keep(desk.home, "ana", SECRET, None)
    with caplog.at_level(logging.WARNING):
        form = {"old": SECRET, "new": OTHER, "again": OTHER}
        assert inside("Ana", desk).post("/password", form).status_code == 303
    assert log_in(desk.home, "ana", OTHER, now=desk.clock()).name == "Ana"
    assert came(kept) == []
    (record,) = [r for r in caplog.records if r.name.startswith("stillwatch")]
    said = record.getMessage()
    assert said.startswith("a notice (password) was not sent: ")
    assert (answer or "ConnectionRefused")[:3] in said
    assert "ana" not in said.lower().replace("a notice", "")
    assert OTHER not in caplog.text


def test_the_answer_is_there_before_the_mail_server_is_asked(posted, inside):
    """A server that takes half a minute holds no page up."""
    desk, kept = posted
    _keep(desk.home, "ana", SECRET, None)
    who = inside("Ana", desk)
    form = {"csrf": who.csrf, "old": SECRET, "new": OTHER, "again": OTHER}
    body = urlencode(form).encode()
    headers = {"host": "testserver", "origin": "https://testserver", "content-length": len(body),
               "content-type": "application/x-www-form-urlencoded",
               "cookie": f"{COOKIE}={who.http.cookies[COOKIE]}"}  # fmt: skip
    scope = {
        "type": "http", "method": "POST", "path": "/password", "raw_path": b"/password",
        "query_string": b"", "scheme": "https", "server": ("testserver", 443), "root_path": "",
        "http_version": "1.1",
        "headers": [(name.encode(), str(value).encode()) for name, value in headers.items()],
    }  # fmt: skip
    answered: list[tuple[int, int]] = []
    status = 0

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def take(message):
        nonlocal status
        status = message.get("status", status)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            answered.append((status, len(kept.got)))

    asyncio.run(create_app(desk)(scope, receive, take))
    assert answered == [(303, 0)]
    assert len(kept.got) == 1


def test_without_mail_there_is_no_address_to_give_and_nothing_breaks(desk, inside):
    assert read_post(desk.home) is None
    admin = inside("Ad")
    assert "e-mail" not in admin.get("/people").text
    form = {"login": "ana", "what": "email", "email": "ana@provider.example"}
    assert admin.post("/people/change", form).status_code == 422
    assert admin.post("/people/change", {"login": "ana", "what": "secret"}).status_code == 200
    add_person(desk.home, "Bo", ("viewer",))
    assert find_person(desk.home, "bo").email == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('host = "a"', "lacks from"),
        ('host = "a"\nfrom = "a@b.example"\nto = ["a@b.example"]', "unknown: to"),
        ('host = "a"\nfrom = "nobody"', "not an address"),
        ('host = "a"\nfrom = "a@b.example"\nport = "25"', "wrong type"),
        ('host = "a"\nfrom = "a@b.example"\nport = 65536', "expected 1 to 65,535"),
        ('host = "a"\nfrom = "a@b.example"\nport = 0', "expected 1 to 65,535"),
        ('host = "a"\nfrom = "a@b.example"\nsecurity = "ssl"', "one of starttls, tls, none"),
        ('host = "a"\nfrom = "a@b.example"\nuser = "u"\nsecurity = "none"', "unencrypted"),
        ('host = "a"\nfrom = "a@b.example"\npassword_file = "open"', "others may read"),
        ('host = "a"\nfrom = "a@b.example"\nconsole = "console.example"', "such as https"),
        ("host", "not TOML"),
    ],
)
def test_what_is_wrong_in_the_settings_is_named(desk, text, said):
    (desk.home.folder / "open").write_text("secret")
    (desk.home.folder / "open").chmod(0o644)
    desk.home.mail.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_post(desk.home)
