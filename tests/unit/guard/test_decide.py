"""Who is acted upon, how far, and who never is."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from stillwatch.guard import Orders, Origin, Undo
from stillwatch.guard.journal import Journal
from stillwatch.policy import Ladder
from stillwatch.schema import STATUSES
from stillwatch.schema.snapshot import (
    EVIDENCE,
    Mark,
    Pursuit,
    Seed,
    keyed_permit,
    org_key,
    snapshot_from_payload,
    snapshot_payload,
    subject_key,
)

from .conftest import (
    BAND,
    EXIT,
    HOUR,
    SALT,
    T0,
    framed,
    guard,
    ordered,
    request,
    snapshot,
)


def spend(decider, account="bad-1", count=30, at_us=T0):
    """Spend the campaign's budget of 30 (a twentieth of 100 an hour over six hours)."""
    return [decider.decide(request(account, at_us + k)) for k in range(count)]


def test_an_unknown_account_is_allowed():
    decision = guard().decide(request())
    assert (decision.verdict, decision.would, decision.reasons) == ("allow", "allow", ())
    assert decision.campaign_id is None


def test_the_campaign_spends_one_budget_not_each_of_its_accounts():
    decider = guard()
    first = spend(decider, "bad-1", 15) + spend(decider, "bad-2", 15)
    assert {d.verdict for d in first} == {"watch"}
    for account in ("bad-1", "bad-2"):
        decision = decider.decide(request(account, T0 + HOUR))
        assert decision.verdict == "throttle"
        assert 0 < decision.retry_after_s <= 3600
        assert decision.campaign_id == "c-1"
    assert decider.decide(request("bad-1", T0 + 7 * HOUR)).verdict == "watch"


def test_deny_takes_a_named_person():
    assert guard(ordered("deny")).decide(request("bad-1")).verdict == "deny"
    decider = guard(ordered("deny", by=None))
    spend(decider)
    decision = decider.decide(request("bad-1", T0 + HOUR))
    assert decision.verdict == "throttle"
    assert "deny takes a named person" in decision.reasons


def test_an_action_lapses():
    decider = guard(ordered("deny", hours=10))
    assert decider.decide(request("bad-1", T0 + 10 * HOUR - 1)).verdict == "deny"
    assert decider.decide(request("bad-1", T0 + 10 * HOUR)).verdict == "watch"


def test_an_expired_snapshot_allows_everything():
    decider = guard(replace(ordered("deny", hours=9_000), expires_us=T0 + HOUR))
    decision = decider.decide(request("bad-1", T0 + HOUR))
    assert (decision.verdict, decision.reasons) == ("allow", ("the snapshot has expired",))


# 1. Framing: others can copy a template and an address, never what is an account's own.


def test_a_copied_template_alone_is_watched_at_most():
    decider = guard(ordered("deny"))
    for k in range(200):
        decision = decider.decide(framed(f"victim-{k % 3}", T0 + k))
        assert (decision.verdict, decision.level) == ("watch", "touched")


def test_half_a_template_is_no_template():
    frames = [0] * 11
    frames[2] = 0xA1
    assert guard().decide(request(frames=tuple(frames))).verdict == "allow"


def test_a_proxys_honest_customer_is_watched_at_most():
    decider = guard(ordered("deny"))
    for k in range(100):
        decision = decider.decide(request("customer", T0 + k, h_prefix=EXIT))
        assert (decision.verdict, decision.level) == ("watch", "touched")


def test_an_account_judged_clear_is_not_joined_by_what_others_can_create():
    decider = guard()
    spend(decider)
    for k in range(50):
        decision = decider.decide(framed("honest-old", T0 + HOUR + k, h_prefix=EXIT))
        assert (decision.verdict, decision.level) == ("watch", "touched")


