"""What the guard lets through: nothing that was smuggled, and what is lawful.

The full count (10,000 and 1,000) is `make bench-antitrust`; here is a part of it, with every trick
in it, and the attacks that deserve a test of their own, named by attack.
"""

from __future__ import annotations

import importlib.util
import json
import random
import uuid
from pathlib import Path

import pytest
import stix2

from stillwatch.share import content as make
from stillwatch.share import normal, refusals, refusals_of_bundle, refusals_of_text
from stillwatch.share.commercial import certainly, messages
from stillwatch.share.words import EXT

_spec = importlib.util.spec_from_file_location(
    "smuggling", Path(__file__).with_name("smuggling.py")
)
assert _spec
assert _spec.loader
smuggling = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(smuggling)
NOW = smuggling.NOW


@pytest.fixture
def rng():
    return random.Random(20261127)


def one_of(rng, kind):
    return next(o for o in smuggling.lawful_group(rng) if o["type"] == kind)


def test_nothing_smuggled_passes(rng):
    seen, through = set(), []
    for trick, disguise, payload in smuggling.smuggled(rng, 800):
        seen.add(trick)
        if not smuggling.refused(payload):
            through.append((trick, disguise))
    assert through == []
    assert seen == set(smuggling.TRICKS), "every trick was tried"


def test_what_is_lawful_passes(rng):
    refused = [
        (obj["type"], found)
        for obj in smuggling.lawful(rng, 300)
        if (found := refusals(obj, now=NOW))
    ]
    assert len(refused) <= 3, refused


def test_no_refusal_repeats_what_it_refuses(rng):
    """A refusal is logged and read by others: it must not carry the message itself."""
    for _, _, payload in smuggling.smuggled(rng, 300):
        told = " ".join(smuggling.refused(payload)).casefold()
        for message in smuggling.MESSAGES:
            assert message.casefold() not in told
        for word in ("globex", "acme", "62", "40,000"):
            assert word not in told


@pytest.mark.parametrize("disguise", sorted(set(smuggling.DISGUISES) - {"tags", "white space"}))
def test_a_refusal_names_commerce_under_every_disguise(rng, disguise):
    """A person sees what a refused text seems to tell of; the two left out show no letters."""
    dressed = smuggling.DISGUISES[disguise]
    missed = [m for m in smuggling.MESSAGES[:8] if not certainly(dressed(m, rng))]
    # circled and mathematical letters begin at another code point in upper case
    assert len(missed) <= 1, missed


def test_what_stix2_lets_through_the_guard_refuses(rng):
    """python-stix2 with allow_custom=False takes any field of an unregistered extension."""
    one = one_of(rng, "campaign")
    unknown = f"extension-definition--{uuid.uuid4()}"
    property_extension = json.loads(json.dumps(one))
    property_extension["extensions"][unknown] = {
        "extension_type": "property-extension", "price_per_token": 12}  # fmt: skip
    toplevel = json.loads(json.dumps(one))
    toplevel["extensions"][unknown] = {"extension_type": "toplevel-property-extension"}
    toplevel["price_per_token"] = 12
    registered = json.loads(json.dumps(one))
    registered["extensions"][EXT["campaign"]]["price_per_token"] = 12
    for leaky in (property_extension, toplevel, registered):
        assert stix2.parse(leaky, allow_custom=False)["id"] == one["id"]
        assert any(s.startswith("closed-shape") for s in refusals(leaky, now=NOW))
    assert refusals(one, now=NOW) == ()


def test_order_of_keys_and_lists_carries_nothing(rng):
    for obj in smuggling.lawful_group(rng):
        turned = dict(reversed(list(obj.items())))
        for name, value in turned.items():
            if isinstance(value, list):
                turned[name] = value[::-1]
        assert refusals(turned, now=NOW) == ()
        assert json.dumps(normal(turned)) == json.dumps(normal(obj))


def test_a_text_with_repeated_keys_is_refused_though_its_value_is_lawful(rng):
    obj = one_of(rng, "opinion")
    text = json.dumps(obj)
    assert refusals_of_text(text.encode(), now=NOW) == ()
    doubled = text.replace('"opinion": "', '"opinion": "our price is 12", "opinion": "')
    assert json.loads(doubled) == obj
    assert refusals_of_text(doubled.encode(), now=NOW)
    for broken in (b"", b"\xff", b"[", b"[" * 100_000, b'{"a": NaN}', b"null", b"[]", b'"text"'):
        assert refusals_of_text(broken, now=NOW)


@pytest.mark.parametrize("value", [None, 7, "text", [], {}, {"type": "campaign"}, {"type": []},
                                   {1: 2}, {"id": {}}, {"type": "bundle"}, {"a": {"b": {3, 4}}},
                                   {"type": "campaign", "extensions": None},
                                   {"type": "report", "extensions": []}])  # fmt: skip
def test_whatever_comes_is_answered_and_refused(value):
    assert refusals(value, now=NOW)
    assert refusals_of_bundle(value, now=NOW)


def test_a_derived_id_that_does_not_follow_from_the_content_is_refused(rng):
    obj = one_of(rng, "sighting")
    moved = {**obj, "id": f"sighting--{uuid.uuid5(uuid.NAMESPACE_DNS, 'acme')}"}
    assert refusals(moved, now=NOW) == ("plain-ids: id does not follow from the object's content",)


def test_a_cyclic_value_is_refused():
    value: dict = {"type": "campaign"}
    value["extensions"] = value
    assert refusals(value, now=NOW)


def test_random_values_are_seldom_taken_for_messages(rng):
    for size, most in ((12, 0.001), (16, 0.005), (32, 0.0008), (64, 0.002)):
        taken = sum(messages(f"{rng.getrandbits(4 * size):0{size}x}") for _ in range(5_000))
        assert taken <= most * 5_000, size


def test_what_only_might_be_commerce_is_held_for_a_person(rng):
    obj = one_of(rng, "campaign") | {"description": "a quiet green meadow"}
    found = refusals(obj, now=NOW)
    assert any(s.startswith("needs-a-person") for s in found)
    assert not any(s.startswith("no-commerce") for s in found)


def test_the_builder_takes_no_text(rng):
    with pytest.raises(Exception, match="TLP"):
        make.opinion("campaign--x", "agree", by="identity--x", created=NOW, tlp="red")
