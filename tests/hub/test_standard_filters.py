"""TAXII 2.1, section 3.4: what filters let through, of all objects and of one.

The clauses are listed in ``test_standard.py``.
"""

from __future__ import annotations

import uuid

import pytest
from taxii_asking import (
    old_and_new,
    statement,
)

from stillwatch.share.hub.structure import spec_of


@pytest.mark.parametrize(
    "query",
    [
        "added_after=yesterday",
        "added_after=2016-02-30T00:00:00.000000Z",
        "added_after=2016-01-01T00:00:00.000000%2B00:00",
        "added_after=2016-01-01",
        "added_after=",
        "added_after=2016-01-01T00:00:00Z&added_after=2016-01-01T00:00:00Z",
        "limit=0",
        "limit=-20",
        "limit=ten",
        "limit=1.5",
        "limit=",
        "limit=9007199254740993",
        "limit=1&limit=1",
        "next=abc",
        "next=",
        "match[version]=newest",
        "match[version]=2016",
        "match[version]=last,last",
        "match[version]=all,first",
        "match[spec_version]=two",
        "match[spec_version]=",
        "match[id]=",
        "match[type]=a,,b",
        "match[type]=indicator&match[type]=malware",
        "match[id]=%00",
    ],
)
def test_3_4_malformed(filled, me, query):
    with filled.server.client(me) as client:
        for path in (filled.objects, f"{filled.path}manifest/"):
            answer = client.get(f"{path}?{query}")
            assert answer.status_code == 400, answer.text
            assert answer.json()["http_status"] == "400"


def test_unknown_parameters_are_ignored(filled, me):
    asked = {"colour": "blue", "match[colour]": "blue"}
    assert filled.ids(me, **asked) == filled.ids(me)


def test_3_4_added_after_oldest_first(filled, me):
    everything = filled.ids(me)
    assert filled.ids(me, limit=2) == everything[:2]


def test_3_4_added_after_exclusive(filled, me):
    records = filled.get(me, "manifest/").json()["objects"]
    for i, record in enumerate(records):
        left = filled.ids(me, added_after=record["date_added"])
        assert left == [r["id"] for r in records[i + 1 :]]
    just_before = records[0]["date_added"][:-1]  # the last digit of a microsecond counts
    before = f"{just_before[:-6]}{int(just_before[-6:]) - 1:06d}Z"
    if int(just_before[-6:]) > 0:
        assert filled.ids(me, added_after=before) == [r["id"] for r in records]


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_3_4_limit_not_exceeded(filled, me, limit):
    one = filled.made[0]["id"]
    assert len(filled.ids(me, limit=limit)) == limit
    assert len(filled.ids(me, "manifest/", limit=limit)) == limit
    versions = filled.get(me, f"objects/{one}/versions/", limit=limit).json()["versions"]
    assert len(versions) == min(limit, 3)


@pytest.mark.parametrize("limit", [5, 6, 2**53 - 1])
def test_3_4_limit_all(filled, me, limit):
    assert len(filled.ids(me, limit=limit)) == 5
    assert filled.get(me, limit=limit).json()["more"] is False


def test_3_4_more(filled, me):
    for path in ("objects/", "manifest/", f"objects/{filled.made[0]['id']}/versions/"):
        told = filled.get(me, path, limit=1).json()
        assert told["more"] is True
        assert told["next"]


def test_3_4_match_fields(filled, me):
    one = filled.made[0]
    for path in ("objects/", "manifest/"):
        for name, value, left in (
            ("id", one["id"], 1),
            ("type", "indicator", 5),
            ("version", "all", 7),
            ("spec_version", "2.1", 5),
        ):
            assert len(filled.ids(me, path, **{f"match[{name}]": value})) == left
    path = f"objects/{one['id']}/"
    assert len(filled.ids(me, path, **{"match[version]": "all"})) == 3
    assert len(filled.ids(me, path, **{"match[spec_version]": "2.1"})) == 1
    versions = filled.get(me, f"{path}versions/", **{"match[spec_version]": "2.1"}).json()
    assert len(versions["versions"]) == 3


