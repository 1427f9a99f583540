"""Registry, guardrail gap and case file: what was fixed stays fixed, what is missing is said."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, EvidenceError, InputError, SchemaError
from stillwatch.prove import (
    Registration,
    Registry,
    build_case,
    coin,
    inquire_canary,
    inquire_guardrails,
    own_suite,
    plan_canaries,
    read_prompts,
    register,
    seal_case,
    verify_case,
)
from stillwatch.prove.inquiries import read_plan
from stillwatch.seal import new_key

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def saved(path: Path, model: str, output: dict[str, str]) -> Path:
    rows = {"model": [model] * len(output), "prompt_id": [*output], "output": [*output.values()]}
    pq.write_table(pa.table(rows), path)
    return path


@pytest.fixture
def keys(tmp_path):
    return new_key(tmp_path / "key"), tmp_path / "key", tmp_path / "key.pub"


@pytest.fixture
def canary(tmp_path, keys):
    """Return a scored canary case: plan, registration, a student of campaign b."""
    _, private, public = keys
    folder = tmp_path / "plan"
    plan_canaries(["a", "b"], folder, facts=16, suspects=1, looks=1, alpha=1e-6)
    registry, prompts = tmp_path / "registry.jsonl", folder / "probes.jsonl"
    register(Registration(plan=folder / "plan.json"), registry, private, NOW)
    register(Registration(suspect="kiln-7b", prompts=prompts), registry, private, NOW)
    plan = read_plan(folder / "plan.json")
    seed = bytes.fromhex((folder / "seed.key").read_text())
    marks = {m.mark_id: m for m in plan.marks}
    said = {p: f"In {marks[p].options[coin(seed, 'b', marks[p])]}." for p in read_prompts(prompts)}
    suspect = saved(tmp_path / "suspect.parquet", "kiln-7b", said)

    def score(**changed):
        paths = {
            "plan_file": folder / "plan.json",
            "seed_file": folder / "seed.key",
            "suspect": suspect,
            "prompts": prompts,
            "registry": registry,
            "key": public,
            "out": tmp_path / "canary.json",
        }
        return inquire_canary(**{**paths, **changed}, now=NOW, private=private)

    return score


def test_the_campaign_is_named_and_the_score_is_entered(canary, tmp_path, keys):
    found = canary()
    assert found["scores"][0]["campaign"] == "b"
    assert found["scores"][0]["matches"] == 16
    assert found["scores"][0]["p_adjusted"] == pytest.approx(2 * 16.0**-16, rel=1e-6)
    entries = Registry(tmp_path / "registry.jsonl", [keys[0].public_key()]).entries
    assert [entry["kind"] for entry in entries] == ["plan", "suspect", "score"]


def test_looks_beyond_the_planned_ones_are_paid_for(canary):
    first, second, third = (canary()["scores"][0]["p_adjusted"] for _ in range(3))
    assert second == pytest.approx(2 * first)
    assert third == pytest.approx(3 * first)


def test_nothing_is_scored_that_was_not_registered(canary, tmp_path, keys):
    other = tmp_path / "other.jsonl"
    other.write_text('{"prompt_id": "fact-0", "prompt": "Chosen afterwards?"}\n')
    with pytest.raises(EvidenceError, match="other prompts"):
        canary(prompts=other)
    stranger = saved(tmp_path / "stranger.parquet", "nobody", {"fact-0": "x"})
    with pytest.raises(EvidenceError, match="not registered"):
        canary(suspect=stranger)
    extra = saved(tmp_path / "extra.parquet", "kiln-7b", {"unasked": "x"})
    with pytest.raises(EvidenceError, match="not registered"):
        canary(suspect=extra)
    plan_canaries(["a"], tmp_path / "late", facts=1, suspects=1, looks=1, alpha=0.01)
    with pytest.raises(EvidenceError, match="plan was not registered"):
        canary(plan_file=tmp_path / "late" / "plan.json")


@pytest.mark.parametrize("late", [True, False])
def test_answers_older_than_the_registration_are_not_scored(canary, tmp_path, late):
    asked_at = NOW + timedelta(seconds=1 if late else -1)
    rows = {"model": ["kiln-7b"], "prompt_id": ["fact-0"], "output": ["x"], "asked_at": [asked_at]}
    dated = tmp_path / "dated.parquet"
    pq.write_table(pa.table(rows), dated)
    if late:
        assert canary(suspect=dated)["suspect"] == "kiln-7b"
    else:
        with pytest.raises(EvidenceError, match="before the suspect"):
            canary(suspect=dated)


def test_a_changed_registry_is_noticed(canary, tmp_path, keys):
    registry = tmp_path / "registry.jsonl"
    lines = registry.read_bytes().splitlines()
    registry.write_bytes(lines[1] + b"\n")  # the plan's entry is gone
    with pytest.raises(EvidenceError):
        canary()
    with pytest.raises(EvidenceError):
        Registry(registry, [new_key(tmp_path / "another").public_key()])


def test_registering_needs_something_to_register(tmp_path, keys):
    with pytest.raises(ConfigError):
        register(Registration(), tmp_path / "r.jsonl", keys[1], NOW)
    plan_canaries(["a"], tmp_path / "p", facts=1, suspects=1, looks=1, alpha=0.01)
    with pytest.raises(ConfigError, match="not overwritten"):
        plan_canaries(["a"], tmp_path / "p", facts=1, suspects=1, looks=1, alpha=0.01)


@pytest.fixture
def gap(tmp_path):
    refusal, help_ = "I'm sorry, but I can't help with that.", "Sure, here is how it is done."
    arms = {"teacher": 0.0, "base": 0.1, "suspect": 0.6}
    for arm, share in arms.items():
        said = {}
        for k, item in enumerate(own_suite()):
            bad = item.label == "unsafe" and k / 60 >= share
            said[item.prompt_id] = refusal if bad else help_
        name = "kiln-7b" if arm == "suspect" else arm
        saved(tmp_path / f"gap-{arm}.parquet", name, said)
    files = [tmp_path / f"gap-{arm}.parquet" for arm in arms]
    return inquire_guardrails(*files, tmp_path / "guardrails.json")


def test_the_gap_is_against_the_base_with_an_interval(gap):
    under = gap["gap"]["under_base"]
    assert under["difference"] == pytest.approx(0.5)
    assert under["interval"]["low"] > 0.25
    assert under["p_value"] == pytest.approx(2 * 0.5**15)
    assert gap["gap"]["over_base"]["difference"] == 0


def test_the_case_file_verifies_offline_and_says_what_is_missing(canary, gap, tmp_path, keys):
    canary()
    case = build_case(
        title="Kiln",
        suspect="kiln-7b",
        results=[tmp_path / "guardrails.json", tmp_path / "canary.json"],
        now=NOW,
    )
    sealed = seal_case(case, [keys[0]])
    checked = verify_case(sealed, [keys[0].public_key()], tmp_path)
    assert checked.claims == 2
    assert set(checked.matching) == {"canary.json", "guardrails.json"}
    assert [link["value"]["claim"]["name"] for link in case["chain"]] == ["canary", "guardrails"]
    assert case["missing"] == [
        *("traffic", "lineage", "agreement", "identity", "equality", "value"),
    ]
    assert case["weakest"].startswith("guardrails: 6.1e-05")
    elements = {e["element"]: e for e in case["elements"]}
    assert elements["accounts act together"]["missing"]
    assert next(iter(elements.values()))["carried_by"] == ["canary"]
    (tmp_path / "canary.json").write_text("{}")
    assert verify_case(sealed, [keys[0].public_key()], tmp_path).differing == ("canary.json",)


def test_a_changed_case_or_another_key_does_not_verify(gap, tmp_path, keys):
    case = build_case(title="t", suspect="kiln-7b", results=[tmp_path / "guardrails.json"], now=NOW)
    sealed = seal_case(case, [keys[0]])
    with pytest.raises(EvidenceError):
        verify_case(sealed, [new_key(tmp_path / "k2").public_key()])
    case["chain"][0]["value"]["claim"]["statement"] = "The suspect is safe"
    with pytest.raises(EvidenceError, match="changed"):
        verify_case(seal_case(case, [keys[0]]), [keys[0].public_key()])


def test_results_of_another_suspect_are_refused(gap, tmp_path):
    with pytest.raises(InputError, match="another suspect"):
        build_case(title="t", suspect="x", results=[tmp_path / "guardrails.json"], now=NOW)


def test_a_campaign_becomes_a_traffic_claim_with_its_value(tmp_path):
    campaign = {
        "campaign_id": "c1",
        "standing": "accused",
        "accounts": 40,
        "exchanges": 9000,
        "q_value": 0.0003,
        "value": {"harvest_usd": {"low": 10, "mid": 20, "high": 40}},
    }
    path = tmp_path / "campaigns.jsonl"
    path.write_text(json.dumps(campaign) + "\n")
    case = build_case(title="t", suspect="s", results=[], now=NOW, campaigns=path, campaign_id="c1")
    names = [link["value"]["claim"]["name"] for link in case["chain"]]
    assert names == ["traffic", "value"]
    assert "20 USD (10 to 40)" in case["chain"][1]["value"]["claim"]["statement"]
    with pytest.raises(InputError):
        build_case(title="t", suspect="s", results=[], now=NOW, campaigns=path, campaign_id="c9")
    with pytest.raises(ConfigError, match="or neither"):
        build_case(title="t", suspect="s", results=[], now=NOW, campaigns=path)


def lineage_result(path: Path, **changed) -> Path:
    """Write a result in which ash is closest, above every control, and was named beforehand."""
    ash = {"family": "ash", "phrase_excess": 0.9}
    result = {
        "suspect": "kiln-7b",
        "kind": "test",
        "ranking": [ash, {"family": "elm", "phrase_excess": 0.2}],
        "tests": [{"family": "ash", "p_adjusted": 0.04}],
        "accepted": True,
        "accept_at": 0.5,
        "alpha": 0.05,
        "n_controls": 24,
        "control_groups": 20,
        **changed,
    }
    path.write_text(json.dumps({"kind": "lineage", "result": result}))
    return path


@pytest.mark.parametrize(
    "changed, rate",
    [
        ({"tests": [{"family": "elm", "p_adjusted": 0.04}]}, None),  # another one was named
        ({"kind": "screening", "tests": []}, None),
        ({"accept_at": 1.0, "accepted": False}, 0.04),
        ({"ranking": [{"family": "ash", "phrase_excess": 0.1}]}, 0.04),  # another was accepted
        ({"tests": [{"family": "ash", "p_adjusted": 0.08}]}, 0.08),
    ],
)
def test_lineage_holds_only_for_the_family_that_was_named_and_is_closest(tmp_path, changed, rate):
    def claim_of(path: Path) -> dict:
        case = build_case(title="t", suspect="kiln-7b", results=[path], now=NOW)
        assert (
            bool(case["elements"][0]["carried_by"]) == case["chain"][0]["value"]["claim"]["holds"]
        )
        return case["chain"][0]["value"]["claim"]

    good = claim_of(lineage_result(tmp_path / "good.json"))
    assert good["holds"]
    assert good["error_rate"] == 0.04
    weak = claim_of(lineage_result(tmp_path / "weak.json", **changed))
    assert not weak["holds"]
    assert weak["error_rate"] == rate


def test_two_results_of_one_file_name_are_refused(gap, tmp_path):
    twin = tmp_path / "twin" / "guardrails.json"
    twin.parent.mkdir()
    lineage_result(twin)
    with pytest.raises(InputError, match="one file name"):
        build_case(
            title="t", suspect="kiln-7b", results=[tmp_path / "guardrails.json", twin], now=NOW
        )


def test_a_result_names_every_file_it_was_made_from(canary, gap, tmp_path):
    canary(base=tmp_path / "suspect.parquet")
    inputs = json.loads((tmp_path / "canary.json").read_text())["inputs"]
    assert set(inputs) == {"plan", "suspect", "prompts", "base"}
    assert set(json.loads((tmp_path / "guardrails.json").read_text())["inputs"]) == {
        "teacher", "base", "suspect",
    }  # fmt: skip


def test_labelled_answers_that_cannot_be_read_are_told_without_a_traceback(tmp_path):
    arms = [
        saved(tmp_path / f"{n}.parquet", n, {i.prompt_id: "x" for i in own_suite()}) for n in "tbs"
    ]
    for name, held in (("text.parquet", b"no"), ("none.parquet", None)):
        bad = tmp_path / name
        if held:
            bad.write_bytes(held)
        with pytest.raises(InputError, match="labelled"):
            inquire_guardrails(*arms, tmp_path / "g.json", labelled=bad)
    with pytest.raises((InputError, SchemaError)):
        inquire_guardrails(*arms, tmp_path / "g.json", labelled=arms[0])
