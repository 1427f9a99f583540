"""What ownership answers do to requests: beside an accusation, after verification, in channels."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from stillwatch.errors import ConfigError, SchemaError
from stillwatch.guard import Orders, Undo, undo_value
from stillwatch.guard.gateways import authz_headers, refusal_text
from stillwatch.policy import Ladder
from stillwatch.schema import Judgement
from stillwatch.schema.snapshot import (
    Action,
    Ground,
    keyed_permit,
    snapshot_from_payload,
    snapshot_payload,
    subject_key,
)

from .conftest import HOUR, PERMIT, SALT, T0, guard, ordered, request, snapshot, spend

STRICT = Ladder(
    mode="enforce", access_restricted="deny", access_possible="step_up",
    access_undetermined="step_up", step_up_url="https://verify.example",
)  # fmt: skip


def owned(made=None, ladder: Ladder = STRICT, **access: str):
    """The snapshot with ownership answers by account."""
    given = {subject_key(SALT, name.replace("_", "-")): word for name, word in access.items()}
    return replace(made or snapshot(), ladder=ladder.as_dict(), access=given)


def test_who_cannot_verify_anywhere_is_watched_and_not_stepped_up():
    nowhere = owned(ladder=replace(STRICT, step_up_url=""), someone="undetermined")
    assert guard(nowhere).decide(request("someone")).verdict == "watch"
    shipped = Ladder(mode="enforce", step_up_url="https://verify.example")
    for word in ("undetermined", "possible"):
        decider = guard(owned(ladder=shipped, someone=word))
        assert decider.decide(request("someone")).verdict == "step_up"


# 1. Verification.


def test_who_has_verified_ownership_is_watched_until_the_verification_ends():
    ladder = replace(STRICT, verified_s=7_200)
    decider = guard(owned(ladder=ladder, vague="undetermined"))
    assert decider.decide(request("vague", T0)).verdict == "step_up"
    decider.verify("vague", None, T0)
    done = decider.decide(request("vague", T0 + 1))
    assert (done.verdict, done.campaign_id) == ("watch", None)
    assert "has passed verification" in done.reasons
    assert decider.decide(request("vague", T0 + 2 * HOUR - 1)).verdict == "watch"
    assert decider.decide(request("vague", T0 + 2 * HOUR)).verdict == "step_up"


def test_a_request_from_before_the_verification_asks_nobody_again():
    """It waited in a queue, or a clock went back."""
    decider = guard(owned(vague="possible"))
    decider.verify("vague", None, T0)
    assert decider.decide(request("vague", T0 - HOUR)).verdict == "watch"


def test_a_late_report_of_an_older_verification_shortens_nothing():
    decider = guard(owned(ladder=replace(STRICT, verified_s=3_600), vague="possible"))
    decider.verify("vague", None, T0)
    decider.verify("vague", None, T0 - HOUR)
    assert decider.decide(request("vague", T0 + 1)).verdict == "watch"


def test_verification_lifts_no_denial():
    decider = guard(owned(shell="restricted"))
    decider.verify("shell", None, T0)
    assert decider.decide(request("shell", T0 + 1)).verdict == "deny"


# 2. Accused and restricted: the stricter verdict, both reasons.


@pytest.mark.parametrize("spent", [False, True])
def test_an_accused_account_that_is_restricted_is_denied_and_both_reasons_are_cited(spent):
    """The campaign alone would watch it within its budget, and throttle it beyond."""
    decider = guard(owned(bad_1="restricted"))
    if spent:
        spend(decider, "bad-2")
    decision = decider.decide(request("bad-1", T0 + HOUR))
    assert (decision.verdict, decision.level) == ("deny", "access")
    assert decision.campaign_id == "c-1"
    assert "member of c-1" in decision.reasons
    assert "ownership policy: access is restricted" in decision.reasons


def test_what_ownership_refuses_spends_no_budget_of_the_campaign():
    decider = guard(owned(bad_1="restricted"))
    spend(decider, "bad-1", 100)
    assert decider.decide(request("bad-2", T0 + HOUR)).reasons[-1] == (
        "within the campaign's budget"
    )


def test_a_campaign_that_is_stricter_stands_and_the_answer_is_cited_too():
    decider = guard(owned(ordered("deny"), bad_1="undetermined"))
    decision = decider.decide(request("bad-1"))
    assert (decision.verdict, decision.level) == ("deny", "member")
    assert "ownership policy: access is undetermined" in decision.reasons


def test_a_permit_covers_distillation_and_lifts_no_ownership_answer():
    permit = keyed_permit(SALT, {**PERMIT, "methods": ["*"]})
    decider = guard(replace(owned(bad_1="restricted"), permits=(permit,)))
    decision = decider.decide(request("bad-1", T0, model="m-1"))
    assert (decision.verdict, decision.campaign_id) == ("deny", None)
    assert "permit p-1 covers it" in decision.reasons


def test_only_an_undo_of_access_takes_the_ownership_answer_back():
    """Who owns an account is a policy of its own: what a campaign asked for leaves it alone."""
    made = owned(ordered("deny"), bad_1="undetermined")
    key = undo_value(SALT, "bad-1")
    for undo in (Undo("campaign", "c-1", "R. Doe", T0), Undo("account", key, "R. Doe", T0)):
        decision = guard(made, Orders().with_undo(undo)).decide(request("bad-1"))
        assert (decision.verdict, decision.campaign_id) == ("step_up", None)
    access = Orders().with_undo(Undo("access", key, "R. Doe", T0))
    decision = guard(made, access).decide(request("bad-1"))
    assert (decision.verdict, decision.level) == ("deny", "member")
    assert not any("ownership" in why for why in decision.reasons)
    both = access.with_undo(Undo("account", key, "R. Doe", T0))
    assert guard(made, both).decide(request("bad-1")).verdict == "allow"


def test_an_ownership_answer_outlives_the_snapshot_s_time_and_a_campaign_s_verdict_does_not():
    made = replace(owned(ordered("deny", hours=9_000), someone="restricted"), expires_us=T0 + HOUR)
    decider = guard(made)
    assert decider.decide(request("bad-1", T0 + 2 * HOUR)).verdict == "allow"
    assert decider.decide(request("someone", T0 + 2 * HOUR)).verdict == "deny"


# 3. Channel accounts: "reseller" is one.


def test_a_restricted_owner_is_not_served_by_naming_end_users():
    decider = guard(owned(reseller="restricted"))
    for user in (None, "eu-1", "eu-2"):
        decision = decider.decide(request("reseller", end_user_id=user))
        assert (decision.verdict, decision.level) == ("deny", "access")
        assert decision.subject == subject_key(SALT, "reseller")
    assert "of the account it comes through" in decision.reasons[0]


@pytest.mark.parametrize("word", ["possible", "undetermined"])
def test_end_users_are_not_held_up_for_what_is_not_known_of_their_reseller(word):
    decider = guard(owned(reseller=word))
    assert decider.decide(request("reseller")).verdict == "step_up"
    for user in ("eu-1", "eu-2"):
        assert decider.decide(request("reseller", end_user_id=user)).verdict == "watch"
    decider.verify("reseller", None, T0)
    assert decider.decide(request("reseller", T0 + 1)).verdict == "watch"


def test_where_the_ladder_says_so_end_users_wait_for_the_accounts_verification_not_their_own():
    decider = guard(owned(ladder=replace(STRICT, access_end_users="step_up"),
                          reseller="undetermined"))  # fmt: skip
    asked = request("reseller", T0 + 1, end_user_id="eu-1")
    assert decider.decide(asked).verdict == "step_up"
    decider.verify("reseller", "eu-1", T0)
    assert decider.decide(asked).verdict == "step_up"
    decider.verify("reseller", None, T0)
    assert decider.decide(asked).verdict == "watch"


def test_an_accused_end_user_of_a_restricted_reseller_gets_the_stricter_verdict():
    made = owned(reseller="undetermined")
    made = replace(made, accused={subject_key(SALT, "reseller", "eu-1"): 0})
    decider = guard(made)
    spend_on = [decider.decide(request("reseller", T0 + k, end_user_id="eu-1")) for k in range(31)]
    assert {d.verdict for d in spend_on[:30]} == {"watch"}
    assert spend_on[30].verdict == "throttle"
    assert len([r for r in spend_on[30].reasons if r.startswith("ownership policy")]) == 1
    assert decider.decide(request("reseller", T0, end_user_id="eu-2")).verdict == "watch"


# 4. One key.


@pytest.mark.parametrize("user", [None, ""])
def test_a_channels_requests_without_an_end_user_have_one_key(user):
    key = subject_key(SALT, "reseller")
    assert subject_key(SALT, "reseller", user) == key
    decider = guard(replace(ordered("deny"), accused={subject_key(SALT, "reseller", user): 0}))
    asked = request("reseller", end_user_id=user)
    decision = decider.decide(asked)
    assert (decision.verdict, decision.subject) == ("deny", key)
    assert decider.decide(request("reseller", end_user_id="eu-1")).verdict == "allow"
    undo = Undo("account", f"{subject_key(SALT, 'reseller', user):016x}", "R. Doe", T0)
    decider.load(decider.table.snapshot, Orders().with_undo(undo))
    assert decider.decide(asked).verdict == "allow"


# 5. What an answer rests on.


def grounded(made):
    """The snapshot, whose accounts' answers rest on one rule."""
    ground = Ground("c0ffee", "rule r-1 version 0123 with list v1 as of 2026-11-26")
    return replace(made, grounds=(ground,), cited=dict.fromkeys(made.access, 0))