def test_a_household_that_shares_a_card_and_an_address_is_not_joined():
    decider = guard()
    spend(decider)
    for k in range(50):
        decision = decider.decide(
            request("spouse", T0 + HOUR + k, h_prefix=EXIT, links={"payment": "card-1"})
        )
        assert (decision.verdict, decision.level) == ("watch", "touched")


def test_a_popular_template_joins_nobody():
    """Half of its carriers in the run were strangers."""
    decider = guard()
    frames = [0] * 11
    frames[3] = 0xE5
    for k in range(50):
        decision = decider.decide(request("new", T0 + k, frames=tuple(frames), h_prefix=EXIT))
        assert decision.level == "touched"


@pytest.mark.parametrize("known", [False, True])
def test_near_duplicates_of_a_victims_prompts_join_nobody(known):
    """Whoever copies a victim's template from the victim's address makes near-duplicates of it."""
    decider = guard(snapshot(known=frozenset({subject_key(SALT, "victim")} if known else ())))
    spend(decider)
    asked = request("victim", T0 + HOUR, bands=(BAND, *[0] * 7), h_prefix=EXIT)
    assert decider.decide(asked).level == "touched"


def test_end_users_of_a_channel_account_are_not_new_accounts():
    """The channel's operator chose template and address: a copied one hits all its users."""
    decider = guard()
    spend(decider)
    asked = framed("reseller", T0 + HOUR, end_user_id="eu-9", h_prefix=EXIT)
    assert (decider.decide(asked).level, decider.decide(asked).verdict) == ("touched", "watch")


def test_a_history_that_a_victim_always_sends_is_no_conversation_taken_over():
    """The attacker had the model say the last answer of the victim's few-shot examples."""
    decider = guard()
    decider.observe(request("victim", T0, prefix_before=77), prefix_full=1)
    decider.observe(request("bad-1", T0 + 1), prefix_full=77)
    asked = request("victim", T0 + 2, prefix_before=77, h_prefix=EXIT)
    assert decider.decide(asked).level == "touched"
    assert decider.matches(asked) == {0: EVIDENCE["exit_prefix"]}


@pytest.mark.parametrize("days", [0, 3, 30])
def test_a_history_that_is_ones_own_stays_so_however_seldom_it_is_sent(days):
    """A victim that comes once a week sent its history before the attacker did, too."""
    decider = guard()
    later = T0 + days * 24 * HOUR
    decider.observe(request("victim", T0, prefix_before=77, h_blob=78), prefix_full=1, h_blob=79)
    decider.observe(request("bad-1", later + 1), prefix_full=77, h_blob=79)
    asked = framed("victim", later + 2, prefix_before=77, h_blob=79, created_us=0)
    assert decider.matches(asked) == {0: EVIDENCE["frame"]}
    assert decider.decide(asked).verdict == "watch"
    asked = framed("other", later + 2, prefix_before=77, created_us=0)
    assert decider.decide(asked).level == "joined"


def test_a_history_that_an_accused_sends_too_is_not_its_conversation():
    decider = guard()
    decider.observe(request("bad-1", T0, prefix_before=77), prefix_full=1)
    assert decider.matches(request("other", T0 + 1, prefix_before=77)) == {}


@pytest.mark.parametrize(("account", "level"), [("honest-old", "touched"), ("new", "joined")])
def test_a_sign_up_in_the_burst_speaks_only_against_accounts_not_judged_clear(account, level):
    """An attacker can sign up when its victim did, and copy the victim's template."""
    made = snapshot()
    pursuit = replace(made.campaigns[0], burst_us=(T0 - 9 * HOUR, T0))
    decider = guard(replace(made, campaigns=(pursuit, made.campaigns[1])))
    assert decider.decide(framed(account, T0, created_us=T0 - HOUR)).level == level
    assert decider.decide(framed("later", T0, created_us=T0 + HOUR)).level == "touched"


# 2. Joining inline.


