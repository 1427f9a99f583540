"""Objects of the standard alone: as the library stix2 makes them they pass, and say no more."""

from __future__ import annotations

import json
import random
import uuid

import jsonschema
import makers
import pytest
import stix2

from stillwatch.share import content, refusals, refusals_of_bundle
from stillwatch.share.catalogue import TLP
from stillwatch.share.published import json_schema
from stillwatch.share.standard import STANDARD
from stillwatch.share.trust import indicators_of, records

NOW = makers.NOW
BY = "identity--8f6e3c0b-52d1-4a7e-9c38-d1b7a4e09f62"
VALUE = "ef537f25c895bfa782526529a9b63d97aa631564d5d789c2b765448c8635fb6c"


def numbered(kind):
    """Return a fixed id: of random ones 9 in 10,000 are refused."""
    return f"{kind}--{uuid.UUID(int=5**50, version=4)}"


def made(maker=stix2.AttackPattern, **fields):
    own = {
        "id": numbered(maker._type),
        "created_by_ref": BY,
        "created": NOW,
        "modified": NOW,
        **fields,
    }
    if maker is stix2.AttackPattern:
        own = {"name": "Reasoning trace extraction", **own}
    if maker is stix2.Indicator:
        own = {"pattern_type": "stix", "valid_from": NOW, **own}
        own.setdefault("pattern", f"[file:hashes.'SHA-256' = '{VALUE}']")
    return json.loads(maker(**own).serialize())


def why(obj):
    return {sentence.split(":")[0] for sentence in refusals(obj, now=NOW)}


def test_what_a_tool_makes_of_every_type_passes():
    rng = random.Random(20261127)
    validator = jsonschema.Draft202012Validator(json_schema())
    objects = [makers.lawful(rng) for _ in range(300)]
    assert {one["type"] for one in objects} == STANDARD.keys()
    for one in objects[:60]:
        validator.validate(one)
    assert sum(not refusals(one, now=NOW) for one in objects) >= 297


def test_a_bundle_of_the_library_passes():
    kinds = ("campaign", "attack-pattern", "relationship", "bundle")
    ids = [{"id": numbered(kind)} for kind in kinds]
    seen = stix2.Campaign(name="Model extraction campaign", created_by_ref=BY, **ids[0])
    how = stix2.AttackPattern(name="Extract AI Model", created_by_ref=BY, **ids[1])
    link = stix2.Relationship(seen, "uses", how, created_by_ref=BY, **ids[2])
    bundle = json.loads(stix2.Bundle(seen, how, link, **ids[3]).serialize())
    now = stix2.utils.parse_into_datetime(link.modified)
    assert refusals_of_bundle(bundle, now=now) == ()


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"name": "Price list"}, "closed-prose"),
        ({"description": "Our list price drops in June."}, "no-commerce"),
        ({"aliases": ["Model extraction", "Acme Corp"]}, "closed-prose"),
        ({"labels": ["price-list"]}, "closed-prose"),
        ({"labels": ["turn", "them", "away"]}, "closed-prose"),
        ({"labels": ["Distillation!"]}, "closed-prose"),
        ({"lang": "price 12"}, "closed-values"),
        ({"external_references": [{"source_name": "acme"}]}, "closed-values"),
        ({"external_references": [{"source_name": "cve", "external_id": "AML.T0040"}]},
         "closed-values"),
        ({"external_references": [{"source_name": "cve", "external_id": "CVE-2031-1234"}]},
         "closed-values"),
        ({"external_references": [{"source_name": "mitre-atlas", "external_id": "AML.T1299"}]},
         "closed-values"),
        ({"external_references": [{"source_name": "mitre-atlas", "external_id": "AML.T0040",
                                   "url": "https://atlas.mitre.org/techniques/AML.T0012"}]},
         "closed-values"),
        ({"external_references": [{"source_name": "mitre-atlas", "external_id": "AML.T0040",
                                   "description": "Acme pays twelve."}]}, "closed-prose"),
        ({"external_references": [{"source_name": "mitre-atlas", "external_id": "AML.T0040",
                                   "url": "https://atlas.mitre.org/techniques/AML.T0040//"}]},
         "closed-values"),
        ({"external_references": 2 * [{"source_name": "cve", "external_id": "CVE-2025-1234"}]},
         "closed-shape"),
        ({"kill_chain_phases": [{"kill_chain_name": "mitre-attack",
                                 "phase_name": "ai-attack-staging"}]}, "closed-values"),
        ({"object_marking_refs": [TLP["amber"], stix2.TLP_GREEN.id]}, "marked"),
        ({"object_marking_refs": [stix2.TLP_RED.id]}, "closed-values"),
        ({"id": f"attack-pattern--{uuid.UUID(bytes=b'price 12 USD now', version=4)}"}, "plain-ids"),
        ({"created_by_ref": f"identity--{uuid.UUID(bytes=b'price 12 USD now', version=4)}"},
         "plain-ids"),
        ({"created": "2019-01-01T00:00:00.000Z"}, "rounded-times"),
    ],
)  # fmt: skip
def test_what_says_more_is_refused_by_its_rule(fields, rule):
    assert why(made()) == set(), "lawful before"
    assert rule in why(made() | fields)


