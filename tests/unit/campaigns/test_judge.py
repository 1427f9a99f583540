"""What a campaign's record says of tests that were not made."""

from __future__ import annotations

from stillwatch.campaigns.judge import _not_known
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
