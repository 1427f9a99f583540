"""One test for each MUST of TAXII 2.1 (OASIS Standard, 10 June 2021) that binds a server.

The number in a test's name is the clause; ``CLAUSES`` lists them all, and what binds clients or
deployments alone is listed there with its reason.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from stillwatch.share.hub.structure import spec_of

TAXII = "application/taxii+json;version=2.1"
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
NOTHING_THERE = f"indicator--{uuid.UUID(int=0)}"

# clause → what it demands of a server, in our words; "test_" + name tests it.
CLAUSES = {
    "2_boolean": "booleans are literal true or false",
    "2_identifier": "identifiers are version 4 UUIDs",
    "2_integer": "integers fit 54 bits",
    "2_list": "lists are never empty",
    "2_timestamp": "timestamps are UTC, with Z and microseconds",
    "3_1_success_body": "a success that permits a body has the endpoint's body",
    "3_1_content_type": "answers carry the media type with its version",
    "3_1_accept_never_406": "media types defined for an endpoint are not answered with 406",
    "3_1_content_type_never_415": "media types defined for an endpoint are not answered with 415",
    "3_1_filters": "endpoints that support filters filter",
    "3_2_date_added_headers": "both headers, timestamps, on four endpoints",
    "3_3_sorting": "objects and manifests by date added, oldest first",
    "3_3_collections_order": "collections in the same order every time",
    "3_4_malformed": "a malformed parameter is answered with 400",
    "3_4_added_after_oldest_first": "without added_after the oldest come first",
    "3_4_added_after_exclusive": "added_after excludes its own instant",
    "3_4_limit_not_exceeded": "never more objects than limit",
    "3_4_limit_all": "all objects where they are no more than limit",
    "3_4_more": "more is true where there is more",
    "3_4_match_fields": "each endpoint supports its match fields",
    "3_4_match_anded": "match fields are ANDed, values of one are ORed",
    "3_4_1_spec_version": "no specification version that was not asked for",
    "3_4_1_spec_version_default": "without it the latest of each object",
    "3_4_1_type": "a type of STIX 2.1 is never an error",
    "3_4_1_version_default": "without it the latest version of each object",
    "3_4_1_version_created": "created is the version of what has no modified",
    "3_4_1_version_duplicate": "a version twice, or all with another, is malformed",
    "3_4_1_version_value": "a value matches modified exactly",
    "3_5_pagination": "following next gives everything once",
    "3_6_1_http_status": "http_status is the status of the answer",
    "3_7_envelope": "STIX is returned in an envelope",
    "3_8_names": "required properties are there, named as in the standard",
    "4_1_api_roots": "API root URLs are HTTPS or relative with one slash, without a query",
    "4_1_default": "default is one of api_roots",
    "4_2_unique": "API roots have URLs of their own",
    "4_2_1_versions": "versions include 2.1 with its parameter",
    "4_2_1_max_content_length": "positive; a smaller body is never 413",
    "4_3_gone": "an unknown status id is 404",
    "4_3_1_status": "status is complete or pending, counts are not negative",
    "4_3_1_version": "versions in a status are modified, else created",
    "5_1_unauthenticated": "401 or 404 for collections",
    "5_1_1_empty": "no collections: an empty object",
    "5_2_unauthenticated": "401 or 404 for a collection",
    "5_2_1_alias": "an alias is unique in its API root",
    "5_2_1_media_types": "media_types describe all that can be stored",
    "5_3_unauthenticated": "401 or 404 for a manifest",
    "5_3_cannot_read": "403 or 404 for a manifest that may not be read",
    "5_3_1_empty": "no records: an empty object",
    "5_3_1_media_type": "a record's media type is one of the collection's",
    "5_3_1_version": "a record's version is modified, else created",
    "5_4_unauthenticated": "401 or 404 for objects",
    "5_4_cannot_read": "403 or 404 for objects that may not be read",
    "5_4_empty": "no objects: an empty envelope",
    "5_5_unauthenticated": "401 or 404 for adding",
    "5_5_cannot_write": "403 or 404 for adding where it is not allowed",
    "5_5_duplicate": "an exact duplicate is no error",
    "5_6_unauthenticated": "401 or 404 for an object",
    "5_6_cannot_read": "403 or 404 for an object that may not be read",
    "5_6_empty": "a filter that leaves nothing: an empty envelope",
    "5_7_gone": "after a deletion 404, and in no manifest",
    "5_7_unauthenticated": "401 or 404 for deleting",
    "5_7_table": "404, 403, 403 by can_read and can_write",
    "5_8_unauthenticated": "401 or 404 for versions",
    "5_8_cannot_read": "403 or 404 for versions that may not be read",
    "5_8_created": "created is listed where there is no modified",
    "5_8_1_empty": "no versions: an empty object",
    "8_2_1_discovery": "discovery is at /taxii2/ and there is an API root",
    "8_2_2_tls": "HTTPS with TLS 1.2 and later: tests/hub/test_tls.py",
}
ELSEWHERE = {"8_2_2_tls"}
NOT_THE_SERVERS = {
    "3.1 paths end in a slash, Accept and Content-Type are sent": "binds clients",
    "3.9 DNS SRV names": "binds whoever writes the zone",
    "5.5 objects are delivered in an envelope": "binds clients",
    "7.1 custom properties": "the hub's resources have none",
    "8.3.1 client certificates": "the TLS library verifies them (PKIX); tests/hub/test_tls.py",
    "8.4, 8.5": "bind clients",
}


def test_each_clause_has_its_test():
    here = {name.removeprefix("test_") for name in dir(sys.modules[__name__]) if "test_" in name}
    assert set(CLAUSES) - ELSEWHERE <= here
    assert {name for name in here if name[0].isdigit()} <= set(CLAUSES)
    assert all(NOT_THE_SERVERS.values())


@pytest.fixture
def me(hub):
    return hub.login()


@pytest.fixture
def both(hub, make_shelf):
    """A collection that takes STIX 2.0 and 2.1."""
    return make_shelf(hub, spec_versions=("2.0", "2.1"))


@pytest.fixture
def filled(shelf, me, make_indicator):
    """Five indicators, of which the first has three versions."""
    made = [make_indicator() for _ in range(5)]
    later = [{**made[0], "modified": f"2026-11-0{day}T00:00:00.000Z"} for day in (2, 3)]
    assert shelf.add(me, *made, *later)["success_count"] == 7
    shelf.made = made
    return shelf


def lists_in(value: Any) -> list[list[Any]]:
    if isinstance(value, dict):
        return [found for held in value.values() for found in lists_in(held)]
    if isinstance(value, list):
        return [value, *(found for held in value for found in lists_in(held))]
    return []


def every_resource(shelf, login) -> dict[str, Any]:
    with shelf.server.client(login) as client:
        paths = ["/taxii2/", "/api/", "/api/collections/", shelf.path, shelf.objects]
        paths += [f"{shelf.path}manifest/"]
        return {path: client.get(path).json() for path in paths}


def test_2_boolean(filled, me):
    told = filled.get(me, "").json()
    assert told["can_read"] is True
    assert told["can_write"] is True
    assert filled.get(me).json()["more"] is False


def test_2_identifier(filled, me, make_indicator):
    assert UUID4.fullmatch(filled.get(me, "").json()["id"])
    assert UUID4.fullmatch(filled.add(me, make_indicator())["id"])


def test_2_integer(hub, shelf, me, make_indicator):
    with hub.client(me) as client:
        assert 0 < client.get("/api/").json()["max_content_length"] < 2**53
    told = shelf.add(me, make_indicator())
    counts = [v for k, v in told.items() if k.endswith("_count")]
    assert len(counts) == 4
    assert all(type(v) is int and 0 <= v < 2**53 for v in counts)


def test_2_list(hub, shelf, filled, me, make_indicator):
    resources = list(every_resource(filled, me).values())
    resources += [shelf.add(me, make_indicator()), shelf.add(me, {"type": "x"})]
    found = [one for resource in resources for one in lists_in(resource)]
    assert len(found) > 5
    assert all(found)
    empty = hub.collection()
    with hub.client(me) as client:
        for path in ("objects/", "manifest/"):
            assert client.get(f"/api/collections/{empty}/{path}").json() == {}


def test_2_timestamp(filled, me, make_indicator):
    records = filled.get(me, "manifest/").json()["objects"]
    assert records
    assert all(STAMP.fullmatch(record["date_added"]) for record in records)
    assert STAMP.fullmatch(filled.add(me, make_indicator())["request_timestamp"])


def test_3_1_success_body(filled, me):
    bodies = every_resource(filled, me)
    assert {frozenset(body) for body in bodies.values()} == {
        frozenset({"title", "description", "default", "api_roots"}),
        frozenset({"title", "versions", "max_content_length"}),
        frozenset({"collections"}),
        frozenset({"id", "title", "can_read", "can_write", "media_types"}),
        frozenset({"more", "objects"}),
    }


@pytest.mark.parametrize("path", ["/taxii2/", "/api/", "/api/collections/", "/nowhere/", "/a/b/c/"])
def test_3_1_content_type(hub, me, path):
    with hub.client(me) as client:
        for method in ("GET", "PATCH"):
            assert client.request(method, path).headers["content-type"] == TAXII
    with hub.client() as client:
        assert client.get(path).headers["content-type"] == TAXII


@pytest.mark.parametrize(
    "accept",
    [
        TAXII,
        "application/taxii+json",
        "application/taxii+json; version=2.1",
        'application/taxii+json;version="2.1"',
        "APPLICATION/TAXII+JSON;version=2.1",
        "application/taxii+json;version=2.1,application/stix+json;version=2.1",
        "text/html, application/taxii+json;version=2.1;q=0.5",
        "application/*",
        "*/*",
    ],
)
def test_3_1_accept_never_406(filled, me, accept):
    with filled.server.client(me, Accept=accept) as client:
        for path in ("/taxii2/", "/api/", filled.path, filled.objects, f"{filled.path}manifest/"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (200, TAXII)


@pytest.mark.parametrize(
    "accept",
    [
        "application/taxii+json;version=2.0", "application/json", "text/html", "*/*;q=0",
        "*/*, application/taxii+json;q=0",
        "application/*;q=0.5, application/taxii+json;version=2.1;q=0",
    ],
)  # fmt: skip
def test_what_cannot_be_answered_in_is_406(filled, me, accept):
    with filled.server.client(me, Accept=accept) as client:
        for path in ("/taxii2/", "/api/", filled.path, filled.objects):
            assert client.get(path).status_code == 406


def test_accept_in_several_headers_is_one_list(filled, me):
    """RFC 9110, section 5.3."""
    with filled.server.client(me) as client:
        for lines, status in ((("text/html", TAXII), 200), ((TAXII, "text/html"), 200),
                              (("text/html", "application/json"), 406)):  # fmt: skip
            told = [(k, v) for k, v in client.headers.multi_items() if k.lower() != "accept"]
            request = httpx.Request("GET", f"{filled.server.url}/api/", headers=[
                *told, *(("Accept", line) for line in lines)])  # fmt: skip
            assert client.send(request).status_code == status


@pytest.mark.parametrize(
    "sent", [TAXII, "application/taxii+json", "application/taxii+json; version=2.1; charset=utf-8"]
)
def test_3_1_content_type_never_415(shelf, me, make_indicator, sent):
    assert shelf.add(me, make_indicator(), **{"Content-Type": sent})["success_count"] == 1


@pytest.mark.parametrize(
    "sent", ["application/json", "application/taxii+json;version=2.0", "text/plain", ""]
)
def test_other_content_types_are_415(shelf, me, make_indicator, sent):
    with shelf.server.client(me, **{"Content-Type": sent}) as client:
        answer = client.post(shelf.objects, json={"objects": [make_indicator()]})
    assert answer.status_code == 415
    assert shelf.ids(me) == []


def test_3_1_filters(filled, me):
    one = filled.made[2]["id"]
    assert filled.ids(me, **{"match[id]": one}) == [one]
    assert filled.ids(me, "manifest/", **{"match[id]": one}) == [one]
    assert filled.ids(me, **{"match[type]": "campaign"}) == []


def test_3_2_date_added_headers(filled, me):
    one = filled.made[1]["id"]
    for path in ("manifest/", "objects/", f"objects/{one}/", f"objects/{one}/versions/"):
        for parameters in ({}, {"added_after": "2099-01-01T00:00:00.000000Z"}):
            answer = filled.get(me, path, **parameters)
            assert answer.status_code == 200
            first, last = (answer.headers[f"x-taxii-date-added-{w}"] for w in ("first", "last"))
            assert STAMP.fullmatch(first)
            assert first <= last
    records = filled.get(me, "manifest/").json()["objects"]
    headers = filled.get(me).headers
    assert headers["x-taxii-date-added-first"] == records[0]["date_added"]
    assert headers["x-taxii-date-added-last"] == records[-1]["date_added"]


def test_3_3_sorting(filled, me):
    records = filled.get(me, "manifest/", **{"match[version]": "all"}).json()["objects"]
    dates = [record["date_added"] for record in records]
    assert dates == sorted(set(dates))
    versions = [(r["id"], r["version"]) for r in records]
    objects = filled.get(me, **{"match[version]": "all"}).json()["objects"]
    assert [(o["id"], o["modified"]) for o in objects] == versions


def test_3_3_collections_order(hub, me):
    hub.collection()
    with hub.client(me) as client:
        first, *rest = (client.get("/api/collections/").json() for _ in range(4))
    assert len(first["collections"]) > 1
    assert rest == [first] * 3


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


def old_and_new(both, me, make_indicator):
    new = make_indicator()
    old = {k: v for k, v in new.items() if k != "spec_version"}
    old["modified"] = "2026-11-05T00:00:00.000Z"
    only_old = {**old, "id": f"indicator--{uuid.uuid4()}"}
    assert both.add(me, new, old, only_old)["success_count"] == 3
    return new, only_old


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


def statement() -> dict[str, Any]:
    """A marking: an object that has no ``modified``, so that ``created`` is its version."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{uuid.uuid4()}",
        "created": "2026-10-01T00:00:00.000Z",
        "definition_type": "statement",
        "definition": {"statement": "As it is."},
    }


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