def test_a_new_account_with_template_and_address_joins_and_is_throttled_at_most():
    decider = guard(ordered("deny"))
    decision = decider.decide(framed("new", T0, h_prefix=EXIT))
    assert decision.level == "joining"
    assert set(decision.evidence) == {"frame", "exit_prefix"}
    decider = guard()
    spend(decider)
    assert decider.decide(framed("new", T0 + HOUR, h_prefix=EXIT)).verdict == "throttle"


@pytest.mark.parametrize(
    ("days", "age_days", "level"),
    [(90, 89, "joining"), (90, 91, "touched"), (90, None, "touched"), (0, None, "joining")],
)
def test_who_may_have_been_there_before_the_campaign_does_not_join_by_template_and_address(
    days, age_days, level
):
    """An attacker copies a victim's template and leaves by its address; the victim was silent in
    the log, so that no scan has judged it clear. Where nobody says how old it is, it may be one."""
    made = snapshot(Ladder(mode="enforce", established_days=days))
    begun = T0 - 10 * HOUR
    campaigns = (replace(made.campaigns[0], begun_us=begun), made.campaigns[1])
    decider = guard(replace(made, campaigns=campaigns))
    created = 0 if age_days is None else begun - age_days * 24 * HOUR
    decision = decider.decide(framed("victim", T0, h_prefix=EXIT, created_us=created))
    assert decision.level == level
    paid = framed("victim", T0, h_prefix=EXIT, created_us=created, links={"payment": "card-1"})
    assert decider.decide(paid).level == "joined"


def test_a_victim_behind_the_campaigns_own_exits_does_not_join_however_many_it_uses():
    """An attacker copies the template of an old account that was silent in the log and takes the
    same proxy: that the template comes from many of the campaign's addresses, day after day and
    from no other, is as true of the victim as of the campaign's own aged accounts."""
    exits = tuple(Mark("exit_prefix", EXIT + k, 0, 9, 3) for k in range(9))
    made = snapshot()
    others = tuple(mark for mark in made.marks if mark.kind != "exit_prefix")
    decider = guard(replace(made, marks=(*others, *exits)))
    for k in range(60):
        asked = framed(f"victim-{k % 2}", T0 + k * 3 * HOUR, h_prefix=EXIT + k % 9,
                       created_us=T0 - 9_000 * HOUR)  # fmt: skip
        assert (decider.decide(asked).level, decider.decide(asked).verdict) == ("touched", "watch")
        decider.observe(asked, prefix_full=1_000 + k)


@pytest.mark.parametrize(
    ("outside", "elsewhere", "at", "level"),
    [(1, 0, EXIT, "touched"), (1, 1, EXIT, "joining"), (2, 1, EXIT, "touched"),
     (1, 1, 0, "touched")],
)  # fmt: skip
def test_one_who_carries_the_template_elsewhere_leaves_it_the_campaigns_own_at_its_address(
    outside, elsewhere, at, level
):
    """Of so few carriers one would be more than two of a hundred. What the new account must share
    with nobody but members is the template at that address."""
    made = snapshot()
    template = replace(made.templates[0], inside=24, outside=outside, elsewhere=elsewhere)
    held = replace(made, templates=(template, made.templates[1]))
    held = snapshot_from_payload(json.loads(json.dumps(snapshot_payload(held))))
    assert guard(held).decide(framed("new", T0, h_prefix=at)).level == level


def test_a_snapshot_of_before_it_was_told_who_is_elsewhere_is_read():
    value = snapshot_payload(snapshot())
    value["templates"] = [row[:4] for row in value["templates"]]
    assert snapshot_from_payload(value).templates == snapshot().templates


def test_template_and_card_make_joined_also_where_they_come_one_after_the_other():
    decider = guard()
    spend(decider)
    assert decider.decide(framed("honest-old", T0 + HOUR)).level == "touched"
    decision = decider.decide(request("honest-old", T0 + HOUR + 1, links={"payment": "card-1"}))
    assert (decision.verdict, decision.level) == ("throttle", "joined")
    later = decider.decide(request("honest-old", T0 + HOUR + 2))
    assert (later.verdict, later.level) == ("throttle", "joined")


