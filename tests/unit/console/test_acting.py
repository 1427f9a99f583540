"""What people do through forms ends in the case database, under their own name."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import timedelta

import pytest

from stillwatch.cases import (
    in_force,
    read_appeals,
    read_case,
    read_decisions,
    read_labels,
    verify_book,
    verify_pack,
)
from stillwatch.seal import read_public_key

STEP = {"verdict": "step_up", "reason": "identity_needed", "scope": "accused", "until": "",
        "remark": "looks bad"}  # fmt: skip
DENY = {**STEP, "verdict": "deny", "reason": "coordinated_extraction"}


@pytest.fixture
def wide(desk_of):
    """Return a desk whose largest case has more accounts than one person may deny alone."""
    return desk_of("full")


def largest(desk):
    return max(desk.lines(), key=lambda line: line.accused)


def test_a_decision_is_taken_by_whoever_is_logged_in_whatever_the_form_says(desk, inside, big_case):
    who = inside("Ana")
    form = {**STEP, "by": "Somebody Else", "until": "2026-12-01T12:00"}
    assert who.post(f"/cases/{big_case}/decide", form).status_code == 303
    (made,) = read_decisions(desk.book, big_case)
    assert (made.verdict, made.by, made.pending) == ("step_up", "Ana", False)
    assert made.expires.isoformat() == "2026-12-01T12:00:00+00:00"
    page = who.get(f"/cases/{big_case}").text
    assert "Step up in force until 2026-12-01 12:00 UTC" in page
    assert "looks bad" in page
    verify_book(desk.book)


def test_weighing_writes_nothing_and_tells_whom_it_touches(desk, inside, big_case):
    who = inside("Ana")
    answer = who.http.post(f"/cases/{big_case}/weigh", data={"csrf": who.csrf, **DENY},
                           headers={"origin": "https://testserver",
                                    "hx-request": "true"})  # fmt: skip
    accused = next(x.accused for x in desk.lines() if x.case_id == big_case)
    assert f"Deny on {accused}\u00a0accounts" in answer.text
    assert "Beside the accused it touches 1\u00a0account" in answer.text
    assert "The scan recommends throttle, not deny." in answer.text
    assert read_decisions(desk.book) == []


def test_a_large_deny_waits_for_a_second_person(wide, inside):
    case = largest(wide)
    assert case.accused > wide.terms.two_people_above_accounts
    ana, apo = inside("Ana", wide), inside("Apo", wide)
    ana.post(f"/cases/{case.case_id}/decide", DENY)
    (made,) = read_decisions(wide.book)
    assert made.pending
    assert in_force(wide.book, terms=wide.terms, now=wide.now()) == {}
    assert next(x.why for x in wide.lines() if x.case_id == case.case_id) == "pending"
    assert f"/decisions/{made.id}/approve" not in ana.get(f"/cases/{case.case_id}").text
    assert f"/decisions/{made.id}/approve" in apo.get(f"/cases/{case.case_id}").text
    assert apo.post(f"/decisions/{made.id}/approve").status_code == 303
    assert len(in_force(wide.book, terms=wide.terms, now=wide.now())) == case.accused
    assert read_decisions(wide.book)[0].approved_by == "Apo"


def test_whoever_decided_cannot_approve_in_another_role(wide, inside):
    from stillwatch.console.entry import set_roles

    set_roles(wide.home, "ana", ["analyst", "approver"])
    ana = inside("Ana", wide)
    ana.post(f"/cases/{largest(wide).case_id}/decide", DENY)
    (made,) = read_decisions(wide.book)
    answer = ana.post(f"/decisions/{made.id}/approve")
    assert answer.status_code == 403
    assert "whoever decided cannot approve" in answer.text
    assert read_decisions(wide.book)[0].pending


def test_marked_accounts_alone(desk, inside, big_case):
    who = inside("Ana")
    refs = re.findall(r'name="account" form="decide" value="([0-9a-f]{24})"',
                      who.get(f"/cases/{big_case}/members").text)  # fmt: skip
    assert len(refs) > 3
    form = {**STEP, "scope": "marked", "account": refs[:2]}
    assert who.post(f"/cases/{big_case}/decide", form).status_code == 303
    (made,) = read_decisions(desk.book)
    assert sorted(made.accounts) == sorted(desk.index.account_of(r) for r in refs[:2])


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"scope": "marked"}, 422, "no account was marked"),
        ({"scope": "marked", "account": "0" * 24}, 422, "not in the case"),
        ({"verdict": "allow"}, 422, "expected a verdict"),
        ({"reason": "because"}, 422, "not a reason"),
        ({"until": "2030-01-01T00:00"}, 422, "within the terms"),
        ({"until": "yesterday"}, 422, "time"),
        ({"verdict": ""}, 422, "expected a verdict"),
    ],
)
def test_what_the_rules_of_cases_refuse_is_said_and_not_done(
    desk, inside, big_case, change, status, says
):
    answer = inside("Ana").post(f"/cases/{big_case}/decide", {**STEP, **change})
    assert answer.status_code == status
    assert says in answer.text
    assert read_decisions(desk.book) == []


def test_where_nobody_is_accused_the_form_says_whom_it_can_touch(wide, inside):
    who = inside("Ana", wide)
    line = next(x for x in wide.lines() if not x.accused)
    page = who.get(f"/cases/{line.case_id}").text.replace("\u00a0", " ")
    assert f"all {line.accounts} accounts, to watch: nobody is accused" in page
    assert "0 accused accounts</label>" not in page
    assert "Count what these accounts sent" in page
    answer = who.post(f"/cases/{line.case_id}/weigh", {**STEP, "until": ""})
    assert answer.status_code == 422
    assert "nobody is accused, and step_up is adverse" in answer.text
    answer = who.post(f"/cases/{line.case_id}/weigh", {**STEP, "verdict": "watch"})
    assert f"Watch on {line.accounts}\u00a0accounts" in answer.text


def test_periphery_cannot_be_marked_for_what_is_adverse(desk, inside, big_case):
    who = inside("Ana")
    page = who.get(f"/cases/{big_case}/members?role=periphery").text
    refs = re.findall(r'form="decide" value="([0-9a-f]{24})"', page)
    assert refs
    answer = who.post(f"/cases/{big_case}/decide", {**STEP, "scope": "marked", "account": refs[0]})
    assert answer.status_code == 403
    assert "not accused" in answer.text


def test_undo_needs_a_reason_and_lets_go(desk, inside, big_case):
    who = inside("Ana")
    who.post(f"/cases/{big_case}/decide", STEP)
    (made,) = read_decisions(desk.book)
    assert who.post(f"/decisions/{made.id}/undo", {"remark": " "}).status_code == 422
    assert in_force(desk.book, terms=desk.terms, now=desk.now())
    assert who.post(f"/decisions/{made.id}/undo", {"remark": "a class"}).status_code == 303
    assert in_force(desk.book, terms=desk.terms, now=desk.now()) == {}
    page = who.get(f"/cases/{big_case}").text
    assert f"undoes {made.id}" in page
    assert "No decision is in force" in page


def test_an_appeal_from_notice_to_restored_account(desk, inside, big_case):
    ana, con, apo = inside("Ana"), inside("Con"), inside("Apo")
    ana.post(f"/cases/{big_case}/decide", STEP)
    (made,) = read_decisions(desk.book)
    account = made.accounts[0]
    ref = desk.index.ref(account)
    notice = con.get(f"/decisions/{made.id}/notice/{ref}").text
    assert "we need to know who uses the account" in notice
    assert made.accounts[1] not in notice
    con.post(f"/decisions/{made.id}/appeal", {"account": account, "appellant": "their counsel"})
    (held,) = read_appeals(desk.book)
    line = desk.line(big_case)
    assert (line.why, line.appeals, line.appeal_due) == ("appeal", 1, held.due)
    assert desk.lines()[0].case_id == big_case  # before everything else
    form = {"outcome": "upheld", "reason": "a class of students"}
    assert apo.post(f"/appeals/{held.id}/resolve", form).status_code == 303
    assert account not in in_force(desk.book, terms=desk.terms, now=desk.now())
    page = ana.get(f"/cases/{big_case}").text
    assert "a correction for the next scan" in page
    assert "appeal-" in ana.get(f"/accounts/{ref}").text


def test_whoever_appealed_cannot_hear_it(desk, inside, big_case):
    ana, con = inside("Ana"), inside("Con")
    ana.post(f"/cases/{big_case}/decide", STEP)
    (made,) = read_decisions(desk.book)
    form = {"account": made.accounts[0], "appellant": "Con"}
    con.post(f"/decisions/{made.id}/appeal", form)
    (held,) = read_appeals(desk.book)
    answer = con.post(f"/appeals/{held.id}/resolve", {"outcome": "rejected", "reason": "no"})
    assert answer.status_code == 403
    assert read_appeals(desk.book)[0].state == "open"


def test_bulk_assignment_and_closing_ask_for_marked_cases(desk, inside):
    who, cases = inside("Ana"), [line.case_id for line in desk.lines()]
    assert who.post("/queue/assign", {"to": "Apo"}).status_code == 422
    assert who.post("/queue/assign", {"to": "", "case": cases}).status_code == 303
    assert {read_case(desk.book, c).assigned_to for c in cases} == {"Ana"}
    assert "case-" in who.get("/?who=me", headers={"hx-request": "true"}).text
    assert who.post("/queue/close", {"case": cases[0], "reason": ""}).status_code == 422
    assert who.post("/queue/close", {"case": cases[0], "reason": "a class"}).status_code == 303
    assert read_case(desk.book, cases[0]).state == "closed"
    assert cases[0] not in who.get("/", headers={"hx-request": "true"}).text
    assert cases[0] in who.get("/?why=closed", headers={"hx-request": "true"}).text
    for act in ("assign", "close"):  # one was closed meanwhile: none is touched
        form = {"to": "Apo", "reason": "a class", "case": [*cases[1:], cases[0]]}
        assert who.post(f"/queue/{act}", form).status_code == 409
    others = [read_case(desk.book, c) for c in cases[1:]]
    assert {(c.assigned_to, c.state) for c in others} == {("Ana", "open")}


def test_a_label_of_an_account_is_kept(desk, inside, big_case):
    who = inside("Ana")
    account = desk.index.members(desk.line(big_case).campaign_id)[0][0]["account_id"]
    ref = desk.index.ref(account)
    assert "What did you find out?" in who.get(f"/accounts/{ref}").text
    form = {"verdict": "false", "reason": "its owner is known", "case": big_case}
    assert who.post(f"/accounts/{ref}/label", form).status_code == 303
    assert "label: false. its owner is known" in who.get(f"/cases/{big_case}").text


def test_an_account_is_found_without_its_name_in_an_address(desk, inside, big_case):
    who = inside("Ana")
    account = desk.index.members(desk.line(big_case).campaign_id)[0][0]["account_id"]
    answer = who.post("/accounts/find", {"account": f" {account} "})
    assert answer.headers["location"] == f"/accounts/{desk.index.ref(account)}"
    assert account not in answer.headers["location"]
    page = who.get(answer.headers["location"]).text
    assert account in page
    assert "Why it stands as it does" in page
    missing = who.post("/accounts/find", {"account": "acct-strange-one"})
    assert missing.status_code == 404
    assert "acct-strange-one" not in missing.text


def test_every_request_of_a_person_is_written_down_and_stays(desk, inside, big_case):
    import sqlalchemy as sa

    from stillwatch.console.home import reads

    who, admin = inside("Ana"), inside("Ad")
    account = desk.index.members(desk.line(big_case).campaign_id)[0][0]["account_id"]
    ref = desk.index.ref(account)
    who.get(f"/cases/{big_case}")
    who.get(f"/accounts/{ref}")
    who.get("/people")
    page = admin.get(f"/reads?login=ana&subject={ref}").text
    assert f"<code>{ref}</code>" in page
    assert big_case not in page
    with desk.home.engine.connect() as connection:
        rows = connection.execute(sa.select(reads.c.what, reads.c.subject, reads.c.outcome)
                                  .where(reads.c.login == "ana")).all()  # fmt: skip
    assert rows == [("case", big_case, 200), ("account", ref, 200), ("people", "", 403)]
    for change in (reads.delete(), reads.update().values(login="x")):
        with pytest.raises(sa.exc.IntegrityError), desk.home.engine.begin() as connection:
            connection.execute(change)
    held = b"".join(f.read_bytes() for f in desk.home.folder.glob("console.db*"))
    assert account.encode() not in held


@pytest.mark.parametrize(
    ("name", "level", "status"),
    [("Con", "partner", 200), ("Con", "public", 200), ("Ana", "internal", 200),
     ("Ana", "partner", 403), ("Apo", "public", 403), ("Ana", "nonsense", 403)],
)  # fmt: skip
def test_a_pack_by_level_and_role_verifies(desk, inside, big_case, tmp_path, name, level, status):
    answer = inside(name).post(f"/cases/{big_case}/pack", {"level": level})
    assert answer.status_code == status
    if status != 200:
        return
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path / "out")
    (folder,) = (tmp_path / "out").iterdir()
    key = read_public_key(desk.home.folder / "signing.key.pub")
    assert verify_pack(folder, key).level == level
    (folder / "case.json").write_text("{}")
    with pytest.raises(Exception, match=r"case\.json"):
        verify_pack(folder, key)


def test_the_log_of_decisions_tells_origin_and_exports_safely(desk, inside, big_case):
    who = inside("Ana")
    who.post(f"/cases/{big_case}/decide", STEP)
    page = who.get("/decisions").text
    assert "person" in page
    rows = list(csv.DictReader(io.StringIO(who.get("/decisions.csv").text)))
    assert rows[0]["by"] == "Ana"
    assert rows[0]["state"] == "in force"
    assert who.get("/decisions?verdict=deny").text.count("<tr data-row>") == 0


def test_time_alone_moves_a_case_through_the_queue(desk, inside, big_case, clock):
    inside("Ana").post(f"/cases/{big_case}/decide", STEP)
    assert desk.line(big_case).why == "decided"
    clock.on(days=29, hours=1)
    assert desk.line(big_case).why == "lapses"
    clock.on(days=2)
    assert desk.line(big_case).why == "lapsed"
    assert timedelta(0) < clock() - desk.line(big_case).seen


def test_labels_of_an_audited_sample_give_the_false_accusation_rate(
    desk_of, inside, tmp_path, worlds
):
    from stillwatch.cases import sample_run
    from stillwatch.store import open_run

    out = tmp_path / "audit"
    sample_run(open_run(worlds("full")[0]), 60, out, seed=3)
    rows = list(csv.DictReader(io.StringIO((out / "sample.csv").read_text())))
    text = "account_id,distils\n" + "".join(f"{r['account_id']},yes\n" for r in rows)
    (out / "sample.csv").write_text(text)
    assert read_labels(out / "sample.csv")
    page = inside("Vi", desk_of("full", audit=out)).get("/overview").text
    assert "60\u00a0labels of an audited sample" in page
