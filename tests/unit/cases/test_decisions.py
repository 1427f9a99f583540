"""Decisions: each numbered rule, and what is in force at which time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stillwatch.cases import (
    Order,
    approve,
    close_case,
    decide,
    in_force,
    read_decisions,
    read_notice,
    read_terms,
    undo,
)
from stillwatch.errors import ConfigError, InputError, NotPermitted
from stillwatch.schema import ADVERSE


@pytest.fixture
def standing(book, terms):
    return lambda now: {
        v.account_id: v.verdict for v in in_force(book, terms=terms, now=now).values()
    }


def test_a_decision_says_who_what_why_and_until_when(book, order, terms, noon, standing, case):
    made = decide(book, order(), terms=terms, now=noon)
    assert (made.subject, made.scope, made.accounts) == ("a1", "account", ("a1",))
    assert (made.by, made.at, made.expires) == ("Ada", noon, noon + timedelta(days=30))
    assert made.evidence_digest.startswith("sha256:")
    assert standing(noon) == {"a1": "deny"}
    assert read_decisions(book, case) == [made]


def test_without_accounts_all_accused_of_the_case_are_meant(book, order, terms, noon, standing):
    made = decide(book, order(accounts=None), terms=terms, now=noon)
    assert (made.subject, made.scope) == ("case-0", "case")
    assert standing(noon) == dict.fromkeys(["a1", "a2", "a3", "a4"], "deny")


@pytest.mark.parametrize("verdict", ["allow", "ban", ""])
def test_other_verdicts_are_refused(book, order, terms, noon, verdict):
    with pytest.raises(ConfigError, match="verdict"):
        decide(book, order(verdict), terms=terms, now=noon)


def test_a_reason_is_one_of_those_that_a_notice_can_say(book, order, terms, noon):
    with pytest.raises(ConfigError, match="reason"):
        decide(book, order(reason="nationality"), terms=terms, now=noon)


@pytest.mark.parametrize("accounts", [("x",), ("a1", "x"), ()])
def test_accounts_that_are_not_members_are_refused(book, order, terms, noon, accounts):
    with pytest.raises(ConfigError, match="no present members"):
        decide(book, order(accounts=accounts), terms=terms, now=noon)


@pytest.mark.parametrize("verdict", ADVERSE)
def test_nothing_adverse_falls_on_an_account_that_is_not_accused(book, order, terms, noon, verdict):
    with pytest.raises(NotPermitted, match="not accused"):
        decide(book, order(verdict, accounts=("a1", "p1")), terms=terms, now=noon)
    assert decide(book, order("watch", accounts=("p1",)), terms=terms, now=noon).verdict == "watch"


@pytest.mark.parametrize("verdict", ["deny", "step_up"])
def test_deny_and_step_up_need_a_named_person(book, order, terms, noon, verdict):
    for rule in ("rule:budget", "RULE:budget", " rule:x", "r\u200bule:x"):
        with pytest.raises(NotPermitted, match="needs a person"):
            decide(book, order(verdict, by=rule), terms=terms, now=noon)
    for nobody in ("", "  ", "\u200b"):
        with pytest.raises(ConfigError, match="person"):
            decide(book, order(verdict, by=nobody), terms=terms, now=noon)


def test_a_rule_may_throttle_and_the_notice_says_that_no_person_did(book, order, terms, noon):
    made = decide(book, order("throttle", by="rule:budget"), terms=terms, now=noon)
    assert "A rule did, without a person." in read_notice(book, made.id, "a1")


def test_configuration_can_let_a_rule_deny(book, order, noon, tmp_path):
    import stillwatch.cases.terms as shipped

    text = shipped.SHIPPED.read_text(encoding="utf-8").replace(
        'automatic = ["watch", ', 'automatic = ["deny", "watch", '
    )
    (tmp_path / "t.toml").write_text(text, encoding="utf-8")
    terms = read_terms(tmp_path / "t.toml")
    assert decide(book, order(by="rule:x"), terms=terms, now=noon).verdict == "deny"


@pytest.mark.parametrize("days", [-1, 0, 31])
def test_an_expiry_lies_after_now_and_within_the_terms(book, order, terms, noon, days):
    with pytest.raises(ConfigError, match="within the terms"):
        decide(book, order(expires=noon + timedelta(days=days)), terms=terms, now=noon)


def test_an_expired_decision_is_not_in_force(book, order, terms, noon, standing):
    decide(book, order(expires=noon + timedelta(hours=1)), terms=terms, now=noon)
    assert standing(noon + timedelta(minutes=59)) == {"a1": "deny"}
    assert standing(noon + timedelta(hours=1)) == {}


def test_the_strictest_of_several_stands_and_the_milder_one_when_it_ends(
    book, order, terms, noon, standing
):
    decide(book, order("throttle"), terms=terms, now=noon)
    decide(book, order("deny", expires=noon + timedelta(hours=1)), terms=terms, now=noon)
    assert standing(noon) == {"a1": "deny"}
    assert standing(noon + timedelta(hours=2)) == {"a1": "throttle"}


def test_a_closed_case_takes_no_decision(book, order, terms, noon, case):
    close_case(book, case, reason="over", by="Ada", now=noon)
    with pytest.raises(ConfigError, match="closed"):
        decide(book, order(), terms=terms, now=noon)
    with pytest.raises(ConfigError, match="no such case"):
        decide(book, Order("case-9", None, "deny", "relay", "Ada"), terms=terms, now=noon)


@pytest.fixture
def crowd(bring, campaign):
    (seen,) = bring(campaign("c-9", [f"m{n:02d}" for n in range(26)]))
    return Order(seen.case_id, None, "deny", "coordinated_extraction", "Ada")


def test_deny_on_many_accounts_waits_for_a_second_person(book, crowd, terms, noon, standing):
    made = decide(book, crowd, terms=terms, now=noon)
    assert made.pending
    assert standing(noon) == {}
    with pytest.raises(ConfigError, match="no notice"):
        read_notice(book, made.id, "m00")
    for same in ("Ada", " ada "):
        with pytest.raises(NotPermitted, match="cannot approve"):
            approve(book, made.id, by=same, terms=terms, now=noon)
    with pytest.raises(ConfigError, match="person"):
        approve(book, made.id, by="rule:x", terms=terms, now=noon)
    assert not approve(book, made.id, by="Bo", terms=terms, now=noon).pending
    assert len(standing(noon)) == 26
    assert "a second person approved it" in " ".join(read_notice(book, made.id, "m00").split())
    with pytest.raises(ConfigError, match="waits for no approval"):
        approve(book, made.id, by="Cy", terms=terms, now=noon)


def test_many_small_denials_by_one_person_are_one_large(book, crowd, terms, noon, standing):
    def part(first, last, by="Ada"):
        accounts = tuple(f"m{n:02d}" for n in range(first, last))
        order = Order(crowd.case_id, accounts, "deny", "relay", by)
        return decide(book, order, terms=terms, now=noon)

    assert not part(0, 13).pending
    assert not part(13, 25).pending
    last = part(25, 26)
    assert last.pending
    assert part(25, 26, by="Bo").pending
    approve(book, last.id, by="Bo", terms=terms, now=noon)
    assert len(standing(noon)) == 26
    assert not part(0, 5).pending


def test_a_pending_decision_can_lapse_or_be_undone(book, crowd, terms, noon):
    made = decide(book, crowd, terms=terms, now=noon)
    with pytest.raises(ConfigError, match="lapsed"):
        approve(book, made.id, by="Bo", terms=terms, now=made.expires)
    again = decide(book, crowd, terms=terms, now=made.expires)
    assert undo(book, [again.id], by="Bo", remark="", now=made.expires) == 1
    with pytest.raises(ConfigError, match="undone"):
        approve(book, again.id, by="Bo", terms=terms, now=made.expires)


def test_milder_verdicts_on_many_accounts_need_one_person(book, crowd, terms, noon):
    order = Order(crowd.case_id, None, "throttle", "relay", "Ada")
    assert not decide(book, order, terms=terms, now=noon).pending


def test_undo_is_a_decision_of_its_own_and_is_done_once(book, order, terms, noon, standing):
    made = decide(book, order(), terms=terms, now=noon)
    assert undo(book, [made.id], by="Bo", remark="wrong account", now=noon) == 1
    assert undo(book, [made.id], by="Bo", remark="again", now=noon) == 0
    assert standing(noon) == {}
    first, second = read_decisions(book)
    assert first == made
    assert (second.undoes, second.verdict, second.by) == (made.id, "allow", "Bo")
    assert undo(book, [second.id], by="Bo", remark="", now=noon) == 0


def test_undo_needs_a_person_and_a_decision(book, noon):
    with pytest.raises(ConfigError, match="person"):
        undo(book, [], by="rule:x", remark="", now=noon)
    with pytest.raises(ConfigError, match="no such decision"):
        undo(book, ["decision-99"], by="Bo", remark="", now=noon)


def test_a_merge_does_not_move_or_end_decisions(book, bring, campaign, terms, noon, standing):
    bring(campaign("c-1", "abc"), campaign("c-2", "defg"))
    decide(book, Order("case-0", ("a",), "deny", "relay", "Ada"), terms=terms, now=noon)
    bring(campaign("c-3", "abcdefgh"))
    assert standing(noon) == {"a": "deny"}


def test_hostile_text_of_evidence_or_analyst_is_in_no_notice(book, order, terms, noon):
    made = decide(book, order(remark="SECRET remark"), terms=terms, now=noon)
    text = read_notice(book, made.id, "a1")
    assert "Ignore all" not in text
    assert "SECRET" not in text
    assert "a2" not in text
    words = " ".join(text.split())
    for needed in ("stopped answering", "Ada" not in words and "A person of our staff",
                   "26 December 2026, 12:00 UTC", "within 72 hours", made.id,
                   "once in 5,000 cases", "acted together"):  # fmt: skip
        assert needed in words


def test_a_notice_is_for_the_accounts_of_its_decision(book, order, terms, noon):
    made = decide(book, order(), terms=terms, now=noon)
    with pytest.raises(ConfigError):
        read_notice(book, made.id, "a2")
    watched = decide(book, order("watch", accounts=("a2",)), terms=terms, now=noon)
    with pytest.raises(ConfigError):
        read_notice(book, watched.id, "a2")


@pytest.mark.parametrize(
    ("old", "new"),
    [("deny = 30", "deny = 0"), ("deny = 30", "deny = 400"), ("deny = 30", ""),
     ("deny = 30", "deny = 30\nban = 3"), ('"watch", "throttle"', '"watch", "ban"'),
     ("hours_to_decide = 72", "hours_to_decide = -1"),
     ('relaxes_to = "watch"', 'relaxes_to = "deny"'),
     ("= 25", "= -1"), ("= 25", "= true"), ("[appeal]", "[appeals]")],
)  # fmt: skip
def test_wrong_terms_are_refused(tmp_path, old, new):
    import stillwatch.cases.terms as shipped

    text = shipped.SHIPPED.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "t.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError):
        read_terms(tmp_path / "t.toml")
    with pytest.raises(InputError):
        read_terms(tmp_path / "absent.toml")
