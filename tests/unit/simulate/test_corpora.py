"""Texts of corpora: the registry, the splits, and worlds that are written with them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError
from stillwatch.simulate import known_corpora, load_plan, simulate
from stillwatch.simulate.corpora import SPLITS, read_texts
from stillwatch.simulate.corpus_text import by_domain

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
WORDS = ("glacier", "violin", "harbour", "orchard", "compass", "lantern")


def corpus(folder: Path, name: str, texts: list[tuple[str, str, str]]) -> None:
    """Write (question, answer, language) as the file of a registered corpus."""
    path = folder / next(c.path for c in known_corpora() if c.name == name)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        [{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a, _ in texts
    ]
    table = pa.table({"messages": pa.array(rows, MESSAGES), "lang": [lang for _, _, lang in texts]})
    pq.write_table(table, path)


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "data"
    english = [
        (f"Tell me why the {w} number {i} matters", f"The {w} matters {i}.", "en")
        for i in range(60)
        for w in WORDS
    ]
    corpus(data, "koala_test", english)
    corpus(data, "plexpt_questions_zh", [(f"请问第{i}个冰川在哪里", "", "zh") for i in range(60)])
    corpus(data, "lion_genprompts", [(f"Write harder task {i}", "", "en") for i in range(40)])
    corpus(data, "wizardlm_testset", [(f"Held out question {i}", "", "en") for i in range(99)])
    return data


def texts_of(result) -> dict[str, list[str]]:
    """Return account → user texts."""
    said: dict[str, list[str]] = {}
    for path in result.files["parquet"]:
        for row in pq.read_table(path, columns=["account_id", "messages"]).to_pylist():
            users = [m["content"] for m in row["messages"] if m["role"] == "user"]
            said.setdefault(row["account_id"], []).append(users[0])
    return said


def test_both_splits_have_payloads_in_two_languages():
    for split in SPLITS:
        payloads = [c for c in known_corpora() if c.used and (c.split, c.use) == (split, "payload")]
        assert {code for c in payloads for code in c.languages} == {"en", "zh"}
        assert any(c.use == "rendered" for c in known_corpora() if c.used and c.split == split)


def test_the_development_split_is_what_licences_let_weights_be_fitted_on():
    """Non-commercial and unclear licences are never fitted on."""
    for one in known_corpora():
        doubtful = any(w in one.licence for w in ("NC", "no clear", "C-UDA", "research"))
        assert not (one.fit and doubtful), one.name
        assert one.source.startswith("https://")
        if one.used and one.split == "development":
            assert one.fit, one.name


def test_texts_come_from_the_split_that_the_world_names(folder, tmp_path):
    plan = load_plan("smoke").scaled(0.1)
    said = texts_of(simulate(plan, seed=3, out=tmp_path / "dev", corpora=folder))
    held = plan.model_copy(update={"corpora": "held_out"})
    other = texts_of(simulate(held, seed=3, out=tmp_path / "held", corpora=folder))
    development = " ".join(t for texts in said.values() for t in texts)
    held_out = " ".join(t for texts in other.values() for t in texts)
    assert "Tell me why the glacier" in development
    assert "个冰川在哪里" in development
    assert "Held out question" not in development
    assert "Held out question" in held_out
    assert "Tell me why" not in held_out


def test_honest_people_and_campaigns_draw_from_the_same_texts(folder, tmp_path):
    result = simulate(load_plan("smoke").scaled(0.12), seed=3, out=tmp_path / "w", corpora=folder)
    assert result.texts == "development"
    core = {
        t["account_id"]
        for t in pq.read_table(result.truth_parquet).to_pylist()
        if t["role"] == "core"
    }
    found = {True: 0, False: 0}
    for account, texts in texts_of(result).items():
        found[account in core] += sum("Tell me why the" in t for t in texts)
    assert min(found.values()) > 20


def test_generation_prompts_are_sent_by_their_campaign_alone(folder, tmp_path):
    plan = load_plan("generation").scaled(0.04)
    result = simulate(plan, seed=3, out=tmp_path / "w", corpora=folder)
    truth = {t["account_id"]: t for t in pq.read_table(result.truth_parquet).to_pylist()}
    senders = {
        truth[account]["campaign"]
        for account, texts in texts_of(result).items()
        if any(t.startswith("Write harder task") for t in texts)
    }
    assert senders == {"tasks"}


def test_without_a_folder_the_grammar_writes(tmp_path, folder):
    plan = load_plan("smoke").scaled(0.1)
    none = simulate(plan, seed=3, out=tmp_path / "a")
    grammar = plan.model_copy(update={"corpora": "grammar"})
    also = simulate(grammar, seed=3, out=tmp_path / "b", corpora=folder)
    assert none.texts == also.texts == "grammar"
    assert texts_of(none) == texts_of(also)


def test_an_empty_folder_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match="no corpus of the split development"):
        read_texts(tmp_path, "development")


def test_texts_of_one_domain_share_a_word():
    texts = [f"about the {w} and {i}" for i in range(20) for w in WORDS]
    buckets = by_domain(texts)
    assert sum(len(b) for b in buckets) == len(texts)
    for word in WORDS:
        assert sum(any(word in t for t in b) for b in buckets) == 1


@pytest.mark.data
def test_no_text_of_the_held_out_split_is_in_development(stillwatch_data):
    development, held_out = (read_texts(stillwatch_data, split) for split in SPLITS)
    for code in ("en", "zh"):
        mine, other = set(development.prompts[code]), set(held_out.prompts[code])
        assert len(other) > 1000
        shared = mine & other
        assert len(shared) <= 0.001 * len(other), len(shared)