def test_joining_lapses():
    decider = guard()
    decider.decide(framed("new", T0, links={"payment": "card-1"}))
    assert decider.decide(request("new", T0 + 71 * HOUR)).level == "joined"
    assert decider.decide(request("new", T0 + 72 * HOUR)).verdict == "allow"


def test_who_joined_and_is_judged_clear_by_a_later_scan_is_let_go():
    decider = guard()
    decider.decide(framed("new", T0, h_prefix=EXIT))
    assert decider.decide(request("new", T0 + 1)).level == "joining"
    decider.load(snapshot(version=2, known=frozenset({subject_key(SALT, "new")})), Orders())
    assert decider.decide(request("new", T0 + 2)).verdict == "allow"


def test_evidence_for_two_campaigns_does_not_add_up():
    made = snapshot()
    other = Pursuit("c-2", (), 10.0)
    marks = (made.marks[0], replace(made.marks[1], campaign=1), replace(made.marks[2], campaign=1))
    decider = guard(replace(made, campaigns=(made.campaigns[0], other), marks=marks))
    decision = decider.decide(framed("new", T0, h_prefix=EXIT, links={"payment": "card-1"}))
    assert decision.level == "touched"


# 3. Direct evidence.


def test_a_conversation_taken_over_is_seen_and_one_of_ones_own_is_not():
    decider = guard()
    decider.observe(request("bad-1", T0), prefix_full=77)
    assert decider.matches(request("other", T0 + 1, prefix_before=77)) == {0: EVIDENCE["handoff"]}
    assert decider.matches(request("bad-1", T0 + 1, prefix_before=77)) == {}
    decider.observe(request("tester", T0 + 2), prefix_full=77)  # a public evaluation, say
    assert decider.matches(request("tester", T0 + 3, prefix_before=77)) == {}
    assert decider.decide(framed("other", T0 + 4, prefix_before=77)).level == "joined"


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "ok"])
def test_a_call_that_failed_makes_nobody_the_owner_of_a_conversation(status):
    """It costs nothing: whoever was stopped on the first try would pass on the second."""
    decider = guard()
    decider.observe(request("bad-1", T0), prefix_full=77)
    taken = request("other", T0 + 1, prefix_before=77)
    for k in range(5):  # of five organizations it would be a public one
        decider.observe(request(f"other-{k}", T0 + 1, prefix_before=77), status=status)
    decider.observe(taken, status=status)
    assert decider.matches(taken) == {0: EVIDENCE["handoff"]}
    decider.observe(taken)
    assert decider.matches(taken) == {}


@pytest.mark.parametrize("status", STATUSES)
def test_only_what_the_model_answered_can_be_gone_on_from(status):
    decider = guard()
    decider.observe(request("bad-1", T0), status=status, prefix_full=77, h_blob=88, h_response=99)
    answered = status in ("ok", "refused")
    for given, kind in (
        ({"prefix_before": 77}, "handoff"), ({"h_blob": 88}, "blob_replay"),
        ({"h_previous": 99}, "handoff"),
    ):  # fmt: skip
        found = decider.matches(request("other", T0 + 1, **given))
        assert found == ({0: EVIDENCE[kind]} if answered else {})


def test_a_blob_sent_in_a_call_that_failed_stays_somebody_elses():
    decider = guard()
    decider.observe(request("bad-1", T0), h_blob=88)
    decider.observe(request("other", T0 + 1, h_blob=88), status="client_error", h_blob=88)
    assert decider.matches(request("other", T0 + 2, h_blob=88)) == {0: EVIDENCE["blob_replay"]}


def test_a_conversation_of_many_organizations_is_a_public_one():
    decider = guard()
    decider.observe(request("bad-1", T0), prefix_full=77)
    for k in range(4):
        decider.observe(request(f"org-{k}", T0 + k), prefix_full=77)
    assert decider.matches(request("other", T0 + 9, prefix_before=77)) == {}