@pytest.mark.parametrize("path", ["objects/", "manifest/"])
def test_3_5_pagination(filled, me, path):
    whole = filled.ids(me, path, **{"match[version]": "all"})
    for how in ("next", "added_after"):
        seen: list[str] = []
        asked: dict[str, Any] = {"match[version]": "all", "limit": 3}
        while True:
            answer = filled.get(me, path, **asked)
            told = answer.json()
            seen += [o["id"] for o in told["objects"]]
            if not told["more"]:
                break
            going_on = told["next"] if how == "next" else answer.headers["x-taxii-date-added-last"]
            asked[how] = going_on
        assert seen == whole


def test_3_6_1_http_status(hub, filled, me):
    with hub.client(me) as client:
        answers = [
            client.get("/nowhere/"),
            client.get(f"{filled.objects}?limit=0"),
            client.delete("/taxii2/"),
            client.get("/taxii2/", headers={"Accept": "text/html"}),
            client.post(filled.objects, content=b"{", headers={"Content-Type": TAXII}),
            client.post(filled.objects, content=b"{}", headers={"Content-Type": TAXII}),
        ]
    assert [a.status_code for a in answers] == [404, 400, 405, 406, 400, 422]
    for answer in answers:
        assert answer.json()["http_status"] == str(answer.status_code)
        assert answer.json()["title"]


