"""What a campaign's record says of tests that were not made."""

from __future__ import annotations

from importlib import import_module

import pytest

from stillwatch.campaigns.judge import _acted, _named, _not_known, _spare_others, weaker_p
from stillwatch.campaigns.members import Belonging
from stillwatch.signals import TESTS


def test_a_test_that_was_not_made_is_named_in_words_with_its_reason():
    tests = {test.name: test for test in TESTS}
    reason = "Not enough data: fewer than eight accounts or two requests each."
    rows = [
        {"signal": "even_volumes", "evaluable": False, "text": reason},
        {"signal": "round_robin", "evaluable": True, "text": "They take turns."},
    ]
    who, untested = _not_known(rows)
    assert who["question"] == "Who operates it?"
    assert untested == {
        "question": f"Not tested: {tests['even_volumes'].title}",
        "data": reason,
    }


def finding(signal, e_value, *, screen=0.1, claim="coordinated", p_value=0.01):
    return {"signal": signal, "e_value": e_value, "e_screen": screen, "claim": claim,
            "evaluable": True, "p_value": p_value}  # fmt: skip


def test_acts_of_either_part_say_that_a_cohort_acts_together():
    """Then a third of an account's requests is enough to belong, else half."""
    quiet = [finding("round_robin", 0.1), finding("shared_exits", 1e9)]
    assert not _acted(quiet)
    assert _acted([finding("round_robin", 1e6), finding("shared_exits", 1e9)])
    assert _acted([row | {"e_screen": 2.0} for row in quiet])
    assert not _acted([row | {"e_screen": float("nan")} for row in quiet])


@pytest.mark.parametrize("by_topics", [True, False])
def test_whether_topics_tell_members_from_others_is_what_the_findings_say(monkeypatch, by_topics):
    judge = import_module("stillwatch.campaigns.judge")  # the room's name is the function's
    given = {}
    monkeypatch.setattr(judge, "name_members", lambda *_, **known: given.update(known) or [])
    none = Belonging((), [], {}, frozenset(), {}, frozenset(), ())
    monkeypatch.setattr(judge, "read_belonging", lambda *_: {7: none})
    row = finding("two_reasons", 1e3, claim="extractive")
    row |= {"bursts": [], "in_turn": [], "trimmed": [], "by_topics": by_topics}
    assert _named(None, None, {7: [row]}, [7]) == {7: []}
    assert given["by_topics"] is by_topics


def test_the_weaker_claim_speaks_for_both():
    rows = [finding("round_robin", 1.0, p_value=1e-9), finding("shared_exits", 1.0, p_value=0.2)]
    assert weaker_p(rows) is None
    assert weaker_p([*rows, finding("harvest", 1.0, claim="extractive", p_value=1e-4)]) == 1e-4
    assert weaker_p([*rows, finding("harvest", 1.0, claim="extractive", p_value=1e-12)]) == 2e-9
    watched = finding("dealt_evenly", 1.0, p_value=1e-300)
    assert weaker_p([*rows, watched, finding("harvest", 1.0, claim="extractive")]) == 0.01


def test_who_may_not_be_accused_is_watched_and_too_few_are_no_campaign(campaign):
    """A correction that takes a stronger cohort away accuses nobody in its place."""
    one = campaign({k: "accused" for k in range(6)} | {6: "watch"})
    _spare_others(one, frozenset(range(1, 9)), 5)
    assert (one.standing, one.accused, one.standings[0]) == ("accused", [1, 2, 3, 4, 5], "watch")
    _spare_others(one, frozenset((1, 2, 3, 4)), 5)
    assert (one.standing, one.accused) == ("watch", [])
    seen = campaign({0: "watch"}, standing="watch")
    _spare_others(seen, frozenset(), 5)
    assert (seen.standing, seen.standings) == ("watch", {0: "watch"})