def test_a_replayed_blob_and_a_retried_prompt_are_seen():
    decider = guard()
    decider.observe(request("bad-1", T0), h_blob=88)
    decider.observe(request("bad-2", T0, h_payload=99, user_tokens=9), status="rate_limited")
    assert decider.matches(request("x", T0 + 1, h_blob=88)) == {0: EVIDENCE["blob_replay"]}
    assert decider.matches(request("x", T0 + 1, h_payload=99)) == {0: EVIDENCE["retry"]}
    late = request("x", T0 + 601 * 1_000_000, h_payload=99)
    assert decider.matches(late) == {}


def test_what_the_guard_itself_refuses_counts_as_refused():
    decider = guard(ordered("deny"))
    decider.decide(request("bad-1", T0, h_payload=99, user_tokens=9))
    assert decider.matches(request("x", T0 + 1, h_payload=99)) == {0: EVIDENCE["retry"]}


@pytest.mark.parametrize(("tokens", "found"), [(7, {}), (8, {0: EVIDENCE["retry"]})])
def test_a_short_prompt_that_was_refused_is_anybodys(tokens, found):
    """Everybody sends "continue": such a prompt must tie nobody to a campaign."""
    decider = guard(ordered("deny"))
    decider.decide(request("bad-1", T0, h_payload=99, user_tokens=tokens))
    decider.observe(request("bad-1", T0, h_payload=98, user_tokens=tokens), status="denied")
    for payload in (98, 99):
        assert decider.matches(request("x", T0 + 1, h_payload=payload)) == found


def test_near_duplicates_need_their_length():
    bands = (BAND, *[0] * 7)
    assert guard().matches(request(bands=bands)) == {0: EVIDENCE["near_text"]}


def test_books_are_seeded_from_the_snapshot():
    seed = Seed("handoff", 55, org_key(SALT, "bad-1", None), 0, T0 - HOUR)
    decider = guard(snapshot(seeds=(seed,)))
    assert decider.matches(request("x", T0, prefix_before=55)) == {0: EVIDENCE["handoff"]}


# 4. Permits, access, verification.

PERMIT = {
    "permit_id": "p-1", "account_id": "bad-1", "org_id": None, "plan": None,
    "methods": ["synthetic_data"], "models": ["m-1"], "max_output_tokens_per_day": 1_000,
    "valid_from_us": T0 - HOUR, "valid_until_us": T0 + 100 * HOUR,
}  # fmt: skip


def test_a_permit_allows_inside_its_scope_and_nothing_beyond():
    decider = guard(replace(ordered("deny", hours=500), permits=(keyed_permit(SALT, PERMIT),)))
    inside = decider.decide(request("bad-1", T0, model="m-1"))
    assert (inside.verdict, inside.reasons) == ("allow", ("permit p-1 covers it",))
    assert decider.decide(request("bad-1", T0, model="m-2")).verdict == "deny"
    assert decider.decide(request("bad-1", T0 + 100 * HOUR, model="m-1")).verdict == "deny"
    assert decider.decide(request("bad-2", T0, model="m-1")).verdict == "deny"
    decider.observe(request("bad-1", T0, model="m-1"), output_tokens=1_000)
    assert decider.decide(request("bad-1", T0 + 1, model="m-1")).verdict == "deny"
    assert decider.decide(request("bad-1", T0 + 24 * HOUR, model="m-1")).verdict == "allow"


def capped(**more):
    return replace(ordered("deny"), permits=(keyed_permit(SALT, {**PERMIT, **more}),))


def test_what_is_outside_of_a_permit_uses_up_none_of_it():
    decider = guard(capped())
    decider.observe(request("bad-1", T0, model="m-2"), output_tokens=5_000)
    decider.observe(request("bad-1", T0 - 2 * HOUR, model="m-1"), output_tokens=5_000)
    assert decider.decide(request("bad-1", T0, model="m-1")).verdict == "allow"


