"""Refusals by ownership: each account has a notice, a clock and a second pair of eyes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from stillwatch.cases import (
    Order,
    appeal,
    close_case,
    decide,
    effects,
    enter_refusals,
    erase_from_book,
    export_case,
    in_force,
    open_cases,
    purge_book,
    read_appeals,
    read_case,
    read_cases,
    read_decisions,
    read_lines,
    read_members,
    read_notice,
    read_refused,
    read_retention,
    read_rulings,
    resolve,
    settle,
    undo,
    verify_book,
)
from stillwatch.errors import InputError, NotPermitted
from stillwatch.schema import judgement_of, to_micros
from stillwatch.seal import new_key

from .conftest import NOON, campaign

SAID = {
    "format": 1, "owner_entity_id": "rec-acme", "access": "restricted", "as_of": "2026-11-26",
    "service": "default", "policies": [{"id": "p", "cites": "terms, paragraph 3"}],
    "rules": [
        {"id": "fifty", "version": "v1", "title": "Half", "text": "a guidance", "access":
         "restricted", "chain": [{"owner": "rec-jane-smith", "asset": "rec-acme"}]},
        {"id": "most", "version": "v2", "title": "More", "text": "of terms", "access": "clear",
         "chain": []},
    ],
}  # fmt: skip
HOUR = timedelta(hours=1)
ACCOUNTS = {1: "a1", 2: "a2", 3: "a3", 9: "a9"}


def line(
    subject=1, at=NOON, *, access="restricted", verdict="deny", citation="c1", proof="p1", **more
):
    return {"ts_us": to_micros(at), "decision_id": f"n-0-{subject}-{at:%d%H}", "route": "authz",
            "subject": f"{subject:016x}", "campaign_id": None, "verdict": verdict,
            "would": verdict, "mode": "enforce", "level": "access", "citation": citation,
            "proof": proof,
            "reasons": [f"ownership policy: access is {access}", "rule fifty as of 2026-11-26"],
            "snapshot_version": 1, "snapshot_source": "f", **more}  # fmt: skip


@pytest.fixture
def enter(book, terms, tmp_path):
    """Enter lines of a log at a time."""

    def entered(*lines, now=NOON, citations=None, terms=terms):
        log = tmp_path / "decisions.jsonl"
        log.write_text("".join(json.dumps(one) + "\n" for one in lines) + '{"level": "access')
        held = {"c1": SAID} if citations is None else citations
        return enter_refusals(book, read_refused([log]), ACCOUNTS, held, terms=terms, now=now)

    return entered


def eased(book, terms, now):
    """What the guard is told, as it reads it."""
    held = effects(book, terms=terms, now=now)
    assert held["verdicts"] == held["let_go"] == held["corrections"] == held["labels"] == []
    return judgement_of(json.loads(json.dumps(held)), where="effects").eased


def test_a_refusal_becomes_a_case_with_a_notice_that_names_rule_and_clock(book, enter, terms):
    made = enter(line(1), line(2, NOON + HOUR), line(1, NOON + 24 * HOUR))
    ((first, case_id, verdict), (_, same, _)) = made.decisions
    assert (case_id, verdict, made.covered) == (same, "deny", 1)
    case = read_case(book, case_id)
    assert (case.kind, case.state) == ("ownership", "open")
    members = [("a1", "owned", "restricted", True), ("a2", "owned", "restricted", True)]
    assert read_members(book, case_id) == members
    notice = " ".join(read_notice(book, first, "a1").split())
    assert "rule fifty, version v1" in notice
    assert "stopped answering" in notice
    assert "by 26 December 2026" in notice
    assert "within 72 hours" in notice
    assert "stays until then" in notice
    assert f"Reference: {first}" in notice
    assert not any(word in notice for word in ("jane", "rec-acme", "most", "a2"))
    (queued,) = read_lines(book, now=NOON)
    assert (queued.kind, queued.accused, queued.verdict) == ("ownership", 0, "deny")
    verify_book(book)
    assert in_force(book, terms=terms, now=NOON) == {}
    assert set(in_force(book, terms=terms, now=NOON, ownership=True)) == {"a1", "a2"}


def test_what_was_not_carried_out_or_rests_on_a_campaign_is_no_refusal_by_ownership(
    enter, tmp_path
):
    assert enter(
        line(1, verdict="watch"), line(2, level="member"), line(3, reasons=["member of c-1"]),
        {**line(1), "subject": "none"},
    ).decisions == []  # fmt: skip
    assert enter(line(4)).strangers == 1
    with pytest.raises(InputError):
        read_refused([tmp_path / "absent.jsonl"])


def test_the_same_answer_on_another_day_is_the_same_case_and_another_is_another(book, enter):
    later = {"c1": SAID, "c2": {**SAID, "as_of": "2026-11-27"},
             "c3": {**SAID, "policies": []}}  # fmt: skip
    enter(line(1))
    enter(line(2, NOON + HOUR, citation="c2"), now=NOON + HOUR, citations=later)
    assert len(read_cases(book)) == 1
    enter(line(3, NOON + HOUR, citation="c3"), now=NOON + HOUR, citations=later)
    enter(line(9, NOON + HOUR, citation="", access="undetermined", verdict="step_up"),
          line(1, NOON + HOUR, citation="", access="undetermined", verdict="step_up"),
          now=NOON + HOUR)  # fmt: skip
    assert [len(read_members(book, c.id)) for c in read_cases(book)] == [2, 1, 2]
    verify_book(book)


def test_a_decision_speaks_of_refusals_until_it_ends_and_then_another_notice_is_written(
    book, enter, terms
):
    log = [line(1)]
    enter(*log)
    assert enter(*log, line(1, NOON + 24 * HOUR), now=NOON + 25 * HOUR).decisions == []
    end = NOON + terms.longest["deny"]
    log.append(line(1, end + HOUR))
    ((again, _, _),) = enter(*log, now=end + 2 * HOUR).decisions
    assert "Reference" in read_notice(book, again, "a1")
    # A log that is read for the first time long after tells of what has ended.
    assert enter(line(2), now=end + 3 * HOUR).decisions == []


def test_a_stricter_answer_is_entered_although_a_milder_one_is_in_force(enter):
    ask = line(1, access="undetermined", verdict="step_up", citation="")
    assert len(enter(ask, line(1, NOON + HOUR)).decisions) == 2


# Appeals


def appealed(book, enter, terms, *, verdict="deny", access="restricted", by="Erika M."):
    entered = enter(line(1, verdict=verdict, access=access, citation="c1" * (verdict == "deny")))
    ((decision, case_id, _),) = entered.decisions
    held = appeal(book, f"n-0-1-{NOON:%d%H}", "a1", by=by, terms=terms, now=NOON + HOUR)
    assert held.decision == decision
    return held, case_id


def test_an_upheld_appeal_lets_the_account_through_and_touches_no_scan(book, enter, terms):
    held, case_id = appealed(book, enter, terms)
    assert held.due == NOON + HOUR + terms.time_to_decide
    (queued,) = read_lines(book, now=NOON + 2 * HOUR)
    assert (queued.why, queued.appeal_due) == ("appeal", held.due)
    assert eased(book, terms, NOON + 2 * HOUR) == {}
    resolve(book, held.id, upheld=True, by="Cy", reason="sold in May", now=NOON + 3 * HOUR)
    action = eased(book, terms, NOON + 3 * HOUR)["a1", "restricted", "p1"]
    assert (action.verdict, action.by) == ("allow", "Cy")
    assert action.expires_us == to_micros(held.at + terms.corrections_hold)
    # A node that has not heard of it yet refuses on: nobody is told that anew.
    late = NOON + terms.longest["deny"] + 24 * HOUR
    assert enter(line(1, late), now=late).decisions == []
    assert eased(book, terms, late)["a1", "restricted", "p1"].verdict == "allow"
    assert read_lines(book, now=late)[0].case_id == case_id
    verify_book(book)


def test_a_certain_refusal_stands_overdue_until_a_person_decides(book, enter, terms):
    held, _ = appealed(book, enter, terms)
    late = held.due + HOUR
    assert settle(book, now=late) == []
    assert eased(book, terms, late) == {}
    (queued,) = read_lines(book, now=late)
    assert (queued.why, queued.appeal_due) == ("appeal", held.due)
    assert resolve(book, held.id, upheld=False, by="Cy", reason="checked", now=late).state == (
        "rejected"
    )
    assert eased(book, terms, late) == {}


def test_counsel_may_let_a_certain_refusal_relax_as_well(book, enter, terms):
    mild = replace(terms, restricted_stands=False)

    def at_once(*lines):
        return enter(*lines, terms=mild)

    held, _ = appealed(book, at_once, mild)
    before = eased(book, mild, NOON + 2 * HOUR)["a1", "restricted", "p1"]
    assert (before.relaxes_us, before.relaxes_to) == (to_micros(held.due), "watch")
    assert [a.state for a in settle(book, now=held.due)] == ["lapsed"]
    assert eased(book, mild, held.due)["a1", "restricted", "p1"].verdict == "watch"


def test_what_is_not_certain_relaxes_when_the_clock_runs_out(book, enter, terms):
    held, _ = appealed(book, enter, terms, verdict="step_up", access="undetermined")
    notice = " ".join(read_notice(book, held.decision, "a1").split())
    assert "If nobody has decided by then, what we did is relaxed" in notice
    assert eased(book, terms, held.due)["a1", "undetermined", "p1"].verdict == "watch"
    with pytest.raises(NotPermitted, match="run out"):
        resolve(book, held.id, upheld=False, by="Cy", reason="late", now=held.due)


def test_a_rejected_appeal_eases_nothing(book, enter, terms):
    held, _ = appealed(book, enter, terms, verdict="step_up", access="possible")
    assert ("a1", "possible", "p1") in eased(book, terms, NOON + 2 * HOUR)
    resolve(book, held.id, upheld=False, by="Cy", reason="checked", now=NOON + 2 * HOUR)
    assert eased(book, terms, held.due) == {}


def test_an_answer_that_follows_from_something_else_is_decided_anew_in_spite_of_an_upheld_appeal(
    book, enter, terms
):
    held, case_id = appealed(book, enter, terms)
    resolve(book, held.id, upheld=True, by="Cy", reason="sold in May", now=NOON + 3 * HOUR)
    late = NOON + 24 * HOUR
    log = [line(1), line(1, late), line(1, late, proof="p2")]
    ((again, fresh, verdict),) = enter(*log, now=late).decisions
    assert (verdict, fresh != case_id) == ("deny", True)
    assert f"Reference: {again}" in read_notice(book, again, "a1")
    assert set(eased(book, terms, late)) == {("a1", "restricted", "p1")}
    another = appeal(book, again, "a1", by="Erika M.", terms=terms, now=late)
    resolve(book, another.id, upheld=True, by="Cy", reason="again", now=late + HOUR)
    assert set(eased(book, terms, late + HOUR)) == {
        ("a1", "restricted", "p1"), ("a1", "restricted", "p2"),
    }  # fmt: skip
    verify_book(book)


def test_what_was_judged_before_there_were_proofs_holds_for_the_answer_as_it_did(
    book, enter, terms
):
    held, _ = appealed(book, lambda *a, **k: enter(*(x | {"proof": ""} for x in a), **k), terms)
    resolve(book, held.id, upheld=True, by="Cy", reason="sold in May", now=NOON + 3 * HOUR)
    assert set(eased(book, terms, NOON + 3 * HOUR)) == {("a1", "restricted", "")}
    late = NOON + 40 * 24 * HOUR
    assert enter(line(1, late, proof="p2"), now=late).decisions == []
    assert enter(line(2, late, proof="p2"), now=late).decisions != []
    assert enter(line(2, late + HOUR, proof=""), now=late + HOUR).decisions == []


def test_a_closed_case_is_kept_while_its_upheld_appeal_frees_somebody(book, enter, terms):
    held, case_id = appealed(book, enter, terms)
    resolve(book, held.id, upheld=True, by="Cy", reason="sold in May", now=NOON + 3 * HOUR)
    close_case(book, case_id, reason="done", by="Ada", now=NOON + 4 * HOUR)
    keep = replace(read_retention(), cases=timedelta(days=1), notes=timedelta(days=1))
    late = held.at + terms.corrections_hold - HOUR
    purge_book(book, keep, terms=terms, now=late)
    assert set(eased(book, terms, late)) == {("a1", "restricted", "p1")}
    purge_book(book, keep, terms=terms, now=late + 2 * HOUR)
    assert read_cases(book) == []


def test_a_person_may_undo_a_refusal(book, enter, terms):
    ((decision, _, _),) = enter(line(1)).decisions
    undo(book, [decision], by="Ada", remark="wrong entity", now=NOON + HOUR)
    action = eased(book, terms, NOON + HOUR)["a1", "restricted", "p1"]
    assert (action.verdict, action.by) == ("allow", "Ada")
    assert eased(book, terms, NOON + terms.longest["deny"]) == {}


def test_whom_an_undo_let_go_waits_for_nobody(book, enter, terms):
    """An undone refusal does not stand any more: its overdue appeal is no alarm, and lapses."""
    held, case_id = appealed(book, enter, terms)
    undo(book, [held.decision], by="Ada", remark="wrong entity", now=NOON + 2 * HOUR)
    (ruling,) = [r for r in read_rulings(book, case_id) if r.id == held.decision]
    assert ruling.relaxes
    late = held.due + HOUR
    assert [one.appeal_due for one in read_lines(book, now=late)] == [None]
    assert [a.state for a in settle(book, now=late)] == ["lapsed"]
    assert eased(book, terms, late)["a1", "restricted", "p1"].verdict == "allow"


# Beside campaigns


def test_an_ownership_case_never_meets_a_campaign(book, enter, bring, terms, make_run):
    """An account that is refused and accused: its standing, decisions and effects stay apart."""
    ((_, owned, _),) = enter(line(1)).decisions
    (seen,) = bring(campaign("c-1", ["a1", "a2", "p1"]), now=NOON + HOUR)
    assert seen.case_id != owned
    order = Order(seen.case_id, None, "throttle", "coordinated_extraction", "Ada")
    decide(book, order, terms=terms, now=NOON + HOUR)
    held = effects(book, terms=terms, now=NOON + HOUR)
    assert {v["verdict"] for v in held["verdicts"]} == {"throttle"}
    assert held["eased"] == []
    assert [a["campaign_id"] for a in held["actions"]] == ["c-1"]
    with pytest.raises(NotPermitted, match="accuses nobody"):
        decide(book, replace(order, case_id=owned), terms=terms, now=NOON + HOUR)
    close_case(book, owned, reason="moved", by="Ada", now=NOON + HOUR)
    assert effects(book, terms=terms, now=NOON + HOUR)["let_go_campaigns"] == []
    ((_, fresh, _),) = enter(line(2, NOON + 2 * HOUR), now=NOON + 2 * HOUR).decisions
    assert fresh != owned
    assert not open_cases(book, make_run(), now=NOON + 3 * HOUR, standings=("accused",))


def test_erasing_packing_and_verifying_know_the_new_entries(book, enter, tmp_path):
    ((_, case_id, _), _) = enter(line(1), line(2)).decisions
    key = new_key(tmp_path / "k.pem")
    for level in ("internal", "counsel"):
        export_case(book, case_id, tmp_path / level, level=level, key=key, now=NOON)
    for level in ("partner", "public"):
        with pytest.raises(NotPermitted, match="accuses nobody"):
            export_case(book, case_id, tmp_path / level, level=level, key=key, now=NOON)
    assert erase_from_book(book, "a1", by="Dee", now=NOON + HOUR) > 0
    assert [m[0] for m in read_members(book, case_id) if m[0] == "a1"] == []
    verify_book(book)
    assert len(read_decisions(book, case_id)) == 2
    assert read_appeals(book) == []
