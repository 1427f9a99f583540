"""Lineage on a made-up language: a student of a candidate is named, a stranger is turned away."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.prove import Answers, Closeness, compare_lineage, excess, measure_closeness
from stillwatch.prove.confounders import controlled_settings
from stillwatch.prove.dependence import estimate_dependence
from stillwatch.prove.lineage import COUNTED
from stillwatch.prove.power import lineage_power
from stillwatch.prove.shingles import shingles

PROMPTS = [f"q{k:02}" for k in range(40)]
FAMILIES = {"ash-1": "ash", "ash-2": "ash", "elm": "elm", "fir": "fir", "yew": "yew"}
FUNCTION_WORDS = ("the", "of", "and", "to", "in", "that", "with", "for", "on", "by", "from", "each")
COMMON = [" ".join(f"c{n}x{m}" for m in range(7)) for n in range(30)]
GROUPS = {f"control-{k}": f"group-{k}" for k in range(9)}


def habits(rng: np.random.Generator) -> dict[str, list[str]]:
    """Return the stock phrases of a writer for each prompt."""
    words = np.array([*(f"w{k}" for k in range(40)), *FUNCTION_WORDS, *FUNCTION_WORDS])
    return {p: [" ".join(rng.choice(words, 8)) for _ in range(12)] for p in PROMPTS}


def answers(
    name: str, own: dict[str, list[str]], rng: np.random.Generator, teacher=None, share=0.0
) -> Answers:
    out = {}
    for p in PROMPTS:
        phrases = [
            rng.choice(teacher[p]) if teacher and rng.random() < share else rng.choice(own[p])
            for _ in range(8)
        ]
        first, last = (
            (teacher if teacher and rng.random() < share else own)[p][2 * end + rng.integers(2)]
            for end in range(2)  # a writer has two ways to begin an answer and two to end it
        )
        stock = " ".join(COMMON[int(k)] for k in rng.integers(len(COMMON), size=12))
        said = ". ".join(phrases)
        out[p] = f"{first}. {said}. The answer to {p} is this. {stock} {last}"
    return Answers(name, out, {}, {p: "even" if k % 2 else "odd" for k, p in enumerate(PROMPTS)})


@pytest.fixture(scope="module")
def close():
    rng = np.random.default_rng(11)
    style = {name: habits(rng) for name in sorted({*FAMILIES.values(), *GROUPS})}
    candidates = [answers(m, style[f], rng) for m, f in FAMILIES.items()]
    controls = [answers(c, style[c], rng) for c in GROUPS]
    own = habits(rng)
    students = [
        answers("student", own, rng, style["ash"], 0.5),
        answers("stranger", habits(rng), rng),
        answers("half", own, rng, style["ash"], 0.25),
    ]
    return measure_closeness([*students, *controls, *candidates], candidates)


def repeated(close: Closeness, times: int) -> Closeness:
    """Return the same prompts several times over: as many as it takes to name a family."""
    prompts = tuple(f"{p}-{k}" for k in range(times) for p in close.prompts)
    channel = {name: np.tile(table, (times, 1, 1)) for name, table in close.channel.items()}
    return Closeness(close.models, close.candidates, prompts, channel)


@pytest.fixture(scope="module")
def enough(close):
    return repeated(close, 5)


def test_a_student_is_named_and_a_stranger_is_turned_away(enough):
    close, rng = enough, np.random.default_rng(1)
    student = compare_lineage(close, "student", FAMILIES, GROUPS, rng, named=["ash", "elm"])
    assert student.ranking[0].family == "ash"
    assert student.accepted
    assert student.nameable == "ash"
    assert student.ranking[0].first_in_resamples > 0.9
    by_name = {test.family: test for test in student.tests}
    assert by_name["ash"].p_value == pytest.approx(0.1)  # the smallest with nine controls
    assert by_name["ash"].p_adjusted == pytest.approx(0.2)
    assert by_name["elm"].p_value > 0.1
    stranger = compare_lineage(close, "stranger", FAMILIES, GROUPS, rng)
    assert not stranger.accepted
    assert stranger.nameable is None
    assert stranger.kind == "screening"
    assert stranger.tests == ()


def test_who_is_close_to_two_families_is_named_with_neither(close):
    """Between two teachers: above every control, but the prompts decide which one comes first."""
    rows = {name: table.copy() for name, table in close.channel.items()}
    student, ash, elm = (close.row(m) for m in ("student", "ash-2", "elm"))
    columns = [close.candidates.index(c) for c in ("ash-1", "ash-2", "elm")]
    for name, table in close.channel.items():
        rows[name][::2, student] = table[::2, ash]
        rows[name][1::2, student] = table[1::2, elm]
        both = table[:, [ash, elm]][:, :, columns].max(axis=(0, 1, 2))
        rows[name][::2, student, columns[0]] = rows[name][1::2, student, columns[2]] = both
        rows[name][::2, student, columns[1]] = 0
    mixed = repeated(Closeness(close.models, close.candidates, close.prompts, rows), 5)
    found = compare_lineage(mixed, "student", FAMILIES, GROUPS, np.random.default_rng(1))
    assert {row.family for row in found.ranking[:2]} == {"ash", "elm"}
    assert found.accepted
    assert found.ranking[0].first_in_resamples < 0.9
    assert found.nameable is None


def test_more_than_three_named_or_unknown_families_are_refused(close):
    rng = np.random.default_rng(1)
    for named in (["ash", "elm", "fir", "yew"], ["oak"], ["ash", "ash"]):
        with pytest.raises(ConfigError):
            compare_lineage(close, "student", FAMILIES, GROUPS, rng, named=named)
    with pytest.raises(ConfigError, match=r"called oak Next: .* ash, elm, fir, yew"):
        compare_lineage(close, "student", FAMILIES, GROUPS, rng, named=["oak", "ash"])
    with pytest.raises(EvidenceError, match="control"):
        compare_lineage(close, "student", FAMILIES, {"control-0": "a"}, rng)


def test_power_rises_with_what_was_taught_and_dependence_follows_the_dose(close):
    rng = np.random.default_rng(2)
    curve = lineage_power(close, FAMILIES, sorted(GROUPS), rng)
    assert curve[0].power <= curve[-1].power
    assert curve[-1].power == 1.0
    suite = {p: "even" if k % 2 else "odd" for k, p in enumerate(PROMPTS)}
    names = sorted(GROUPS)
    share = {
        m: estimate_dependence(close, m, "ash-1", "ash-2", names, rng, suite, names)
        for m in ("stranger", "half", "student")
    }
    untaught = share["stranger"].of_controls
    assert sorted(untaught) == names
    assert max(untaught.values()) < share["half"].share
    assert share["stranger"].share < 0.1
    assert share["stranger"].share < share["half"].share < share["student"].share
    assert share["student"].interval.low > share["stranger"].interval.high
    assert share["student"].interval.low <= share["student"].share <= share["student"].interval.high
    assert share["student"].by_suite == {}  # twenty prompts a suite are too few for a share
    with pytest.raises(EvidenceError, match="scale"):
        estimate_dependence(close, "student", "elm", "control-1", ["elm"], rng)


def test_a_dependence_without_a_scale_in_many_resamples_says_so():
    """The anchor is hardly closer than the base: half of the resamples have no scale at all."""
    rng = np.random.default_rng(6)
    near = rng.uniform(0.2, 0.4, (40, 3, 1)).astype(np.float32)
    near[:, 1] = near[:, 2][rng.permutation(40)] + 0.002  # anchor, base
    near[:, 0] = near[:, 2] - 0.05  # the suspect: never closer than its base
    close = Closeness(
        ("suspect", "anchor", "base"),
        ("teacher",),
        tuple(PROMPTS),
        {"templates": near, "phrases": np.zeros_like(near)},
    )
    found = estimate_dependence(close, "suspect", "teacher", "anchor", ["base"], rng)
    assert found.share == 0
    assert tuple(found.interval)[:2] == (0.0, 1.0)


def test_rank_p_values_of_strangers_keep_their_level():
    """Exchangeable writers against one candidate set: P(p <= t) <= t within binomial error."""
    rng = np.random.default_rng(5)
    style = {family: habits(rng) for family in sorted(set(FAMILIES.values()))}
    candidates = [answers(m, style[f], rng) for m, f in FAMILIES.items()]
    writers = [answers(f"w{k}", habits(rng), rng) for k in range(40)]
    found = measure_closeness(writers, candidates)
    tops = np.array([excess(found, w.model, FAMILIES)[1].max() for w in writers])
    runs, p = 1000, []
    for _ in range(runs):
        drawn = rng.choice(tops, 10, replace=False)
        p.append((1 + np.sum(drawn[1:] >= drawn[0])) / 10)
    for t in (0.1, 0.2, 0.5):
        assert np.mean(np.array(p) <= t + 1e-9) <= t + 3.3 * np.sqrt(t * (1 - t) / runs)


def near(*prompts: list[float]) -> np.ndarray:
    return np.array(prompts, dtype=np.float32)[:, None, :]


def test_every_prompt_counts_once_however_alike_its_answers_are():
    """One dictated answer outweighs no other prompt; equal families share one; nobody wins none."""
    families = {"a": "ash", "b": "elm", "c": "fir"}
    rows = near([1, 0, 0], [0.01, 0.02, 0], [0, 0.02, 0.01], [0.3, 0.3, 0], [0, 0, 0])
    close = Closeness(("m",), tuple(families), tuple("12345"), {COUNTED: rows})
    names, above = excess(close, "m", families)
    won = np.log(np.array([1.5, 2.5, 0]) / 5 + 0.01)
    assert names == ("ash", "elm", "fir")
    np.testing.assert_allclose(above, won - won[0])
    unanswered = {COUNTED: np.concatenate([rows, near([np.nan] * 3)])}
    more = Closeness(("m",), tuple(families), tuple("123456"), unanswered)
    np.testing.assert_allclose(excess(more, "m", families)[1], above)


def test_fewer_than_nine_controls_name_nobody(enough):
    """A stranger lies above all of eight in one case of nine, above all of nine in one of ten."""
    few = dict(list(GROUPS.items())[:8])
    found = compare_lineage(enough, "student", FAMILIES, few, np.random.default_rng(1))
    assert found.accepted
    assert found.nameable is None


@pytest.mark.parametrize(("groups", "named"), [(1, None), (2, None), (3, "ash")])
def test_nine_controls_of_fewer_than_three_groups_name_nobody(enough, groups, named):
    """Nine snapshots of one base are one stranger: they say nothing of another one."""
    group = {name: f"base-{k % groups}" for k, name in enumerate(GROUPS)}
    found = compare_lineage(enough, "student", FAMILIES, group, np.random.default_rng(1))
    assert found.accepted
    assert (found.n_controls, found.control_groups) == (9, groups)
    assert found.nameable == named


def test_fewer_than_two_hundred_prompts_name_nobody(enough):
    """Of ten published strangers two were accepted on 129 and on 155 prompts."""
    channel = {name: table[1:] for name, table in enough.channel.items()}
    fewer = Closeness(enough.models, enough.candidates, enough.prompts[1:], channel)
    for close, named in ((enough, "ash"), (fewer, None)):
        found = compare_lineage(close, "student", FAMILIES, GROUPS, np.random.default_rng(1))
        assert found.accepted
        assert found.nameable == named


def test_two_families_that_answer_alike_share_every_prompt():
    """Cosines of one text are the same float32; what differs, however little, is not shared."""
    texts = {p: f"so {p} comes to rest by the old mill" for p in PROMPTS[:20]}
    others = {p: f"other words for {p}" for p in texts}
    models = [Answers(m, texts, {}, {}) for m in ("a", "b")]
    candidates = [*models, Answers("c", others, {}, {}), Answers("d", others, {}, {})]
    close = measure_closeness([Answers("m", texts, {}, {})], candidates)
    families = {"a": "ash", "b": "elm", "c": "fir", "d": "yew"}
    _, above = excess(close, "m", families)
    np.testing.assert_allclose(above - above.min(), np.log([51, 51, 1, 1]))
    rows = {COUNTED: close.channel[COUNTED].copy()}
    rows[COUNTED][:, :, 0] = np.nextafter(rows[COUNTED][:, :, 1], np.float32(2))
    _, above = excess(Closeness(("m",), close.candidates, close.prompts, rows), "m", families)
    np.testing.assert_allclose(above - above.min(), np.log([101, 1, 1, 1]))


def test_the_closing_of_an_answer_is_its_end_however_it_is_cut():
    long = " ".join(f"w{k}" for k in range(2000))
    whole = shingles(f"{long} and so it came to rest by the old mill near the river in May")
    other = shingles("Short: it is so and so it came to rest by the old mill near the river in May")
    np.testing.assert_array_equal(whole["closings"], other["closings"])
    cut = shingles(f"{long} the end", words=60)
    assert cut["phrases"].size == 56 + 54
    assert cut["closings"].size == 14 + 13 + 12 + 11


def test_too_few_prompts_or_candidates_carry_no_statement():
    few = [Answers(n, {"a": "x"}, {}, {}) for n in "abc"]
    with pytest.raises(EvidenceError, match="prompts"):
        measure_closeness(few, few)
    with pytest.raises(EvidenceError, match="candidates"):
        measure_closeness(few, few[:2])


def test_each_suite_is_compared_alone_where_it_has_enough_prompts():
    rng = np.random.default_rng(8)
    suite = {p: "few" if k < 5 else "many" for k, p in enumerate(PROMPTS[:25])}
    models = [Answers(n, {p: f"{n} {rng.random()}" for p in suite}, {}, suite) for n in "abc"]
    close = measure_closeness(models, models)
    under = dict(controlled_settings(close, models, models, words=60))
    assert list(under) == ["without refusals", "prompts of few", "prompts of many"]
    assert under["prompts of few"] is None
    many = under["prompts of many"]
    assert set(many.prompts) == {p for p, s in suite.items() if s == "many"}
    kept = [p in many.prompts for p in close.prompts]
    np.testing.assert_array_equal(many.channel["phrases"], close.channel["phrases"][kept])
    refusing = [Answers(m.model, dict.fromkeys(suite, "I'm sorry."), {}, {}) for m in models]
    only = dict(controlled_settings(measure_closeness(refusing, refusing), refusing, refusing))
    assert only["without refusals"] is None
