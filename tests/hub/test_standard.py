"""One test for each MUST of TAXII 2.1 (OASIS Standard, 10 June 2021) that binds a server.

The number in a test's name is the clause; ``CLAUSES`` lists them all, and what binds clients or
deployments alone is listed there with its reason. Sections 2 to 3.3 are here, 3.4 (filters) and
3.5 onwards (pages, endpoints) in the modules beside it.
"""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from taxii_asking import (
    STAMP,
    TAXII,
    UUID4,
    every_resource,
    lists_in,
)

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
    modules = "".join(m.read_text() for m in Path(__file__).parent.glob("test_standard*.py"))
    here = set(re.findall(r"^def test_(\w+)\(", modules, re.MULTILINE))
    assert set(CLAUSES) - ELSEWHERE <= here
    assert {name for name in here if name[0].isdigit()} <= set(CLAUSES)
    assert all(NOT_THE_SERVERS.values())


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
