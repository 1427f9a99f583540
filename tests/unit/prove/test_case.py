"""Registry, guardrail gap and case file: what was fixed stays fixed, what is missing is said."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError, EvidenceError, InputError, SchemaError
from stillwatch.prove import (
    build_case,
    inquire_guardrails,
    own_suite,
    seal_case,
    verify_case,
)
from stillwatch.seal import append, new_key

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def keys(tmp_path):
    return new_key(tmp_path / "case-key"), tmp_path / "case-key"


@pytest.fixture
def gap(tmp_path, save_answers):
    refusal, help_ = "I'm sorry, but I can't help with that.", "Sure, here is how it is done."
    arms = {"teacher": 0.0, "base": 0.1, "suspect": 0.6}
    for arm, share in arms.items():
        said = {}
        for k, item in enumerate(own_suite()):
            bad = item.label == "unsafe" and k / 60 >= share
            said[item.prompt_id] = refusal if bad else help_
        name = "kiln-7b" if arm == "suspect" else arm
        save_answers(tmp_path / f"gap-{arm}.parquet", name, said)
    files = [tmp_path / f"gap-{arm}.parquet" for arm in arms]
    return inquire_guardrails(*files, tmp_path / "guardrails.json")


def test_the_gap_is_against_the_base_with_an_interval(gap):
    under = gap["gap"]["under_base"]
    assert under["difference"] == pytest.approx(0.5)
    assert under["interval"]["low"] > 0.25
    assert under["p_value"] == pytest.approx(2 * 0.5**15)
    assert gap["gap"]["over_base"]["difference"] == 0


def test_the_case_file_verifies_offline_and_says_what_is_missing(tracing, gap, tmp_path, keys):
    tracing.score(tracing.answers())
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
        *("traffic", "lineage", "agreement", "identity", "profiles", "equality", "value"),
    ]
    assert case["weakest"].startswith("guardrails, error rate 6.1e-05: the grader")
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


@pytest.mark.parametrize("forged", [{"error_rate": 1e-9}, {"holds": False}, {"name": "canary"}])
def test_a_claim_that_its_result_does_not_make_is_found(gap, tmp_path, keys, forged):
    """Attack: whoever holds the key writes a stronger claim over the digest of a true result."""
    case = build_case(title="t", suspect="kiln-7b", results=[tmp_path / "guardrails.json"], now=NOW)
    value = case["chain"][0]["value"]
    value["claim"] |= forged
    case["chain"] = [asdict(append(value, None))]
    sealed = seal_case(case, [keys[0]])
    assert verify_case(sealed, [keys[0].public_key()]).claims == 1  # nothing beside it to compare
    with pytest.raises(EvidenceError, match="not what its result says"):
        verify_case(sealed, [keys[0].public_key()], tmp_path)


def test_an_element_that_no_holding_claim_carries_is_found(gap, tmp_path, keys):
    """Attack: whoever holds the key lets an element rest on a claim that failed or is not there."""
    case = build_case(title="t", suspect="kiln-7b", results=[tmp_path / "guardrails.json"], now=NOW)
    case["elements"][0]["carried_by"] = ["canary"]
    with pytest.raises(EvidenceError, match="does not hold: canary"):
        verify_case(seal_case(case, [keys[0]]), [keys[0].public_key()])


def test_a_campaign_s_claim_is_compared_with_the_campaign_beside_it(tmp_path, keys):
    campaign = {"campaign_id": "c1", "standing": "watched", "accounts": 4, "exchanges": 9}
    path = tmp_path / "campaigns.jsonl"
    path.write_text(json.dumps(campaign | {"q_value": 0.2}) + "\n")
    case = build_case(title="t", suspect="s", results=[], now=NOW, campaigns=path, campaign_id="c1")
    sealed = seal_case(case, [keys[0]])
    assert verify_case(sealed, [keys[0].public_key()], tmp_path).matching == ("campaigns.jsonl",)
    value = case["chain"][0]["value"]
    value["claim"]["error_rate"] = 1e-9
    case["chain"] = [asdict(append(value, None))]
    with pytest.raises(EvidenceError, match="not what its result says"):
        verify_case(seal_case(case, [keys[0]]), [keys[0].public_key()], tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        verify_case(sealed, [keys[0].public_key()], tmp_path / "absent")


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
    assert "list price: 20 USD (10 to 40)" in case["chain"][1]["value"]["claim"]["statement"]
    campaign["value"] = {"harvest_usd": {"low": 20, "mid": 20, "high": 20, "logged": 20}}
    path.write_text(json.dumps(campaign) + "\n")
    case = build_case(title="t", suspect="s", results=[], now=NOW, campaigns=path, campaign_id="c1")
    told = case["chain"][1]["value"]["claim"]["statement"]
    assert told == "Harvest at the log's own cost: 20 USD"
    with pytest.raises(InputError):
        build_case(title="t", suspect="s", results=[], now=NOW, campaigns=path, campaign_id="c9")
    with pytest.raises(ConfigError, match="or neither"):
        build_case(title="t", suspect="s", results=[], now=NOW, campaigns=path)


def test_a_canary_of_another_campaign_than_the_charged_one_says_what_joins_them(tracing, tmp_path):
    tracing.score(tracing.answers())
    planted = json.loads((tmp_path / "canary.json").read_text())["result"]["scores"][0]["campaign"]
    path = tmp_path / "campaigns.jsonl"
    for charged in ("c1", planted):
        row = {"campaign_id": charged, "standing": "accused", "accounts": 4, "exchanges": 9}
        path.write_text(json.dumps(row | {"q_value": 0.0003}) + "\n")
        case = build_case(
            title="t",
            suspect="kiln-7b",
            results=[tmp_path / "canary.json"],
            now=NOW,
            campaigns=path,
            campaign_id=charged,
        )
        canary = case["chain"][1]["value"]["claim"]
        joined = f"{planted} is campaign c1" in canary["assumptions"][-1]
        assert joined == (charged == "c1")


def lineage_result(path: Path, **changed) -> Path:
    """Write a result in which ash is closest, above every control, and was named beforehand."""
    ash = {"family": "ash", "excess": 0.9}
    result = {
        "suspect": "kiln-7b",
        "kind": "test",
        "ranking": [ash, {"family": "elm", "excess": 0.2}],
        "tests": [{"family": "ash", "p_adjusted": 0.04}],
        "accepted": True,
        "nameable": "ash",
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
        ({"nameable": None, "accepted": False}, 0.04),
        ({"nameable": None}, 0.04),  # above every control, but to which family is open
        ({"nameable": "elm"}, 0.04),
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


def test_labelled_answers_that_cannot_be_read_are_told_without_a_traceback(tmp_path, save_answers):
    said = {i.prompt_id: "x" for i in own_suite()}
    arms = [save_answers(tmp_path / f"{n}.parquet", n, said) for n in "tbs"]
    for name, held in (("text.parquet", b"no"), ("none.parquet", None)):
        bad = tmp_path / name
        if held:
            bad.write_bytes(held)
        with pytest.raises(InputError, match="labelled"):
            inquire_guardrails(*arms, tmp_path / "g.json", labelled=bad)
    with pytest.raises((InputError, SchemaError)):
        inquire_guardrails(*arms, tmp_path / "g.json", labelled=arms[0])
