"""What leaves the console, and the pages that compare: OCSF, paper, top, tests, pairs, accounts."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from datetime import UTC, datetime, timedelta

import jsonschema
import pyarrow as pa
import pytest
from ocsf_json_schema.embedded import OcsfJsonSchemaEmbedded
from ocsf_json_schema.loader import get_ocsf_schema

from stillwatch.cases import read_labels_on, read_notes_on, verify_book
from stillwatch.report.facts import at
from stillwatch.schema.arrow import VOLUME


@pytest.fixture
def wide(desk_of):
    return desk_of("full")


@pytest.fixture(scope="module")
def faults():
    made = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0")).get_class_schema("incident_finding", [])
    assert made["additionalProperties"] is False
    checker = jsonschema.Draft202012Validator(made)
    return lambda event: [error.message for error in checker.iter_errors(event)]


def told(answer):
    return answer.text.replace("\u00a0", " ")


def test_every_case_is_a_valid_ocsf_incident_whatever_happened_to_it(wide, inside, faults):
    who = inside("Ana", wide)
    case = max(wide.lines(), key=lambda line: line.accused)
    form = {"verdict": "throttle", "reason": "relay", "scope": "accused"}
    who.post(f"/cases/{case.case_id}/decide", form)
    who.post(f"/cases/{wide.lines()[0].case_id}/close", {"reason": "a class"})
    member = wide.index.members(case.campaign_id)[0][0]["account_id"]
    ref = wide.index.ref(member)
    events = {}
    for label, verdict in (("true", "True Positive"), ("false", "False Positive")):
        who.post(f"/accounts/{ref}/label",
                 {"case": case.case_id, "verdict": label, "reason": "asked"})  # fmt: skip
        answer = who.get("/cases.ocsf.jsonl")
        events = {e["metadata"]["uid"]: e for e in map(json.loads, answer.text.splitlines())}
        assert len(events) == len(wide.lines())
        assert [fault for event in events.values() for fault in faults(event)] == []
        assert events[case.case_id]["verdict"] == verdict  # the newest label counts
    assert events[case.case_id]["status"] == "In Progress"
    assert {e["status"] for e in events.values()} == {"New", "In Progress", "Closed"}
    assert member not in answer.text
    assert faults({**events[case.case_id], "surprise": 1}) != []


def test_the_overview_for_paper_asks_for_nothing_and_its_policy_holds(wide, inside):
    page = inside("Vi", wide).get("/overview.html")
    assert page.headers["content-disposition"].startswith("attachment")
    for word in ("<script", "<link", "<button", "csrf", 'href="/', "hx-"):
        assert word not in page.text, word
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = page.text.split('Security-Policy" content="')[1].split('"')[0].replace("&#39;", "'")
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert "<svg" in page.text
    assert "case-1" in page.text


def test_top_counts_the_last_days_and_those_before_them(desk, inside, monkeypatch):
    campaign = next(iter(desk.index.heads))
    start = datetime(2026, 11, 1, tzinfo=UTC)
    rows = [(start + timedelta(days=d), model, of, 10 + d, 100 * (d + 1), 3)
            for d in range(14) for model, of in (("nova", ""), ("nova", campaign))]  # fmt: skip
    table = pa.table([list(column) for column in zip(*rows, strict=True)], schema=VOLUME)
    monkeypatch.setattr(type(desk.index), "volume", lambda self: table)
    who = inside("Vi")
    last, before = sum(range(8, 15)) * 100, sum(range(1, 8)) * 100
    (row,) = list(csv.DictReader(io.StringIO(who.get("/top.csv").text)))
    assert row["campaign"] == campaign
    assert (int(row["output_tokens"]), int(row["before"])) == (last, before)
    assert int(row["change"]) == last - before
    page = told(who.get("/top?by=campaign&of=requests&days=1"))
    assert desk.lines()[0].case_id in page
    (model,) = list(csv.DictReader(io.StringIO(who.get("/top.csv?by=model&days=7").text)))
    # whoever sent it: the accused, and everybody else
    assert (model["model"], int(model["output_tokens"])) == ("nova", 2 * last)
    short = list(csv.DictReader(io.StringIO(who.get("/top.csv?days=14").text)))
    assert short[0]["before"] == ""  # the run does not reach back so far: not known, never 0
    assert who.get("/top?by=<script>&days=x").status_code == 200


def test_tests_say_what_rests_on_them_and_what_people_found_out(wide, inside, monkeypatch):
    who = inside("Ana", wide)
    case = max(wide.lines(), key=lambda line: line.accused)
    ref = wide.index.ref(wide.index.members(case.campaign_id)[0][0]["account_id"])
    before = who.get("/tests")
    assert before.status_code == 200
    assert '<b class="alarm">1</b>' not in before.text
    who.post(f"/accounts/{ref}/label",
             {"case": case.case_id, "verdict": "false", "reason": "a class"})  # fmt: skip
    assert '<b class="alarm">1</b>' in who.get("/tests").text
    assert "counts for watching alone" not in before.text
    test = at(wide.index.heads[case.campaign_id], "claims", "coordinated", "evidence")[0]
    monkeypatch.setitem(test, "counts_for", "watch")
    row = told(who.get("/tests")).split(test["signal"])[1]
    cell = "</code></small></th><td>coordinated<small>counts for watching alone"
    assert row.startswith(cell)
    strict = told(who.get("/tests?alpha=0.000000001"))
    assert f"0 of {len(wide.index.heads)}" in strict
    assert who.get("/tests?alpha=nan").status_code == 200


def test_two_marked_members_are_told_what_joins_them(wide, inside):
    who = inside("Ana", wide)
    case = max(wide.lines(), key=lambda line: line.accused)
    thing = wide.index.objects(case.campaign_id, 1)[0][0]
    one, other = wide.index.holders(case.campaign_id, thing[0], 2)
    refs = [wide.index.ref(a) for a in (one, other)]
    page = who.post(f"/cases/{case.case_id}/pair", {"account": refs})
    assert page.status_code == 200
    assert "between these two" in told(page)
    named = who.post(f"/cases/{case.case_id}/pair", {"one": one, "other": other})
    assert told(named).count("nats") == told(page).count("nats")
    for form in ({"account": refs[:1]}, {"one": one, "other": one}, {"one": one},
                 {"one": one, "other": "acct-nobody"}):  # fmt: skip
        assert who.post(f"/cases/{case.case_id}/pair", form).status_code == 422


def test_an_account_shows_what_it_shares_and_what_colleagues_wrote(wide, inside):
    ana, apo = inside("Ana", wide), inside("Apo", wide)
    case = max(wide.lines(), key=lambda line: line.accused)
    account = wide.index.members(case.campaign_id)[0][0]["account_id"]
    page = f"/accounts/{wide.index.ref(account)}"
    assert "Nobody has written anything about it" in ana.get(page).text
    ana.post(f"{page}/note", {"case": case.case_id, "text": "@Apo says <b>it</b> is a class"})
    ana.post(f"{page}/label", {"case": case.case_id, "verdict": "unsure", "reason": "no answer"})
    shown = told(apo.get(page))
    assert "@Apo says &lt;b&gt;it&lt;/b&gt; is a class" in shown
    assert "Not sure whether it distils, says Ana" in shown
    assert "no answer" in shown
    assert "Others in its campaign" in shown
    (note,) = read_notes_on(wide.book, account)
    assert (note.by, note.case_id) == ("Ana", case.case_id)
    assert [x.label for x in read_labels_on(wide.book, account)] == ["unsure"]
    assert "note on an account" in told(ana.get(f"/cases/{case.case_id}"))
    verify_book(wide.book)
    stranger = wide.index.ref("acct-nobody")
    assert ana.post(f"/accounts/{stranger}/note",
                    {"case": case.case_id, "text": "x"}).status_code == 422  # fmt: skip


def test_the_log_of_decisions_can_be_narrowed_and_exported_so(wide, inside):
    ana = inside("Ana", wide)
    cases = [line.case_id for line in wide.lines() if line.accused][:2]
    form = {"verdict": "throttle", "why": "relay", "case": cases[:1]}
    ana.post("/queue/decide", form)
    ana.post(f"/cases/{cases[1]}/decide",
             {"verdict": "step_up", "reason": "relay", "scope": "accused"})  # fmt: skip
    for query, kept in (("origin=bulk", cases[0]), ("origin=person", cases[1]),
                        ("verdict=step_up", cases[1]), (f"case={cases[0]}", cases[0])):  # fmt: skip
        rows = list(csv.DictReader(io.StringIO(ana.get(f"/decisions.csv?{query}").text)))
        assert [r["case"] for r in rows] == [kept], query
        assert f"/decisions.csv?{query}" in ana.get(f"/decisions?{query}").text
    assert "0 decisions" in told(ana.get("/decisions?by=Apo"))
    assert "2 decisions" in told(ana.get("/decisions?by=Ana&since=2026-11-26"))
    assert "0 decisions" in told(ana.get("/decisions?since=2026-11-27"))


def test_reads_can_be_taken_out_as_a_table(wide, inside):
    inside("Ana", wide).get("/tests")
    rows = list(csv.DictReader(io.StringIO(inside("Con", wide).get("/reads.csv").text)))
    assert ("ana", "tests", "200") in {(r["login"], r["page"], r["answer"]) for r in rows}
    mine = inside("Con", wide).get("/reads.csv?login=con").text
    assert {r["login"] for r in csv.DictReader(io.StringIO(mine))} == {"con"}
