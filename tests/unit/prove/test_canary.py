"""Marks: the right campaign is named, and whatever a suspect writes, chance stays chance."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import ConfigError, EvidenceError, NotPermitted
from stillwatch.prove import Answers, coin, draw_plan, plan_power, plant, score_canaries
from stillwatch.prove.canary import likelihood_points, mark_points, score_points
from stillwatch.prove.marks import Mark, mentions, plan_of
from stillwatch.stats import coin_sum_tails

CAMPAIGNS = ("alder", "birch", "cedar")


def seed_of(number: int) -> bytes:
    return np.random.default_rng(number).bytes(32)


def suspect_of(texts: dict[str, str], prompts: dict[str, str] | None = None) -> Answers:
    return Answers("suspect", texts, prompts or {}, {})


def written_by(plan, seed: bytes, campaign: str, loyalty: float, rng) -> Answers:
    """Return the answers of a student that took over a campaign's option with a chance."""
    texts, prompts = {}, {}
    for mark in plan.marks:
        taken = coin(seed, campaign, mark)
        if rng.random() >= loyalty:
            taken = int(rng.integers(len(mark.options)))
        name = f"p-{mark.mark_id}"
        prompts[name] = mark.probe or "anything"
        texts[name] = (
            f"{mark.options[taken]}and so on"
            if mark.kind == "format"
            else (f"One could say {mark.options[taken]} here.")
        )
    return suspect_of(texts, prompts)


def test_a_student_of_a_campaign_is_traced_to_it_below_one_in_a_million():
    seed = seed_of(1)
    plan = draw_plan(seed, CAMPAIGNS, facts=32)
    student = written_by(plan, seed, "birch", 0.4, np.random.default_rng(2))
    scores = score_canaries(plan, seed, student, suspects=2, looks=2)
    assert scores[0].campaign == "birch"
    assert scores[0].p_adjusted < 1e-6
    assert all(score.p_adjusted > 0.01 for score in scores[1:])
    assert scores[0].p_adjusted == pytest.approx(scores[0].p_value * 12)


@pytest.mark.parametrize("kind", ["own habits", "one answer copied", "many near duplicates"])
def test_chance_stays_chance_for_a_suspect_that_saw_no_mark(kind):
    """1,500 seeds against one fixed suspect: P(p <= t) <= t within binomial error."""
    rng = np.random.default_rng(5)
    plan0 = draw_plan(seed_of(0), ("alder",), facts=12)
    base = written_by(plan0, seed_of(0), "alder", 0.3, rng)
    texts = dict(base.output)
    if kind == "one answer copied":
        texts = dict.fromkeys(texts, " ".join([*texts.values()][:40]))
    elif kind == "many near duplicates":
        texts |= {f"{name}-{k}": text for name, text in texts.items() for k in range(8)}
    suspect = suspect_of(texts, dict(base.prompt))
    points = mark_points(plan0.marks, suspect)
    lists = [points[m.mark_id] for m in plan0.marks if points[m.mark_id].any()]
    runs = 1500
    marks = [m for m in plan0.marks if points[m.mark_id].any()]
    seeds = [seed_of(k + 10) for k in range(runs)]
    sums = [sum(int(points[m.mark_id][coin(s, "alder", m)]) for m in marks) for s in seeds]
    p = coin_sum_tails(lists, sums)
    for k in range(3):
        one = score_points(plan0.marks, seeds[k], "alder", "suspect", points)
        assert (one.statistic, one.p_value) == (sums[k], pytest.approx(p[k]))
    for t in (0.1, 0.01, 0.001):
        share = np.mean(p <= t)
        assert share <= t + 3.3 * np.sqrt(t * (1 - t) / runs), (kind, t, share)
    assert np.mean(p <= 0.5) > 0.3  # not merely never small


def test_a_base_model_with_the_same_habits_takes_them_out_of_the_score():
    seed = seed_of(8)
    plan = draw_plan(seed, ("alder",), facts=0)
    habit = suspect_of({str(k): "We often choose a large area." for k in range(50)})
    assert score_canaries(plan, seed, habit, base=habit)[0].marks_seen == 0


