"""What docs/console-security.md names and no other module tests; and that its table is true."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from stillwatch.console import create_app, make_administrator, open_home
from stillwatch.console.entry import change_secret, log_in, read_people
from stillwatch.console.paper import read_static, static_name
from stillwatch.errors import StillwatchError

ROOT = Path(__file__).parents[3]
TABLE = (ROOT / "docs" / "console-security.md").read_text(encoding="utf-8")
STATIC = resources.files("stillwatch.console").joinpath("static")
OURS = {"origin": "https://testserver", "sec-fetch-site": "same-origin"}


@pytest.fixture
def http(desk):
    return TestClient(create_app(desk), base_url="https://testserver", follow_redirects=False)


def rows() -> list[list[str]]:
    lines = [line for line in TABLE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[1:]]


def named_in(folder: Path) -> set[str]:
    texts = [file.read_text(encoding="utf-8") for file in folder.rglob("test_*.py")]
    return {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}


def test_every_item_of_the_table_names_a_test_that_is_there():
    """A row without a test, or one whose test was renamed, is a claim that nobody checks."""
    known = named_in(ROOT / "tests" / "unit" / "console") | named_in(ROOT / "tests" / "browser")
    for room in ("cases", "store"):
        known |= named_in(ROOT / "tests" / "unit" / room)
    named = 0
    for row in rows():
        assert len(row) == 3, row
        item, _, test = row
        files = re.findall(r"((?:[\w/]+/)?test_\w+\.py)", test)
        for file in files:
            base = ROOT if "/" in file else ROOT / "tests" / "unit" / "console"
            place = base / file
            assert place.is_file(), (item, file)
        missing = set(re.findall(r"\b(test_\w+)(?!\.py)\b", test)) - known
        missing -= {Path(f).stem for f in files}
        assert missing == set(), item
        assert files or "the same" in test or "browser" in test, item
        named += 1
    assert named > 60


def test_a_password_counts_to_its_last_letter(desk, clock):
    """2.1.3: nothing is cut off."""
    first = make_administrator(desk.home, "Ada L.", now=clock())
    person = log_in(desk.home, "ada l.", first, now=clock())
    new = "a phrase that is long 7 " * 5 + "last"
    assert len(new) == 124
    change_secret(desk.home, person, old=first, new=new, now=clock())
    with pytest.raises(StillwatchError):
        log_in(desk.home, "ada l.", new[:-1], now=clock())
    assert log_in(desk.home, "ada l.", new, now=clock()).login == "ada l."


def test_a_password_may_be_pasted_and_managers_know_the_fields(http, inside):
    """2.1.11: no script looks at what is pasted; the fields say what they are."""
    page = http.get("/login").text
    for name in ("username", "current-password", "one-time-code"):
        assert f'autocomplete="{name}"' in page
    assert inside("Ana").get("/password").text.count('autocomplete="new-password"') == 2
    for file in ("console.js", "graph.js", "charts.js"):
        assert "paste" not in STATIC.joinpath(file).read_text(encoding="utf-8").lower()


def test_nobody_is_in_a_new_folder(tmp_path):
    """2.5.4: no account that everyone knows."""
    home = open_home(tmp_path / "fresh")
    try:
        assert read_people(home) == []
    finally:
        home.close()


def test_the_browser_keeps_nothing_but_a_switch(http, inside):
    """8.2.2, 8.2.3: one setting without a name of anybody; logging out clears what there is."""
    ours = [f for f in STATIC.iterdir() if f.name in ("console.js", "graph.js", "charts.js")]
    assert len(ours) == 3
    for file in ours:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"sessionStorage|indexedDB|document\.cookie|caches\.", text)
        for use in re.findall(r"localStorage\.\w+\(([^,)]*)", text):
            assert use == "stored"
    who = inside("Ana")
    assert who.post("/logout").headers["clear-site-data"] == '"cache", "storage"'


@pytest.mark.parametrize(
    "path",
    ["/static/", "/static", "/static/..", "/static/%2e%2e/app.py", "/static/console.css",
     "/static/../paper.py", "/static/sigma-3.0.3.LICENSE", "/templates/base.html.jinja"],
)  # fmt: skip
def test_no_folder_is_listed_and_no_file_is_served_but_ours_by_its_digest(http, path):
    """4.3.2, 12.5.1."""
    answer = http.get(path)
    assert answer.status_code in (404, 405, 303)
    assert "console.js" not in answer.text
    assert "def " not in answer.text
    assert http.get(static_name("console.css")).status_code == 200
    assert read_static("console.css") is None


def test_a_field_given_twice_is_shown_as_it_is_then_recorded(desk, inside, big_case):
    """5.1.1: what was weighed is what is decided, whichever of two fields counts."""
    who = inside("Ana")
    form = {"verdict": ["watch", "throttle"], "reason": "relay", "scope": "accused"}
    told = who.post(f"/cases/{big_case}/weigh", form)
    assert told.status_code == 200
    shown = re.search(r'name="verdict" value="(\w+)"', told.text)
    assert shown is not None
    assert who.post(f"/cases/{big_case}/decide", form).status_code == 303
    assert desk.line(big_case).verdict == shown[1]
