"""What the queue says of a case, and what a page of it holds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stillwatch.cases import (
    Order,
    appeal,
    approve,
    assign,
    close_case,
    decide,
    decided_on,
    in_force,
    last_entry,
    page_members,
    read_entries,
    read_lines,
    read_rulings,
    resolve,
    undo,
    verdict_of,
)
from stillwatch.cases.integrity import links_of


@pytest.fixture
def line(book, case, noon):
    def read(**span):
        return next(x for x in read_lines(book, now=noon + timedelta(**span)) if x.case_id == case)

    return read


def test_a_case_is_new_until_something_is_decided(book, order, terms, noon, line):
    assert (line().why, line().change, line().accounts, line().accused) == ("new", "new", 5, 4)
    made = decide(book, order("throttle"), terms=terms, now=noon)
    held = line()
    assert (held.why, held.verdict, held.until) == ("decided", "throttle", made.expires)
    assert line(days=29, hours=1).why == "lapses"
    assert line(days=31).why == "lapsed"
    assert line(days=31).verdict is None


def test_growth_after_a_decision_brings_a_case_back(
    book, order, terms, noon, line, bring, campaign
):
    decide(book, order("throttle"), terms=terms, now=noon)
    core = ["a1", "a2", "a3", "a4", "a5"]
    bring(campaign("c-2", core, periphery=["p1"]), now=noon + timedelta(hours=1))
    held = line(hours=2)
    assert (held.why, held.change, held.accused, held.campaign_id) == ("grew", "grew", 5, "c-2")
    decide(book, order("throttle"), terms=terms, now=noon + timedelta(hours=3))
    assert line(hours=4).why == "decided"


def test_a_split_case_says_from_which(book, bring, campaign, case, noon):
    bring(campaign("c-2", ["a1", "a2"]), campaign("c-3", ["a3"]), now=noon + timedelta(hours=1))
    lines = {x.case_id: x for x in read_lines(book, now=noon + timedelta(hours=2))}
    (off,) = (x for x in lines.values() if x.split_from)
    assert (off.why, off.split_from, lines[case].change) == ("split", case, "shrank")


def test_waiting_for_a_second_person_comes_before_new_and_after_appeals(
    book, bring, campaign, terms, noon
):
    many = [f"m{i:02d}" for i in range(30)]
    seen = bring(campaign("c-1", many), campaign("c-2", ["x1", "x2"]), campaign("c-3", ["y1"]))
    ids = {s.campaign_id: s.case_id for s in seen}

    def order(campaign_id, verdict):
        return Order(ids[campaign_id], None, verdict, "relay", "Ada")

    waits = decide(book, order("c-1", "deny"), terms=terms, now=noon)
    made = decide(book, order("c-2", "throttle"), terms=terms, now=noon)
    held = appeal(book, made.id, "x1", by="Xi", terms=terms, now=noon)
    lines = read_lines(book, now=noon)
    assert [(x.case_id, x.why) for x in lines] == [
        (ids["c-2"], "appeal"), (ids["c-1"], "pending"), (ids["c-3"], "new")]  # fmt: skip
    assert lines[0].appeal_due == held.due
    approve(book, waits.id, by="Bo", terms=terms, now=noon)
    resolve(book, held.id, upheld=True, by="Cy", reason="known", now=noon)
    undo(book, [made.id], by="Ada", remark="", now=noon)
    after = {x.case_id: x.why for x in read_lines(book, now=noon)}
    assert after[ids["c-1"]] == "decided"
    assert after[ids["c-2"]] == "reopened"
    close_case(book, ids["c-3"], reason="a class", by="Ada", now=noon)
    assert read_lines(book, now=noon)[-1].why == "closed"


def test_rulings_say_what_decisions_say(book, order, terms, noon, case):
    one = decide(book, order("throttle", ("a1", "a2")), terms=terms, now=noon)
    two = decide(book, order("deny", ("a2",)), terms=terms, now=noon)
    undo(book, [one.id], by="Bo", remark="", now=noon)
    last, second, first = read_rulings(book, case)
    assert (first.id, first.accounts, first.undone_by) == (one.id, 2, last.id)
    assert (second.id, second.scope, second.subject) == (two.id, "account", "a2")
    assert last.undoes == one.id
    assert [r.stands(noon) for r in (last, second, first)] == [False, True, False]
    assert set(in_force(book, terms=terms, now=noon)) == {"a2"}
    assert [r.id for r in verdict_of(book, "a2", now=noon) if not r.undoes] == [two.id, one.id]
    assert set(decided_on(book, ["a1", "a2", "zz"])) == {"a1", "a2"}


def test_members_come_in_pages(book, case):
    rows, total = page_members(book, case, first=0, most=2)
    rest, _ = page_members(book, case, first=2, most=10)
    assert total == 5
    assert [r[0] for r in [*rows, *rest]] == ["a1", "a2", "a3", "a4", "p1"]
    accused, n = page_members(book, case, first=0, most=10, standing="accused")
    assert (n, len(accused)) == (4, 4)


def test_the_history_of_a_case_is_its_entries_of_the_chain(book, order, terms, noon, case):
    assign(book, case, to="Bo", by="Ada", now=noon)
    made = decide(book, order("throttle", remark="odd"), terms=terms, now=noon)
    appeal(book, made.id, "a1", by="Xi", terms=terms, now=noon)
    entries = read_entries(book, case)
    with book.reading() as connection:
        links = {link.number: link for link in links_of(connection)}
    assert [e.number for e in entries] == sorted(links, reverse=True)
    for entry in entries:
        assert entry.digest == links[entry.number].own
        assert entry.kind == links[entry.number].value["kind"]
    told = " | ".join(f"{e.by}: {e.text}" for e in entries)
    for words in ("Ada: assigned to Bo", "Ada: note: decision-2: odd", "throttle on 1 account",
                  "a scan: saw it: new", "against decision-2"):  # fmt: skip
        assert words in told
    assert last_entry(book) == max(links)


def test_another_cases_entries_stay_out(book, bring, campaign, noon):
    seen = bring(campaign("c-1", ["a1", "a2"]), campaign("c-2", ["b1", "b2"]))
    one, two = (s.case_id for s in seen)
    assign(book, two, to="Bo", by="Ada", now=noon)
    assert [e.kind for e in read_entries(book, one)] == ["case.seen"]
    assert {e.kind for e in read_entries(book, two)} == {"case.seen", "case.assigned"}