def test_3_7_envelope(filled, me):
    told = filled.get(me, f"objects/{filled.made[1]['id']}/").json()
    assert told == {"more": False, "objects": [filled.made[1]]}


def test_3_8_names(hub, filled, me):
    found = every_resource(filled, me)
    assert {"title", "versions", "max_content_length"} <= set(found["/api/"])
    assert {"id", "title", "can_read", "can_write"} <= set(found[filled.path])
    records = found[f"{filled.path}manifest/"]["objects"]
    assert {frozenset(r) for r in records} == {
        frozenset({"id", "date_added", "version", "media_type"})
    }


def test_4_1_api_roots(hub, me):
    with hub.client(me) as client:
        roots = client.get("/taxii2/").json()["api_roots"]
        assert roots
        for root in roots:
            assert re.fullmatch(r"/[^/?]+/", root)
            assert client.get(root).status_code == 200


def test_4_1_default(hub, me):
    with hub.client(me) as client:
        told = client.get("/taxii2/").json()
    assert told["default"] in told["api_roots"]


def test_4_2_unique(hub, me):
    from stillwatch.errors import ConfigError

    with pytest.raises(ConfigError, match="there already"):
        hub.office.add_root("api", title="Again")
    with hub.client(me) as client:
        roots = client.get("/taxii2/").json()["api_roots"]
    assert len(set(roots)) == len(roots)