def test_a_decision_cites_the_rule_and_names_what_holds_the_chain():
    made = grounded(owned(bad_1="restricted", vague="undetermined"))
    made = snapshot_from_payload(json.loads(json.dumps(snapshot_payload(made))))
    decider = guard(made)
    for account, verdict in (("bad-1", "deny"), ("vague", "step_up")):
        decision = decider.decide(request(account))
        assert (decision.verdict, decision.citation) == (verdict, "c0ffee")
        assert made.grounds[0].words in decision.reasons
    decider.verify("vague", None, T0)
    assert decider.decide(request("vague", T0 + 1)).citation == "c0ffee"
    assert decider.decide(request("bad-2")).citation == ""


def test_what_is_taken_back_or_milder_than_a_campaign_s_verdict_is_cited_as_far_as_it_speaks():
    made = grounded(owned(ordered("deny"), bad_1="undetermined"))
    assert guard(made).decide(request("bad-1")).citation == "c0ffee"
    undo = Undo("access", undo_value(SALT, "bad-1"), "R. Doe", T0)
    decision = guard(made, Orders().with_undo(undo)).decide(request("bad-1"))
    assert (decision.verdict, decision.citation) == ("deny", "")


def test_a_snapshot_that_cites_what_it_does_not_hold_is_refused():
    payload = snapshot_payload(grounded(owned(bad_1="restricted")))
    with pytest.raises(SchemaError, match="does not hold"):
        snapshot_from_payload({**payload, "grounds": []})
    del payload["grounds"], payload["cited"], payload["ground_words"]
    assert snapshot_from_payload(payload).cited == {}


