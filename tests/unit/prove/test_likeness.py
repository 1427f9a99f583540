"""First tokens, self-identification, equality: exact ranks, right direction, honest limits."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, EvidenceError, InputError, SchemaError
from stillwatch.prove import (
    Answers,
    agreement_power,
    build_case,
    equality_power,
    identity_power,
    identity_questions,
    inquire_agreement,
    inquire_equality,
    inquire_identity,
    model_equality,
    next_token_agreement,
    read_first_tokens,
    read_samples,
    self_identification,
)
from stillwatch.prove.casefile import ELEMENTS

NOW = datetime(2026, 11, 27, 4, tzinfo=UTC)
PROMPTS = [f"p{k}" for k in range(40)]


def tokens(rng, common: float = 0.5) -> dict[str, str]:
    """Return first tokens: one that everybody likes, or one of five."""
    return {
        p: "the" if rng.random() < common else f"t{k}-{int(rng.integers(5))}"
        for k, p in enumerate(PROMPTS)
    }


def test_a_student_of_half_the_tokens_ranks_first_and_a_stranger_does_not():
    rng = np.random.default_rng(1)
    teacher, controls = tokens(rng), {f"c{k}": tokens(rng) for k in range(9)}
    stranger = tokens(rng)
    student = {p: teacher[p] if k % 2 else stranger[p] for k, p in enumerate(PROMPTS)}
    found = next_token_agreement(student, teacher, controls)
    assert found.p_value == pytest.approx(0.1)
    assert found.over_closest.difference > 0.1
    assert next_token_agreement(stranger, teacher, controls).p_value > 0.1


def test_agreement_on_what_everybody_says_counts_less_than_on_what_one_says():
    teacher = dict.fromkeys(PROMPTS, "rare") | dict.fromkeys(PROMPTS[:20], "the")
    common = dict.fromkeys(PROMPTS[:20], "the") | dict.fromkeys(PROMPTS[20:], "else")
    controls = {f"c{k}": dict(common) for k in range(4)}
    few_rare = dict.fromkeys(PROMPTS, "else") | dict.fromkeys(PROMPTS[35:], "rare")
    found = next_token_agreement(few_rare, teacher, controls)
    assert found.share < 0.5 == pytest.approx(20 / 40)
    assert found.score > max(found.control_scores.values())


def test_the_rank_of_an_exchangeable_suspect_is_uniform():
    rng = np.random.default_rng(2)
    p = []
    for _ in range(150):
        habit = {q: f"h{int(rng.integers(3))}" for q in PROMPTS}  # prompts go together
        models = [
            {q: habit[q] if rng.random() < 0.6 else f"x{int(rng.integers(4))}" for q in PROMPTS}
            for _ in range(11)
        ]
        controls = {f"c{k}": m for k, m in enumerate(models[2:])}
        p.append(next_token_agreement(models[0], models[1], controls).p_value)
    for t in (0.1, 0.3, 0.5):
        assert np.mean(np.array(p) <= t + 1e-9) <= t + 3.3 * np.sqrt(t * (1 - t) / len(p))
    assert np.mean(np.array(p) <= 0.5 + 1e-9) > 0.3


def test_power_of_agreement_rises_with_what_was_taken():
    rng = np.random.default_rng(3)
    teacher, controls = tokens(rng), {f"c{k}": tokens(rng) for k in range(8)}
    curve = agreement_power(teacher, controls, rng)
    assert curve[-1].power > 0.9
    assert curve[0].power < curve[-1].power
    with pytest.raises(EvidenceError, match="at least 5"):
        agreement_power(teacher, dict(list(controls.items())[:4]), rng)


def test_too_few_controls_or_prompts_are_refused():
    rng = np.random.default_rng(4)
    teacher = tokens(rng)
    with pytest.raises(EvidenceError, match="expected at least 4"):
        next_token_agreement(teacher, teacher, {"c": tokens(rng)})
    few = {p: "x" for p in PROMPTS[:19]}
    with pytest.raises(EvidenceError, match="19 prompts"):
        next_token_agreement(few, teacher, {f"c{k}": tokens(rng) for k in range(4)})


def said(name: str, times: int, text: str = "I am Kiln-2, by Alder Labs.") -> Answers:
    asked = identity_questions()
    output = {p: text if k < times else "An assistant." for k, p in enumerate(asked)}
    return Answers(name, output, asked, {})


def test_names_are_counted_as_whole_words_and_ranked_among_controls():
    controls = [said(f"c{k}", k) for k in range(4)]
    (found,) = self_identification(said("s", 12), controls, {"alder": ["Kiln", "Alder"]})
    assert (found.times, found.most_among_controls) == (12, 3)
    assert found.p_value == pytest.approx(0.2)
    (tied,) = self_identification(said("s", 3), controls, {"alder": ["Alder"]})
    assert tied.p_value == pytest.approx(0.4)
    inside = said("s", 12, "The Alderman of Kilnsea answers.")
    (none,) = self_identification(inside, controls, {"alder": ["Kiln", "Alder"]})
    assert none.times == 0
    power = identity_power(found)
    assert power[0].power < power[-1].power == 1.0


def test_holm_covers_the_named_families_and_more_than_three_are_refused():
    controls = [said(f"c{k}", 0) for k in range(4)]
    both = self_identification(said("s", 9), controls, {"a": ["Kiln"], "b": ["Birch"]})
    assert [n.p_adjusted for n in both] == pytest.approx([0.4, 1.0])
    with pytest.raises(ConfigError, match="one to three"):
        self_identification(said("s", 9), controls, {f"f{k}": ["x"] for k in range(4)})
    with pytest.raises(EvidenceError, match="expected at least 4"):
        self_identification(said("s", 9), controls[:3], {"a": ["Kiln"]})


def test_a_question_that_holds_the_name_does_not_count():
    suspect = said("s", 24)
    hinted = Answers("s", suspect.output, dict.fromkeys(suspect.output, "Are you Kiln?"), {})
    with pytest.raises(EvidenceError, match="0 questions"):
        self_identification(hinted, [said(f"c{k}", 0) for k in range(4)], {"a": ["Kiln"]})


def samples(rng, words: list[str], count: int = 6) -> dict[str, list[str]]:
    return {
        f"p{k}": [" ".join(rng.choice(words, 8)) + f" topic{k}" for _ in range(count)]
        for k in range(6)
    }


def test_two_samples_of_one_model_are_rarely_told_apart_and_two_models_always():
    rng = np.random.default_rng(5)
    same, other = ["a", "b", "c", "d"], ["a", "x", "y", "z"]
    p = [
        model_equality(samples(rng, same), samples(rng, same), rng, permutations=99).p_value
        for _ in range(60)
    ]
    assert np.mean(np.array(p) <= 0.1) <= 0.1 + 3.3 * np.sqrt(0.09 / 60)
    assert np.mean(p) > 0.3
    found = model_equality(samples(rng, same), samples(rng, other), rng)
    assert found.p_value == pytest.approx(0.001)
    assert found.statistic > 0.1


def test_equality_needs_several_samples_and_its_power_rises_with_the_share():
    rng = np.random.default_rng(6)
    a, b, c = (samples(rng, list(w)) for w in ("abcd", "abcd", "axyz"))
    curve = equality_power(a, b, c, rng, permutations=59)
    assert curve[-1].power > 0.95
    assert curve[0].power < curve[-1].power
    with pytest.raises(EvidenceError, match="two answers"):
        model_equality({p: s[:1] for p, s in a.items()}, b, rng)


def written(path: Path, models: dict[str, dict[str, str]], logprobs: bool = True) -> Path:
    rows = [
        {
            "model": model,
            "prompt_id": p,
            "output": t,
            "prompt": "",
            "logprobs": [{"token": t, "logprob": -0.5}] if logprobs else None,
        }
        for model, held in models.items()
        for p, t in held.items()
    ]
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture
def references(tmp_path):
    rng = np.random.default_rng(7)
    teacher = tokens(rng)
    models = {"kiln-1": teacher} | {f"c{k}": tokens(rng) for k in range(9)}
    folder = tmp_path / "references"
    written(folder / "all.parquet", models)
    lines = ["model,role,family,group", "kiln-1,teacher,kiln,kiln"]
    lines += [f"c{k},control,none,c{k}" for k in range(9)]
    (folder / "models.csv").write_text("\n".join(lines) + "\n")
    return folder, teacher


def test_agreement_from_files_to_a_claim(references, tmp_path):
    folder, teacher = references
    suspect = written(tmp_path / "suspect.parquet", {"kiln-7b": teacher})
    out = tmp_path / "agreement.json"
    found = inquire_agreement(suspect, folder, "kiln-1", out, alpha=0.1)
    assert found["p_value"] == pytest.approx(0.1)
    assert found["power"][-1]["power"] > 0.9
    case = build_case(title="t", suspect="kiln-7b", results=[out], now=NOW)
    claim = case["chain"][0]["value"]["claim"]
    assert claim["holds"]
    assert "cannot be below 0.100" in claim["weakest_link"]
    assert not any("agreement" in e.claims for e in ELEMENTS)  # it is consistent with, no proof
    with pytest.raises(ConfigError, match="candidates"):
        inquire_agreement(suspect, folder, "c1", out)


def test_answers_without_log_probabilities_are_refused(references, tmp_path):
    folder, teacher = references
    bare = written(tmp_path / "bare.parquet", {"kiln-7b": teacher}, logprobs=False)
    with pytest.raises(SchemaError, match="log-probabilities"):
        inquire_agreement(bare, folder, "kiln-1", tmp_path / "x.json")
    with pytest.raises(InputError):
        read_first_tokens(tmp_path / "absent.parquet")
    with pytest.raises(InputError):
        read_samples(tmp_path / "absent.parquet")


def test_identity_from_files_to_a_claim(tmp_path):
    folder = tmp_path / "references"
    written(folder / "c.parquet", {f"c{k}": dict(said("", k).output) for k in range(4)})
    lines = ["model,role,family,group", *(f"c{k},control,none,c{k}" for k in range(4))]
    (folder / "models.csv").write_text("\n".join(lines) + "\n")
    suspect = written(tmp_path / "s.parquet", {"kiln-7b": dict(said("", 20).output)})
    out = tmp_path / "identity.json"
    found = inquire_identity(suspect, folder, {"alder": ["Kiln"]}, out, alpha=0.2)
    assert found["families"][0]["times"] == 20
    case = build_case(title="t", suspect="kiln-7b", results=[out], now=NOW)
    claim = case["chain"][0]["value"]["claim"]
    assert claim["holds"]
    assert "20 of 24 answers; controls at most in 3" in claim["statement"]


def test_a_relay_cannot_be_told_from_its_teacher_and_the_claim_says_so(tmp_path):
    rng = np.random.default_rng(8)

    def saved(name: str, held: dict[str, list[str]]) -> Path:
        rows = [
            {"model": name, "prompt_id": p, "output": t, "sample": k}
            for p, texts in held.items()
            for k, t in enumerate(texts)
        ]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
        return tmp_path / f"{name}.parquet"

    teacher = saved("teacher", samples(rng, list("abcd"), 8))
    other = saved("other", samples(rng, list("axyz")))
    relay, student = (
        saved("relay", samples(rng, list("abcd"))),
        saved("s", samples(rng, list("xy"))),
    )
    for suspect, differs in ((relay, False), (student, True)):
        out = tmp_path / f"{suspect.stem}.json"
        found = inquire_equality(suspect, teacher, out, other=other, alpha=0.01)
        assert found["differs"] is differs
        assert found["power"][-1]["power"] > 0.5
        case = build_case(title="t", suspect=suspect.stem, results=[out], now=NOW)
        claim = case["chain"][0]["value"]["claim"]
        assert claim["holds"] is differs
        assert ("resold" in claim["statement"]) is not differs
        assert ("not the teacher" in claim["statement"]) is differs
