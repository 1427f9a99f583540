"""STIX of another maker, with random ids and milliseconds: what a scan can match of it is used."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import pytest
import stix2

from stillwatch.cli.app import run
from stillwatch.enrich import read_indicators
from stillwatch.errors import ConfigError, InputError, SchemaError, ShareRefused
from stillwatch.seal import Ledger
from stillwatch.share.client import import_stix, open_home, start_home, write_indicators
from stillwatch.share.client.foreign import imported
from stillwatch.share.words import EXT

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
THEN = "2026-11-20T08:15:30.123Z"
VALUE = "9f3c51d7a2e8604b"


@pytest.fixture
def home(tmp_path):
    start_home(tmp_path / "share", contributor=uuid.UUID("2c1f2e4a-9b7d-4e3f-8a65-1d0c9b8e7f6a"))
    with (tmp_path / "share" / "share.toml").open("a") as file:
        file.write(
            '[[legal_basis]]\nname = "n"\nsource = "s"\nsince = 2026-01-01\n'
            'until = 2027-01-01\nreviewed_by = "c"\npurposes = ["detection", "correction"]\n'
        )
    return open_home(tmp_path / "share")


def indicator(pattern=f"[x-stillwatch-value:frame_head_8 = '{VALUE}']", **more):
    return stix2.Indicator(
        name="Seen with us", pattern=pattern, pattern_type="stix", valid_from=THEN, **more
    )


def bring(home, *objects, source="partner", now=NOW, **more):
    file = home.path / "partner.json"
    text = stix2.Bundle(*objects, allow_custom=True).serialize() if objects else "[]"
    file.write_text(text, encoding="utf-8")
    return import_stix(home, file, source=source, purpose="detection", now=now, **more)


def used(home, now=NOW):
    write_indicators(home, now=now)
    return read_indicators(home.pulled / "indicators.jsonl", now=now)


def test_an_ordinary_bundle_is_read_and_what_is_dropped_is_told(home):
    one = indicator(valid_until="2028-01-01T00:00:00Z")
    seen = stix2.Campaign(name="Quiet Heron")
    got = bring(
        home, one, seen, stix2.Relationship(one, "indicates", seen),
        indicator("[ipv4-addr:value = '198.51.100.7']"), indicator("[url:value = 'http://x.y/']"),
        indicator("[ipv4-addr:value = '198.51.100.8'] OR [domain-name:value = 'x.y']"),
        indicator(f"[x-stillwatch-value:token_payment_2026_11 = '{VALUE * 4}']"),
        indicator("[x-stillwatch-value:frame_head_7 = '9f3c51d7a2e8604c']"),
        indicator(f"[x-stillwatch-value:near_text = '{VALUE[::-1]}']", revoked=True),
        stix2.Malware(name="m", is_family=False), indicator(),
    )  # fmt: skip
    assert (got.read, got.used) == (11, 1)
    assert got.dropped == {
        "a fingerprint of no known kind": 1,
        "a scan does not match ipv4-addr": 2,
        "a scan does not match url": 1,
        "a token under keys of another exchange": 1,
        "no indicator: campaign": 1,
        "no indicator: malware": 1,
        "no indicator: relationship": 1,
        "revoked": 1,
        "the same fingerprint again": 1,
    }
    (kept,) = used(home)
    assert (kept.kind, kept.value, kept.indicator_id) == ("frame_head_8", VALUE, one.id)
    assert (kept.campaign_id, kept.contributor, kept.weight) == (seen.id, "import-partner", 0.25)
    assert (kept.valid_until - kept.valid_from).days == 180, "no longer than the guard allows"


def test_our_extension_is_read_whatever_stands_around_it(home):
    own = {"extension_type": "property-extension", "kind": "near_text", "value": VALUE}
    one = json.loads(indicator("[file:name = 'x']").serialize())
    one |= {"extensions": {EXT["fingerprint"]: own}, "x_price": "2 dollars", "labels": ["anything"]}
    (home.path / "one.json").write_text(json.dumps(one))
    got = import_stix(home, home.path / "one.json", source="one", purpose="detection", now=NOW)
    assert got.used == 1
    assert used(home)[0].kind == "near_text"
    assert "dollars" not in (home.pulled / "imported.json").read_text()


def test_the_next_file_of_a_source_replaces_the_last_and_of_no_other(home):
    bring(home, indicator())
    bring(home, indicator(f"[x-stillwatch-value:near_text = '{VALUE}']"), source="other")
    assert len(used(home)) == 2
    assert bring(home).read == 0
    assert [one.contributor for one in used(home)] == ["import-other"]


SOMEBODY = "identity--5e0d8a7c-3b1f-4c62-9d47-80a1f2c3b4d5"


def test_one_file_under_two_names_weighs_once(home):
    one, two = indicator(), indicator(f"[x-stillwatch-value:near_text = '{VALUE}']")
    for source in ("press", "friend"):
        bring(home, one, two, source=source)
    assert {(i.indicator_id, i.contributor) for i in used(home)} == {
        (one.id, "import-friend"), (two.id, "import-friend")
    }  # fmt: skip
    assert len(used(home)) == 2
    bring(home, source="friend")
    assert {i.contributor for i in used(home)} == {"import-press"}, "what one takes back stays"


def test_one_creators_objects_in_two_files_are_one_word(home):
    first = indicator(created_by_ref=SOMEBODY)
    second = indicator(f"[x-stillwatch-value:near_text = '{VALUE}']", created_by_ref=SOMEBODY)
    third = indicator(f"[x-stillwatch-value:tool_schema = '{VALUE}']")
    bring(home, first, source="a")
    bring(home, second, third, source="b")
    assert {i.kind: i.contributor for i in used(home)} == {
        "frame_head_8": "import-a", "near_text": "import-a", "tool_schema": "import-b"
    }  # fmt: skip
    found = imported(home, now=NOW, members=frozenset({SOMEBODY}))
    assert {i.contributor for i in found} == {SOMEBODY, "import-b"}, "the hub knows it by that name"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": [1]}', '{"A b": []}', "7",
                                  '{"partner": [{"kind": "near_text"}]}'])  # fmt: skip
def test_damaged_imports_are_named_and_left_as_they_are(home, text):
    bring(home, indicator())
    assert len(used(home)) == 1
    files = home.pulled / "imported.json", home.pulled / "indicators.jsonl"
    files[0].write_text(text)
    before = [file.read_bytes() for file in files]
    with pytest.raises((ConfigError, SchemaError), match=r"imported\.json"):
        write_indicators(home, now=NOW)
    if "kind" not in text:
        with pytest.raises(ConfigError, match=r"is damaged: .*expected") as told:
            bring(home, indicator(), source="other")
        assert "import each source's file again" in str(told.value.hint)
        with home.ledger() as ledger:
            assert ledger.size == 1, "what failed is not told as done"
    assert [file.read_bytes() for file in files] == before


def test_warninglist_flood_and_time_hold_for_what_is_imported(home):
    bring(home, indicator())
    later = datetime(2027, 6, 1, tzinfo=UTC)
    assert used(home, now=later) == ()
    (home.path / "popular.txt").write_text(VALUE + "\n")
    settings = home.path / "share.toml"
    settings.write_text(settings.read_text().replace('tlp = "amber"', 'tlp = "amber"\n'
                                                     'warninglist = "popular.txt"'))  # fmt: skip
    assert write_indicators(open_home(home.path), now=NOW) == (0, {"warninglist": 1, "flood": 0})
    many = [indicator(f"[x-stillwatch-value:near_text = '{k:016x}']") for k in range(1_001)]
    bring(home, *many)
    assert write_indicators(home, now=NOW) == (0, {"warninglist": 0, "flood": 1_001})


def test_what_any_version_revokes_is_revoked_and_the_newest_version_counts(home):
    first = indicator(modified="2026-11-20T08:15:30.123Z", created=THEN)
    second = first.new_version(pattern=f"[x-stillwatch-value:near_text = '{VALUE}']")
    got = bring(home, first, second)
    assert (got.used, got.dropped) == (1, {"an older version": 1})
    assert [one.kind for one in used(home)] == ["near_text"]
    assert bring(home, first.revoke(), first).dropped == {"revoked": 2}
    seen = stix2.Campaign(name="Quiet Heron")
    link = stix2.Relationship(first, "indicates", seen)
    got = bring(home, first, link, seen, seen.revoke())
    assert got.used == 0
    assert got.dropped["revoked"] == 1, "an indicator of a campaign that was taken back"


def test_ones_own_and_what_the_hub_tells_of_are_taken_from_no_file(home):
    """Neither is another's word; and what was appealed at the hub must not come back by a file."""
    one = indicator()
    assert bring(home, indicator(created_by_ref=home.contributor)).dropped == {"your own": 1}
    bring(home, one)
    assert len(used(home)) == 1
    held = {"id": one.id, "type": "indicator", "created_by_ref": f"identity--{uuid.uuid4()}",
            "revoked": True, "extensions": {EXT["fingerprint"]: {"value": VALUE}}}  # fmt: skip
    (home.pulled / "objects.json").write_text(json.dumps([held]))
    assert used(home) == ()


