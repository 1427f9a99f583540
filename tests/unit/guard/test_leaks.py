"""Ways to spend more than one budget, or to be held for what nobody did; each was open once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.guard import (
    Capacity,
    Guard,
    Orders,
    Request,
    Service,
    Undo,
    write_orders,
    write_snapshot,
)
from stillwatch.guard.journal import Journal
from stillwatch.guard.server import Chores
from stillwatch.policy import Ladder
from stillwatch.schema.snapshot import EVIDENCE, Pursuit, subject_key

from .conftest import HOUR, SALT, T0, framed, guard, ordered, request, snapshot, spend
from .test_http import call, key, served

__all__ = ["key"]  # the fixture
THROTTLE = Ladder(mode="enforce")


def grown(made=None, *, version=2, names=("c-1a", "c-2"), more=("bad-3",), ladder=None):
    """The next scan: the campaign has one account more, and so another id."""
    made = made or snapshot()
    accused = {**made.accused, **{subject_key(SALT, name): 0 for name in more}}
    pursuits = tuple(replace(c, campaign_id=n) for c, n in zip(made.campaigns, names, strict=True))
    changes = {} if ladder is None else {"ladder": ladder.as_dict()}
    return replace(made, version=version, campaigns=pursuits, accused=accused, **changes)


# Budgets


def test_a_campaign_that_grew_and_so_has_another_id_gets_no_new_budget():
    decider = guard()
    spend(decider)
    for version, name in enumerate(("c-1a", "c-1b", "c-1c"), 2):
        decider.load(grown(version=version, names=(name, "c-2")), Orders())
        decided = decider.decide(request("bad-3", T0 + HOUR))
        assert (decided.verdict, decided.campaign_id) == ("throttle", name)


def test_what_was_seen_of_it_stays_and_a_roll_back_finds_it_too():
    decider = guard()
    spend(decider)
    decider.decide(framed("new", T0, links={"payment": "card-1"}))
    decider.load(grown(), Orders())
    bare = replace(grown(version=3), templates=(), marks=())
    decider.load(bare, Orders())
    assert decider.decide(request("new", T0 + HOUR)).campaign_id == "c-1a"
    decider.load(snapshot(), Orders())
    assert decider.decide(request("bad-1", T0 + HOUR)).verdict == "throttle"


def test_two_campaigns_never_share_a_number_whatever_scans_call_them():
    decider = guard()
    spend(decider)
    decider.load(grown(), Orders())
    both = grown(version=3, names=("c-1", "c-1a"))  # of the same number until now
    other = subject_key(SALT, "other")
    decider.load(replace(both, accused={**both.accused, other: 1}), Orders())
    assert decider.decide(request("bad-1", T0 + HOUR)).verdict == "throttle"
    assert decider.decide(request("other", T0 + HOUR)).verdict == "watch"


def test_a_stranger_with_few_of_its_accounts_carries_on_nothing():
    decider = guard()
    spend(decider)
    many = {subject_key(SALT, f"other-{k}"): 0 for k in range(9)}
    made = replace(snapshot(), version=2, campaigns=(Pursuit("c-9", (), 100.0),), templates=(),
                   marks=(), accused={**many, subject_key(SALT, "bad-1"): 0,
                                      subject_key(SALT, "bad-2"): 0})  # fmt: skip
    wide = replace(snapshot(), accused={**snapshot().accused, **{
        subject_key(SALT, f"old-{k}"): 0 for k in range(9)}})  # fmt: skip
    decider.load(wide, Orders())
    decider.load(made, Orders())
    assert decider.decide(request("bad-1", T0 + HOUR)).verdict == "watch"


def test_a_restart_after_the_id_has_changed_gives_no_new_budget_either(tmp_path):
    def begun(made):
        decider = Guard(made, capacity=Capacity(100, 100, 100, 100))
        journal = Journal(tmp_path, records_per_file=4)
        journal.restore(decider)
        decider.on_record = journal.note
        return decider, journal

    decider, journal = begun(snapshot())
    spend(decider)
    journal.flush(decider.numbers)
    for round_, name in enumerate(("c-1a", "c-1b", "c-1c"), 2):
        made = grown(version=round_, names=(name, "c-2"))
        decider.load(made, Orders())
        assert decider.decide(request("bad-1", T0 + HOUR)).verdict == "throttle"
        decider.verify(f"someone-{round_}", None, T0)  # something to write under the new name
        journal.flush(decider.numbers)
        journal.fold()
        decider, journal = begun(made)
        assert decider.decide(request("bad-1", T0 + HOUR)).verdict == "throttle"
        decider.verify(f"another-{round_}", None, T0)
        journal.flush(decider.numbers)
        journal.fold()
    decider, _ = begun(grown(version=9, names=("c-9", "c-2")))  # changed while nobody looked
    assert decider.decide(request("bad-1", T0 + HOUR)).verdict == "watch"


def test_an_undo_of_a_campaign_holds_although_the_next_scan_calls_it_otherwise(tmp_path, key):
    """Also over a restart; and it ends when it is withdrawn by the name that was undone."""
    first = Orders(version=1, mode="enforce").with_undo(Undo("campaign", "c-1", "R. Doe", T0))
    write_orders(tmp_path / "o.json", first, key)
    serving = {"orders": tmp_path / "o.json", "state": tmp_path / "state"}

    def verdict(service):
        return call(service, "/v1/decide", {"account_id": "bad-1"})[2]["verdict"]

    service = served(tmp_path, key, ordered("deny"), **serving)
    chores = Chores(service)
    assert verdict(service) == "allow"
    write_snapshot(service.serving.snapshot, grown(ordered("deny")), key)
    assert service.reload()
    assert verdict(service) == "allow"
    service.guard.verify("someone", None, T0)
    chores.journal.flush(service.guard.numbers)
    again = Service(service.serving, service.clock_us)
    Chores(again)
    assert verdict(again) == "allow"
    last = first.without_undo(Undo("campaign", "c-1", "R. Doe", T0 + 1))
    write_orders(tmp_path / "o.json", last, key)
    assert again.reload()
    assert verdict(again) == "deny"


@pytest.mark.parametrize("window_s", [3_600, 86_400])
def test_another_window_keeps_what_was_spent_in_it(window_s):
    decider = guard()
    spend(decider, at_us=T0)
    other = replace(THROTTLE, budget_window_s=window_s)
    decider.load(replace(snapshot(), version=2, ladder=other.as_dict()), Orders())
    hours = window_s // 3_600
    limit = 5 * hours
    left = max(0, limit - 30)
    verdicts = [decider.decide(request("bad-1", T0 + 1)).verdict for _ in range(left + 1)]
    assert verdicts == ["watch"] * left + ["throttle"]
    later = decider.decide(request("bad-1", T0 + (hours + 1) * HOUR))
    assert later.verdict == "watch"  # the new window has passed, whatever the old one was


def test_a_gateway_with_a_late_clock_turns_no_budget_back(tmp_path, key):
    """Twenty-four requests in a row by an old time look like a clock that came back."""
    service = served(tmp_path, key, snapshot(THROTTLE))

    def ask(behind_us):
        body = {"account_id": "bad-1", "ts": service.clock_us() - behind_us}
        return call(service, "/v1/decide", body)[2]["verdict"]

    while ask(0) == "watch":
        pass
    for _ in range(3):
        assert {ask(8 * HOUR) for _ in range(30)} == {"throttle"}
        assert ask(0) == "throttle"


# What nobody did


@pytest.mark.parametrize(
    ("orders", "seen"),
    [(Orders(mode="shadow"), {}), (Orders(canary_percent=0.0), {}), (Orders(mode="off"), {}),
     (Orders(), {0: EVIDENCE["retry"]})],
    ids=["shadow", "outside the canary", "off", "enforced"],
)  # fmt: skip
def test_a_prompt_that_was_answered_was_not_refused(orders, seen):
    """Whoever sends it elsewhere has not tried it again after a refusal."""
    decider = guard(ordered("deny"), orders)
    decider.decide(request("bad-1", T0, h_payload=99, user_tokens=9))
    assert decider.matches(request("x", T0 + 1, h_payload=99)) == seen


def test_evidence_of_a_clock_that_ran_ahead_holds_nobody_until_then():
    decider = guard()
    ahead = T0 + 30 * 24 * HOUR
    decider.decide(request("new", ahead, created_us=T0, links={"payment": "card-1"}))
    # The clock is right again: a copied template is one kind of evidence, not the second.
    assert decider.decide(framed("new", T0, created_us=0)).level == "touched"
    # And what is seen now counts from now.
    decider.decide(request("new", T0 + HOUR, links={"payment": "card-1"}))
    assert decider.decide(framed("new", T0 + HOUR, created_us=0)).level == "joined"


# Eviction


def test_a_flood_of_new_accounts_pushes_out_neither_the_denied_nor_who_joined_and_is_active():
    decider = guard(ordered("deny"))
    decider.decide(framed("joiner", T0, links={"payment": "card-1"}))
    room = decider.suspects.capacity
    for k in range(3 * room):
        at = T0 + k * 1_000
        decider.decide(framed(f"flood-{k}", at, created_us=0, links={"payment": "card-1"}))
        if k % (room // 2) == 0:
            active = framed("joiner", at, links={"payment": "card-1"})
            assert decider.decide(active).level == "joined"
    assert len(decider.joined) <= room
    assert len(decider.suspects) <= room
    assert decider.decide(request("bad-1", T0 + HOUR)).verdict == "deny"
    quiet = Request(T0 + HOUR, "joiner")
    assert decider.decide(quiet).level == "joined"