def test_4_2_1_versions(hub, me):
    with hub.client(me) as client:
        assert TAXII in client.get("/api/").json()["versions"]


def test_4_2_1_max_content_length(hub, me, make_indicator):
    small = f"small{uuid.uuid4().hex}"
    hub.office.add_root(small, title="Small", max_content_length=4_000)
    shelf = hub.office.add_collection(small, title="S", now=datetime.now(UTC))
    path = f"/{small}/collections/{shelf}/objects/"
    body = json.dumps({"objects": [make_indicator(pattern="[x:y = 1]")]}).encode()
    with hub.client(me, **{"Content-Type": TAXII}) as client:
        assert client.get(f"/{small}/").json()["max_content_length"] == 4_000
        full = body + b" " * (4_000 - len(body))
        assert client.post(path, content=full).status_code == 202
        assert client.post(path, content=full + b" ").status_code == 413


def test_4_3_gone(hub, shelf, me, make_indicator):
    told = shelf.add(me, make_indicator())
    other = hub.login(number=2)
    with hub.client(me) as client:
        assert client.get(f"/api/status/{told['id']}/").json() == told
        for name in (uuid.uuid4(), "22101993", told["id"].upper()):
            assert client.get(f"/api/status/{name}/").status_code == 404
    with hub.client(other) as client:
        assert client.get(f"/api/status/{told['id']}/").status_code == 404


