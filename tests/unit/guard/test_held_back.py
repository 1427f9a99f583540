"""What holds a verdict back: permits, verification, shadow, canary, kill switch, undo."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.guard import Orders, Undo
from stillwatch.guard.journal import Journal
from stillwatch.policy import Ladder
from stillwatch.schema.snapshot import (
    keyed_permit,
    subject_key,
)

from .conftest import (
    HOUR,
    PERMIT,
    SALT,
    T0,
    framed,
    guard,
    ordered,
    request,
    snapshot,
)


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