def test_a_permits_tokens_are_told_on_and_counted_with_those_of_other_nodes():
    decider, records = guard(capped()), []
    decider.on_record = records.append
    decider.observe(request("bad-1", T0, model="m-1"), output_tokens=600)
    other = guard(capped())
    for record in records:
        other.apply(record)
    asked = request("bad-1", T0 + 1, model="m-1")
    for made in (decider, other):
        assert made.decide(asked).verdict == "allow"
        ((place, used),) = made.permit_tokens.items()
        assert used == 600
        made.permit_tokens_elsewhere = {place: 399}
        assert made.decide(asked).verdict == "allow"
        made.permit_tokens_elsewhere = {place: 400}
        assert made.decide(asked).verdict == "deny"


def test_a_permits_tokens_survive_a_restart(tmp_path):
    decider, journal = guard(capped()), Journal(tmp_path)
    decider.on_record = journal.note
    decider.observe(request("bad-1", T0, model="m-1"), output_tokens=(1 << 64) - 1)
    journal.flush(decider.numbers)
    again = guard(capped())
    assert again.decide(request("bad-1", T0, model="m-1")).verdict == "allow"
    Journal(tmp_path).restore(again)
    assert again.permit_tokens == decider.permit_tokens
    assert again.decide(request("bad-1", T0, model="m-1")).verdict == "deny"


def test_of_two_permits_the_one_that_was_used_is_charged():
    first, second = keyed_permit(SALT, PERMIT), keyed_permit(SALT, {**PERMIT, "permit_id": "p-2"})
    decider = guard(replace(ordered("deny"), permits=(first, second)))
    for _ in range(2):
        decision = decider.decide(request("bad-1", T0, model="m-1"))
        decider.observe(request("bad-1", T0, model="m-1"), output_tokens=1_000)
    assert decision.reasons == ("permit p-2 covers it",)
    assert decider.decide(request("bad-1", T0, model="m-1")).verdict == "deny"


def test_a_permit_of_an_organization_or_of_all_holds_too():
    for permit in (
        {**PERMIT, "account_id": None, "org_id": "org-9"},
        {**PERMIT, "account_id": None, "org_id": "*", "plan": "enterprise"},
    ):
        decider = guard(replace(ordered("deny"), permits=(keyed_permit(SALT, permit),)))
        asked = request("bad-1", T0, model="m-1", org_id="org-9", plan="enterprise")
        assert decider.decide(asked).verdict == "allow"
        assert decider.decide(request("bad-1", T0, model="m-1")).verdict == "deny"


def test_ownership_is_a_policy_of_its_own_and_no_accusation():
    ladder = Ladder(mode="enforce", access_restricted="deny", step_up_url="https://v.example")
    access = {subject_key(SALT, "shell"): "restricted", subject_key(SALT, "vague"): "undetermined"}
    decider = guard(snapshot(ladder, access=access))
    decision = decider.decide(request("shell"))
    assert (decision.verdict, decision.campaign_id) == ("deny", None)
    assert decision.reasons == ("ownership policy: access is restricted",)
    assert decider.decide(request("vague")).verdict == "step_up"


def test_who_has_passed_verification_is_not_stepped_up_again():
    decider = guard(ordered("step_up", hours=9_000))
    assert decider.decide(request("bad-1", T0)).verdict == "step_up"
    decider.verify("bad-1", None, T0)
    assert decider.decide(request("bad-1", T0 + HOUR)).verdict == "watch"


# 5. Shadow, canary, kill switch, undo.


def test_shadow_says_what_it_would_do_and_does_nothing():
    made = replace(ordered("deny"), ladder=Ladder().as_dict())
    decision = guard(made).decide(request("bad-1"))
    assert (decision.verdict, decision.would, decision.mode) == ("watch", "deny", "shadow")