def test_a_hub_that_knows_every_reference_reads_the_own_id_all_the_same():
    chosen = made() | {
        "id": f"attack-pattern--{uuid.UUID(bytes=bytes.fromhex('0011' * 8), version=4)}"
    }
    assert refusals(chosen, now=NOW, known=lambda _: True) != ()


@pytest.mark.parametrize(
    ("pattern", "fine"),
    [
        (f"[file:hashes.'SHA-256' = '{VALUE}']", True),
        (f"[x-stillwatch-value:frame_head_8 = '{VALUE[:16]}']", True),
        ("[ipv4-addr:value = '198.51.100.7']", False),
        ("[email-addr:value = 'a@example.org']", False),
        (f"[file:hashes.'SHA-256' = '{VALUE}'] OR [file:name = 'a']", False),
        (f"[file:hashes.'SHA-256' = '{(b'list price 12 USD' + bytes(15)).hex()}']", False),
    ],
)
def test_a_pattern_holds_one_fingerprint_and_no_identifier(pattern, fine):
    assert (refusals(made(stix2.Indicator, pattern=pattern), now=NOW) == ()) is fine


def test_what_is_in_the_first_table_alone_has_no_form_of_the_standard():
    """Operators need counsel's release, members a pseudonym, measures are the same for all."""
    for one in (
        made(stix2.ThreatActor, name="Relay operator"),
        made(stix2.IntrusionSet, name="Relay operator"),
        made(stix2.CourseOfAction, name="Rate limits"),
        made(stix2.Malware, name="Relay", is_family=False),
        json.loads(stix2.Identity(name="Relay", identity_class="organization").serialize()),
    ):
        assert refusals(one, now=NOW)
    counted = made(stix2.Sighting, sighting_of_ref=numbered("campaign"))
    assert why(counted) == set()
    assert "log-bands" in why(counted | {"count": 41})
    about = numbered("indicator")
    assert "sightings-of-campaigns" in why(counted | {"sighting_of_ref": about})


def test_links_are_those_of_the_standard():
    seen, how = map(numbered, ("campaign", "report"))
    link = made(stix2.Relationship, source_ref=seen, relationship_type="related-to", target_ref=how)
    assert why(link) == set()
    assert "typed-links" in why(link | {"relationship_type": "uses"})
    assert "typed-links" in why(link | {"target_ref": seen})
    measure = numbered("course-of-action")
    assert "fixed-objects" in why(link | {"target_ref": measure})


def test_they_vote_and_are_read_and_no_scan_matches_them():
    """Who keeps records of contributors meets objects that have no extension."""
    seen = made(stix2.Campaign, name="Model extraction campaign")
    one = made(stix2.Indicator)
    link = made(
        stix2.Relationship, source_ref=one["id"], relationship_type="indicates",
        target_ref=seen["id"],
    )  # fmt: skip
    note = made(stix2.Note, content="The template was seen again.", object_refs=[seen["id"]])
    other = content.opinion(
        seen["id"], "agree", by="identity--7a41c9e2-5d08-4b3f-9c16-2e8f70b1d3a4",
        created=NOW.replace(microsecond=0),
    )  # fmt: skip
    gone = content.note(
        "appeal_opened",
        [seen["id"]],
        by=other["created_by_ref"],
        created=NOW.replace(microsecond=0),
    )
    here = {seen["id"], one["id"]}.__contains__
    for answer in (other, gone):
        assert refusals(answer, now=NOW, known=here) == ()
    objects = [seen, one, link, note, other, gone]
    assert indicators_of(objects, now=NOW) == []
    assert records(objects, now=NOW)[BY].right > 0
