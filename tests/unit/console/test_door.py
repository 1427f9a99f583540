"""In, out, and what a browser is told: passwords, sessions, forged forms, headers."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from stillwatch.console import create_app, entry, make_administrator, read_people
from stillwatch.console.app import HEADERS
from stillwatch.console.desk import COOKIE
from stillwatch.console.entry import change_secret, find_person, log_in
from stillwatch.console.guesses import found_early
from stillwatch.console.home import open_home
from stillwatch.errors import ConfigError, InputError, NotPermitted

OURS = {"origin": "https://testserver", "sec-fetch-site": "same-origin"}
NEW = "a phrase that nobody tries 7"


@pytest.fixture
def http(desk):
    return TestClient(create_app(desk), base_url="https://testserver", follow_redirects=False)


@pytest.fixture
def first(desk, clock):
    return make_administrator(desk.home, "Ada L.", now=clock())


def try_in(http, secret, name="Ada L."):
    return http.post("/login", data={"login": name, "secret": secret}, headers=OURS)


def cookie_of(answer):
    return [c for c in answer.headers.get_list("set-cookie") if c.startswith(COOKIE)][-1]


def own_password(http, first):
    try_in(http, first)
    token = http.get("/password").text.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": token, "old": first, "new": NEW, "again": NEW}
    return http.post("/password", data=form, headers=OURS)


def test_the_cookie_is_for_this_host_alone_and_for_no_script(http, first):
    cookie = cookie_of(try_in(http, first)).lower()
    assert cookie.startswith("__host-")
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= set(cookie.split("; "))
    assert "domain" not in cookie


def test_a_first_password_opens_nothing_but_the_form_for_another(http, first):
    assert try_in(http, first).headers["location"] == "/password"
    for page in ("/", "/people", "/overview"):
        assert http.get(page).headers["location"] == "/password"
    assert own_password(http, first).headers["location"] == "/"
    assert http.get("/").status_code == 200


def test_a_first_password_ends_within_the_hour(http, first, clock):
    clock.on(minutes=61)
    assert try_in(http, first).status_code == 403


def test_ten_failures_keep_even_the_right_password_out_for_a_while(http, first, clock):
    own_password(http, first)
    for _ in range(10):
        assert try_in(http, "not the password").status_code == 403
    assert try_in(http, NEW).status_code == 403
    clock.on(minutes=16)
    assert try_in(http, NEW).status_code == 303


def test_a_wrong_name_and_a_wrong_password_are_answered_alike(http, first):
    wrong, unknown = try_in(http, "no", "Ada L."), try_in(http, "no", "Zed")
    assert (wrong.status_code, wrong.text) == (unknown.status_code, unknown.text)


@pytest.mark.parametrize(
    "new",
    [
        "short",
        "x" * 129,
        "aaaaaaaaaaaaaaaa",
        "my stillwatch one",
        "ada l. and more",
        "password1234",
    ],
)
def test_a_password_that_is_easily_tried_is_refused(desk, first, clock, new):
    person = log_in(desk.home, "ada l.", first, now=clock())
    with pytest.raises(ConfigError):
        change_secret(desk.home, person, old=first, new=new, now=clock())
    assert log_in(desk.home, "ada l.", first, now=clock()).must_change


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("1qaz2wsx3edc4rfv", "stolen or common passwords"),  # as it stands in lists of stolen ones
        ("polniypizdec0211", "stolen or common passwords"),
        ("Iloveyou12345", "stolen or common passwords"),  # two of a list, one after the other
        ("ｉｌｏｖｅｙｏｕ１２３４５", "stolen or common passwords"),
        ("54321UOYEVOLI", "stolen or common passwords"),
        ("Administrator1", "common words"),
        ("winter2025winter2025", "repetitions"),
        ("4Da L. 4Da L. 4da", "your own name"),
        ("iloveyou" * 16, "repetitions"),
    ],
)  # fmt: skip
def test_a_password_of_a_list_of_stolen_ones_is_refused_and_why(desk, first, clock, new, said):
    """2.1.7: when it is set."""
    person = log_in(desk.home, "ada l.", first, now=clock())
    with pytest.raises(ConfigError, match=said) as caught:
        change_secret(desk.home, person, old=first, new=new, now=clock())
    assert new not in str(caught.value)
    assert log_in(desk.home, "ada l.", first, now=clock()).must_change


def test_the_form_says_why_a_stolen_password_is_not_taken(http, first):
    try_in(http, first)
    token = http.get("/password").text.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": token, "old": first, "new": "1qaz2wsx3edc4rfv", "again": "1qaz2wsx3edc4rfv"}
    answer = http.post("/password", data=form, headers=OURS)
    assert answer.status_code == 422
    assert "That password is among those that are tried first" in answer.text
    assert "it is made of stolen or common passwords. Take several words" in answer.text
    assert "1qaz2wsx3edc4rfv" not in answer.text
    assert try_in(http, "1qaz2wsx3edc4rfv").status_code == 403


def test_a_stolen_password_from_before_the_check_opens_the_form_for_another_for_an_hour(
    http, desk, first, clock
):
    """2.1.7: at log-in too, as lists and this check are younger than some passwords."""
    entry._keep(desk.home, "ada l.", "1qaz2wsx3edc4rfv", None)
    answer = try_in(http, "1qaz2wsx3edc4rfv")
    assert answer.headers["location"] == "/password"
    assert http.get("/").headers["location"] == "/password"
    clock.on(minutes=40)
    assert try_in(http, "1qaz2wsx3edc4rfv").status_code == 303
    clock.on(minutes=21)
    assert try_in(http, "1qaz2wsx3edc4rfv").status_code == 403, "trying does not prolong it"


@pytest.mark.parametrize("held", ["1qaz2wsx3edc4rfv", "four hens and a ladder"])
def test_a_password_that_is_changed_while_it_is_looked_at_opens_nothing(
    http, desk, first, monkeypatch, held
):
    """Comparing with the lists takes long enough for another to be set, which ends all sessions."""
    entry._keep(desk.home, "ada l.", held, None)

    def meanwhile(secret, login):
        entry._keep(desk.home, "ada l.", NEW, None)
        return found_early(secret, login)

    monkeypatch.setattr(entry, "found_early", meanwhile)
    assert try_in(http, held).status_code == 403
    monkeypatch.undo()
    assert not find_person(desk.home, "ada l.").must_change, "the new one is nobody's first"
    assert try_in(http, NEW).headers["location"] == "/"


def test_a_new_first_password_is_not_undone_by_a_change_that_was_under_way(
    desk, first, clock, monkeypatch
):
    """An administrator gives one because the old one is known to somebody else."""
    given: list[str] = []

    def meanwhile(secret, login):
        given.append(entry.give_secret(desk.home, login, now=clock()))
        return found_early(secret, login)

    monkeypatch.setattr(entry, "found_early", meanwhile)
    person = find_person(desk.home, "ada l.")
    with pytest.raises(NotPermitted):
        change_secret(desk.home, person, old=first, new=NEW, now=clock())
    monkeypatch.undo()
    assert log_in(desk.home, "ada l.", given[0], now=clock()).must_change
    with pytest.raises(NotPermitted):
        log_in(desk.home, "ada l.", NEW, now=clock())


def test_what_is_strong_in_a_part_is_taken_however_long_it_is():
    assert found_early("iloveyou" * 8 + "q7-mulberry kites", "ada l.") is None
    assert found_early("q7-mulberry kites" + "iloveyou" * 8, "ada l.") is None


def test_one_persons_name_is_nothing_to_another():
    """zxcvbn keeps the words of whoever came last in a table of the process."""
    mine = "Wojciechowska7"
    assert found_early(mine, "wojciechowska")
    assert found_early(mine, "ana") is None


def test_long_passwords_of_any_letters_are_taken(desk, first, clock):
    person = log_in(desk.home, "ada l.", first, now=clock())
    new = "ein sehr langer Satz, 密码 и ещё " * 3
    change_secret(desk.home, person, old=first, new=new, now=clock())
    assert not log_in(desk.home, "ada l.", new, now=clock()).must_change


def test_the_folder_holds_no_password_and_no_token(http, desk, first):
    cookie = cookie_of(try_in(http, first)).split(";")[0].split("=", 1)[1]
    own_password(http, first)
    held = b"".join(f.read_bytes() for f in desk.home.folder.glob("console.db*"))
    for secret in (first, NEW, cookie):
        assert secret.encode() not in held
    with sqlite3.connect(desk.home.folder / "console.db") as database:
        (kept,) = database.execute("SELECT secret FROM people WHERE login = 'ada l.'").fetchone()
    database.close()
    assert kept.startswith("$argon2id$")
    for name in ("console.db", "secret.key"):
        assert (desk.home.folder / name).stat().st_mode & 0o077 == 0


def test_logging_in_gives_another_token_and_logging_out_ends_it(http, first):
    own_password(http, first)
    one = cookie_of(try_in(http, NEW))
    two = cookie_of(try_in(http, NEW))
    assert one.split(";")[0] != two.split(";")[0]
    old = TestClient(http.app, base_url="https://testserver", follow_redirects=False)
    old.headers["cookie"] = one.split(";")[0]
    assert old.get("/").headers["location"] == "/login"  # the first ended with the second
    token = http.get("/").text.split('name="csrf" value="')[1].split('"')[0]
    stolen = http.cookies.get(COOKIE)
    assert http.post("/logout", data={"csrf": token}, headers=OURS).status_code == 303
    old.headers["cookie"] = f"{COOKIE}={stolen}"
    assert old.get("/").headers["location"] == "/login"


def test_a_session_ends_when_idle_and_after_twelve_hours_however_busy(inside, clock):
    who = inside("Ana")
    clock.on(minutes=29)
    assert who.get("/").status_code == 200
    clock.on(minutes=31)
    assert who.get("/").headers["location"] == "/login"
    who, began = inside("Ana"), clock()
    while who.get("/").status_code == 200:
        clock.on(minutes=25)
    assert timedelta(hours=12) <= clock() - began <= timedelta(hours=12, minutes=25)


def test_a_person_kept_out_is_out_at_once(desk, inside):
    who, admin = inside("Ana"), inside("Ad")
    assert who.get("/").status_code == 200
    assert admin.post("/people/change", {"login": "ana", "what": "lock"}).status_code == 303
    assert who.get("/").headers["location"] == "/login"


def test_the_last_administrator_stays(inside, desk):
    admin = inside("Ad")
    for form in (
        {"login": "ad", "what": "lock"},
        {"login": "ad", "what": "roles", "role": "viewer"},
    ):
        assert admin.post("/people/change", form).status_code == 422
    assert find_person(desk.home, "ad").roles == ("admin",)


def test_names_that_look_alike_are_one_person(inside, desk):
    admin = inside("Ad")
    answer = admin.post("/people/add", {"name": "ANA\u200b ", "role": "approver"})
    assert answer.status_code == 422
    assert len(read_people(desk.home)) == 5


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": "https://testserver"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://testserver.evil.example", "sec-fetch-site": "same-origin"},
    ],
)
def test_a_form_from_elsewhere_does_nothing(inside, desk, headers):
    who = inside("Ana")
    form = {"csrf": who.csrf, "text": "hello"}
    answer = who.http.post("/cases/case-0/note", data=form, headers=headers)
    assert answer.status_code == 403
    assert "hello" not in who.get("/cases/case-0").text


@pytest.mark.parametrize("token", ["", "x", "another's"])
def test_a_form_without_this_sessions_token_does_nothing(inside, token):
    who, other = inside("Ana"), inside("Apo")
    form = {"csrf": other.csrf if token == "another's" else token, "text": "hello"}
    assert who.http.post("/cases/case-0/note", data=form, headers=OURS).status_code == 403
    assert "hello" not in who.get("/cases/case-0").text
    who.post("/cases/case-0/note", {"text": "hello"})
    assert "hello" in who.get("/cases/case-0").text  # with it, it would have


def test_a_password_form_from_elsewhere_logs_nobody_in(http, first):
    form = {"login": "Ada L.", "secret": first}
    answer = http.post("/login", data=form, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_every_answer_carries_the_headers(http, inside, desk, monkeypatch):
    who = inside("Ana")
    answers = [http.get("/login"), http.get("/nowhere"), http.get("/"), who.get("/"),
               who.get("/cases/none"), who.get("/people"), http.put("/")]  # fmt: skip
    monkeypatch.setattr(type(desk), "lines", lambda self: 1 / 0)
    broken = TestClient(create_app(desk), base_url="https://testserver", follow_redirects=False,
                        raise_server_exceptions=False)  # fmt: skip
    broken.cookies = who.http.cookies
    answers.append(broken.get("/"))
    assert [a.status_code for a in answers] == [200, 404, 303, 200, 404, 403, 405, 500]
    assert "ZeroDivision" not in answers[-1].text
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert answer.headers["strict-transport-security"].startswith("max-age=")
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_another_hosts_name_is_not_answered(http):
    assert http.get("/login", headers={"host": "evil.example"}).status_code == 421


def test_a_large_body_is_refused(inside):
    answer = inside("Ana").post("/cases/case-0/note", {"text": "x" * 300_000})
    assert answer.status_code == 413


def test_files_may_be_kept_and_hold_no_secret_and_pages_may_not(http):
    page = http.get("/login")
    assert page.headers["cache-control"] == "no-store"
    names = [p.split('"')[0] for p in page.text.split('="/static/')[1:]]
    assert len(names) == 4
    for name in names:
        answer = http.get(f"/static/{name}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    for name in ("..%2fhome.py", "secret.key", "console.css~", "htmx-4.0.1.LICENSE"):
        assert http.get(f"/static/{name}").status_code == 404


def test_the_icon_that_browsers_ask_for_unasked_is_there(http):
    answer = http.get("/favicon.ico")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.content.startswith(b"<svg")


def test_another_programs_folder_is_refused(tmp_path):
    (tmp_path / "console.db").write_text("not a database, but long enough to be read as one" * 40)
    with pytest.raises(InputError):
        open_home(tmp_path)


def test_a_login_that_is_not_there_takes_the_work_of_one_that_is(desk, first, clock, monkeypatch):
    from stillwatch.console import entry

    seen = []
    monkeypatch.setattr(entry, "_verify", lambda held, secret: seen.append(held[:10]) or False)
    for name in ("ada l.", "zed"):
        with pytest.raises(NotPermitted):
            log_in(desk.home, name, "no", now=clock())
    assert seen == ["$argon2id$"] * 2


def test_a_cookie_that_somebody_planted_is_not_the_session(http, first):
    own_password(http, first)
    planted = "a-token-that-an-attacker-knows-and-planted-0000"
    victim = TestClient(http.app, base_url="https://testserver", follow_redirects=False)
    victim.cookies.set(COOKIE, planted, domain="testserver.local", path="/")
    token = cookie_of(try_in(victim, NEW)).split(";")[0].split("=", 1)[1]
    assert planted not in token
    other = TestClient(http.app, base_url="https://testserver", follow_redirects=False)
    other.headers["cookie"] = f"{COOKIE}={planted}"
    assert other.get("/").headers["location"] == "/login"


def test_a_new_password_ends_what_was_begun_with_the_old_one(http, first):
    try_in(http, first)
    before = http.cookies.get(COOKIE)
    own_password(http, first)
    other = TestClient(http.app, base_url="https://testserver", follow_redirects=False)
    other.headers["cookie"] = f"{COOKIE}={before}"
    assert other.get("/").headers["location"] == "/login"


@pytest.mark.parametrize(
    "where", ["//evil.example", "https://evil.example/", "/\\evil.example", "\r\nX-A: b"]
)
def test_the_door_leads_to_our_own_pages_whatever_is_asked(http, first, where):
    own_password(http, first)
    again = TestClient(http.app, base_url="https://testserver", follow_redirects=False)
    for name in ("next", "url", "redirect", "return_to"):
        form = {"login": "Ada L.", "secret": NEW, name: where}
        answer = again.post("/login", params={name: where}, data=form, headers=OURS)
        assert answer.headers["location"] == "/"
        assert "x-a" not in answer.headers
        assert again.get("/login", params={name: where}).headers["location"] == "/"


@pytest.mark.parametrize("level", ["public\r\nSet-Cookie: a=b", 'x"; filename="y', "../../etc", ""])
def test_no_field_gets_into_a_header(inside, level):
    answer = inside("Con").post("/cases/case-0/pack", {"level": level})
    assert answer.status_code in (403, 422)
    assert "content-disposition" not in answer.headers
    assert answer.headers.get_list("set-cookie") == []


def test_an_error_of_ours_shows_no_trace_and_no_path(inside, desk, monkeypatch):
    who = inside("Ana")
    broken = TestClient(create_app(desk), base_url="https://testserver", follow_redirects=False,
                        raise_server_exceptions=False)  # fmt: skip
    broken.cookies = who.http.cookies
    monkeypatch.setattr(type(desk.index), "members", lambda self, *a, **b: {}["acct-secret"])
    answer = broken.get("/cases/case-0/members")
    assert answer.status_code == 500
    for word in ("Traceback", "KeyError", "acct-secret", ".py", "stillwatch/"):
        assert word not in answer.text