def test_4_3_1_status(shelf, me, make_indicator):
    told = shelf.add(me, make_indicator(), {"type": "nonsense"})
    assert told["status"] == "complete"
    counts = [told[f"{w}_count"] for w in ("total", "success", "failure", "pending")]
    assert counts == [2, 1, 1, 0]
    assert len(told["successes"]) == len(told["failures"]) == 1
    assert told["failures"][0]["message"]
    assert "pendings" not in told


def test_4_3_1_version(shelf, me, make_indicator):
    one = make_indicator(modified="2026-11-09T00:00:00.123456Z")
    observed = {
        "type": "ipv4-addr",
        "spec_version": "2.1",
        "id": f"ipv4-addr--{uuid.uuid5(uuid.NAMESPACE_URL, 'x')}",
        "value": "192.0.2.1",
    }
    told = shelf.add(me, one, observed)["successes"]
    assert told[0] == {"id": one["id"], "version": one["modified"]}
    assert STAMP.fullmatch(told[1]["version"])  # the standard lets the server choose here
    again = shelf.add(me, observed)["successes"]
    assert again == told[1:]


ENDPOINTS = {
    "5_1": ("GET", "/api/collections/"),
    "5_2": ("GET", "{path}"),
    "5_3": ("GET", "{path}manifest/"),
    "5_4": ("GET", "{path}objects/"),
    "5_5": ("POST", "{path}objects/"),
    "5_6": ("GET", "{path}objects/{one}/"),
    "5_7": ("DELETE", "{path}objects/{one}/"),
    "5_8": ("GET", "{path}objects/{one}/versions/"),
}


