"""Which campaigns are let go as a whole when decisions on their case are undone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stillwatch.cases import close_case, decide, effects, read_decisions, undo


@pytest.fixture
def let_go(book, terms):
    return lambda now: {
        r["campaign_id"]: r["core"] for r in effects(book, terms=terms, now=now)["let_go_campaigns"]
    }


@pytest.fixture
def undone(book, order, terms, noon, later):
    """Decide on these accounts (None: all accused) and undo all of it an hour later."""

    def make(*each):
        for accounts in each:
            decide(book, order(accounts=accounts), terms=terms, now=noon)
        ids = [d.id for d in read_decisions(book)]
        undo(book, ids, by="Bo", remark="", now=later(hours=1))

    return make


def test_an_undone_case_is_let_go_as_a_whole_until_the_decision_would_have_ended(
    undone, let_go, later
):
    undone(None)
    assert let_go(later(hours=2)) == {"c-1": ["a1", "a2", "a3", "a4"]}
    assert let_go(later(days=30)) == {}


def test_an_undone_decision_on_one_account_lets_that_one_go_and_no_campaign(undone, let_go, later):
    undone(("a1",))
    assert let_go(later(hours=2)) == {}


def test_decisions_that_covered_all_in_parts_let_the_whole_go(undone, let_go, later):
    undone(("a1", "a2"), ("a3", "a4"))
    assert list(let_go(later(hours=2))) == ["c-1"]


def test_what_still_stands_keeps_the_campaign(book, undone, order, terms, let_go, later):
    undone(None)
    decide(book, order("throttle", accounts=("a2",)), terms=terms, now=later(hours=2))
    assert let_go(later(hours=3)) == {}


def test_late_joiners_and_what_splits_off_later_are_let_go_too(
    bring, campaign, undone, let_go, later
):
    undone(None)
    at = later(hours=2)
    bring(campaign("c-9", ["a1", "a2", "a3", "a4", "late"]), now=at)
    assert let_go(at) == {"c-9": ["a1", "a2", "a3", "a4", "late"]}
    at = at + timedelta(hours=1)
    bring(campaign("c-10", ["a1", "a2", "a3"]), campaign("c-11", ["a4", "late"]), now=at)
    assert let_go(at) == {"c-10": ["a1", "a2", "a3"], "c-11": ["a4", "late"]}


def test_a_closed_case_is_let_go_while_its_evidence_is_the_same(
    book, case, bring, campaign, let_go, later
):
    close_case(book, case, reason="a class of students", by="Bo", now=later(hours=1))
    assert let_go(later(hours=2)) == {"c-1": []}
    bring(campaign("c-2", ["a1", "a2", "a3", "a4", "a5"]), now=later(hours=3))
    assert list(let_go(later(hours=4))) == ["c-1"]


def test_a_closed_case_whose_decision_runs_is_not_let_go(book, case, order, terms, let_go, later):
    decide(book, order(), terms=terms, now=later(minutes=1))
    close_case(book, case, reason="done", by="Bo", now=later(hours=1))
    assert let_go(later(hours=2)) == {}