def test_without_a_legal_basis_nothing_is_read_and_each_reading_is_in_the_ledger(home):
    with pytest.raises(ShareRefused, match="legal-basis"):
        bring(home, indicator(), now=datetime(2027, 2, 1, tzinfo=UTC))
    assert not (home.pulled / "imported.json").exists()
    bring(home, indicator())
    with Ledger(home.path / "ledger.db", origin=f"stillwatch.client/{home.contributor}") as ledger:
        told = [entry.event for entry in ledger.entries()]
    assert [(e["what"], e["source"], len(e["objects"])) for e in told] == [("import", "partner", 1)]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, '"x"', '{"objects": 1}', "[1]", '[{"id": "x"}]', '{"type": "bundle",'
     '"objects": [[]]}'],
)  # fmt: skip
def test_what_is_no_stix_is_refused_in_words(home, text):
    (home.path / "x.json").write_text(text)
    with pytest.raises(InputError, match=r"x\.json"):
        import_stix(home, home.path / "x.json", source="x", purpose="detection", now=NOW)


@pytest.mark.parametrize(
    ("field", "value"),
    [("valid_from", "9999-12-31T23:59:59Z"), ("valid_from", "0001-01-01T00:00:00+14:00"),
     ("valid_from", None), ("valid_until", 7), ("valid_until", "soon"), ("id", "../x"),
     ("extensions", []), ("pattern", 7)],
)  # fmt: skip
def test_a_field_that_is_wrong_drops_its_object_alone(home, field, value):
    wrong = json.loads(indicator().serialize()) | {field: value}
    good = json.loads(indicator(f"[x-stillwatch-value:near_text = '{VALUE}']").serialize())
    (home.path / "x.json").write_text(json.dumps({"objects": [wrong, good]}))
    got = import_stix(home, home.path / "x.json", source="x", purpose="detection", now=NOW)
    assert got.used == (2 if field == "extensions" else 1)


def test_the_command_tells_what_it_dropped(home, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("stillwatch.cli.share._now", lambda: NOW)
    file = tmp_path / "feed.json"
    file.write_text(
        stix2.Bundle(indicator(), indicator("[ipv4-addr:value = '198.51.100.7']")).serialize()
    )
    words = ["share", "import", str(file), "--source", "partner", "--home", str(home.path)]
    assert run(words) == 0
    told = capsys.readouterr().out
    assert "read 2 objects, 1 indicators of use" in told
    assert "dropped 1: a scan does not match ipv4-addr" in told
    assert run([*words[:4], "A partner!", *words[5:]]) == 2
    assert "--source" in capsys.readouterr().err
