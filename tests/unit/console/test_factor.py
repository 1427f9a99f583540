"""A second factor of a local password: set up, asked for, spent once, taken away."""

from __future__ import annotations

import base64
import re
import sqlite3

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from starlette.testclient import TestClient

from stillwatch.console import create_app, make_administrator
from stillwatch.console.desk import COOKIE
from stillwatch.console.entry import (
    _keep,
    add_person,
    begin,
    find_person,
    read_people,
    set_roles,
)
from stillwatch.console.factor import has_factor, takes
from stillwatch.console.home import open_home
from stillwatch.console.rights import ROLES, roles_named
from stillwatch.errors import ConfigError, InputError

OURS = {"origin": "https://testserver", "sec-fetch-site": "same-origin"}
SECRET = "a phrase that nobody tries 7"


class Device:
    """An authenticator with a key, as a person types it in."""

    def __init__(self, key: str) -> None:
        self.secret = base64.b32decode(key.replace(" ", ""))

    def code(self, now, steps: int = 0) -> str:
        return TOTP(self.secret, 6, SHA1(), 30).generate(int(now.timestamp()) + 30 * steps).decode()


class Browser:
    def __init__(self, desk) -> None:
        self.http = TestClient(create_app(desk), base_url="https://testserver",
                               follow_redirects=False)  # fmt: skip

    def enter(self, code: str = "", secret: str = SECRET):
        self.http.cookies.clear()
        form = {"login": "Sol", "secret": secret, "code": code}
        return self.http.post("/login", data=form, headers=OURS)

    def post(self, path: str, **form: str):
        page = self.http.get("/password").text
        token = page.split('name="csrf" value="')[1].split('"')[0]
        return self.http.post(path, data={"csrf": token, **form}, headers=OURS)


@pytest.fixture
def sol(desk):
    _keep(desk.home, add_person(desk.home, "Sol", ("analyst", "admin")), SECRET, None)
    browser = Browser(desk)
    assert browser.enter().status_code == 303
    return browser


def set_up(sol, clock) -> Device:
    page = sol.post("/factor/begin", secret=SECRET).text
    device = Device(re.search(r"<code>([A-Z2-7 ]{39})</code>", page)[1])
    assert sol.post("/factor/set", code=device.code(clock())).status_code == 303
    clock.on(seconds=60)
    return device


def test_a_factor_in_force_is_asked_for_and_the_password_alone_opens_nothing(sol, clock):
    device = set_up(sol, clock)
    wrong = f"{(int(device.code(clock())) + 1) % 10**6:06d}"
    for code in ("", wrong, "000", "١٢٣٤٥٦", device.code(clock(), 3), device.code(clock(), -3)):
        assert sol.enter(code).status_code == 403, code
    assert sol.enter(device.code(clock())).status_code == 303
    assert sol.http.get("/").status_code == 200


def test_a_code_opens_once_and_neighbours_in_time_open_too(sol, clock):
    device = set_up(sol, clock)
    code = device.code(clock())
    assert sol.enter(code).status_code == 303
    assert sol.enter(code).status_code == 403, "seen over a shoulder"
    assert sol.enter(device.code(clock(), -1)).status_code == 403, "older than what was used"
    assert sol.enter(device.code(clock(), 1)).status_code == 303, "a clock that is ahead"


def test_wrong_codes_count_as_tries_and_are_answered_as_a_wrong_password_is(sol, clock):
    device = set_up(sol, clock)
    assert sol.enter("000000").text == sol.enter("000000", "no").text
    for _ in range(8):
        sol.enter("000000")
    assert sol.enter(device.code(clock())).status_code == 403
    clock.on(minutes=16)
    assert sol.enter(device.code(clock())).status_code == 303


def test_a_key_that_was_only_shown_is_not_in_force(sol, desk, clock):
    sol.post("/factor/begin", secret=SECRET)
    assert sol.post("/factor/set", code="123456").status_code == 422
    assert not has_factor(desk.home, "sol")
    assert sol.enter().status_code == 303


def test_setting_up_and_removing_ask_for_the_password_again(sol, desk, clock):
    assert sol.post("/factor/begin", secret="not it").status_code == 422
    device = set_up(sol, clock)
    assert sol.post("/factor/begin", secret=SECRET).status_code == 422, "one in force stays"
    assert sol.post("/factor/drop", secret=SECRET, code="000000").status_code == 422
    assert sol.post("/factor/drop", secret="no", code=device.code(clock())).status_code == 422
    assert has_factor(desk.home, "sol")
    assert sol.post("/factor/drop", secret=SECRET, code=device.code(clock())).status_code == 303
    assert not has_factor(desk.home, "sol")


def test_an_administrator_takes_away_what_was_lost(sol, desk, inside, clock):
    set_up(sol, clock)
    ad = inside("Ad")
    assert "a password and a code" in ad.get("/people").text
    ad.post("/people/change", {"login": "sol", "what": "factor"})
    assert sol.enter().status_code == 303
    set_up(sol, clock)
    make_administrator(desk.home, "Sol", now=clock())
    assert not has_factor(desk.home, "sol"), "the way back of whoever runs the server"


