"""Appeals: the clock, the second person, and what follows from one that is upheld."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stillwatch.cases import (
    appeal,
    approve,
    decide,
    effects,
    in_force,
    note_indicator,
    note_sighting,
    read_appeals,
    read_sightings,
    resolve,
    settle,
    undo,
)
from stillwatch.errors import ConfigError, NotPermitted

HOUR = timedelta(hours=1)


@pytest.fixture
def decision(book, order, terms, noon):
    return decide(book, order(accounts=("a1", "a2")), terms=terms, now=noon)


@pytest.fixture
def made(book, decision, terms, noon):
    return appeal(book, decision.id, "a1", by="the customer", terms=terms, now=noon + HOUR)


@pytest.fixture
def verdicts(book, terms):
    return lambda now: {a: v.verdict for a, v in in_force(book, terms=terms, now=now).items()}


def test_an_appeal_has_a_clock(made, noon):
    assert made.state == "open"
    assert made.due == noon + HOUR + timedelta(hours=72)


@pytest.mark.parametrize("name", ["Ada", "ada", " ADA ", "A\u200bda", "Ａｄａ", "Ada\u0007"])
def test_the_decider_cannot_hear_the_appeal(book, made, name, noon):
    for upheld in (True, False):
        with pytest.raises(NotPermitted, match="no part in the decision"):
            resolve(book, made.id, upheld=upheld, by=name, reason="x", now=noon + 2 * HOUR)
    assert read_appeals(book)[0].state == "open"


def test_nor_the_approver_nor_the_appellant_nor_a_rule(book, bring, campaign, terms, noon):
    from stillwatch.cases import Order

    (seen,) = bring(campaign("c-8", [f"m{n}" for n in range(30)]))
    order = Order(seen.case_id, None, "deny", "relay", "Ada")
    pending = decide(book, order, terms=terms, now=noon)
    with pytest.raises(ConfigError, match="no notice"):
        appeal(book, pending.id, "m1", by="customer", terms=terms, now=noon)
    approve(book, pending.id, by="Bo", terms=terms, now=noon)
    held = appeal(book, pending.id, "m1", by="Customer", terms=terms, now=noon)
    for name in ("Bo", "customer"):
        with pytest.raises(NotPermitted, match="no part"):
            resolve(book, held.id, upheld=True, by=name, reason="x", now=noon)
    with pytest.raises(ConfigError, match="person"):
        resolve(book, held.id, upheld=False, by="rule:auto", reason="x", now=noon)


def test_a_rejected_appeal_leaves_the_decision(book, made, noon, verdicts):
    held = resolve(book, made.id, upheld=False, by="Cy", reason="seen again", now=noon + 2 * HOUR)
    assert (held.state, held.resolved_by, held.outcome) == ("rejected", "Cy", "seen again")
    assert verdicts(noon + 100 * HOUR) == {"a1": "deny", "a2": "deny"}
    with pytest.raises(NotPermitted, match="rejected"):
        resolve(book, made.id, upheld=True, by="Cy", reason="x", now=noon + 2 * HOUR)


def test_when_the_clock_runs_out_the_decision_relaxes_without_anyone_doing_anything(
    book, made, noon, verdicts
):
    assert verdicts(made.due - HOUR) == {"a1": "deny", "a2": "deny"}
    assert verdicts(made.due) == {"a1": "watch", "a2": "deny"}
    with pytest.raises(NotPermitted, match="run out"):
        resolve(book, made.id, upheld=False, by="Cy", reason="too late", now=made.due)
    (over,) = settle(book, now=made.due)
    assert over.state == "lapsed"
    assert settle(book, now=made.due) == []
    assert verdicts(made.due) == {"a1": "watch", "a2": "deny"}


def test_setting_the_clock_back_revives_nothing(book, made, noon, verdicts):
    settle(book, now=made.due)
    assert verdicts(noon) == {"a1": "watch", "a2": "deny"}


def test_it_can_still_be_upheld_late(book, made, verdicts):
    resolve(book, made.id, upheld=True, by="Cy", reason="a class", now=made.due + HOUR)
    assert verdicts(made.due + HOUR) == {"a2": "deny"}


def test_an_appeal_comes_in_time_once_and_from_whom_it_touches(book, decision, terms, noon):
    with pytest.raises(ConfigError):
        appeal(book, decision.id, "a3", by="x", terms=terms, now=noon)
    with pytest.raises(ConfigError):
        appeal(book, decision.id, "a1", by=" ", terms=terms, now=noon)
    with pytest.raises(NotPermitted, match="over"):
        appeal(book, decision.id, "a1", by="x", terms=terms, now=noon + timedelta(days=30, hours=1))
    late = noon + timedelta(days=30, hours=2)
    appeal(book, decision.id, "a2", by="x", terms=terms, now=noon)
    with pytest.raises(NotPermitted, match="already"):
        appeal(book, decision.id, "a2", by="x", terms=terms, now=noon)
    assert late > noon


def test_upholding_restores_the_account_and_tells_everyone(book, case, made, terms, noon, verdicts):
    shared = note_indicator(book, case, kind="frame", value_digest="sha256:00", now=noon + HOUR)
    seen = note_sighting(book, case, indicator=shared, band="1-9", now=noon + HOUR)
    resolve(book, made.id, upheld=True, by="Cy", reason="a class", now=noon + 2 * HOUR)
    assert verdicts(noon + 2 * HOUR) == {"a2": "deny"}
    held = effects(book, terms=terms, now=noon + 2 * HOUR)
    assert [v["account_id"] for v in held["verdicts"]] == ["a2"]
    assert held["corrections"] == [
        {"account_id": "a1", "campaign_id": "c-1", "case_id": case, "appeal_id": made.id}
    ]
    assert held["labels"] == [{"account_id": "a1", "case_id": case, "label": "false"}]
    assert held["withdrawn_sightings"] == [{"sighting_id": seen, "indicator": shared}]
    assert read_sightings(book)[1][0].state == "withdrawn"
    half_a_year = effects(book, terms=terms, now=noon + timedelta(days=180, hours=2))
    assert half_a_year["corrections"] == []


def test_what_was_overturned_is_not_decided_again_on_the_same_evidence(
    book, made, order, terms, noon, bring, campaign
):
    now = noon + 2 * HOUR
    resolve(book, made.id, upheld=True, by="Cy", reason="a class", now=now)
    with pytest.raises(NotPermitted, match="this very evidence"):
        decide(book, order(accounts=("a1",)), terms=terms, now=now)
    assert decide(book, order(accounts=("a3",)), terms=terms, now=now).verdict == "deny"
    assert decide(book, order("watch", accounts=("a1",)), terms=terms, now=now).verdict == "watch"
    bring(campaign("c-1", ["a1", "a2", "a3", "a4"], exchanges=999), now=now)
    assert decide(book, order(accounts=("a1",)), terms=terms, now=now).verdict == "deny"


def test_an_undone_decision_stays_undone_whatever_the_appeal(book, decision, made, noon, verdicts):
    undo(book, [decision.id], by="Bo", remark="", now=noon + 2 * HOUR)
    resolve(book, made.id, upheld=False, by="Cy", reason="moot", now=noon + 2 * HOUR)
    assert verdicts(noon + 2 * HOUR) == {}


def test_a_reason_and_an_appeal_are_needed(book, made, noon):
    with pytest.raises(ConfigError, match="reason"):
        resolve(book, made.id, upheld=True, by="Cy", reason=" ", now=noon + HOUR)
    with pytest.raises(ConfigError, match="no such appeal"):
        resolve(book, "appeal-99", upheld=True, by="Cy", reason="x", now=noon + HOUR)


def test_a_decision_on_a_whole_case_is_an_action_on_its_present_campaign(
    book, bring, campaign, order, terms, noon
):
    def actions(now):
        return [(a["campaign_id"], a["verdict"], a["by"]) for a in
                effects(book, terms=terms, now=now)["actions"]]  # fmt: skip

    decide(book, order(accounts=("a1",)), terms=terms, now=noon)
    assert actions(noon) == []
    mild = decide(book, order("throttle", accounts=None), terms=terms, now=noon)
    strict = decide(book, order("deny", accounts=None, by="Bo"), terms=terms, now=noon)
    assert actions(noon) == [("c-1", "deny", "Bo")]
    bring(campaign("c-2", ["a1", "a2", "a3", "a4", "a5"]))
    assert actions(noon) == [("c-2", "deny", "Bo")]
    undo(book, [strict.id], by="Cy", remark="", now=noon)
    assert actions(noon) == [("c-2", "throttle", "Ada")]
    assert actions(mild.expires) == []