# What the cases say of an answer.


def eased(answer: str, proof: str = "", **action):
    held = Action("allow", "Cy", T0, T0 + 10 * HOUR)
    return {(subject_key(SALT, "shell"), answer, proof): replace(held, **action)}


@pytest.mark.parametrize("how", ["compiled", "live"])
def test_an_upheld_appeal_frees_of_the_answer_that_it_was_about_and_of_no_other(how):
    made = owned(shell="restricted")
    if how == "compiled":
        decider = guard(replace(made, eased=eased("restricted")))
    else:
        decider = guard(made)
        live = {("shell", "restricted", ""): Action("allow", "Cy", T0, T0 + 10 * HOUR)}
        decider.load(made, Orders(), Judgement(at_us=T0 + 1, eased=live))
    done = decider.decide(request("shell", T0 + 1))
    assert (done.verdict, done.would) == ("allow", "allow")
    assert decider.decide(request("shell", T0 + 10 * HOUR)).verdict == "deny"
    other = guard(replace(made, eased=eased("undetermined")))
    assert other.decide(request("shell", T0 + 1)).verdict == "deny"


@pytest.mark.parametrize("how", ["compiled", "live"])
def test_an_upheld_appeal_frees_of_what_the_answer_followed_from_then_and_of_nothing_newer(how):
    def verdict(proof: str) -> str:
        ground = Ground("c1", "rule fifty as of 2026-11-26", proof)
        made = owned(shell="restricted")
        made = replace(made, grounds=(ground,), cited=dict.fromkeys(made.access, 0))
        if how == "compiled":
            return guard(replace(made, eased=eased("restricted", "p1"))).decide(shell).verdict
        action = Action("allow", "Cy", T0, T0 + 10 * HOUR)
        decider = guard(made)
        live = Judgement(at_us=T0 + 1, eased={("shell", "restricted", "p1"): action})
        decider.load(made, Orders(), live)
        return decider.decide(shell).verdict

    shell = request("shell", T0 + 1)
    assert [verdict(proof) for proof in ("p1", "p2")] == ["allow", "deny"]
    # A snapshot of before there were proofs cannot tell one answer from another.
    assert verdict("") == "allow"