def unauthenticated(clause, filled):
    method, path = ENDPOINTS[clause]
    path = path.format(path=filled.path, one=filled.made[0]["id"])
    for header in (None, "Bearer x", "Basic !!", "Basic bWU6eA==", "Digest a", "Bearer"):
        headers = {} if header is None else {"Authorization": header}
        with filled.server.client(None, **headers) as client:
            answer = client.request(method, path)
        assert answer.status_code == 401
        assert "Bearer" in answer.headers["www-authenticate"]
        assert "Basic" in answer.headers["www-authenticate"]


def forbidden(clause, filled, hub, rights):
    method, path = ENDPOINTS[clause]
    path = path.format(path=filled.path, one=filled.made[0]["id"])
    other = hub.login(number=3)
    hub.office.grant(other.pseudonym, filled.id, rights)
    with hub.client(other, **{"Content-Type": TAXII}) as client:
        return client.request(method, path).status_code


def test_5_1_unauthenticated(filled):
    unauthenticated("5_1", filled)


def test_5_1_1_empty(hub, me):
    empty = f"empty{uuid.uuid4().hex}"
    hub.office.add_root(empty, title="Empty")
    with hub.client(me) as client:
        assert client.get(f"/{empty}/collections/").json() == {}


def test_5_2_unauthenticated(filled):
    unauthenticated("5_2", filled)


def test_5_2_1_alias(hub, me, make_shelf):
    from stillwatch.errors import ConfigError

    alias = f"alias-{uuid.uuid4()}"
    shelf = make_shelf(hub, alias=alias)
    with hub.client(me) as client:
        assert client.get(f"/api/collections/{alias}/").json()["id"] == shelf.id
    with pytest.raises(ConfigError, match="taken"):
        hub.collection(alias=alias)


def test_5_2_1_media_types(hub, both, shelf, me, make_indicator):
    old = {k: v for k, v in make_indicator().items() if k != "spec_version"}
    assert shelf.get(me, "").json()["media_types"] == ["application/stix+json;version=2.1"]
    assert shelf.add(me, old)["failure_count"] == 1
    assert set(both.get(me, "").json()["media_types"]) == {
        "application/stix+json;version=2.1",
        "application/stix+json;version=2.0",
    }
    assert both.add(me, old)["success_count"] == 1


def test_5_3_unauthenticated(filled):
    unauthenticated("5_3", filled)


def test_5_3_cannot_read(filled, hub):
    assert forbidden("5_3", filled, hub, "w") == 403


def test_5_3_1_empty(shelf, me):
    assert shelf.get(me, "manifest/").content == b"{}"


def test_5_3_1_media_type(both, me, make_indicator):
    old_and_new(both, me, make_indicator)
    allowed = set(both.get(me, "").json()["media_types"])
    asked = {"match[spec_version]": "2.0,2.1", "match[version]": "all"}
    records = both.get(me, "manifest/", **asked).json()["objects"]
    assert {r["media_type"] for r in records} == allowed


def test_5_3_1_version(filled, me):
    records = filled.get(me, "manifest/", **{"match[version]": "all"}).json()["objects"]
    objects = filled.get(me, **{"match[version]": "all"}).json()["objects"]
    assert [r["version"] for r in records] == [o["modified"] for o in objects]


