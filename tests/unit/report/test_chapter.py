"""A campaign's chapter in words: who is proven and who is not, and what does not count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.report.appendix import permits_table
from stillwatch.report.chapter import write_chapter
from stillwatch.report.facts import is_unproven, read_facts
from stillwatch.report.pictures import collateral_figure
from stillwatch.store import open_run

NB = "\u00a0"


@pytest.fixture(scope="module")
def facts(run_of):
    return read_facts(open_run(run_of("full")))


def member(account, role, standing, confidence):
    return {"account_id": account, "role": role, "standing": standing, "confidence": confidence}


MEMBERS = [
    *(member(f"p{k}", "core", "accused", 0.9999) for k in range(6)),
    *(member(f"u{k}", "periphery", "watch", 0.97) for k in range(55)),
    member("c", "core", "watch", 0.9999),
    *(member(f"l{k}", "periphery", "watch", 0.0) for k in range(3)),
]


def chapter(facts, **changed):
    campaign = facts.shown[0]
    return write_chapter(replace(facts, made={}), replace(campaign, data=campaign.data | changed))


def test_members_that_are_not_proven_are_not_called_linked(facts):
    made = chapter(facts, members=MEMBERS, accounts=6)
    held = dict(made.facts)
    assert held["Core"] == f"6{NB}accounts"
    assert held["Not proven, watched"] == f"56{NB}accounts"
    assert held["Linked only"] == f"3{NB}accounts"
    assert made.sentence.endswith(f"; 56{NB}more accounts not proven, on watch")
    assert {row[2] for row in made.members.rows} >= {"core", "not proven"}
    assert [is_unproven(m) for m in MEMBERS[5:8]] == [False, True, True]


def test_a_watched_campaign_says_why_and_that_nothing_acts_on_it(facts):
    made = chapter(facts, standing="watch", standing_reason="One kind of act alone.")
    assert "nothing acts upon it. The weaker claim" in made.standing_note
    assert made.standing_reason == "One kind of act alone."


def test_tests_that_say_nothing_are_folded_and_those_for_watching_say_so(facts):
    claims = facts.shown[0].data["claims"]
    row = claims["coordinated"]["evidence"][0]
    evidence = [row | {"e_value": 999.0, "counts_for": "watch"}, row | {"e_value": 0.1}]
    claim = claims["coordinated"] | {"evidence": evidence, "note": "Even dealing."}
    made = chapter(facts, claims=claims | {"coordinated": claim}).claims[0]
    assert [r.e for r in made.rows] == ["watch only"]
    assert [r.e for r in made.quiet] == ["0.1"]
    assert made.note == "Even dealing."
    assert len(made.table.rows) == 2


def test_a_reason_that_is_also_a_claims_note_is_told_once(facts):
    claims = facts.shown[0].data["claims"]
    claim = claims["coordinated"] | {"note": "One kind of act alone."}
    made = chapter(facts, standing="watch", standing_reason="One kind of act alone.",
                   claims=claims | {"coordinated": claim})  # fmt: skip
    assert made.standing_reason == "One kind of act alone."
    assert made.claims[0].note == "it is what decided how the campaign stands, told above."


def test_collateral_does_not_call_all_others_honest_customers(facts):
    assert "those not proven" in collateral_figure(facts.shown[0]).caption


def test_permits_that_were_not_used_stand_together(facts):
    others = [{"permit_id": f"p{k}", "accounts": 2, "text": "not needed"} for k in range(5)] + [
        {"permit_id": "q", "accounts": 0, "text": "it names no account seen here"}
    ]
    read = {"read": 8, "named": 5, "used": 0, "exceeded": 0, "not_used": others}
    summary = facts.summary | {"permits": [], "permits_read": read}
    table, title = permits_table(replace(facts, summary=summary))
    assert [row[:3] for row in table.rows] == [
        ("p0, p1, p2 and 2 more", "not used", "10"), ("q", "not used", "0"),
    ]  # fmt: skip
    assert title.startswith(f"8{NB}permits were read: 5 name an account seen here, and none")
    assert table.note == f"2{NB}more permits not used and not listed."


def test_no_membership_is_certain_and_reasons_are_told_apart(facts):
    sure_of = {**member("p0", "core", "accused", 1.0), "reasons": ["sends it", "was created in it"]}
    (row,) = chapter(facts, members=[sure_of], accounts=1).members.rows
    assert row[4] == f">{NB}99.9{NB}%"
    assert row[5] == "sends it; was created in it"


def test_a_test_for_watching_alone_has_no_e_in_the_numbers_either(facts):
    item = {"signal": "even_volumes", "statistic": 0.2, "p_value": 1e-9, "e_value": 8_643_210.0,
            "n": 40, "counts_for": "watch", "text": "Even."}  # fmt: skip
    claim = {"confidence": 0.9, "e_value": 30.0, "evidence": [item]}
    made = chapter(facts, claims={"coordinated": claim})
    assert [row.e for row in made.claims[0].rows] == ["watch only"]
    assert [row[5] for row in made.claims[0].table.rows] == ["watch only"]
