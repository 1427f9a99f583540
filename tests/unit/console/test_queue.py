"""The queue: filters and orders, views, who takes what, and steps for several cases at once."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from stillwatch.cases import claim, in_force, read_case, read_decisions, read_rulings
from stillwatch.console import bulk
from stillwatch.console.habits import passed_over, query_of, read_views
from stillwatch.errors import ConfigError

BULK = {"verdict": "throttle", "why": "coordinated_extraction", "remark": "same pool"}


@pytest.fixture
def wide(desk_of):
    return desk_of("full")


def told(text):
    return text.replace("\u00a0", " ")


def shown(answer):
    return re.findall(r'<th scope="row"><a href="/cases/([\w-]+)">', answer.text)


def test_orders_and_filters_are_of_the_address_and_change_the_list(wide, inside):
    who = inside("Ana", wide)
    largest = max(wide.lines(), key=lambda line: line.accused).case_id
    who.post("/queue/decide", {**BULK, "case": largest})
    every = shown(who.get("/"))
    assert every[-1] == largest  # it is decided: the others cannot wait as long
    assert shown(who.get("/?sort=accused"))[0] == largest
    lines = {line.case_id: line for line in wide.lines()}
    sizes = [lines[c].accused for c in shown(who.get("/?sort=accused"))]
    assert sizes == sorted(sizes, reverse=True)
    tokens = [wide.campaign_of(lines[c])["output_tokens"] for c in shown(who.get("/?sort=tokens"))]
    assert tokens == sorted(tokens, reverse=True)
    least = sizes[1]
    assert len(shown(who.get(f"/?least={least}"))) == sum(s >= least for s in sizes)
    accused = shown(who.get("/?standing=accused"))
    assert 0 < len(accused) < len(every)
    assert {wide.campaign_of(lines[c])["standing"] for c in accused} == {"accused"}


def test_a_view_is_kept_shared_and_dropped_by_its_owner_alone(desk, inside, clock):
    ana, apo = inside("Ana"), inside("Apo")
    ana.post("/views/save", {"name": "Mine", "query": "why=new&page=4&next=//evil"})
    ana.post("/views/save", {"name": "Ours", "query": "sort=accused", "shared": "1"})
    assert 'href="/?why=new"' in ana.get("/").text
    assert [v.name for v in read_views(desk.home, "ana")] == ["Mine", "Ours"]
    assert [v.name for v in read_views(desk.home, "apo")] == ["Ours"]
    ours = read_views(desk.home, "apo")[0].number
    apo.post("/views/drop", {"view": str(ours)})
    assert [v.name for v in read_views(desk.home, "apo")] == ["Ours"]
    ana.post("/views/drop", {"view": str(ours)})
    assert [v.name for v in read_views(desk.home, "apo")] == []
    ana.post("/views/save", {"name": "Mine", "query": "who=me"})
    assert [v.query for v in read_views(desk.home, "ana")] == ["who=me"]  # the name is replaced
    assert ana.post("/views/save", {"name": "  ", "query": ""}).status_code == 422


@pytest.mark.parametrize("query", ["//evil.example", "https://evil.example", "why=new\r\nX-A: b",
                                   "next=/x"])  # fmt: skip
def test_no_form_leads_out_of_the_queue_or_into_a_header(inside, query):
    answer = inside("Ana").post("/views/save", {"name": "v", "query": query})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/?")
    assert "evil" not in answer.headers["location"]
    assert "x-a" not in answer.headers
    assert query_of({"why": "a\r\nb"}) == "why=a%0D%0Ab"


def test_two_who_ask_for_the_next_case_get_two_and_what_was_passed_over_waits(wide, inside, clock):
    ana, apo = inside("Ana", wide), inside("Apo", wide)
    order = [line.case_id for line in wide.lines()]
    assert ana.post("/queue/next").headers["location"] == f"/cases/{order[0]}"
    assert apo.post("/queue/next").headers["location"] == f"/cases/{order[1]}"
    assert read_case(wide.book, order[0]).assigned_to == "Ana"
    assert ana.post(f"/cases/{order[2]}/skip").headers["location"] == f"/cases/{order[3]}"
    assert ana.post("/queue/next").headers["location"] == f"/cases/{order[3]}"
    assert passed_over(wide.home, "ana", now=wide.now()) == {order[2]}
    clock.on(hours=25)
    inside("Ana", wide).post("/queue/next")
    assert read_case(wide.book, order[2]).assigned_to == "Ana"


def test_nobody_takes_what_somebody_has(wide):
    case = wide.lines()[0].case_id
    claim(wide.book, case, by="Ana", now=wide.clock())
    claim(wide.book, case, by=" ana", now=wide.clock())  # the same person again: nothing happens
    with pytest.raises(ConfigError, match="somebody else has it"):
        claim(wide.book, case, by="Apo", now=wide.clock())


def test_when_nothing_is_left_that_is_said(desk, inside):
    who = inside("Ana")
    while (answer := who.post("/queue/next")).status_code == 303:
        pass
    assert answer.status_code == 422
    assert all(line.assigned_to == "Ana" for line in desk.lines() if line.state == "open")


def test_a_note_that_names_somebody_brings_the_case_to_them(wide, inside):
    ana, apo = inside("Ana", wide), inside("Apo", wide)
    case, other = (line.case_id for line in wide.lines()[:2])
    ana.post(f"/cases/{case}/note", {"text": "please look, @apo: is it a class?"})
    ana.post(f"/cases/{other}/note", {"text": "@apollo is somebody else"})
    assert shown(apo.get("/?who=named")) == [case]
    assert shown(ana.get("/?who=named")) == []


def test_several_cases_are_weighed_decided_and_undone_together(wide, inside):
    who = inside("Ana", wide)
    lines = [line for line in wide.lines() if line.accused][:3]
    cases = [line.case_id for line in lines]
    page = who.post("/queue/weigh", {**BULK, "case": cases}).text
    total = sum(line.accused for line in lines)
    assert f"Throttle on {total:,} accounts of 3 cases" in told(page)
    assert read_decisions(wide.book) == []
    page = who.post("/queue/decide", {**BULK, "case": cases}).text
    made = read_rulings(wide.book)
    assert Counter(r.case_id for r in made) == Counter(cases)
    assert {r.origin for r in made} == {"bulk"}
    assert len(in_force(wide.book, terms=wide.terms, now=wide.now())) >= max(
        x.accused for x in lines
    )
    listed = re.findall(r'name="decision" value="(decision-\d+)"', page)
    assert sorted(listed) == sorted(r.id for r in made)
    assert ">bulk<" in who.get("/decisions").text
    assert who.post("/decisions/undo", {"decision": listed}).status_code == 422  # why?
    done = who.post("/decisions/undo", {"decision": listed, "remark": "a class after all"})
    assert "3 decisions undone" in told(done.text)
    assert in_force(wide.book, terms=wide.terms, now=wide.now()) == {}
    again = who.post("/decisions/undo", {"decision": listed, "remark": "once more"})
    assert "0 decisions undone; 3 no longer stood" in told(again.text)


def test_what_a_rule_refuses_is_told_beside_what_was_done(wide, inside):
    who = inside("Ana", wide)
    good = next(line for line in wide.lines() if line.accused)
    bad = next(line for line in wide.lines() if not line.accused)
    page = who.post("/queue/decide", {**BULK, "case": [good.case_id, bad.case_id]}).text
    assert "1 case refused" in told(page)
    assert "not done:" in page
    assert [r.case_id for r in read_rulings(wide.book)] == [good.case_id]


def test_a_large_deny_in_bulk_still_waits_for_a_second_person(wide, inside):
    case = max(wide.lines(), key=lambda line: line.accused).case_id
    page = inside("Ana", wide).post("/queue/decide", {**BULK, "verdict": "deny", "case": case})
    assert "waits for a second person" in page.text
    assert in_force(wide.book, terms=wide.terms, now=wide.now()) == {}


def test_more_accounts_than_a_slip_should_reach_must_be_meant(wide, inside, monkeypatch):
    monkeypatch.setattr(bulk, "MOST_ACCOUNTS", 10)
    who = inside("Ana", wide)
    case = max(wide.lines(), key=lambda line: line.accused).case_id
    assert "I mean all" in who.post("/queue/weigh", {**BULK, "case": case}).text
    assert who.post("/queue/decide", {**BULK, "case": case}).status_code == 422
    assert read_decisions(wide.book) == []
    assert who.post("/queue/decide", {**BULK, "case": case, "all": "1"}).status_code == 200
    assert len(read_decisions(wide.book)) == 1


@pytest.mark.parametrize("change", [{"verdict": "allow"}, {"why": "because"}, {"case": "none"}])
def test_a_bulk_step_without_sense_does_nothing(desk, inside, big_case, change):
    form = {**BULK, "case": big_case, **change}
    for page in ("/queue/weigh", "/queue/decide"):
        assert inside("Ana").post(page, form).status_code == 422
    assert read_decisions(desk.book) == []


def test_times_are_told_in_the_zone_that_a_person_chose(desk, inside):
    who = inside("Ana")
    assert "12:00 UTC" in who.get("/cases/case-0").text
    assert who.post("/zone", {"zone": "Asia/Kolkata"}).status_code == 303
    assert "17:30 IST" in who.get("/cases/case-0").text
    assert "12:00 UTC" in inside("Apo").get("/cases/case-0").text
    for zone in ("Mars/Base", "../../etc/passwd", ""):
        assert who.post("/zone", {"zone": zone}).status_code == 422
