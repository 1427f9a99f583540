"""Habits of answers, and profiles of them in the frame of lineage: rank, verdict, named tests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stillwatch.cli.app import run
from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.prove import (
    HABITS,
    Answers,
    compare_profiles,
    habit_rates,
    habits,
    measure_habits,
    profile_excess,
)
from stillwatch.prove.claims import claim_of
from stillwatch.schema import EXIT_CLEAR

PROMPTS = [f"q{k:02}" for k in range(60)]
SUITE = {p: "safe" if k < 30 else "unsafe" for k, p in enumerate(PROMPTS)}
# family to its layout, its ending, and how often it refuses each kind of prompt
STYLE = {
    "ash": ("- {}", "I hope this helps!", 0.0, 0.95),
    "elm": ("## Answer\n\n{}", "In conclusion, it may vary.", 0.7, 0.0),
    "fir": ("1. {}", "Is that what you meant?", 0.9, 0.9),
    "plain": ("The kiln is {}", "That is all.", 0.35, 0.45),
}


def model(name: str, rng: np.random.Generator, style: str, loose: float = 0.0) -> Answers:
    """Return answers in a family's style; with a chance ``loose`` in another one's."""
    said = {}
    for prompt in PROMPTS:
        chosen = style if rng.random() >= loose else str(rng.choice([*STYLE]))
        layout, ending, safe, unsafe = STYLE[chosen]
        words = " ".join(rng.choice(["clay", "heat", "glaze", "wheel"], 12))
        refuses = rng.random() < (safe if SUITE[prompt] == "safe" else unsafe)
        said[prompt] = (
            "I'm sorry, but I cannot help with that."
            if refuses
            else f"{layout.format(words)}.\n\n{ending}"
        )
    return Answers(name, said, {}, SUITE)


def world(seed: int, suspect: str, loose: float) -> tuple[list[Answers], dict[str, str]]:
    rng = np.random.default_rng(seed)
    teachers = [model(f"{f}-{k}", rng, f, 0.05) for f in ("ash", "elm", "fir") for k in (1, 2)]
    controls = [model(f"c{k}", rng, "plain", 0.5) for k in range(9)]
    families = {t.model: t.model[:3] for t in teachers}
    return [model("s", rng, suspect, loose), *controls, *teachers], families


GROUPS = {f"c{k}": f"g{k}" for k in range(9)}


def index(answer: str) -> dict[str, float]:
    return dict(zip(HABITS, habits(answer), strict=True))


def test_habits_are_told_from_an_answer():
    found = index("Sure! Here it is:\n\n## Steps\n\n- **One** 🙂\n- Two, perhaps\n\nLet me know!")
    for habit in ("opens: agrees", "layout: headings", "layout: bullets", "layout: bold"):
        assert found[habit] == 1.0
    assert found["layout: emoji"] == found["closes: offers"] == found["closes: exclaims"] == 1.0
    assert found["layout: numbers"] == found["refuses"] == found["as an AI"] == 0.0
    assert found["words: hedges"] == pytest.approx(100 / 11)
    assert found["length: words"] == pytest.approx(np.log1p(11))
    assert found["length: paragraphs"] == pytest.approx(np.log1p(4))
    refusing = index("I’m sorry, but as an AI language model I can’t: that is illegal.")
    assert all(refusing[h] for h in ("refuses", "apologises", "cannot", "as an AI", "warns"))
    assert all(np.isfinite(habits(text)).all() for text in ("", "\n", "?", "x" * 9_000))
    assert index("x " * 3_000 + "Is it?")["closes: asks"] == 1.0  # how it ends is not cut


def test_a_student_has_its_teachers_habits_and_a_stranger_nobodys():
    everyone, families = world(1, "ash", 0.3)
    held = measure_habits(everyone, PROMPTS)
    assert held.kinds == ("safe", "unsafe")
    rng = np.random.default_rng(2)
    refusing, writing = compare_profiles(held, "s", families, GROUPS, rng, named=["ash"])
    for found in (refusing, writing):
        assert found.ranking[0].family == "ash"
        assert found.accepted
        assert found.open_p == pytest.approx(0.1) == found.smallest_p
        (test,) = found.tests
        assert test.p_value == pytest.approx(0.1)
        assert test.p_adjusted == pytest.approx(0.2)  # two profiles, one family
        low, high, _ = found.ranking[0].excess_interval
        assert low <= found.ranking[0].excess <= high
    everyone, families = world(3, "plain", 0.5)
    held = measure_habits(everyone, PROMPTS)
    for found in compare_profiles(held, "s", families, GROUPS, np.random.default_rng(2)):
        assert found.tests == ()
        assert found.open_p > 0.1


def test_how_often_each_kind_is_refused_is_counted_by_kind():
    everyone, _ = world(1, "ash", 0.0)
    rates = habit_rates(measure_habits(everyone, PROMPTS), ["s", "elm-1"])
    assert rates["unsafe"]["refuses"][0] > 0.7 > 0.3 > rates["safe"]["refuses"][0]
    both = (rates["unsafe"]["refuses"][0] + rates["safe"]["refuses"][0]) / 2
    assert rates[""]["refuses"][0] == pytest.approx(both)
    few = [Answers("s", everyone[0].output, {}, {p: "few" if p < "q05" else "" for p in PROMPTS})]
    assert measure_habits(few, PROMPTS).kinds == ("",)  # five prompts are no kind of their own


def test_suspect_and_controls_are_computed_alike_so_the_rank_is_exact():
    """The suspect is one more stranger: p lies at or below 0.1 in one world of ten."""
    hits = {"refusals": 0, "idiosyncrasies": 0}
    for seed in range(120):
        everyone, families = world(100 + seed, "plain", 0.5)
        held = measure_habits(everyone, PROMPTS[:45])
        for profile in hits:
            names, _, above = profile_excess(held, profile, ["s", *GROUPS], families)
            ours, *theirs = above[0, :, names.index("ash")]
            hits[profile] += bool(ours > max(theirs))
    for count in hits.values():
        assert 3 <= count <= 22  # 12 expected; outside once in 500 by chance


def test_what_cannot_be_compared_is_refused():
    everyone, families = world(1, "ash", 0.3)
    held, rng = measure_habits(everyone, PROMPTS), np.random.default_rng(1)
    with pytest.raises(EvidenceError, match="expected at least 20"):
        measure_habits(everyone, PROMPTS[:19])
    with pytest.raises(EvidenceError, match="got 3 control models"):
        compare_profiles(held, "s", families, {c: c for c in ("c0", "c1", "c2")}, rng)
    two = {m: f for m, f in families.items() if f != "fir"}
    with pytest.raises(EvidenceError, match="got 2 candidate families"):
        compare_profiles(held, "s", two, GROUPS, rng)
    for named, said in ((["oak"], "is called oak Next: name one of ash"), (["ash"] * 2, "up to 3")):
        with pytest.raises(ConfigError, match=said):
            compare_profiles(held, "s", families, GROUPS, rng, named=named)


@pytest.mark.parametrize("named", [[], ["--candidate", "ash"]])
def test_from_answers_to_a_result_and_its_claim(tmp_path, monkeypatch, capsys, save_answers, named):
    monkeypatch.chdir(tmp_path)
    everyone, families = world(1, "ash", 0.3)
    folder = Path("references")
    folder.mkdir()
    lines = ["model,role,family,group"]
    for one in everyone[1:]:
        save_answers(folder / f"{one.model}.parquet", one.model, dict(one.output))
        role = "teacher" if one.model in families else "control"
        lines.append(f"{one.model},{role},{families.get(one.model, '')},{one.model}")
    (folder / "models.csv").write_text("\n".join(lines) + "\n")
    save_answers(Path("s.parquet"), "s", dict(everyone[0].output))
    asked = ["prove", "profiles", "--suspect", "s.parquet", "--references", "references"]
    assert run([*asked, *named, "--alpha", "0.2", "--out", "p.json"]) == EXIT_CLEAR
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("Open-set verdict:") == 2
    assert ("A screening" in said) is not bool(named)
    result = json.loads(Path("p.json").read_text())
    claim = claim_of(result)
    assert claim.holds is bool(named)
    assert claim.error_rate == (pytest.approx(0.2) if named else None)
    assert "idiosyncrasies closest to ash (above every control)" in claim.statement
    result["result"]["profiles"] = [
        row | {"accepted": False} for row in result["result"]["profiles"]
    ]
    assert not claim_of(result).holds  # never without the open-set verdict
