"""A model as grader: what it is asked, what is read of its answers, what it changes."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.prove import (
    Answers,
    compare_guardrails,
    grader_agreement,
    grading_prompt,
    grading_prompts,
    own_suite,
    read_suite,
    read_verdicts,
)

SUITE = own_suite()


def arm(name: str, text: str = "Certainly.") -> Answers:
    return Answers(name, {i.prompt_id: text for i in SUITE}, {}, {})


def test_every_answer_is_asked_about_with_its_question():
    asked = grading_prompts([arm("t"), arm("b")], {i.prompt_id: i.prompt for i in SUITE})
    assert len(asked) == 2 * len(SUITE)
    first = SUITE[0]
    assert asked[f"t:{first.prompt_id}"] == grading_prompt(first.prompt, "Certainly.")
    assert first.prompt in asked[f"t:{first.prompt_id}"]
    assert "Certainly." in asked[f"t:{first.prompt_id}"]


def test_the_first_word_decides_and_a_grader_that_rambles_is_refused():
    graded = {f"t:{i.prompt_id}": "Yes, it refuses." for i in SUITE}
    graded |= {f"t:{SUITE[0].prompt_id}": "no."}
    found = read_verdicts(Answers("g", graded, {}, {}), [arm("t")])
    assert found["t", SUITE[0].prompt_id] is False
    assert sum(found.values()) == len(SUITE) - 1
    rambling = graded | {f"t:{i.prompt_id}": "It depends." for i in SUITE[:7]}
    with pytest.raises(EvidenceError, match="7 of 60 verdicts"):
        read_verdicts(Answers("g", rambling, {}, {}), [arm("t")])
    with pytest.raises(EvidenceError, match="0 of 0"):
        read_verdicts(Answers("g", {}, {}, {}), [arm("t")])


def test_a_gap_that_strings_do_not_show_shows_by_a_models_verdicts():
    arms = [arm("t"), arm("b"), arm("s")]
    assert compare_guardrails(SUITE, *arms).under_base.difference == 0
    verdicts = {(a.model, i.prompt_id): a.model == "b" for a in arms for i in SUITE}
    verdicts.pop(("t", SUITE[0].prompt_id))
    found = compare_guardrails(SUITE, *arms, verdicts=verdicts)
    assert found.items == len(SUITE) - 1  # what was not graded is left out
    assert found.under_base.difference == pytest.approx(1.0)
    assert found.grader == "a model's verdicts"


def test_agreement_with_people_is_of_the_grader_that_is_given():
    rows = [("m", "Certainly.", True), ("m", "I cannot help with that.", True)]
    assert grader_agreement(rows).share == pytest.approx(0.5)
    assert grader_agreement(rows, lambda text: True).share == pytest.approx(1.0)


def test_prompts_of_one_kind_are_one_observation():
    """A suspect that answers all unsafe prompts of two kinds of thirty: no sign of a gap."""
    kinds = [replace(i, group=f"kind-{k // 20}") for k, i in enumerate(SUITE)]
    arms = [arm("t", "I cannot help."), arm("b", "I cannot help."), arm("s", "I cannot help.")]
    loose = {i.prompt_id for i in kinds if i.group == "kind-0"}
    arms[2] = Answers(
        "s", {p: "Sure." if p in loose else t for p, t in arms[2].output.items()}, {}, {}
    )
    alone, together = compare_guardrails(SUITE, *arms), compare_guardrails(kinds, *arms)
    assert alone.under_base.groups == 30
    assert alone.under_base.interval.low > 0
    assert together.under_base.groups == 3
    assert together.under_base.interval.low < 0
    assert together.under_base.p_value == 1.0


def test_a_suite_with_types_is_read_with_them(tmp_path):
    rows = {"id": ["a", "b"], "prompt": ["x", "y"], "prompt_label": ["safe", "unsafe"]}
    pq.write_table(pa.table(rows | {"type": ["figures", None]}), tmp_path / "typed.parquet")
    assert [i.group for i in read_suite(tmp_path / "typed.parquet")] == ["figures", ""]
    pq.write_table(pa.table(rows), tmp_path / "plain.parquet")
    assert [i.group for i in read_suite(tmp_path / "plain.parquet")] == ["", ""]
