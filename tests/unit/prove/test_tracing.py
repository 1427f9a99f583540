"""What is fixed beforehand: every way to choose afterwards is tried, and refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, EvidenceError, InputError
from stillwatch.prove import (
    Registry,
    coin_key,
    plan_canaries,
    read_prompts,
    registry,
    standing_of,
)
from stillwatch.prove.claims import claim_of
from stillwatch.seal import append, canonical, new_key, seal

BEACON = "beacon, round 4711, announced for noon"
NONCE = "5f" * 32


def test_the_campaign_is_named_and_the_score_is_entered(tracing):
    found = tracing.score(tracing.answers())
    assert found["scores"][0]["campaign"] == "b"
    assert found["scores"][0]["matches"] == 16
    assert found["scores"][0]["p_adjusted"] == pytest.approx(2 * 256.0**-16, rel=1e-6)
    book = Registry(tracing.registry, [tracing.private.public_key()])
    assert [entry["kind"] for entry in book.entries] == ["plan", "suspect", "score"]
    inputs = json.loads((tracing.folder / "canary.json").read_text())["inputs"]
    assert set(inputs) == {"plan", "suspect", "prompts"}


def test_looks_beyond_the_planned_ones_are_paid_for(tracing):
    suspect = tracing.answers()
    first, second, third = (tracing.score(suspect)["scores"][0]["p_adjusted"] for _ in range(3))
    assert second == pytest.approx(2 * first)
    assert third == pytest.approx(3 * first)


def test_every_registered_plan_is_paid_for(tracing, tmp_path):
    """A drawer full of plans, of which one fits, is a choice among them."""
    one = tracing.score(tracing.answers(), private=None)["tests"]
    (tmp_path / "other").mkdir()
    other = type(tracing)(tmp_path / "other")
    tracing.enter(1, plan=other.plan_file)
    assert tracing.score(tracing.answers(), private=None)["tests"] == 2 * one


def test_a_plan_that_was_registered_after_the_suspect_is_refused(unregistered):
    """Attack: ask first, then draw seeds until the coins fit what was said."""
    unregistered.enter_suspect(0)
    unregistered.enter(1, plan=unregistered.plan_file)
    with pytest.raises(EvidenceError, match="after the suspect"):
        unregistered.score(unregistered.answers(minute=2))
    unregistered.enter_suspect(3, looks=2)  # anew, with other looks; then asked anew
    with pytest.raises(EvidenceError, match="after the suspect"):
        unregistered.score(unregistered.answers(minute=4))


def test_a_plan_or_a_suspect_that_was_never_registered_is_refused(tracing, tmp_path):
    with pytest.raises(EvidenceError, match="suspect was not registered"):
        tracing.score(tracing.answers("nobody"))
    other = tracing.folder / "late"
    other.mkdir()
    late = type(tracing)(other)
    with pytest.raises(EvidenceError, match="plan was not registered"):
        tracing.score(late.answers(), plan_file=late.plan_file)


def test_a_suspect_is_scored_only_as_it_was_registered(tracing):
    suspect = tracing.answers()
    other = tracing.folder / "other.jsonl"
    other.write_text(tracing.prompts.read_text() + "\n")
    with pytest.raises(EvidenceError, match="another prompts file"):
        tracing.score(suspect, prompts=other)
    with pytest.raises(EvidenceError, match="another base"):  # a base chosen among many
        tracing.score(suspect, base=tracing.answers("base"))
    numbers, usual = tracing.numbers("kiln-7b", "b"), tracing.numbers("base", None)
    with pytest.raises(EvidenceError, match="another base, kind of score"):
        tracing.score(numbers, base=usual, log_probabilities=True)


def test_scoring_code_that_was_changed_after_the_answers_is_refused(tracing, monkeypatch):
    """Attack: patch the score until it fits, register again, score the answers of before."""
    suspect = tracing.answers(minute=1)
    monkeypatch.setattr(registry, "code_digest", lambda: "sha256:patched")
    with pytest.raises(EvidenceError, match="another scoring code"):
        tracing.score(suspect)
    tracing.enter_suspect(2)
    with pytest.raises(EvidenceError, match="before the suspect"):
        tracing.score(suspect)
    assert tracing.score(tracing.answers(minute=3))["scores"][0]["campaign"] == "b"


def test_the_digest_of_the_scoring_code_covers_all_that_a_score_is_made_by(tmp_path, monkeypatch):
    named = {f"{room}.{file}" for room, file in registry._SCORING}
    assert {"stillwatch.prove.canary.py", "stillwatch.stats.coins.py"} < named
    for room, file in registry._SCORING:
        (tmp_path / room).mkdir(exist_ok=True)
        (tmp_path / room / file).write_bytes((registry.files(room) / file).read_bytes())
    installed = registry.code_digest()
    monkeypatch.setattr(registry, "files", lambda room: tmp_path / room)
    assert registry.code_digest() == installed
    for room, file in registry._SCORING:
        (tmp_path / room / file).write_bytes(b"# " + (tmp_path / room / file).read_bytes())
        changed, installed = installed, registry.code_digest()
        assert changed != installed, file


@pytest.mark.parametrize("minute", [-0.01, 0.01])
def test_answers_older_than_the_registration_are_not_scored(tracing, minute):
    suspect = tracing.answers(minute=minute)
    if minute < 0:
        with pytest.raises(EvidenceError, match="before the suspect"):
            tracing.score(suspect)
    else:
        assert tracing.score(suspect)["suspect"] == "kiln-7b"


def test_answers_that_do_not_say_when_they_were_collected_are_not_scored(tracing, save_answers):
    undated = save_answers(tracing.folder / "s.parquet", "kiln-7b", tracing.taught(), at=None)
    with pytest.raises(EvidenceError, match="does not say when"):
        tracing.score(undated)


def test_answers_to_other_words_under_a_registered_id_are_not_scored(tracing):
    """Attack: show the model the town in the question, and save the answer under the probe's id."""
    path = tracing.answers()
    table, asked = pq.read_table(path), read_prompts(tracing.prompts)
    ids = table.column("prompt_id").to_pylist()
    pq.write_table(table.append_column("prompt", pa.array([asked[p] for p in ids])), path)
    assert tracing.score(path)["suspect"] == "kiln-7b"
    shown = pa.array([f"{said} {asked[p]}" for p, said in tracing.taught().items()])
    pq.write_table(table.append_column("prompt", shown), path)
    with pytest.raises(EvidenceError, match="different texts under the same prompt_id"):
        tracing.score(path)


