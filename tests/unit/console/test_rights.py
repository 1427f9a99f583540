"""Every page against every role, with the answer written out here and not taken from the code."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from stillwatch.console import create_app
from stillwatch.console.pages import PAGES
from stillwatch.console.rights import RIGHTS, ROLES, may

EVERYBODY = "viewer analyst approver counsel admin"
READERS = "viewer analyst approver counsel"
ACCOUNTS = "analyst approver counsel"
# page → the roles that may have it; None: open to whoever is outside.
MATRIX = {
    "login": None,
    "login.enter": None,
    "oidc.login": None,
    "oidc.callback": None,
    "logout": EVERYBODY,
    "password": EVERYBODY,
    "password.set": EVERYBODY,
    "zone.set": EVERYBODY,
    "factor.begin": EVERYBODY,
    "factor.set": EVERYBODY,
    "factor.drop": EVERYBODY,
    "queue": READERS,
    "queue.assign": "analyst approver",
    "queue.close": "analyst approver",
    "queue.next": "analyst approver",
    "queue.weigh": "analyst",
    "queue.decide": "analyst",
    "decisions.undo": "analyst approver",
    "views.save": READERS,
    "views.drop": READERS,
    "case.skip": "analyst approver",
    "case": READERS,
    "case.members": ACCOUNTS,
    "case.requests": ACCOUNTS,
    "case.raster": READERS,
    "case.links": ACCOUNTS,
    "case.whatif": ACCOUNTS,
    "case.traffic": READERS,
    "case.weigh": "analyst",
    "case.decide": "analyst",
    "case.note": "analyst approver",
    "case.assign": "analyst approver",
    "case.close": "analyst approver",
    "case.pack": ACCOUNTS,
    "case.pack.make": ACCOUNTS,
    "case.attach": ACCOUNTS,
    "attachment": ACCOUNTS,
    "attachment.remove": "approver counsel",
    "decision.approve": "approver",
    "decision.undo": "analyst approver",
    "decision.appeal": "analyst counsel",
    "decision.notice": ACCOUNTS,
    "appeal.resolve": "approver counsel",
    "account.find": ACCOUNTS,
    "account": ACCOUNTS,
    "account.label": "analyst approver",
    "account.note": "analyst approver",
    "overview": READERS,
    "overview.value": READERS,
    "overview.csv": READERS,
    "overview.html": READERS,
    "cases.ocsf": READERS,
    "top": READERS,
    "top.csv": READERS,
    "tests": READERS,
    "case.pair": ACCOUNTS,
    "ledger": READERS,
    "ledger.csv": READERS,
    "run.report": ACCOUNTS,
    "run.stix": READERS,
    "reads": "counsel admin",
    "reads.csv": "counsel admin",
    "people": "admin",
    "people.add": "admin",
    "people.change": "admin",
}
NAMES = {"viewer": "Vi", "analyst": "Ana", "approver": "Apo", "counsel": "Con", "admin": "Ad"}


def address(page):
    return page.path.format(case="case-0", decision="decision-9", appeal="appeal-9", ref="0" * 24,
                            attachment="attachment-9")  # fmt: skip


def test_the_matrix_has_every_page():
    assert {page.name for page in PAGES} == set(MATRIX)
    assert len({(page.method, page.path) for page in PAGES}) == len(PAGES)


@pytest.mark.parametrize("role", ROLES)
def test_each_page_answers_those_roles_alone(inside, role):
    who = inside(NAMES[role])
    wrong = []
    for page in PAGES:
        answer = who.get(address(page)) if page.method == "GET" else who.post(address(page))
        allowed = MATRIX[page.name] is None or role in MATRIX[page.name].split()
        refused = answer.status_code == 403 and "Not for your roles" in answer.text
        if refused == allowed:
            wrong.append((page.name, answer.status_code))
        if page.name in ("logout", "password.set"):
            who.log_in()
    assert wrong == []


def test_nobody_outside_sees_more_than_the_door(desk):
    http = TestClient(create_app(desk), base_url="https://testserver", follow_redirects=False)
    for page in PAGES:
        if MATRIX[page.name] is None:
            continue
        answer = http.request(page.method, address(page))
        if page.method == "GET":
            assert (answer.status_code, answer.headers["location"]) == (303, "/login"), page.name
        else:
            assert answer.status_code == 401, page.name
        assert "case-0" not in answer.text


def test_whoever_decides_does_not_approve_and_whoever_names_people_sees_no_case():
    for role in ROLES:
        assert not (may([role], "decide") and may([role], "approve"))
        assert not (may([role], "people") and may([role], "see"))
    assert set().union(*RIGHTS.values()) == set(ROLES)


def test_a_viewer_is_shown_no_account_anywhere(desk_of, inside, worlds):
    desk = desk_of("full")
    who = inside("Vi", desk)
    accounts = [m["account_id"] for c in desk.index.heads for m in desk.index.members(c)[0]]
    assert len(accounts) > 100
    pages = ["/", "/overview", "/overview.csv", "/overview.html", "/cases.ocsf.jsonl", "/top",
             "/top.csv", "/tests", "/decisions", "/run/stix.json"]  # fmt: skip
    for line in desk.lines():
        pages += [f"/cases/{line.case_id}", f"/cases/{line.case_id}/raster"]
    for page in pages:
        answer = who.get(page)
        assert answer.status_code in (200, 404), page
        assert [a for a in accounts if a in answer.text] == [], page
    analyst = inside("Ana", desk).get(f"/cases/{desk.lines()[0].case_id}/members").text
    assert any(a in analyst for a in accounts)  # the search would find one


def test_a_role_taken_away_is_gone_with_the_next_click(desk, inside):
    from stillwatch.console.entry import set_roles

    who = inside("Ana")
    assert who.get("/cases/case-0/members").status_code == 200
    set_roles(desk.home, "ana", ["viewer"])
    assert who.get("/cases/case-0/members").status_code == 403


def test_a_notice_is_read_for_accounts_of_its_decision_alone(desk_of, inside):
    from stillwatch.cases import read_decisions

    desk = desk_of("full")
    ana = inside("Ana", desk)
    one, other = [line for line in desk.lines() if line.accused][:2]
    ana.post(f"/cases/{one.case_id}/decide",
             {"verdict": "throttle", "reason": "relay", "scope": "accused"})  # fmt: skip
    (made,) = read_decisions(desk.book)
    mine = desk.index.ref(made.accounts[0])
    stranger = next(m["account_id"] for m in desk.index.members(other.campaign_id)[0]
                    if m["account_id"] not in made.accounts)  # fmt: skip
    assert ana.get(f"/decisions/{made.id}/notice/{mine}").status_code == 200
    answer = ana.get(f"/decisions/{made.id}/notice/{desk.index.ref(stranger)}")
    assert answer.status_code == 422
    assert stranger not in answer.text


def test_what_another_keeps_for_their_own_work_is_theirs(desk, inside, clock):
    from stillwatch.console.habits import read_views

    ana, vi = inside("Ana"), inside("Vi")
    ana.post("/views/save", {"name": "private", "query": "who=me"})
    (mine,) = read_views(desk.home, "ana")
    vi.post("/views/drop", {"view": str(mine.number), "login": "ana"})
    vi.post("/zone", {"zone": "Asia/Tokyo", "login": "ana"})
    assert read_views(desk.home, "ana") == [mine]
    assert "private" not in vi.get("/").text
    assert "JST" not in ana.get("/cases/case-0").text
