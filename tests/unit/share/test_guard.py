"""One test a rule: what breaks it is refused by its name. And the table, schema, document agree."""

from __future__ import annotations

import copy
import json
import random
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import smuggling

from stillwatch.share import RULES, refusals
from stillwatch.share.catalogue import CATALOGUE, TLP
from stillwatch.share.published import json_schema
from stillwatch.share.words import BANDS, EXT, band, identify, lowest

ROOT = Path(__file__).parents[3]
NOW = smuggling.NOW


@pytest.fixture
def group():
    made = smuggling.lawful_group(random.Random(3))
    return {o["type"]: o for o in made if not o.get("extensions", {}).get(EXT["aggregate"])} | {
        "aggregate": made[-1],
        "indicator": next(o for o in made if o["type"] == "indicator"),
    }


def broken(group, kind, **changes):
    made = copy.deepcopy(group[kind])
    for name, value in changes.items():
        if name in made or not made.get("extensions"):
            made[name] = value
        else:
            (own,) = made["extensions"].values()
            own[name] = value
    return {s.split(":")[0] for s in refusals(made, now=NOW)}


LATER = (NOW + timedelta(days=9)).strftime("%Y-%m-%dT00:00:00.000Z")
FIXED = next(o for o in CATALOGUE.values() if o["type"] == "attack-pattern")
BREAKS = {
    "closed-shape": ("campaign", {"unknown": 1}),
    "closed-values": ("opinion", {"opinion": "perhaps"}),
    "no-free-text": ("note", {"content": "The prompts of this campaign repeat."}),
    "closed-prose": ("campaign", {"name": "Adversarial distillation of us"}),
    "no-commerce": ("campaign", {"description": "our list price is 12"}),
    "no-advice": ("campaign", {"description": "Interrogate these accounts."}),
    "needs-a-person": ("campaign", {"description": "a quiet green meadow"}),
    "log-bands": ("sighting", {"count": 41}),
    "rounded-times": ("campaign", {"modified": LATER}),
    "plain-ids": ("opinion", {"id": "opinion--70726963-6520-4120-8120-202020202020"}),
    "fixed-formats": ("indicator", {"value": b"price 12".hex()}),
    "typed-links": ("relationship", {"relationship_type": "mitigates"}),
    "marked": ("opinion", {"object_marking_refs": [TLP["amber"], TLP["green"]]}),
    "short-lived": ("indicator", {"valid_until": "2027-11-26T00:00:00Z"}),
    "aggregate-lane": ("aggregate", {"last_month": "2026-09-01T00:00:00Z"}),
}


@pytest.mark.parametrize("rule", BREAKS)
def test_what_breaks_a_rule_is_refused_by_its_name(group, rule):
    kind, changes = BREAKS[rule]
    assert broken(group, kind) == set(), "lawful before"
    assert rule in broken(group, kind, **changes)


def test_released_actor(group):
    kind = "threat-actor" if "threat-actor" in group else "intrusion-set"
    assert "released-actor" in broken(group, kind, confidence=3)
    without = copy.deepcopy(group[kind])
    del without["extensions"][EXT["actor"]]["counsel_release"]
    assert refusals(without, now=NOW)
    named = {**group[kind], "name": "John Smith"}
    assert "no-free-text" in {s.split(":")[0] for s in refusals(named, now=NOW)}
    person = {**group["identity"], "identity_class": "individual"}
    assert refusals(person, now=NOW)


def test_sightings_of_campaigns(group):
    for other in ("indicator", "infrastructure", "identity"):
        if other in group:
            assert broken(group, "sighting", sighting_of_ref=group[other]["id"])


def test_fixed_objects():
    assert refusals(FIXED, now=NOW) == ()
    for change in ({"description": "x"}, {"name": "x"}, {"revoked": True}):
        assert refusals(FIXED | change, now=NOW)[0].startswith("fixed-objects")


def test_one_writing(group):
    deep = group["campaign"] | {"name": [[[[[[[[[[1]]]]]]]]]]}
    assert refusals(deep, now=NOW)[0].startswith("one-writing")


def test_every_rule_that_the_guard_names_is_in_the_table_and_has_a_test():
    source = "".join(
        (ROOT / "src/stillwatch/share" / name).read_text(encoding="utf-8")
        for name in ("antitrust.py", "shape.py", "objects.py", "lanes.py", "legal.py", "told.py")
    )
    shared = "test_what_breaks_a_rule_is_refused_by_its_name"
    for name, rule in RULES.items():
        assert name in source or name == "two-persons", name
        file, function = rule.test.split("::")
        assert f"def {function}(" in (Path(__file__).parent / file).read_text(encoding="utf-8")
        assert (function == shared) == bool(BREAKS.get(name)), f"no test of {name}"


# The table as a JSON Schema


def test_the_schema_that_is_shipped_is_the_tables():
    shipped = json.loads((ROOT / "src/stillwatch/share/schema.json").read_text(encoding="utf-8"))
    assert shipped == json_schema()


def test_what_the_guard_accepts_the_schema_accepts():
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.check_schema(json_schema())
    for obj in smuggling.lawful(random.Random(4), 60):
        assert refusals(obj, now=NOW) == ()
        validator.validate(obj)


def test_every_object_of_the_schema_is_closed():
    def walk(value):
        if isinstance(value, dict):
            if value.get("type") == "object":
                assert value["additionalProperties"] is False
            if value.get("type") == "string":
                assert "pattern" in value
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    schema = json_schema()
    schema["$defs"].pop("fixed")
    walk(schema)


# Words


@pytest.mark.parametrize("count", [0, 1, 9, 10, 29, 30, 999_999, 10**7, 10**9])
def test_a_count_lies_in_its_band(count):
    name = band(count)
    assert name in BANDS
    low, high = name.split("-")
    assert lowest(name) <= count
    assert not high or count < int(high)
    assert int(low) == lowest(name)


def test_an_id_follows_from_what_an_object_is_and_not_from_its_version(group):
    for kind in ("campaign", "sighting", "relationship", "note"):
        obj = group[kind]
        assert identify(obj) == obj["id"]
        assert (
            identify({**obj, "modified": "2026-11-27T11:00:00.000Z", "confidence": 1}) == obj["id"]
        )
        assert identify({**obj, "created_by_ref": "identity--other"}) != obj["id"]
