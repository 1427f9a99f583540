"""What the guard lets through: nothing that was smuggled, and what is lawful.

The full count (10,000 and 1,000) is `make bench-antitrust`; here is a part of it, with every trick
in it, and the attacks that deserve a test of their own, named by attack.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
import uuid

import makers
import pytest
import redteam
import smuggling
import stix2
import writers
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.share import content as make
from stillwatch.share import normal, refusals, refusals_of_bundle, refusals_of_text
from stillwatch.share.commercial import certainly, messages
from stillwatch.share.texts import texts_of
from stillwatch.share.words import EXT, identify

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


def test_nothing_of_a_second_maker_passes(rng):
    """Of the 64 bits of a fingerprint a fragment may read as random: one in a thousand at most."""
    through, ways = [], set()
    for way, disguise, payload in redteam.payloads(rng, 1_200, NOW):
        ways.add(way)
        if not refusals(payload, now=NOW):
            through.append((way, disguise))
    assert ways == {way.__name__ for way in redteam.WAYS}
    assert len(through) <= 1, through
    assert {way for way, _ in through} <= {"spelled"}


def test_nothing_of_writers_of_prose_passes(rng):
    through, ways = [], set()
    for way, obj in writers.smuggled(rng, 1_150):
        ways.add(way)
        if not refusals(obj, now=NOW):
            through.append((way, obj))
    assert ways == set(writers.WAYS)
    assert through == []


def test_nothing_of_a_tool_of_the_standard_passes(rng):
    """A forbidden text in each place of objects that carry no extension of ours."""
    through, places = [], set()
    for place, text, obj in makers.smuggled(rng, 900):
        places.add(place)
        if not refusals(obj, now=NOW):
            through.append((place, text))
    assert places == set(makers.PLACES)
    assert through == []


def test_no_sentence_of_the_writers_passes_alone():
    """Each forbidden sentence, by itself: what stands around it does not get it refused."""
    for said in (*writers.PLAIN, *writers.VEILED, *writers.READ):
        assert writers.faults(said, now=NOW), said
        assert writers.faults(f"Prompts match. {said}", now=NOW), said


def test_what_analysts_write_passes(rng):
    """The other refusals are fingerprints that spell something by chance, and initials."""
    refused = [found for _ in range(300) if (found := refusals(writers.lawful(rng), now=NOW))]
    assert len(refused) <= 3, refused


def test_the_second_maker_starts_from_lawful_objects(rng):
    """So it is the message that is refused."""
    refused = [o["type"] for _ in range(200) if refusals(o := redteam.unmarked(rng, NOW), now=NOW)]
    assert len(refused) <= 2, refused


@pytest.mark.parametrize("text", ["가격은 십이 달러", "السعر اثنا عشر", "מחיר שנים עשר", "दाम बारह",
                                  "ราคาสิบสอง", "ᏢᏒᎢᏟᎬᏚ ᏢᏒᎢ", "цена двенадцать", "τιμή δώδεκα",
                                  "price is 12 euro", "12.50\n13.00\n9.75"])  # fmt: skip
def test_a_value_that_should_be_random_is_read_in_any_script(text):
    for size in (8, 16, 32):
        assert messages((text.encode() + bytes(32))[:size].hex()), size


TOKEN = "7ed4d57b1e2feb89414c343c1027c4d1c386bbc4cd613e30d8f16adf91b7584a"


def test_a_token_of_an_epoch_that_no_key_had_is_refused(rng):
    """A free choice of a year and a month would be a message."""
    for epoch, fine in (("2026-11", True), ("2026-10", True), ("2026-12", True), ("2027-02", False),
                        ("2099-12", False), ("2026-08", False), ("2020-01", False)):  # fmt: skip
        one = make.indicator("device", TOKEN, by=smuggling._identity(rng), since=NOW, epoch=epoch)
        found = refusals(one, now=NOW)
        assert (found == ()) is fine, (epoch, found)
        assert fine or found[0].startswith("fixed-formats: epoch")


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


def test_a_large_object_does_not_keep_the_guard_busy(rng):
    """Twelve strings of 400 characters are read for commerce, whatever else comes."""
    obj = one_of(rng, "campaign")
    alphabet = "bcdfghjkmnqwxz0123456789+/=%&;. -\u0430\u4e00"
    long = "".join(rng.choice(alphabet) for _ in range(2_000))
    heavy = obj | {"labels": [long[k:] + long[:k] for k in range(150)]}
    began = time.process_time()
    assert refusals(heavy, now=NOW)
    assert time.process_time() - began < 10


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
    | st.sampled_from(["campaign", "indicator", "report", "extensions"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["type", "id", "extensions", "object_refs", "created"])
                      | st.text(max_size=20), inner, max_size=6),
    max_leaves=30,
))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_no_value_makes_the_guard_fail_instead_of_refusing(value):
    assert refusals(value, now=NOW)
    assert refusals_of_bundle({"type": "bundle", "objects": [value]}, now=NOW)


def test_a_cyclic_value_is_refused():
    value: dict = {"type": "campaign"}
    value["extensions"] = value
    assert refusals(value, now=NOW)


def test_random_values_are_seldom_taken_for_messages(rng):
    for size, most in ((12, 0.02), (16, 0.005), (32, 0.0008), (64, 0.002)):
        taken = sum(messages(f"{rng.getrandbits(4 * size):0{size}x}") for _ in range(5_000))
        assert taken <= most * 5_000, size
    assert not any(messages(f"{rng.getrandbits(128):032x}", known=True) for _ in range(20_000))


def test_no_random_id_of_what_is_there_is_taken_for_a_message(rng):
    """Ten thousand: a campaign whose derived id spells by chance is never cut off from the rest."""
    one = next(o for o in smuggling.lawful_group(rng) if o["type"] == "opinion")
    for _ in range(10_000):
        by, about = (uuid.UUID(int=rng.getrandbits(128), version=v) for v in (4, 5))
        said = {**one, "created_by_ref": f"identity--{by}", "object_refs": [f"campaign--{about}"]}
        said["id"] = identify(said)
        assert refusals(said, now=NOW, known=lambda _: True) == ()


def spelling_campaign(by):
    """Return a campaign whose id, which follows from its content, is taken for a message."""
    for number in range(100_000):
        handle = hashlib.sha256(b"%d" % number).hexdigest()[:12]
        made = make.campaign({**LINE, "campaign_id": f"c-{handle}"}, by=by, modified=NOW)
        if messages(made["id"].split("--")[1].replace("-", "")):
            return made
    raise AssertionError("one in 1,100 does")


LINE = {
    "standing": "accused", "first_seen": "2026-11-16T03:00:00Z", "accounts": 41,
    "last_seen": "2026-11-20T17:00:00Z", "exchanges": 81_234, "methods": ["relay"],
    "claims": {name: {"confidence": 0.9, "evidence": []} for name in ("coordinated", "extractive")},
}  # fmt: skip


def test_what_refers_to_a_campaign_whose_id_spells_by_chance_passes_with_it():
    seen = spelling_campaign(f"identity--{uuid.uuid5(uuid.NAMESPACE_OID, 'x')}")
    link = make.opinion(seen["id"], "agree", by=seen["created_by_ref"], created=NOW)
    assert refusals(seen, now=NOW) == ()
    assert [s.split(":")[0] for s in refusals(link, now=NOW)] == ["plain-ids"], "nobody knows it"
    bundle = {"type": "bundle", "id": "bundle--8f6e3c0b-52d1-4a7e-9c38-d1b7a4e09f62"}
    assert refusals_of_bundle({**bundle, "objects": [seen, link]}, now=NOW) == ()
    # an id that was chosen is not in the bundle by standing in it
    chosen = f"campaign--{uuid.UUID(bytes=b'price 12 USD now', version=5)}"
    link = make.opinion(chosen, "agree", by=seen["created_by_ref"], created=NOW)
    assert refusals(link, now=NOW, known=chosen.__eq__) == (), "were it there, nobody chose it"
    told = refusals_of_bundle({**bundle, "objects": [{**seen, "id": chosen}, link]}, now=NOW)
    assert sum("object_refs" in s and "spells" in s for s in told) == 1
    assert sum("does not follow" in s for s in told) == 1


@pytest.mark.parametrize("known", [False, True])
def test_a_members_own_id_is_free_and_spells_nothing_that_anybody_would_read(known):
    for text in (b"price 12 USD now", b"acme pays 40,000", "цена 12 рублей".encode()[:16]):
        own = f"identity--{uuid.UUID(bytes=text, version=4)}"
        assert refusals(make.contributor(own, NOW), now=NOW, known=lambda _: known), text


@pytest.mark.parametrize("text", [b"The pr", b"12,000", b"BetWee", b"3.5EUR", "цен".encode()])
def test_a_handle_spells_nothing_and_a_campaign_is_told_all_the_same(text):
    """The scan draws its ids: one that looks like text is told by a digest of it."""
    line = {**LINE, "campaign_id": f"c-{text.hex()}"}
    made = make.campaign(line, by=f"identity--{uuid.UUID(int=3**80, version=4)}", modified=NOW)
    own = made["extensions"][EXT["campaign"]]
    assert own["handle"] == make.handle_of(f"c-{text.hex()}") != f"c-{text.hex()}"
    assert refusals(made, now=NOW) == ()
    own["handle"] = f"c-{text.hex()}"
    made |= texts_of(made)
    made["id"] = identify(made)
    assert [s.split(":")[0] for s in refusals(made, now=NOW)][:1] == ["fixed-formats"]
    assert make.handle_of("c-9f8e27b6a5d4") == "c-9f8e27b6a5d4"
    assert make.handle_of("anything else") == "anything else"


def test_what_only_might_be_commerce_is_held_for_a_person(rng):
    obj = one_of(rng, "campaign") | {"description": "a quiet green meadow"}
    found = refusals(obj, now=NOW)
    assert any(s.startswith("needs-a-person") for s in found)
    assert not any(s.startswith("no-commerce") for s in found)


def test_the_builder_takes_no_text(rng):
    with pytest.raises(Exception, match="TLP"):
        make.opinion("campaign--x", "agree", by="identity--x", created=NOW, tlp="red")


def _places(value, path=()):
    """Yield the path of every value inside a value, itself first."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(inner, (*path, number))


def _with(obj, path, value):
    """Return a copy of an object with another value at a path."""
    made = json.loads(json.dumps(obj))
    if not path:
        return value
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return made


def test_no_place_of_any_object_takes_a_text_a_list_or_a_field(rng):
    """Every leaf, list and object of every kind in turn: nothing may be put in, added or around."""
    tried = 0
    for obj in {o["type"]: o for o in smuggling.lawful_group(rng)}.values():
        for path, value in _places(obj):
            changes = [smuggling.MESSAGES[0], [smuggling.MESSAGES[0]], {"a": 1}, "", 12.5, None]
            if isinstance(value, str):
                changes += [value + " ", value + "\n", value + "\u200b", " " + value, [value]]
                changes += [value.upper()] if value.upper() != value else []
            elif isinstance(value, dict):
                changes = [{**value, "a": 1}, {**value, "": ""}, {**value, "x_price": "12"}]
            elif isinstance(value, list):
                changes = [[*value, smuggling.MESSAGES[0]], [*value, *value], [value], []]
            for change in changes:
                tried += 1
                assert refusals(_with(obj, path, change), now=NOW), (obj["type"], path, change)
    assert tried > 1_500