def test_off_allows_everything():
    decision = guard(ordered("deny"), Orders(mode="off")).decide(request("bad-1"))
    assert (decision.verdict, decision.would) == ("allow", "deny")


def test_a_canary_takes_its_share_of_accounts_and_always_the_same():
    many = {subject_key(SALT, f"bad-{k}"): 0 for k in range(4_000)}
    made = replace(ordered("deny"), accused=many)
    denied = []
    for _ in range(2):
        decider = guard(made, Orders(canary_percent=10.0))
        denied.append(
            {k for k in range(4_000) if decider.decide(request(f"bad-{k}")).verdict == "deny"}
        )
    assert denied[0] == denied[1]
    assert 320 <= len(denied[0]) <= 480


@pytest.mark.parametrize(
    "undo",
    [
        Undo("account", f"{subject_key(SALT, 'bad-1'):016x}", "R. Doe", T0),
        Undo("campaign", "c-1", "R. Doe", T0),
        Undo("since", str(T0 - 5), "R. Doe", T0 + 5),
    ],
    ids=["account", "campaign", "since"],
)
def test_undo_of_an_account_a_campaign_and_everything_since(undo):
    decider = guard(ordered("deny"))
    assert decider.decide(request("bad-1")).verdict == "deny"
    decider.load(ordered("deny"), Orders().with_undo(undo))
    assert decider.decide(request("bad-1")).verdict == "allow"
    other = decider.decide(request("bad-2")).verdict
    assert other == ("deny" if undo.kind == "account" else "allow")


def test_undo_of_a_channel_account_reaches_its_end_users():
    made = ordered("deny")
    made = replace(
        made,
        accused={**made.accused, subject_key(SALT, "channel", "eu-1"): 0},
        channels=frozenset({subject_key(SALT, "channel")}),
    )
    asked = request("channel", end_user_id="eu-1")
    decider = guard(made)
    assert decider.decide(asked).verdict == "deny"
    undo = Undo("account", f"{subject_key(SALT, 'channel'):016x}", "R. Doe", T0)
    decider.load(made, Orders().with_undo(undo))
    assert decider.decide(asked).verdict == "allow"
    assert decider.decide(request("bad-1")).verdict == "deny"


def test_undo_since_leaves_what_was_decided_before_and_after():
    for at in (T0 - 100, T0 + 100):
        orders = Orders().with_undo(Undo("since", str(at - 10), "R. Doe", at + 10))
        assert guard(ordered("deny"), orders).decide(request("bad-1")).verdict == "deny"


def test_undo_since_lets_go_who_joined_then():
    decider = guard()
    decider.decide(framed("new", T0, links={"payment": "card-1"}))
    undo = Undo("since", str(T0 - 1), "R. Doe", T0 + 1)
    decider.load(snapshot(created_us=T0 - HOUR), Orders().with_undo(undo))
    assert decider.decide(request("new", T0 + 2)).verdict == "allow"


def test_who_joined_and_was_let_go_does_not_join_again_by_what_was_taken_back():
    decider = guard()
    decider.decide(framed("new", T0, links={"payment": "card-1"}))
    undo = Undo("since", str(T0 - 1), "R. Doe", T0 + 1)
    decider.load(snapshot(created_us=T0 - HOUR), Orders().with_undo(undo))
    assert decider.decide(framed("new", T0 + 2)).level == "touched"
    assert decider.decide(request("new", T0 + 3)).verdict == "allow"
    # What it does from then on counts as anybody's.
    assert decider.decide(framed("new", T0 + 4, links={"payment": "card-1"})).level == "joined"


def test_who_joined_by_a_clock_that_ran_ahead_is_not_held_until_it_is_that_time():
    decider = guard()
    decider.decide(framed("new", T0 + 900 * HOUR, links={"payment": "card-1"}))
    assert decider.decide(request("new", T0)).verdict == "allow"


# 6. State.


