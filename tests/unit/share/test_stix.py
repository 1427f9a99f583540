"""The bundle is STIX 2.1, says nothing of anybody's identity, and is the same for the same run."""

from __future__ import annotations

import copy
import json
import re

import pytest
import stix2
from stix2validator import ValidationOptions, validate_instance

from stillwatch.share import bundle
from stillwatch.share.catalogue import TLP_EXTENSION
from stillwatch.share.words import EXT

UNTIL = "2026-11-23T00:00:00Z"
SECRETS = ("acct-0815", "u-4711", "203.0.113.77", "org-77aa", "Work through the following problem",
           "payment:00ff", "card")  # fmt: skip


def campaign(name="c-0123456789ab", standing="accused", **changes):
    evidence = [
        {"signal": "round_robin", "text": f"{SECRETS[4]} from {SECRETS[2]}", "p_value": 1e-9}
    ]
    return {
        "campaign_id": name, "standing": standing, "found_by": ["frame"],
        "first_seen": "2026-11-16T03:00:00Z", "last_seen": "2026-11-20T17:00:00Z",
        "accounts": 41, "core": 40, "periphery": 1, "exchanges": 81_234, "output_tokens": 520_000,
        "methods": ["cot_exfiltration", "relay"],
        "claims": {
            "coordinated": {"confidence": 0.991, "e_value": 5e3, "evidence": evidence},
            "extractive": {"confidence": 0.983, "e_value": 6e3, "evidence": evidence},
            "actor": {"confidence": 0.0, "e_value": 1.0, "evidence": [], "claim": None},
        },
        "members": [{"account_id": SECRETS[0], "end_user_id": SECRETS[1], "org_id": SECRETS[3],
                     "role": "core", "standing": standing, "reasons": [SECRETS[5]]}],
        "rivals": [{"name": "team", "seen": f"one {SECRETS[6]}"}],
        "recommended": {"verdict": "step_up", "collateral": {"accounts": 1}},
    } | changes  # fmt: skip


def used(made):
    return [o for o in objects(made, "relationship") if o["relationship_type"] == "uses"]


def objects(made, kind):
    return [o for o in made["objects"] if o["type"] == kind]


def test_rounding_makes_no_claim_certain():
    sure = {"confidence": 0.99999, "evidence": []}
    line = campaign(claims=dict.fromkeys(("coordinated", "extractive"), sure))
    (made,) = objects(bundle([line], UNTIL), "campaign")
    own = made["extensions"][EXT["campaign"]]
    assert (made["confidence"], own["coordinated"], own["extractive"]) == (99, 99, 99)


@pytest.mark.parametrize(
    "campaigns",
    [[], [campaign(standing="watch")], [campaign()], [campaign(), campaign("c-bbbbbbbbbbbb")],
     [campaign(methods=[])]],
    ids=["empty", "watch", "one", "two", "no methods"],
)  # fmt: skip
def test_the_validator_finds_no_error_and_no_other_warning(campaigns):
    made = json.loads(json.dumps(bundle(campaigns, UNTIL)))
    result = validate_instance(made, ValidationOptions(version="2.1"))
    assert result.is_valid, [str(e) for e in result.errors]
    # 103: ids follow from content, where the standard only recommends random ones
    strange = [str(w) for w in result.warnings if "{103}" not in str(w)]
    assert not strange
    parsed = stix2.parse(made, allow_custom=False)
    assert len(parsed.objects) == len(made["objects"])


def test_every_reference_leads_to_an_object_of_the_bundle_or_a_standard_extension():
    made = bundle([campaign(), campaign("c-bbbbbbbbbbbb")], UNTIL)
    ids = {o["id"] for o in made["objects"]}
    assert len(ids) == len(made["objects"])
    for one in made["objects"]:
        for name in ("created_by_ref", "source_ref", "target_ref"):
            assert one.get(name) in ids | {None}
        assert set(one.get("object_marking_refs", [])) <= ids
        assert set(one.get("extensions", {})) <= ids | {TLP_EXTENSION}


def test_nobody_is_identified_and_no_text_leaves():
    text = json.dumps(bundle([campaign()], UNTIL))
    assert "campaign" in text
    for secret in SECRETS[:6]:
        assert secret not in text
    assert not re.search(r"\b\d{1,3}(\.\d{1,3}){3}\b", text.replace("AML.T0024.002", ""))
    for field in ("members", "evidence", "account_id", "end_user_id", "reasons", "rivals"):
        assert field not in text


def test_counts_are_bands():
    (one,) = objects(bundle([campaign(accounts=41, exchanges=81_234)], UNTIL), "campaign")
    assert "30 to 100" in one["description"]
    assert "30,000 to 100,000" in one["description"]
    for exact in ("41", "81,234", "81234"):
        assert exact not in one["description"]
    (edge,) = objects(bundle([campaign(accounts=100, exchanges=99_999_999)], UNTIL), "campaign")
    assert "100 to 300" in edge["description"]
    assert "10,000,000 and more" in edge["description"]


def test_only_accused_campaigns_are_told_and_the_weaker_claim_is_the_confidence():
    made = bundle([campaign(), campaign("c-222222222222", standing="watch"),
                   campaign("c-333333333333", standing="permitted")], UNTIL)  # fmt: skip
    (one,) = objects(made, "campaign")
    assert one["confidence"] == 98
    assert len(objects(made, "attack-pattern")) == 2
    assert len(used(made)) == 2
    quiet = bundle([campaign(standing="watch")], UNTIL)
    assert [o["type"] for o in quiet["objects"]] == ["identity"]


@pytest.mark.parametrize("signal", ["shared_exits", "rotating_exits", "crossed_cards"])
def test_a_proxy_service_is_told_only_where_shared_exits_were_shown(signal):
    seen = campaign()
    seen["claims"]["coordinated"]["evidence"] = [{"signal": signal, "p_value": 1e-9}]
    made = bundle([seen], UNTIL)
    assert len(used(made)) == 4  # a third technique, and the infrastructure
    (exits,) = objects(made, "infrastructure")
    assert "203" not in json.dumps(exits["extensions"])


def test_the_same_run_gives_the_same_bytes_and_the_input_is_not_changed():
    campaigns = [campaign(), campaign("c-222222222222")]
    before = copy.deepcopy(campaigns)
    made = bundle(campaigns, UNTIL)
    assert campaigns == before
    assert json.dumps(made) == json.dumps(bundle(copy.deepcopy(campaigns), UNTIL))


def test_an_object_keeps_its_creation_time_from_run_to_run():
    """STIX 2.1, 3.6: `created` is the same in all versions of an object, `modified` no earlier."""
    early = {o["id"]: o for o in bundle([campaign()], "2026-11-23T00:00:00Z")["objects"]}
    late = {o["id"]: o for o in bundle([campaign()], "2026-11-30T00:00:00Z")["objects"]}
    assert early.keys() == late.keys()
    for key, one in late.items():
        if one["type"] == "software":  # an observable has no times at all (STIX 2.1, 3.1)
            continue
        assert one["created"] == early[key]["created"]
        if one["type"] != "marking-definition":  # has no versions (STIX 2.1, 7.2)
            assert one["created"] <= early[key]["modified"] <= one["modified"]