def test_an_appeal_that_is_not_decided_in_time_eases_by_itself_and_frees_of_no_campaign():
    late = eased("possible", verdict="step_up", relaxes_us=T0 + HOUR, relaxes_to="watch")
    decider = guard(replace(owned(shell="possible"), eased=late))
    assert decider.decide(request("shell", T0)).verdict == "step_up"
    done = decider.decide(request("shell", T0 + HOUR))
    assert (done.verdict, done.reasons[-1]) == ("watch", "an appeal was not decided in time")
    free = Action("allow", "Cy", T0, T0 + 10 * HOUR)
    accused = replace(ordered("deny"), eased={(subject_key(SALT, "bad-1"), "restricted", ""): free})
    assert guard(owned(accused, bad_1="restricted")).decide(request("bad-1")).verdict == "deny"


def test_an_appeal_that_was_rejected_after_the_compile_eases_nothing():
    """Newer effects do not name it any more: its time in the snapshot must not run out."""
    waits = eased("possible", verdict="step_up", relaxes_us=T0 + HOUR, relaxes_to="watch")
    made = replace(owned(shell="possible"), eased=waits)
    decider = guard(made)
    decider.load(made, Orders(), Judgement(at_us=made.created_us + 1))
    assert decider.decide(request("shell", T0 + HOUR)).verdict == "step_up"
    decider.load(made, Orders(), Judgement(at_us=made.created_us))
    assert decider.decide(request("shell", T0 + HOUR)).verdict == "watch"
    decider.load(replace(made, eased=eased("possible")), Orders(), Judgement(at_us=2**62))
    assert decider.decide(request("shell", T0 + HOUR)).verdict == "allow"


def test_no_person_is_named_where_a_clock_has_relaxed_to_allow():
    lapsed = replace(owned(shell="possible"), eased=eased("possible", by=None))
    told = guard(lapsed).table.ease(subject_key(SALT, "shell"), T0)
    assert told == ("allow", "an appeal was not decided in time")


def test_what_was_eased_survives_the_signed_file():
    made = replace(owned(shell="possible"), eased=eased("possible", "p1", relaxes_us=T0 + 1))
    payload = json.loads(json.dumps(snapshot_payload(made)))
    assert snapshot_from_payload(payload) == made
    payload["eased"][0].pop()  # as files of before there were proofs have it
    assert list(snapshot_from_payload(payload).eased) == list(eased("possible"))


def test_a_refusal_says_by_which_kind_of_rule_and_how_to_object():
    ladder = replace(STRICT, appeal_to="appeals@provider.example")
    decider = guard(owned(ladder=ladder, shell="restricted", vague="possible"))
    told = refusal_text(decider.decide(request("shell")), ladder)
    assert "By a rule on who owns it" in told
    assert "To object: appeals@provider.example. Reference 0-" in told
    assert "who owns the account" in refusal_text(decider.decide(request("vague")), ladder)
    headers = dict(authz_headers(decider.decide(request("shell")), ladder))
    assert headers[b"x-stillwatch-appeal"] == b"appeals@provider.example"
    with pytest.raises(ConfigError, match="appeal_to"):
        replace(ladder, appeal_to="a\r\nset-cookie: x")
