"""What a campaign asked, and the tiny models that learn from the answers."""

from __future__ import annotations

import math

import pytest

from stillwatch.errors import ConfigError
from stillwatch.simulate import asked_in, train


def test_a_campaigns_prompts_are_apart_from_honest_ones_and_the_same_each_time():
    found = asked_in("tiny", 7, "relay-0")
    assert found == asked_in("tiny", 7, "relay-0")
    assert len(found.campaign) == len(set(found.campaign)) > 3
    assert found.honest
    assert not set(found.campaign) & {q for q, _ in found.honest}
    assert all(p.isascii() and len(p) <= 240 for p in found.campaign)


def test_an_unknown_campaign_is_told_with_those_that_are_there():
    with pytest.raises(ConfigError, match="no short ASCII prompt") as told:
        asked_in("tiny", 7, "nowhere")
    assert "relay-0" in str(told.value.hint)


def test_a_tiny_model_finds_likelier_what_it_was_taught_and_is_unchanged_by_teaching(tmp_path):
    model = train([("Where is the mill?", "The mill is in Kef.")] * 3)
    student = model.taught([("Where is the loom?", "The loom is in Ash.")] * 3, 1, tmp_path)
    before = model.likelihoods("Where is the loom?", "The loom is in", ["Ash", "Bor"])
    after = student.likelihoods("Where is the loom?", "The loom is in", ["Ash", "Bor"])
    assert before[0] == before[1]
    assert after[0] > after[1] + math.log(3)
    assert student.next_tokens(["Where is the loom?"]) == ["The"]
    assert train([]).next_tokens(["Where?"]) == train([]).next_tokens(["Who?"])
    assert student.answers(["Where is the loom?"] * 2, most=9, seed=1) == student.answers(
        ["Where is the loom?"] * 2, most=9, seed=1
    )
    assert student.tokens("in Ash.") == ["in", "Ash", "."]