def test_a_guard_may_hear_of_any_number_of_campaigns():
    """Numbers only rise; beyond 65,535 each request with evidence used to fail, and so pass."""
    decider = guard()
    decider.numbers.update({f"old-{k}": k for k in range(2, 1_100_000)})
    made = snapshot()
    later = replace(made, version=2, campaigns=(replace(made.campaigns[0], campaign_id="c-new"),
                                                made.campaigns[1]))  # fmt: skip
    decider.load(later, Orders())
    decider.observe(request("bad-1", T0), prefix_full=77)
    for k in range(1_100):
        decider.decide(framed(f"new-{k}", T0))
    asked = framed("joins", T0, prefix_before=77)
    decision = decider.decide(asked)
    assert (decision.campaign_id, decision.level) == ("c-new", "joined")
    assert set(decision.evidence) == {"frame", "handoff"}
    assert {campaign for _, campaign, _ in decider.suspects.items()} == {decider.numbers["c-new"]}


def test_no_two_decisions_have_the_same_id():
    decider = guard(ordered("deny"))
    names = [decider.decide(request("bad-1", T0 + k)).decision_id for k in range(50)]
    assert len({*names, decider.name_next()}) == 51


def test_a_new_snapshot_keeps_budgets_and_joiners_of_campaigns_that_moved():
    decider = guard()
    spend(decider)
    decider.decide(framed("new", T0, links={"payment": "card-1"}))
    made = snapshot()
    moved = replace(
        made, version=2, campaigns=made.campaigns[::-1],
        accused={k: 1 for k in made.accused}, templates=(), marks=(),
    )  # fmt: skip
    decider.load(moved, Orders())
    assert decider.decide(request("bad-1", T0 + HOUR)).verdict == "throttle"
    assert decider.decide(request("new", T0 + HOUR)).campaign_id == "c-1"


def test_a_clock_that_jumps_back_an_hour_frees_no_budget_and_breaks_nothing():
    decider = guard()
    spend(decider, at_us=T0 + HOUR)
    back = [decider.decide(request("bad-1", T0 + k)) for k in range(5)]
    assert {d.verdict for d in back} == {"throttle"}
    assert decider.decide(request("someone", T0)).verdict == "allow"


def test_books_are_bounded_and_say_what_they_lost():
    decider = guard()
    for k in range(1, 3_001):
        decider.observe(request("honest", T0 + k), prefix_full=k)
        decider.decide(framed(f"new-{k}", T0 + k))
    assert len(decider.conversations) == 1_000
    assert decider.conversations.evicted == 2_000
    assert len(decider.suspects) == 1_000
    assert decider.suspects.evicted == 2_000


def test_a_channel_account_is_judged_by_its_end_users():
    made = snapshot(accused={subject_key(SALT, "reseller", "eu-1"): 0})
    decider = guard(made)
    assert decider.decide(request("reseller", end_user_id="eu-1")).level == "member"
    assert decider.decide(request("reseller", end_user_id="eu-2")).verdict == "allow"
    assert decider.decide(request("reseller")).verdict == "allow"


def test_text_and_features_decide_alike():
    decider = guard()
    text = "word " * 20
    exchange = {"messages": [{"role": "user", "content": text}]}
    decision = decider.decide_text(Origin(T0, "bad-1", ip="192.0.2.7"), exchange)
    assert decision.level == "member"


def test_a_snapshot_survives_its_json():
    made = ordered("deny")
    assert snapshot_from_payload(json.loads(json.dumps(snapshot_payload(made)))) == made


def test_deciding_loads_neither_arrow_nor_an_engine():
    code = (
        "import sys, stillwatch.guard as g, stillwatch.guard.asgi, stillwatch.guard.server\n"
        "g.request_of_text(g.Origin(1, 'a', ip='192.0.2.1'),"
        " {'messages': [{'role': 'user', 'content': 'some words to look at'}]})\n"
        "print([m for m in ('duckdb', 'pyarrow', 'pandas', 'numpy', 'hyperscan')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
