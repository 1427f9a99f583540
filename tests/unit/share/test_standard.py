"""Objects of the standard alone: as the library stix2 makes them they pass, and say no more."""

from __future__ import annotations

import json
import random
import uuid
from datetime import timedelta

import jsonschema
import makers
import pytest
import stix2

from stillwatch.share import content, normal, refusals, refusals_of_bundle
from stillwatch.share.catalogue import TLP
from stillwatch.share.published import json_schema
from stillwatch.share.standard import STANDARD
from stillwatch.share.trust import indicators_of, records

NOW = makers.NOW
BY = "identity--8f6e3c0b-52d1-4a7e-9c38-d1b7a4e09f62"
VALUE = "ef537f25c895bfa7"


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
        own.setdefault("pattern", f"[x-stillwatch-value:near_text = '{VALUE}']")
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
        ({"created": "2026-11-01T00:00:00.1230Z"}, "rounded-times"),
        ({"created": "2026-11-01T00:00:00.100000Z"}, "rounded-times"),
        ({"name": "Model extraction by CVE-2025-1234"}, "closed-prose"),
        ({"aliases": ["Model extraction by CVE-2025-1234"]}, "closed-prose"),
        ({"labels": ["cve-2025-1234"]}, "closed-prose"),
        ({"aliases": ["Accounts that fail", "Accounts of the relay", "The list of accounts"]},
         "no-advice"),
        ({"name": "Operators (relay)", "aliases": ["Who write", "In Russian prompts"]},
         "closed-prose"),
        ({"name": "Account key reuse", "aliases": ["Template hash"]}, "no-free-text"),
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
        (f"[x-stillwatch-value:frame_head_8 = '{VALUE}']", True),
        (f"[x-stillwatch-value:email = '{VALUE}']", False),
        # of a file's hash nobody can tell that it is none of a customer's address, without a key
        (f"[file:hashes.'SHA-256' = '{4 * VALUE}']", False),
        (f"[artifact:hashes.'SHA-256' = '{4 * VALUE}']", False),
        ("[ipv4-addr:value = '198.51.100.7']", False),
        ("[email-addr:value = 'a@example.org']", False),
        (f"[x-stillwatch-value:near_text = '{VALUE}'] OR [file:name = 'a']", False),
        (f"[x-stillwatch-value:near_text = '{b'price 12'.hex()}']", False),
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


def test_an_open_indicator_ends_after_180_days_and_can_still_be_revoked():
    one = made(stix2.Indicator, valid_from=NOW - timedelta(days=180))
    assert why(one) == set()
    old = made(stix2.Indicator, valid_from="2020-03-01T00:00:00Z")
    assert "short-lived" in why(old)
    assert why(old | {"valid_until": "2020-06-01T00:00:00Z"}) == set(), "it says when it ended"
    assert why(old | {"revoked": True}) == set()


def test_an_object_holds_two_ids_of_cve_in_all_its_fields():
    def two(first):
        return [{"source_name": "cve", "external_id": f"CVE-2025-{first + n}"} for n in range(2)]

    text = "Prompts with the exploit of CVE-2025-4321."
    fine = made(external_references=two(4321), description=text)
    assert why(fine) == set(), "the same id twice is one"
    assert "closed-values" in why(fine | {"external_references": two(1234)})


def test_no_order_of_objects_in_a_list_carries_a_message():
    keys = ("AML.T0040", "AML.T0012", "AML.T0054")
    rows = [{"source_name": "mitre-atlas", "external_id": key} for key in keys]
    phases = [
        {"kill_chain_name": "mitre-atlas", "phase_name": name}
        for name in ("reconnaissance", "exfiltration", "collection")
    ]
    written = [
        normal(made(external_references=rows[::step], kill_chain_phases=phases[::step]))
        for step in (1, -1)
    ]
    assert written[0] == written[1]
    assert {one["external_id"] for one in written[0]["external_references"]} == set(keys)
    assert refusals(written[0], now=NOW) == ()
    odd = [{"source_name": "\ud800", "n": float("nan")}, {"source_name": "a"}]
    assert len(normal({"external_references": odd})["external_references"]) == 2, "and no error"


def test_a_version_is_a_time_and_not_its_text():
    one = made(modified=NOW)
    for text, same in ((".100Z", True), (".10Z", True), (".2Z", False)):
        pair = [one | {"modified": f"2026-11-27T12:00:00{end}"} for end in (".1Z", text)]
        found = refusals_of_bundle({"type": "bundle", "id": numbered("bundle"), "objects": pair},
                                   now=NOW + timedelta(minutes=1))  # fmt: skip
        assert (found == ("one-writing: bundle repeats a version of an object",)) is same
        assert same or found == ()


def test_who_plants_a_value_sees_it_in_a_pattern_of_the_standard_too():
    one = made(stix2.Indicator)
    for planted, weight in ((VALUE, 0.0), (VALUE[::-1], 0.25)):
        assert records([one], now=NOW, canaries=frozenset({planted}))[BY].weight == weight


def test_links_are_those_of_the_standard():
    seen, how = map(numbered, ("campaign", "report"))
    link = made(stix2.Relationship, source_ref=seen, relationship_type="related-to", target_ref=how)
    assert why(link) == set()
    assert "typed-links" in why(link | {"relationship_type": "uses"})
    assert "typed-links" in why(link | {"target_ref": seen})
    for actor in ("threat-actor", "intrusion-set"):
        claim = {"target_ref": numbered(actor)}
        assert "released-actor" in why(link | claim), "counsel releases what names an operator"
        assert "closed-values" in why(link | claim | {"relationship_type": "attributed-to"})
    measure = numbered("course-of-action")
    assert "fixed-objects" in why(link | {"target_ref": measure})


def test_an_operator_is_listed_by_an_opinion_without_words_alone():
    """A list of a campaign and an operator attributes the one to the other: counsel releases it."""
    campaign = numbered("campaign")
    for actor in map(numbered, ("threat-actor", "intrusion-set")):
        opinion = made(stix2.Opinion, opinion="disagree", object_refs=[actor])
        opinion.pop("explanation", None)
        assert "released-actor" not in why(opinion)
        assert "released-actor" in why(opinion | {"object_refs": [actor, campaign]})
        assert "released-actor" in why(opinion | {"explanation": "The templates differ."})
        note = made(stix2.Note, content="The templates differ.", object_refs=[actor])
        assert "released-actor" in why(note)
        assert why(note | {"object_refs": [campaign]}) == set()
        report = made(stix2.Report, name="Distillation campaign", published=NOW,
                      object_refs=[campaign, actor])  # fmt: skip
        assert "released-actor" in why(report)
        assert why(report | {"object_refs": [campaign]}) == set()


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
