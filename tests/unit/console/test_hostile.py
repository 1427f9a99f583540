"""Identifiers, prompts and models written by an adversary, on every page of the console."""

from __future__ import annotations

import csv
import io
import unicodedata
from html.parser import HTMLParser

import pytest

HIDDEN = {"Cc", "Cf", "Co", "Cn"}


class Seen(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "script":
            self.scripts.append(given.get("src") or "inline")
        if tag in ("img", "iframe", "object", "embed", "base", "style"):
            self.wrong.append(tag)
        self.wrong += [
            f"{tag} {name}" for name in given if name.startswith("on") or name == "style"
        ]
        for name in ("href", "src", "action", "hx-get", "hx-post", "formaction"):
            value = given.get(name) or "/"
            if not value.startswith(("/", "#", "data:,")) or value.startswith("//"):
                self.wrong.append(f"{tag} {name}={value}")


@pytest.fixture
def hostile(desk_of):
    return desk_of("hostile")


def pages_of(desk):
    pages = ["/", "/overview", "/decisions", "/reads"]
    for line in desk.lines():
        base = f"/cases/{line.case_id}"
        pages += [base, *(f"{base}/{part}" for part in
                          ("members", "raster", "links", "links?thing=1", "whatif", "traffic",
                           "pack"))]  # fmt: skip
    account = next(m["account_id"] for c in desk.index.heads for m in desk.index.members(c)[0]
                   if "<script>" in m["account_id"])  # fmt: skip
    return [*pages, f"/accounts/{desk.index.ref(account)}"], account


def test_nothing_that_an_adversary_wrote_becomes_markup(hostile, inside):
    who = inside("Ana", hostile)
    pages, _ = pages_of(hostile)
    case = max(hostile.lines(), key=lambda x: x.accused).case_id
    who.post(f"/cases/{case}/note", {"text": "<script>alert(1)</script>\u202e{{7*7}}"})
    who.post(f"/cases/{case}/assign", {"to": "<b onclick=alert(1)>Bo"})
    form = {"verdict": "throttle", "reason": "relay", "scope": "accused", "until": "", "remark": ""}
    who.post(f"/cases/{case}/decide", form)
    shown = 0
    for path in pages:
        for headers in ({}, {"hx-request": "true"}):
            answer = who.get(path, headers=headers)
            if path == "/reads":
                assert answer.status_code == 403
                continue
            assert answer.status_code == 200, path
            page = Seen()
            page.feed(answer.text)
            assert page.wrong == [], path
            assert all(s.startswith("/static/") for s in page.scripts), path
            told = {c for c in answer.text if unicodedata.category(c) in HIDDEN} - {"\n", "\t"}
            assert told == set(), path
            assert "49" not in answer.text.split("{{7*7}}")[-1][:4]
            shown += "&lt;script&gt;" in answer.text
    assert shown > 3  # it was there to be escaped
    assert "⟨U+202E⟩" in who.get(pages[-1]).text


def test_a_hostile_account_can_be_found_marked_and_decided_upon(hostile, inside):
    who = inside("Ana", hostile)
    _, account = pages_of(hostile)
    answer = who.post("/accounts/find", {"account": account})
    ref = hostile.index.ref(account)
    assert answer.headers["location"] == f"/accounts/{ref}"
    ((campaign, _),) = hostile.index.memberships(account)
    case = next(x for x in hostile.lines() if x.campaign_id == campaign)
    form = {"verdict": "throttle", "reason": "relay", "scope": "marked", "account": ref,
            "until": "", "remark": ""}  # fmt: skip
    assert who.post(f"/cases/{case.case_id}/decide", form).status_code == 303
    from stillwatch.cases import read_decisions

    assert read_decisions(hostile.book)[0].accounts == (account,)


@pytest.mark.parametrize("path", ["/cases/%2e%2e%2fx", "/cases/' OR 1=1 --", "/accounts/<script>",
                                  "/accounts/' OR 1=1 --", "/cases/case-0'"])  # fmt: skip
def test_strange_addresses_are_not_found_and_not_echoed(desk, inside, path):
    answer = inside("Ana").get(path)
    assert answer.status_code == 404
    assert "<script>" not in answer.text.replace('<script src="/static', "")
    assert "OR 1=1" not in answer.text


@pytest.mark.parametrize("query", ["page=-1", "page=99999999999999999999", "page=x", "why=<script>",
                                   "find=%00%ff", "who=%F0%9F%98%80", "page=1&page=2"])  # fmt: skip
def test_strange_questions_get_a_page(desk, inside, query):
    answer = inside("Ana").get(f"/?{query}")
    assert answer.status_code == 200
    assert "<script>" not in answer.text


@pytest.mark.parametrize("query", ["since=x", "since=2026-13-01T00:00", "until=<script>"])
def test_strange_times_are_refused_in_words(desk, inside, query):
    answer = inside("Ana").get(f"/cases/case-0/raster?{query}")
    assert answer.status_code == 422
    assert "expected a time such as" in answer.text


@pytest.mark.parametrize("query", ["alpha=nan&sure=inf", "alpha=&sure=", "alpha=1e400", "no-x=1"])
def test_strange_levels_are_held_within_bounds(desk, inside, query):
    assert inside("Ana").get(f"/cases/case-0/whatif?{query}").status_code == 200


def test_no_cell_of_a_csv_is_taken_for_a_formula(hostile, inside):
    who = inside("Ana", hostile)
    case = hostile.lines()[0].case_id
    who.post(f"/cases/{case}/assign", {"to": "Bo"})
    for path in ("/overview.csv", "/decisions.csv"):
        for row in csv.reader(io.StringIO(who.get(path).text)):
            for cell in row:
                assert not cell.startswith(("=", "+", "@", "\t", "\r"))
    from stillwatch.console.paper import csv_of

    held = csv_of("x.csv", ("a",), [("=cmd|' /C calc'!A0",), ("@x",), (-3,), ("-x",), ("\u202ea",)])
    rows = list(csv.reader(io.StringIO(held.body.decode())))
    assert [r[0] for r in rows] == ["a", "'=cmd|' /C calc'!A0", "'@x", "-3", "'-x", "⟨U+202E⟩a"]
