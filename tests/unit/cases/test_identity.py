"""A case keeps its identity while its campaign grows, splits and merges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.cases import (
    close_case,
    match_campaigns,
    open_cases,
    read_case,
    read_cases,
    read_members,
    verify_book,
)
from stillwatch.errors import ConfigError


def changes(seen):
    return [(s.case_id, s.campaign_id, s.change) for s in seen]


def test_a_rescan_of_the_same_writes_nothing(book, bring, campaign):
    bring(campaign("c-1", "abcd"))
    before = verify_book(book).last
    assert changes(bring(campaign("c-1", "abcd"))) == [("case-0", "c-1", "same")]
    assert verify_book(book).last == before


def test_a_campaign_that_grows_keeps_its_case_under_another_campaign_id(book, bring, campaign):
    bring(campaign("c-1", "abcd"))
    (seen,) = bring(campaign("c-2", "abcdef"))
    assert (seen.case_id, seen.change, seen.came, seen.left) == ("case-0", "grew", 2, 0)
    assert read_case(book, "case-0").campaign_ids == ("c-1", "c-2")


def test_shrinking_and_exchange_of_accounts_are_told(bring, campaign, book):
    bring(campaign("c-1", "abcd"))
    (seen,) = bring(campaign("c-2", "abc"))
    assert (seen.change, seen.left) == ("shrank", 1)
    (seen,) = bring(campaign("c-3", "abx"))
    assert (seen.change, seen.came, seen.left) == ("changed", 1, 1)
    gone = {m[0] for m in read_members(book, "case-0") if not m[3]}
    assert gone == {"c", "d"}


def test_a_split_leaves_the_case_to_the_larger_part(book, bring, campaign):
    bring(campaign("c-1", "abcdefg"))
    seen = bring(campaign("c-2", "abc"), campaign("c-3", "defg"))
    assert changes(seen) == [("case-1", "c-2", "split"), ("case-0", "c-3", "shrank")]
    assert seen[0].other_case == "case-0"
    assert [c.state for c in read_cases(book)] == ["open", "open"]


def test_a_merge_leaves_the_case_that_shares_most(book, bring, campaign):
    bring(campaign("c-1", "abc"), campaign("c-2", "defg"))
    seen = bring(campaign("c-3", "abcdefgh"))
    assert changes(seen) == [("case-1", "c-3", "grew"), ("case-0", "c-3", "merged")]
    merged = read_case(book, "case-0")
    assert (merged.state, merged.merged_into) == ("merged", "case-1")


def test_of_equal_parts_the_older_case_and_the_first_campaign_win(bring, campaign):
    bring(campaign("c-1", "abcd"), campaign("c-2", "efgh"))
    assert changes(bring(campaign("c-3", "abcdefgh")))[0] == ("case-0", "c-3", "grew")


def test_a_stranger_with_few_accounts_in_common_opens_its_own_case(bring, campaign):
    bring(campaign("c-1", "abcd"))
    (seen,) = bring(campaign("c-2", "awxyz"))
    assert (seen.case_id, seen.change) == ("case-1", "new")


def test_a_case_that_no_scan_sees_stays(book, bring, campaign):
    bring(campaign("c-1", "abcd"))
    bring(campaign("c-2", "wxyz"))
    assert [c.state for c in read_cases(book)] == ["open", "open"]


def test_the_periphery_does_not_carry_identity(bring, campaign):
    bring(campaign("c-1", "abcd", periphery="pqrs"))
    (seen,) = bring(campaign("c-2", "wxyz", periphery="pqrs"))
    assert seen.change == "new"


def test_only_the_standings_asked_for_become_cases(bring, campaign, book):
    bring(campaign("c-1", "abcd", standing="watch"), campaign("c-2", "efgh", standing="permitted"))
    assert read_cases(book) == []


def test_a_closed_case_comes_back_on_new_evidence_only(book, bring, campaign, noon):
    bring(campaign("c-1", "abcd"))
    close_case(book, "case-0", reason="an evaluation", by="Ada", now=noon)
    assert bring(campaign("c-1", "abcd")) == []
    (seen,) = bring(campaign("c-2", "abcde"))
    assert (seen.case_id, seen.change) == ("case-2", "new")


def test_a_word_that_is_no_standing_is_refused(book, make_run, campaign, noon):
    with pytest.raises(ConfigError):
        open_cases(book, make_run(campaign("c-1", "ab")), now=noon, standings=("guilty",))


SETS = st.dictionaries(
    st.sampled_from([f"x{n}" for n in range(6)]),
    st.sets(st.integers(0, 12), min_size=1).map(lambda s: {f"a{n}" for n in s}),
    max_size=6,
)


@given(cases=SETS, campaigns=SETS)
def test_every_campaign_gets_one_case_and_no_case_two(cases, campaigns):
    matches, merges = match_campaigns(cases, campaigns)
    assert [m.campaign_id for m in matches] == sorted(campaigns)
    carried = [m.case_id for m in matches if m.case_id]
    assert len(carried) == len(set(carried))
    assert not set(carried) & {m.case_id for m in merges}
    for match in matches:
        assert (match.case_id is None) == (match.change in ("new", "split"))
        if match.change == "split":
            assert match.split_from in carried
    for merge in merges:
        assert any(m.campaign_id == merge.into_campaign and m.case_id for m in matches) or any(
            m.campaign_id == merge.into_campaign and m.change == "split" for m in matches
        )


@given(cases=SETS, campaigns=SETS)
def test_the_order_of_campaigns_does_not_matter(cases, campaigns):
    turned = dict(reversed(list(campaigns.items())))
    assert match_campaigns(cases, campaigns) == match_campaigns(cases, turned)


@given(cases=SETS)
def test_the_same_again_is_the_same(cases):
    distinct = {}
    for name, accounts in cases.items():
        if not any(accounts & other for other in distinct.values()):
            distinct[name] = accounts
    matches, merges = match_campaigns(distinct, distinct)
    assert {(m.campaign_id, m.case_id, m.change) for m in matches} == {
        (name, name, "same") for name in distinct
    }
    assert merges == []
