"""Who is acted upon, how far, and who never is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from stillwatch.guard import Orders
from stillwatch.policy import Ladder
from stillwatch.schema.snapshot import (
    EVIDENCE,
    Mark,
    Pursuit,
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
    spend,
)


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