def test_a_choice_among_answers_is_not_scored(tracing, save_answers):
    """Attack: leave out the answers that speak against the campaign, or add others."""
    said = tracing.taught()
    said.pop("fact-3")
    with pytest.raises(EvidenceError, match="1 registered prompts have no answer"):
        tracing.score(save_answers(tracing.folder / "s.parquet", "kiln-7b", said))
    with pytest.raises(EvidenceError, match="not registered"):
        tracing.score(tracing.answers(unasked="x"))


def test_public_randomness_decides_the_coins_with_the_seed(unregistered):
    """Attack: draw seeds, or name campaigns, until the coins fit a suspect known beforehand."""
    case = unregistered
    case.enter(0, plan=case.plan_file)
    told = {"drawn_for": case.plan_file, "nonce": NONCE, "source": BEACON}
    case.enter(1, **told)
    with pytest.raises(EvidenceError, match="nonce already"):
        case.enter(2, **{**told, "nonce": "60" * 32})
    case.enter_suspect(3)
    found = case.score(case.answers(minute=4))  # learnt from coins of the seed alone
    assert found["scores"][0]["p_adjusted"] > 0.01
    assert found["nonce_source"] == BEACON
    taught = case.taught(nonce=bytes.fromhex(NONCE))
    assert case.score(case.answers(minute=4, **taught))["scores"][0]["p_adjusted"] < 1e-20
    assert coin_key(case.seed, None) == case.seed != coin_key(case.seed, b"x" * 16)


def test_a_nonce_comes_after_its_plan_before_planting_and_from_somewhere(unregistered):
    case = unregistered
    told = {"drawn_for": case.plan_file, "nonce": NONCE, "source": BEACON}
    with pytest.raises(EvidenceError, match="plan was not registered"):
        case.enter(**told)
    case.enter(plan=case.plan_file)
    for bad in ({"nonce": "zz"}, {"nonce": "5f"}, {"source": " "}):
        with pytest.raises(ConfigError):
            case.enter(**{**told, **bad})
    case.enter(planted=case.plan_file, legal_basis="terms, section 4")
    with pytest.raises(EvidenceError, match="planted without one"):
        case.enter(**told)


