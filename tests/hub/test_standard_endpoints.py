"""TAXII 2.1, sections 3.5 to 8: pages, names, and every endpoint, also where it refuses.

The clauses are listed in ``test_standard.py``.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from taxii_asking import (
    NOTHING_THERE,
    STAMP,
    TAXII,
    every_resource,
    forbidden,
    old_and_new,
    statement,
    unauthenticated,
)


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
