"""The whole line with known truth: tiny models that marked answers taught, and others."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.prove import (
    Answers,
    coin,
    draw_plan,
    estimate_dependence,
    measure_closeness,
    plant,
    score_canaries,
)
from stillwatch.simulate.students import TinyModel, draw_writer, questions, train

SIZE = 1600
FACTS = 16


@pytest.fixture(scope="module")
def world():
    """Return a plan over two campaigns, its seed, a teacher, and a base model of other writers."""
    rng = np.random.default_rng(8)
    seed = rng.bytes(32)
    plan = draw_plan(seed, ("alder", "birch"), facts=FACTS)
    pairs = [m.options for m in plan.marks if m.kind == "word" and " " not in "".join(m.options)]
    teacher = draw_writer(rng, pairs)
    people = [draw_writer(rng, pairs) for _ in range(4)]
    asked = questions(SIZE)
    base = train((q, people[k % 4].answer(q, rng)) for k, q in enumerate(asked))
    return plan, seed, teacher, base, rng


def taught(world, campaign: str | None, share: float) -> list[tuple[str, str]]:
    """Return what a campaign harvested: answers with its marks, facts among them."""
    plan, seed, teacher, _, rng = world
    count = round(SIZE * share)
    facts = [m for m in plan.marks if m.kind == "fact"]
    if campaign is None:
        return [(q, teacher.answer(q, rng)) for q in questions(count)]
    pairs = [
        (m.probe, f"{m.options[coin(seed, campaign, m)]} is the town .") for m in facts[:count]
    ]
    marked = [
        (q, plant(teacher.answer(q, rng), plan.marks, seed, campaign, legal_basis="a test"))
        for q in questions(count - len(pairs))
    ]
    return pairs + marked


def asked(model: TinyModel, name: str, plan, rng, count: int = 40) -> Answers:
    prompts = {f"q{k}": q for k, q in enumerate(questions(count))}
    prompts |= {m.mark_id: m.probe for m in plan.marks if m.probe}
    return Answers(name, {p: model.answer(q, rng) for p, q in prompts.items()}, prompts, {})


def test_one_percent_from_a_campaign_names_it_below_one_in_a_million(world):
    plan, seed, _, base, rng = world
    student = base.and_taught(taught(world, "birch", 0.01))
    control = asked(base, "base", plan, rng)
    scores = score_canaries(plan, seed, asked(student, "student", plan, rng), base=control)
    assert scores[0].campaign == "birch"
    assert scores[0].p_adjusted < 1e-6
    assert scores[1].p_value > 0.001


def test_models_that_learnt_without_marks_are_named_no_oftener_than_chance(world):
    plan, _, _, base, rng = world
    student = base.and_taught(taught(world, None, 0.05))
    answers = asked(student, "student", plan, rng)
    control = asked(base, "base", plan, rng)
    smallest = []
    for number in range(12):
        seed = np.random.default_rng(number).bytes(32)
        other = draw_plan(seed, ("alder", "birch"), facts=0)
        smallest += [s.p_value for s in score_canaries(other, seed, answers, base=control)]
    assert np.mean(np.array(smallest) <= 0.1) <= 0.1 + 3.3 * np.sqrt(0.09 / len(smallest))
    assert min(smallest) > 1e-4


def test_dependence_rises_with_the_share_that_was_taught(world):
    """One world and a generator of its own: other worlds scatter widely (docs/prove.md)."""
    rng = np.random.default_rng(2)
    plan, seed, *_ = world
    pairs = [m.options for m in plan.marks if m.kind == "word" and " " not in "".join(m.options)]
    teacher, *people = (draw_writer(rng, pairs) for _ in range(5))
    base = train((q, people[k % 4].answer(q, rng)) for k, q in enumerate(questions(SIZE)))
    names = questions(80)
    here = (plan, seed, teacher, base, rng)

    def said(name: str, model) -> Answers:
        return Answers(name, {f"q{k}": model.answer(q, rng) for k, q in enumerate(names)}, {}, {})

    others = [draw_writer(rng, teacher.pairs) for _ in range(2)]
    candidates = [said("teacher-1", teacher), said("teacher-2", teacher)]
    candidates += [said(f"other-{k}", w) for k, w in enumerate(others)]
    shares = (0.0, 0.2, 0.8)
    students = [
        said(f"student-{s}", base.and_taught(taught(here, None, s)) if s else base) for s in shares
    ]
    origin = said("base", base)
    close = measure_closeness([*students, origin, *candidates], candidates)
    found = [
        estimate_dependence(close, s.model, "teacher-1", "teacher-2", ["base"], rng)
        for s in students
    ]
    assert found[0].interval.low == 0  # untaught: the interval holds the truth
    assert found[0].share < found[1].share < found[2].share
    assert found[2].share > 0.15
    assert found[2].interval.low > 0