def test_3_4_match_anded(filled, me):
    first, second = filled.made[0]["id"], filled.made[1]["id"]
    assert set(filled.ids(me, **{"match[id]": f"{first},{second}"})) == {first, second}
    asked = {"match[id]": f"{first},{second}", "match[version]": "2026-11-03T00:00:00.000Z"}
    assert filled.ids(me, **asked) == [first]
    assert filled.ids(me, **{"match[id]": first, "match[type]": "malware"}) == []


def test_3_4_1_spec_version(both, me, make_indicator):
    old_and_new(both, me, make_indicator)
    for spec, wanted in (("2.0", 2), ("2.1", 1), ("2.0,2.1", 2), ("3.7", 0)):
        objects = both.get(me, **{"match[spec_version]": spec}).json().get("objects", [])
        assert len(objects) == wanted
        assert {o.get("spec_version", "2.0") for o in objects} <= set(spec.split(","))


def test_3_4_1_spec_version_default(both, me, make_indicator):
    new, only_old = old_and_new(both, me, make_indicator)
    objects = both.get(me).json()["objects"]
    assert {o["id"]: o.get("spec_version", "2.0") for o in objects} == {
        new["id"]: "2.1",
        only_old["id"]: "2.0",
    }
    versions = both.get(me, f"objects/{new['id']}/versions/").json()["versions"]
    assert versions == [new["modified"]]


def test_3_4_1_type(filled, me):
    from stillwatch.share.hub import STIX_TYPES

    for kind in sorted(STIX_TYPES):
        assert filled.get(me, **{"match[type]": kind}).status_code == 200
    assert filled.ids(me, **{"match[type]": ",".join(sorted(STIX_TYPES))}) == filled.ids(me)


def test_3_4_1_version_default(filled, me):
    objects = {o["id"]: o["modified"] for o in filled.get(me).json()["objects"]}
    assert len(objects) == 5
    assert objects[filled.made[0]["id"]] == "2026-11-03T00:00:00.000Z"


def test_3_4_1_version_created(shelf, me):
    marking = statement()
    assert shelf.add(me, marking)["successes"][0]["version"] == marking["created"]
    assert shelf.ids(me, **{"match[version]": marking["created"]}) == [marking["id"]]


def test_what_an_observable_without_spec_version_is_of(shelf, both, me, make_indicator):
    """STIX 2.1, section 3.2: a cyber-observable is of 2.1, the rest of 2.0."""
    seen = {"type": "ipv4-addr", "id": "ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd",
            "value": "198.51.100.3"}  # fmt: skip
    custom = {"type": "x-blob", "id": f"x-blob--{uuid.uuid4()}", "value": "x"}
    old = {k: v for k, v in make_indicator().items() if k != "spec_version"}
    assert shelf.add(me, seen)["success_count"] == 1
    assert shelf.add(me, old)["success_count"] == 0
    assert both.add(me, seen, old)["success_count"] == 2
    assert both.ids(me, **{"match[spec_version]": "2.1"}) == [seen["id"]]
    assert both.ids(me, **{"match[spec_version]": "2.0"}) == [old["id"]]
    assert spec_of(custom) == spec_of(seen) == "2.1"
    assert spec_of({**custom, "created": "2026-11-01T00:00:00Z"}) == spec_of(old) == "2.0"


@pytest.mark.parametrize(
    "value", ["last,last", "all,last", "2026-11-03T00:00:00.000Z," * 2 + "first"]
)
def test_3_4_1_version_duplicate(filled, me, value):
    assert filled.get(me, **{"match[version]": value}).status_code == 400


@pytest.mark.parametrize(
    ("value", "days"),
    [
        ("2026-11-02T00:00:00.000Z", [2]),
        ("2026-11-02T00:00:00Z", [2]),
        ("2026-11-02T00:00:00.001Z", []),
        ("first,last", [1, 3]),
        ("first,2026-11-02T00:00:00.000Z,last", [1, 2, 3]),
    ],
)
def test_3_4_1_version_value(filled, me, value, days):
    asked = {"match[version]": value, "match[id]": filled.made[0]["id"]}
    objects = filled.get(me, **asked).json().get("objects", [])
    assert sorted(int(o["modified"][8:10]) for o in objects) == days