def test_5_4_unauthenticated(filled):
    unauthenticated("5_4", filled)


def test_5_4_cannot_read(filled, hub):
    assert forbidden("5_4", filled, hub, "w") == 403


def test_5_4_empty(shelf, me):
    answer = shelf.get(me)
    assert (answer.status_code, answer.json()) == (200, {})


def test_5_5_unauthenticated(filled):
    unauthenticated("5_5", filled)


def test_5_5_cannot_write(filled, hub):
    assert forbidden("5_5", filled, hub, "r") == 403


def test_5_5_duplicate(filled, me):
    before = filled.get(me, **{"match[version]": "all"}).content
    told = filled.add(me, *filled.made)
    assert (told["success_count"], told["failure_count"]) == (5, 0)
    assert filled.get(me, **{"match[version]": "all"}).content == before
    other = {**filled.made[1], "name": "Other content under the same version"}
    assert filled.add(me, other)["failure_count"] == 1
    assert filled.get(me, **{"match[version]": "all"}).content == before


def test_5_6_unauthenticated(filled):
    unauthenticated("5_6", filled)


def test_5_6_cannot_read(filled, hub):
    assert forbidden("5_6", filled, hub, "w") == 403


def test_5_6_empty(filled, me):
    path = f"objects/{filled.made[0]['id']}/"
    answer = filled.get(me, path, added_after="2099-01-01T00:00:00.000000Z")
    assert (answer.status_code, answer.json()) == (200, {})
    assert filled.get(me, f"objects/{NOTHING_THERE}/").status_code == 404


def test_5_7_gone(filled, me):
    one, two = filled.made[0]["id"], filled.made[1]["id"]
    with filled.server.client(me) as client:
        part = client.delete(
            f"{filled.objects}{one}/", params={"match[version]": "2026-11-02T00:00:00.000Z"}
        )
        assert (part.status_code, part.content) == (200, b"")
        versions = client.get(f"{filled.objects}{one}/versions/").json()["versions"]
        assert versions == ["2026-11-01T00:00:00.000Z", "2026-11-03T00:00:00.000Z"]
        for name in (one, two):
            answer = client.delete(f"{filled.objects}{name}/")
            assert answer.status_code == 200
            assert answer.headers["content-type"] == TAXII
            for path in (f"{name}/", f"{name}/versions/"):
                assert client.get(filled.objects + path).status_code == 404
            assert client.delete(f"{filled.objects}{name}/").status_code == 404
    for path in ("objects/", "manifest/"):
        left = filled.ids(me, path, **{"match[version]": "all"})
        assert sorted(left) == sorted(o["id"] for o in filled.made[2:])


def test_5_7_unauthenticated(filled):
    unauthenticated("5_7", filled)


@pytest.mark.parametrize(("rights", "status"), [("none", 404), ("r", 403), ("w", 403)])
def test_5_7_table(filled, hub, rights, status):
    assert forbidden("5_7", filled, hub, rights) == status


def test_5_8_unauthenticated(filled):
    unauthenticated("5_8", filled)


def test_5_8_cannot_read(filled, hub):
    assert forbidden("5_8", filled, hub, "w") == 403


def test_5_8_created(shelf, me):
    definition = statement()
    shelf.add(me, definition)
    told = shelf.get(me, f"objects/{definition['id']}/versions/").json()
    assert told == {"more": False, "versions": [definition["created"]]}


def test_5_8_1_empty(filled, me):
    path = f"objects/{filled.made[0]['id']}/versions/"
    assert filled.get(me, path, added_after="2099-01-01T00:00:00.000000Z").json() == {}


def test_8_2_1_discovery(hub, me):
    with hub.client(me) as client:
        answer = client.get("/taxii2/")
    assert answer.status_code == 200
    assert len(answer.json()["api_roots"]) >= 1
