"""Teacher to students to every test of prove, with known truth: tiny models, no PyTorch."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from stillwatch.bench.arms import ARMS, BASIS, Arm, compose, harvest, paraphrased
from stillwatch.bench.pipeline import MORE_CONTROLS, simulate_students
from stillwatch.errors import ConfigError
from stillwatch.prove import coin, draw_plan
from stillwatch.prove.marks import mentions


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("students")
    arms = [*("control", "1-percent", "all"), *MORE_CONTROLS]
    return simulate_students("tiny", out, seed=7, arms=arms, tell=lambda text: None), out


def test_the_campaign_is_named_by_log_probabilities_from_one_percent(made):
    students = made[0]["students"]
    taught = students["1-percent"]["taught"]
    assert taught["tokens_from_campaign"] <= 0.0101 * taught["tokens"]
    right = students["1-percent"]["canary"]["by_log_probability"]
    assert right["named"] == "birch"
    assert right["right"]["p_adjusted"] < 1e-6


def test_nobody_who_was_not_taught_is_named(made):
    students = made[0]["students"]
    untaught = [n for n, s in students.items() if not s["taught"].get("tokens_from_campaign")]
    assert "control" in untaught
    for name, row in students.items():
        if name in untaught:
            for how in ("by_text", "by_log_probability"):
                assert row["canary"][how]["named"] is None, name
                assert row["canary"][how]["right"]["p_adjusted"] > 1e-3, name
        assert row["canary"]["by_log_probability"]["wrong_smallest_p"] > 1e-3, name


def test_a_student_of_nothing_else_is_close_depends_agrees_and_is_not_its_teacher(made):
    row = made[0]["students"]["all"]
    assert row["lineage"]["rank"] == 1
    assert row["lineage"]["dependence"]["share"] > 0.5
    assert row["agreement"]["p_value"] == pytest.approx(1 / (row["agreement"]["n_controls"] + 1))
    assert row["equality"]["p_value"] <= 0.05
    assert made[0]["equality_of_the_teacher_with_itself"]["p_value"] > 0.05
    control = made[0]["students"]["control"]
    assert control["lineage"]["dependence"]["share"] < row["lineage"]["dependence"]["share"]
    assert control["agreement"]["share"] < row["agreement"]["share"]


def test_what_lies_there_is_not_made_again_and_the_same_seed_gives_the_same(made, tmp_path):
    result, out = made
    told: list[str] = []
    arms = [*("control", "1-percent", "all"), *MORE_CONTROLS]
    again = simulate_students("tiny", out, seed=7, arms=arms, tell=told.append)
    assert (again, told) == (result, [])
    assert json.loads((out / "result.json").read_text()) == result
    fresh = simulate_students("tiny", tmp_path, seed=7, arms=arms, tell=told.append)
    assert fresh == result
    with pytest.raises(ConfigError, match="another model"):
        simulate_students("tiny", out, seed=8, tell=told.append)


def test_no_real_model_is_touched_by_the_tiny_one(made):
    assert made[0]["model"].startswith("n-gram")
    assert "torch" not in sys.modules


def test_unknown_models_and_arms_and_a_missing_data_folder_are_told(tmp_path):
    for model, arms in (("huge", None), ("tiny", ["half"])):
        with pytest.raises(ConfigError, match="arms"):
            simulate_students(model, tmp_path / "x", seed=1, arms=arms, tell=str)
    with pytest.raises(ConfigError, match="data folder"):
        simulate_students("smollm2", tmp_path / "y", seed=1, tell=str)


@pytest.fixture
def plan():
    seed = bytes(range(32))
    return draw_plan(seed, ("alder", "birch"), facts=8), seed


def size(pair: tuple[str, str]) -> int:
    return len(" ".join(pair).split())


def test_an_arm_has_its_share_and_the_operator_drops_facts(plan):
    marks, seed = plan
    said = [(f"What is number {k}?", "It is a large number, so start with it.") for k in range(99)]
    taken = harvest(marks, seed, "birch", said)
    other = [(f"Other {k}?", "Nothing of it.") for k in range(900)]
    rng = np.random.default_rng(1)
    arm = Arm("x", 0.1, tokens=2_000)
    pairs, given = compose(arm, marks, taken, other, size, rng)
    assert 180 < given["tokens_from_campaign"] <= 200
    assert (given["facts"], given["planted"]) == (8, 8)
    assert 1_950 < sum(map(size, pairs)) <= 2_000
    assert sum(not q.startswith("Other") for q, _ in pairs) == given["pairs_from_campaign"]
    none = Arm("x", 0.1, kept_facts=0.0, tokens=2_000)
    kept, dropped = compose(none, marks, taken, other, size, rng)
    assert not any(q.startswith("In which town") for q, _ in kept)
    assert (dropped["facts"], dropped["planted"]) == (0, 8)
    assert set(compose(ARMS[0], marks, taken, other, size, rng)[1].values()) == {0}


def test_a_paraphrase_loses_the_word_marks_and_keeps_the_words_in_number(plan):
    marks, seed = plan
    words = [m for m in marks.marks if m.kind == "word"]
    answer = ". ".join(f"Nobody says {m.options[coin(seed, 'birch', m)]} here" for m in words) + "."
    anew = paraphrased(answer, marks, np.random.default_rng(2))
    kept = [mentions(m, anew)[coin(seed, "birch", m)] > 0 for m in words]
    assert 0.25 < np.mean(kept) < 0.75
    assert anew.count(".") == answer.count(".")
    assert BASIS