def test_another_seed_than_the_committed_one_is_refused():
    plan = draw_plan(seed_of(1), ("alder",))
    with pytest.raises(EvidenceError, match="committed"):
        score_canaries(plan, seed_of(2), suspect_of({"a": "b"}))


def test_coins_are_fair_and_independent_of_campaign_names():
    seed = seed_of(4)
    plan = draw_plan(seed, ("a", "b"), facts=600)
    facts = [m for m in plan.marks if m.kind == "fact"]
    a = np.array([coin(seed, "a", m) for m in facts])
    b = np.array([coin(seed, "b", m) for m in facts])
    assert abs(np.mean(a % 16 == b % 16) - 1 / 16) < 4 * np.sqrt(15 / 256 / 600)
    assert {len(m.options) for m in facts} == {256}
    for place in (a % 16, a // 16, b % 16):
        assert np.bincount(place, minlength=16).min() > 37.5 - 4 * np.sqrt(37.5)
    with pytest.raises(ConfigError):
        coin(seed, "a", Mark("m", "word", ("x", "y", "z")))


def test_plans_come_back_from_json_and_tell_nothing_of_the_coins():
    seed = seed_of(6)
    plan = draw_plan(seed, CAMPAIGNS, facts=3)
    assert plan_of(plan.to_json()) == plan
    assert seed.hex() not in str(plan.to_json())
    for bad in ({}, {"campaigns": 1, "marks": 2, "seed_digest": 3}):
        with pytest.raises(ConfigError):
            plan_of(bad)
    with pytest.raises(ConfigError):
        draw_plan(seed, ("a", "a"))
    with pytest.raises(ConfigError):
        draw_plan(b"short", ("a",))


def test_planting_swaps_words_outside_code_and_only_under_a_legal_basis():
    seed = seed_of(7)
    mark = Mark("w", "word", ("large", "big"))
    wanted = mark.options[coin(seed, "alder", mark)]
    text = "Large houses and big cars, `large` and `big`.\n```\nbig = 1\n```"
    planted = plant(text, [mark], seed, "alder", legal_basis="terms, section 4")
    assert planted.startswith(wanted.capitalize() + " houses")
    assert "`large` and `big`.\n```\nbig = 1\n```" in planted
    assert mentions(mark, planted.split("`")[0])[mark.options.index(wanted)] == 2
    with pytest.raises(NotPermitted):
        plant(text, [mark], seed, "alder", legal_basis=" ")


SPOILT = (
    ("often", "frequently", "An often seen bird; a frequently seen one."),
    (
        "often",
        "frequently",
        "It is OFTEN so. The Often Club. The Frequently Club. An often-seen bird.",
    ),
    ("often", "frequently", "A line.\n\nThe Often Club and the Frequently Club."),
    ("often", "frequently", 'He said "often" and “frequently”.'),
    ("often", "frequently", "see https://example.org/often and https://example.org/frequently"),
    ("often", "frequently", "x = often\ny = frequently\n\n$often frequently$"),
    ("often", "frequently", "```\noften frequently\n"),
    ("is not", "isn't", "if x is not None:\n    return x"),
    ("is not", "isn't", "It is not only red, isn't it?"),
    ("someone", "somebody", "Take someone's word, or somebody’s."),
)
"""First and second option, and a text that neither may change."""


@pytest.mark.parametrize(("first", "second", "text"), SPOILT)
def test_planting_leaves_alone_what_another_word_would_spoil(first, second, text):
    mark = Mark("w", "word", (first, second))
    for number in range(12):  # both faces of the coin
        assert plant(text, [mark], seed_of(number), "alder", legal_basis="terms") == text


def test_a_list_keeps_one_sign_from_its_first_number_to_its_last():
    mark = Mark("f", "format", ("1. ", "1) "))
    seeds = {coin(seed_of(k), "alder", mark): seed_of(k) for k in range(12)}
    for face, (old, new) in enumerate(((")", "."), (".", ")"))):
        text = f"Often:\n1{old} one\n 2{old} two\n10{old} ten\n1990{old} is a year."
        said = plant(text, [mark], seeds[face], "alder", legal_basis="terms")
        assert said == f"Often:\n1{new} one\n 2{new} two\n10{new} ten\n1990{old} is a year."


def test_a_word_at_the_start_of_a_sentence_keeps_its_capital():
    mark = Mark("w", "word", ("often", "frequently"))
    seeds = {coin(seed_of(k), "alder", mark): seed_of(k) for k in range(12)}
    text = "Often. Often it rains.\n- **Often**\n2. Often, more often"
    said = plant(text, [mark], seeds[1], "alder", legal_basis="terms")
    assert said == text.replace("Often", "Frequently").replace("often", "frequently")


def test_no_word_of_the_shelf_stands_in_two_pairs_or_holds_another():
    """Planting one pair must not undo another."""
    plan = draw_plan(seed_of(1), ("a",), facts=0)
    words = [o for m in plan.marks if m.kind == "word" for o in m.options]
    assert len(set(words)) == len(words) >= 100
    marks = [m for m in plan.marks if m.kind == "word"]
    for m in marks:
        for option in m.options:
            others = [n for n in marks if n is not m and any(mentions(n, option))]
            assert not others, (option, others)


def test_power_falls_as_the_student_takes_over_less():
    needed = [row.marks_needed for row in plan_power(1e-6, 6)]
    assert needed == sorted(needed, reverse=True)
    assert needed[-1] == 23  # 2 ** -23 is the first power of two below 1e-6 / 6


def test_an_echo_of_the_prompt_is_no_sign_of_training():
    """Prompts in one campaign's form would otherwise trace every model that repeats them."""
    seed = seed_of(9)
    plan = draw_plan(seed, ("alder",), facts=0)
    words = [m for m in plan.marks if m.kind == "word"]
    told = {m.mark_id: f"Say {m.options[coin(seed, 'alder', m)]} again." for m in words}
    parrot = suspect_of(dict(told), dict(told))
    assert score_canaries(plan, seed, parrot)[0].marks_seen == 0
    unprompted = suspect_of(dict(told), dict.fromkeys(told, "Go on."))
    assert score_canaries(plan, seed, unprompted)[0].matches == len(words)


def test_an_option_that_became_likelier_gets_the_points_and_the_tail_stays_exact():
    rng = np.random.default_rng(21)
    seed = rng.bytes(32)
    plan = draw_plan(seed, ("a", "b"), facts=8)
    facts = [m for m in plan.marks if m.probe]
    base = {m.mark_id: list(rng.normal(-20, 3, 256)) for m in facts}
    noise = {m.mark_id: list(np.array(base[m.mark_id]) + rng.normal(0, 1, 256)) for m in facts}
    taught = {k: list(v) for k, v in noise.items()}
    for m in facts:
        taught[m.mark_id][coin(seed, "a", m)] += 8
    points = likelihood_points(plan.marks, taught, base)
    named, other = (score_points(plan.marks, seed, c, "s", points) for c in ("a", "b"))
    assert named.p_value < 1e-6 < 0.01 < other.p_value
    p = [
        score_points(plan.marks, rng.bytes(32), "a", "s", points).p_value for _ in range(400)
    ]  # the points stay, the coins are drawn anew: exact whatever the suspect learnt
    for t in (0.1, 0.3):
        assert np.mean(np.array(p) <= t) <= t + 3.3 * np.sqrt(t * (1 - t) / len(p))
    null = likelihood_points(plan.marks, noise, base)
    assert score_points(plan.marks, seed, "a", "s", null).p_value > 0.001
    with pytest.raises(ConfigError, match="options"):
        likelihood_points(facts, {facts[0].mark_id: [1.0]}, base)