def test_another_password_keeps_the_factor_and_the_folder_holds_no_key(sol, desk, clock):
    device = set_up(sol, clock)
    other = "another phrase of mine 8"
    assert sol.post("/password", old=SECRET, new=other, again=other).status_code == 303
    assert sol.enter(secret=other).status_code == 403
    assert sol.enter(device.code(clock()), other).status_code == 303
    with sqlite3.connect(desk.home.folder / "console.db") as database:
        (held,) = database.execute("SELECT secret FROM factors").fetchone()
    assert base64.b32encode(device.secret).decode() not in held
    assert device.secret not in base64.urlsafe_b64decode(held)
    (desk.home.folder / "secret.key").write_bytes(b"k" * 32)
    moved = open_home(desk.home.folder)
    with pytest.raises(InputError, match="another key"):
        takes(moved, "sol", device.code(clock()), now=clock())
    moved.close()


@pytest.fixture
def demanded(desk):
    desk.second_factor = frozenset({"analyst"})


def test_whose_role_needs_a_factor_gets_no_further_than_setting_it_up(sol, desk, clock):
    assert sol.http.get("/").status_code == 200
    desk.second_factor = frozenset({"analyst"})
    for path in ("/", "/cases/case-0", "/people", "/decisions.csv", "/attachments/attachment-1"):
        assert sol.http.get(path).headers["location"] == "/password", path
    page = sol.http.get("/password").text
    assert "Set up a second factor to go on" in page
    assert 'id="old"' not in page
    assert sol.post("/people/add", name="Mallory", role="admin").headers["location"] == "/password"
    assert not [p for p in read_people(desk.home) if p.name == "Mallory"]
    set_up(sol, clock)
    assert sol.http.get("/").status_code == 200
    desk.second_factor = frozenset({"counsel"})
    assert Browser(desk).http.get("/").headers["location"] == "/login"


@pytest.mark.usefixtures("demanded")
def test_roles_that_need_none_are_left_alone_and_a_role_given_later_counts_at_once(desk, inside):
    con = inside("Con")
    assert con.get("/").status_code == 200
    set_roles(desk.home, "con", ["counsel", "analyst"])
    assert con.get("/").headers["location"] == "/password"


def test_sessions_that_began_without_the_factor_end_when_it_is_in_force(sol, desk, clock):
    other = Browser(desk)
    other.enter()
    assert other.http.get("/").status_code == 200
    set_up(sol, clock)
    assert other.http.get("/").headers["location"] == "/login"
    assert sol.http.get("/").status_code == 200, "this one goes on under another token"


def test_a_session_from_before_the_demand_of_somebody_with_a_factor_ends(sol, desk, clock):
    device = set_up(sol, clock)
    person = find_person(desk.home, "sol")
    planted = Browser(desk)
    planted.http.cookies.set(COOKIE, begin(desk.home, person, now=clock()),
                             domain="testserver.local", path="/")  # fmt: skip
    assert planted.http.get("/").status_code == 200
    desk.second_factor = frozenset({"admin"})
    assert planted.http.get("/").headers["location"] == "/login"
    desk.second_factor = frozenset()
    assert planted.http.get("/").headers["location"] == "/login", "it is gone, not held back"
    desk.second_factor = frozenset({"admin"})
    assert sol.enter(device.code(clock())).status_code == 303
    assert sol.http.get("/").status_code == 200


@pytest.mark.usefixtures("demanded")
def test_a_lost_device_takes_the_password_with_it(sol, desk, inside, clock):
    set_up(sol, clock)
    answer = inside("Ad").post("/people/change", {"login": "sol", "what": "factor"})
    secret = re.search(r"good for an hour: <code>([^<]+)</code>", answer.text)[1]
    assert sol.http.get("/").headers["location"] == "/login"
    assert sol.enter().status_code == 403, "whoever knows the password alone cannot set up another"
    assert sol.enter(secret=secret).headers["location"] == "/password"
    own = "another phrase of mine 8"
    assert sol.post("/password", old=secret, new=own, again=own).status_code == 303
    assert sol.http.get("/").headers["location"] == "/password"
    page = sol.post("/factor/begin", secret=own).text
    device = Device(re.search(r"<code>([A-Z2-7 ]{39})</code>", page)[1])
    assert sol.post("/factor/set", code=device.code(clock())).headers["location"] == "/"


@pytest.mark.usefixtures("demanded")
def test_taking_ones_own_factor_away_leads_to_setting_up_another(sol, clock):
    device = set_up(sol, clock)
    assert sol.post("/factor/drop", secret=SECRET, code=device.code(clock())).status_code == 303
    assert sol.http.get("/").headers["location"] == "/password"


@pytest.mark.usefixtures("demanded")
def test_it_is_told_who_still_has_none(sol, inside, clock):
    ad = inside("Ad")
    assert ad.get("/people").text.count("needs a second factor, has none yet") == 2  # Ana, Sol
    set_up(sol, clock)
    assert ad.get("/people").text.count("needs a second factor, has none yet") == 1


def test_the_option_names_roles():
    assert roles_named(["all"]) == set(ROLES)
    assert roles_named(["admin", "counsel"]) == {"admin", "counsel"}
    with pytest.raises(ConfigError, match="no role boss"):
        roles_named(["boss"])