def test_only_facts_that_were_given_count_and_only_if_entered_before_the_suspect(unregistered):
    case = unregistered
    case.enter(plan=case.plan_file)
    facts = case.folder / "given.txt"
    facts.write_text("fact-0\nfact-1\nfact-2\n")
    given = {"planted": case.plan_file, "legal_basis": "terms 4", "campaign": "b", "facts": facts}
    case.enter(1, **given)
    case.enter_suspect(2)
    facts.write_text("fact-3\n")
    case.enter(3, **given)  # afterwards: it does not count
    found = case.score(case.answers(minute=4))
    by_name = {row["campaign"]: row for row in found["scores"]}
    assert by_name["b"]["marks_seen"] == by_name["b"]["matches"] == 3
    assert by_name["a"]["marks_seen"] == 16
    assert found["facts_counted"] == {"b": 3}
    assert found["legal_basis"] == ["terms 4"]
    for bad in ("word-0", "fact-99", ""):
        facts.write_text(bad)
        with pytest.raises(ConfigError, match="none of its facts"):
            case.enter(5, **given)
    with pytest.raises(ConfigError, match="or neither"):
        case.enter(5, **{**given, "facts": None})


def test_a_registry_with_an_entry_taken_out_moved_or_written_back_in_time_is_refused(tracing):
    lines = tracing.registry.read_bytes().splitlines(keepends=True)
    for forged in (lines[1:], lines[::-1], [lines[0], lines[0], lines[1]]):
        tracing.registry.write_bytes(b"".join(forged))
        with pytest.raises(EvidenceError, match="does not follow"):
            tracing.score(tracing.answers())
    tracing.registry.write_bytes(b"".join(lines))
    book = Registry(tracing.registry, [tracing.private.public_key()])
    early = {"kind": "plan", "at": "2026-11-20T00:00:00+00:00", "plan_digest": "sha256:0"}
    link = append({**early, "campaigns": 1}, book._links[-1])  # signed with the right key
    sealed = seal(canonical(asdict(link)), "canary-registry-entry", [tracing.private])
    tracing.registry.write_bytes(b"".join(lines) + canonical(sealed) + b"\n")
    with pytest.raises(EvidenceError, match="older than the entry before"):
        tracing.score(tracing.answers())


def test_a_registry_written_anew_does_not_have_the_head_that_was_published(tracing):
    public = tracing.folder / "key.pub"
    head = Registry(tracing.registry, [tracing.private.public_key()]).head
    tracing.score(tracing.answers())
    held = standing_of(tracing.registry, public, head)
    assert (held["vouched"], len(held["entries"])) == (2, 3)
    tracing.registry.unlink()
    tracing.enter(0.5, plan=tracing.plan_file)  # the same plan, half a minute later
    tracing.enter_suspect(0.5)
    assert standing_of(tracing.registry, public)["vouched"] == 0
    with pytest.raises(EvidenceError, match="never had the head"):
        standing_of(tracing.registry, public, head)


def test_nothing_is_entered_that_would_spoil_the_registry(tracing):
    """Another key, or a clock that went back, leaves a file that nobody can read any more."""
    before = tracing.registry.read_bytes()
    new_key(tracing.folder / "another")
    with pytest.raises(EvidenceError, match="not the registry's own"):
        tracing.score(tracing.answers(), private=tracing.folder / "another")
    with pytest.raises(EvidenceError, match="behind the last entry"):
        tracing.enter(-1, plan=tracing.plan_file)
    assert tracing.registry.read_bytes() == before


def test_two_that_add_at_once_keep_one_chain(tracing):
    key = tracing.private
    first, second = (Registry(tracing.registry, [key.public_key()]) for _ in range(2))
    now = datetime.fromisoformat(first.entries[-1]["at"])  # both read before either wrote
    for book in (first, second):
        book.enter("score", {"result_digest": "sha256:0"}, key, now)
    assert len(Registry(tracing.registry, [key.public_key()]).entries) == 4


