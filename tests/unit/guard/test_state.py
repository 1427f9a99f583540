"""What a guard keeps between requests: bounded, through restarts and clocks that jump."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

from stillwatch.guard import Orders, Origin
from stillwatch.schema.snapshot import (
    snapshot_from_payload,
    snapshot_payload,
    subject_key,
)

from .conftest import (
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