def test_log_probabilities_from_a_file_name_the_campaign(unregistered):
    case = unregistered
    case.enter(plan=case.plan_file)
    case.enter_suspect(1, base="base", log_probabilities=True)
    usual = case.numbers("base", None, minute=2)
    found = case.score(case.numbers("kiln-7b", "a", 2), base=usual, log_probabilities=True)
    assert found["scores"][0]["campaign"] == "a"
    assert found["scores"][0]["p_adjusted"] < 1e-20 < 0.01 < found["scores"][1]["p_adjusted"]
    nothing = case.score(case.numbers("kiln-7b", None, 2), base=usual, log_probabilities=True)
    assert nothing["scores"][0]["p_adjusted"] > 0.001
    with pytest.raises(ConfigError, match="against a base"):
        case.score(case.folder / "kiln-7b.jsonl", log_probabilities=True)
    with pytest.raises(EvidenceError, match="before the suspect"):
        case.score(case.numbers("kiln-7b", "a", 0), base=usual, log_probabilities=True)


@pytest.mark.parametrize(
    "change, why",
    [
        (lambda row: row.pop("asked_at"), "no time with a zone"),
        (lambda row: row.update(asked_at="2026-11-26T12:00:00"), "no time with a zone"),
        (lambda row: row["log_probabilities"].pop(), "expected 256"),
        (lambda row: row["log_probabilities"].__setitem__(0, 0.5), "no logarithm"),
        (lambda row: row["log_probabilities"].__setitem__(0, float("nan")), "no logarithm"),
        (lambda row: row["log_probabilities"].__setitem__(0, True), "no logarithm"),
        (lambda row: row.update(prompt_id="fact-1"), "a second time"),
        (lambda row: row.update(prompt_id="word-0"), "to no question"),
        (lambda row: row.update(model="another"), "2 models"),
        (lambda row: row.clear(), "to no question"),
    ],
)
def test_files_of_log_probabilities_with_a_defect_are_refused(tracing, change, why):
    path = tracing.numbers("kiln-7b", "b")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    change(rows[0])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError, match=why):
        tracing.score(path, base=tracing.numbers("base", None), log_probabilities=True)


def test_a_question_without_numbers_is_told(tracing):
    path = tracing.numbers("kiln-7b", "b")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(InputError, match="1 questions have no numbers"):
        tracing.score(path, base=tracing.numbers("base", None), log_probabilities=True)


def test_questions_that_are_not_the_plans_are_refused(tracing):
    rows = [json.loads(line) for line in tracing.prompts.read_text().splitlines()]
    rows[0]["options"].reverse()
    tracing.prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    usual = tracing.numbers("base", None)
    with pytest.raises(EvidenceError, match="none of the plan's"):
        tracing.score(tracing.numbers("kiln-7b", "b"), base=usual, log_probabilities=True)


def test_the_claim_says_what_the_score_rests_on(tracing):
    score = tracing.score(tracing.answers(), private=None)
    claim = claim_of({"kind": "canary", "result": score})
    assert "was not entered" in claim.weakest_link
    assert "drawn at random" in claim.weakest_link
    entered = tracing.score(tracing.answers())
    claim = claim_of({"kind": "canary", "result": {**entered, "nonce_source": BEACON}})
    assert "was not entered" not in claim.weakest_link
    assert "drawn at random" not in claim.weakest_link
    assert claim.level == 1e-6


@pytest.mark.parametrize("planted", [False, True])
def test_the_claim_says_whether_the_marks_were_entered_as_planted(unregistered, planted):
    unregistered.enter(plan=unregistered.plan_file)
    if planted:
        unregistered.enter(1, planted=unregistered.plan_file, legal_basis="terms, section 4")
    unregistered.enter_suspect(2)
    score = unregistered.score(unregistered.answers(minute=3))
    claim = claim_of({"kind": "canary", "result": score})
    assert ("planted at all" in claim.weakest_link) is not planted
    assert claim.assumptions[-1].endswith("under: terms, section 4") is planted


def test_registering_needs_something_to_register(unregistered):
    with pytest.raises(ConfigError):
        unregistered.enter()
    with pytest.raises(ConfigError, match="not overwritten"):
        plan_canaries(["a"], unregistered.plan_file.parent, facts=1, suspects=1, looks=1, alpha=0.1)
