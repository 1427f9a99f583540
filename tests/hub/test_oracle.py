"""The same requests to this hub and to medallion 3.0.0, both real processes: what differs, and why.

medallion is run in an environment of its own (build/medallion), since it pins other packages.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from environments import environment
from ports import free_port

TAXII = "application/taxii+json;version=2.1"
BOTH, READ_ONLY, WRITE_ONLY, CLOSED = (
    f"{n}a1b528{n}-80eb-42ed-a74d-c6fbd5a2611{n}" for n in (1, 2, 3, 4)
)
ABSENT = "77777777-80eb-42ed-a74d-c6fbd5a26117"
ONE, TWO, THREE = (f"indicator--{n:08d}-1111-4111-8111-111111111111" for n in (1, 2, 3))
OLD = "malware--00000004-1111-4111-8111-111111111111"


def indicator(name: str, day: int, **more: Any) -> dict[str, Any]:
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": name,
        "created": "2026-11-01T00:00:00.000Z",
        "modified": f"2026-11-{day:02d}T00:00:00.000Z",
        "name": f"as of {day}",
        "pattern": "[a:b = 1]",
        "pattern_type": "stix",
        "valid_from": "2026-11-01T00:00:00Z",
        **more,
    }


def malware(spec: str, day: int) -> dict[str, Any]:
    made = indicator(OLD, day, type="malware", spec_version=spec, is_family=False)
    return {k: v for k, v in made.items() if k != "spec_version" or v != "2.0"}


CONTENT = [
    indicator(ONE, 1), indicator(TWO, 1), indicator(ONE, 2), malware("2.1", 3),
    indicator(THREE, 1), malware("2.0", 4), indicator(ONE, 5),
]  # fmt: skip
Step = tuple[str, str, dict[str, str], dict[str, str], Any]


def step(method: str, path: str, query: str = "", body: Any = None, **headers: str) -> Step:
    pairs = dict(part.split("=", 1) for part in query.split("&") if part)
    return method, path, pairs, {k.replace("_", "-"): v for k, v in headers.items()}, body


OBJECTS = f"/api/collections/{BOTH}/objects/"
MANIFEST = f"/api/collections/{BOTH}/manifest/"
FILTERS = (
    "", "limit=2", "limit=100", "limit=0", "limit=-1", "limit=x", "match[id]=" + ONE,
    f"match[id]={ONE},{TWO}", "match[id]=indicator--none", "match[type]=indicator",
    "match[type]=indicator,malware", "match[type]=campaign", "match[version]=last",
    "match[version]=first", "match[version]=all", "match[version]=first,last",
    "match[version]=2026-11-02T00:00:00.000Z", "match[version]=2026-11-02T00:00:00.001Z",
    "match[spec_version]=2.0", "match[spec_version]=2.1", "match[spec_version]=2.0,2.1",
    "match[spec_version]=2.0,2.1&match[version]=all", "match[type]=malware&match[version]=all",
    "match[version]=newest", "match[version]=all,first", "next=nonsense", "added_after=nonsense",
    "added_after=2099-01-01T00:00:00.000000Z", "added_after=2016-01-01T00:00:00.000Z",
    "match[colour]=blue",
)  # fmt: skip
STEPS: dict[str, Step] = {
    "discovery": step("GET", "/taxii2/"),
    "root": step("GET", "/api/"),
    "no such root": step("GET", "/nowhere/"),
    "collections": step("GET", "/api/collections/"),
    "collections of no root": step("GET", "/nowhere/collections/"),
    "collection": step("GET", f"/api/collections/{BOTH}/"),
    "no such collection": step("GET", f"/api/collections/{ABSENT}/"),
    "no such status": step("GET", f"/api/status/{ABSENT}/"),
    # One by one: medallion gives all objects of an envelope one date, and then sorts by id.
    **{f"add {i}": step("POST", OBJECTS, body={"objects": [one]}) for i, one in enumerate(CONTENT)},
    **{f"objects {f}": step("GET", OBJECTS, f) for f in FILTERS},
    **{f"manifest {f}": step("GET", MANIFEST, f) for f in FILTERS},
    **{
        f"object {f}": step("GET", f"{OBJECTS}{ONE}/", f)
        for f in FILTERS
        if "[id]" not in f and "[type]" not in f
    },
    **{
        f"versions {f}": step("GET", f"{OBJECTS}{OLD}/versions/", f)
        for f in FILTERS
        if "match" not in f or "spec" in f
    },
    "no such object": step("GET", f"{OBJECTS}indicator--{ABSENT}/"),
    "versions of no object": step("GET", f"{OBJECTS}indicator--{ABSENT}/versions/"),
    "add again": step("POST", OBJECTS, body={"objects": CONTENT[:2]}),
    "add other content": step(
        "POST", OBJECTS, body={"objects": [{**indicator(ONE, 1), "name": "x"}]}
    ),
    "add no envelope": step("POST", OBJECTS, body=CONTENT[0]),
    "add a list": step("POST", OBJECTS, body=CONTENT),
    "add nothing": step("POST", OBJECTS, body={"objects": []}),
    "add an object without id": step("POST", OBJECTS, body={"objects": [{"type": "indicator"}]}),
    "add as json": step("POST", OBJECTS, body={"objects": []}, Content_Type="application/json"),
    "add as 2.0": step(
        "POST", OBJECTS, body={"objects": []}, Content_Type="application/taxii+json;version=2.0"
    ),
    "add to read only": step("POST", OBJECTS.replace(BOTH, READ_ONLY), body={"objects": CONTENT}),
    "add to closed": step("POST", OBJECTS.replace(BOTH, CLOSED), body={"objects": CONTENT}),
    "add to none": step("POST", OBJECTS.replace(BOTH, ABSENT), body={"objects": CONTENT}),
    "read write only": step("GET", OBJECTS.replace(BOTH, WRITE_ONLY)),
    "manifest of write only": step("GET", MANIFEST.replace(BOTH, WRITE_ONLY)),
    "read closed": step("GET", OBJECTS.replace(BOTH, CLOSED)),
    "read of none": step("GET", OBJECTS.replace(BOTH, ABSENT)),
    "read empty": step("GET", OBJECTS.replace(BOTH, READ_ONLY)),
    "manifest empty": step("GET", MANIFEST.replace(BOTH, READ_ONLY)),
    "accept without version": step("GET", "/api/", Accept="application/taxii+json"),
    "accept 2.0": step("GET", "/api/", Accept="application/taxii+json;version=2.0"),
    "accept html": step("GET", "/api/", Accept="text/html"),
    "accept anything": step("GET", "/api/", Accept="*/*"),
    "stranger": step("GET", "/api/", Authorization="Basic eDp5"),
    "stranger at no collection": step("GET", MANIFEST.replace(BOTH, ABSENT), Authorization=""),
    "delete from read only": step("DELETE", f"{OBJECTS.replace(BOTH, READ_ONLY)}{ONE}/"),
    "delete from write only": step("DELETE", f"{OBJECTS.replace(BOTH, WRITE_ONLY)}{ONE}/"),
    "delete from closed": step("DELETE", f"{OBJECTS.replace(BOTH, CLOSED)}{ONE}/"),
    "delete a version": step(
        "DELETE", f"{OBJECTS}{ONE}/", "match[version]=2026-11-02T00:00:00.000Z"
    ),
    "after that": step("GET", MANIFEST, "match[version]=all"),
    "delete the first": step("DELETE", f"{OBJECTS}{ONE}/", "match[version]=first"),
    "after the first": step("GET", MANIFEST, "match[version]=all"),
    "delete one": step("DELETE", f"{OBJECTS}{TWO}/"),
    "get it": step("GET", f"{OBJECTS}{TWO}/"),
    "delete it again": step("DELETE", f"{OBJECTS}{TWO}/"),
    "delete the old one": step("DELETE", f"{OBJECTS}{OLD}/"),
    "versions of the old one": step("GET", f"{OBJECTS}{OLD}/versions/"),
    "at the end": step("GET", MANIFEST, "match[version]=all&match[spec_version]=2.0,2.1"),
}
_MALFORMED = "3.4: a malformed parameter MUST be answered with 400; medallion fails or ignores it"
DIFFERENCES = {
    **{
        f"{endpoint} {query}": _MALFORMED
        for endpoint in ("objects", "manifest", "object", "versions")
        for query in ("match[version]=newest", "match[version]=all,first", "added_after=nonsense")
        if endpoint != "versions" or "match" not in query
    },
    **{
        f"versions match[spec_version]=2.0,2.1{more}": (
            "5.8 names no order, 3.5 the order of adding for what is paged; medallion has another"
        )
        for more in ("", "&match[version]=all")
    },
    "add again": "5.5: an exact duplicate MUST NOT be an error; the release reports a failure, the "
    "code after it a success",
    "add nothing": "2, list: empty lists MUST NOT be used; medallion takes an empty envelope",
    "add an object without id": "4.3.1: objects fail one by one; medallion refuses the envelope",
    "accept without version": "3.1: a media type that is defined MUST NOT result in 406 (1.6.8.2 "
    "defines it without a version)",
    "accept anything": "3.1: other media types MAY be satisfied",
    "versions of the old one": "5.7: after a deletion the object MUST be 404; medallion leaves the "
    "version of the older specification",
    "at the end": "5.7: the same version is still in medallion's manifest",
}


def reduced(answer: httpx.Response) -> Any:
    """Return what two servers can have in common: no dates of their own, no ids of their making."""
    told: dict[str, Any] = {"status": answer.status_code}
    if answer.status_code >= 400 or not answer.content:
        return told
    told["type"] = answer.headers["content-type"]
    body = answer.json()
    if "total_count" in body:
        told |= {k: v for k, v in body.items() if k.endswith("count") or k == "status"}
        told["successes"] = body.get("successes", [])
        told["failed"] = sorted(f["id"] for f in body.get("failures", []))
    elif "objects" in body or "versions" in body:
        told["more"] = body.get("more")
        told["versions"] = body.get("versions")
        told["objects"] = [
            (o["id"], o.get("version", o.get("modified"))) for o in body.get("objects", [])
        ]
    elif "collections" in body:
        told["collections"] = sorted(
            (c["id"], c["can_read"], c["can_write"])
            for c in body["collections"]
            if c["id"] in {BOTH, READ_ONLY, WRITE_ONLY, CLOSED}  # other tests have theirs
        )
    else:
        told["names"] = sorted(set(body) - {"description", "contact", "default"})
    return told


def medallion_data() -> dict[str, Any]:
    def collection(name: str, read: bool, write: bool) -> dict[str, Any]:
        return {
            "id": name, "title": "A collection", "can_read": read, "can_write": write,
            "media_types": ["application/stix+json;version=2.1"], "objects": [], "manifest": [],
        }  # fmt: skip

    return {
        "/discovery": {"title": "x", "default": "/api/", "api_roots": ["/api/"]},
        "api": {
            "information": {
                "title": "x", "versions": [TAXII], "max_content_length": 10_485_760,
            },
            "status": [],
            "collections": [
                collection(BOTH, True, True), collection(READ_ONLY, True, False),
                collection(WRITE_ONLY, False, True), collection(CLOSED, False, False),
            ],
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def medallion(
    hub: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., httpx.Response]]:
    """Start medallion, empty for each database of ours; return what asks it."""
    folder = tmp_path_factory.mktemp("medallion")
    (folder / "data.json").write_text(json.dumps(medallion_data()))
    config = {
        "backend": {
            "module": "medallion.backends.memory_backend",
            "module_class": "MemoryBackend",
            "filename": str(folder / "data.json"),
        },
        "users": {"admin": "Password0"},
        "taxii": {"max_page_size": 100},
    }
    (folder / "config.json").write_text(json.dumps(config))
    port = free_port()
    with (folder / "log").open("wb") as log:
        command = [environment("medallion") / "medallion", "--port", port, folder / "config.json"]
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=("admin", "Password0")) as client:
        until = time.monotonic() + 120
        while True:
            try:
                client.get("/taxii2/")
                break
            except httpx.ConnectError:
                assert time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.1)
        yield lambda one: asked(client, one)
    process.terminate()
    process.wait(120)


def asked(client: httpx.Client, one: Step) -> httpx.Response:
    method, path, query, headers, body = one
    sent = {"Accept": TAXII, **({"Content-Type": TAXII} if body is not None else {}), **headers}
    request = client.build_request(method, path, params=query, json=body, headers=sent)
    own = "Authorization" in headers
    return client.send(request, auth=None if own else httpx.USE_CLIENT_DEFAULT)


@pytest.fixture(scope="module")
def ours(hub: Any) -> Iterator[Callable[..., httpx.Response]]:
    login = hub.login(number="oracle")
    for name, rights in ((BOTH, "rw"), (READ_ONLY, "r"), (WRITE_ONLY, "w"), (CLOSED, "none")):
        hub.collection(identifier=name, spec_versions=("2.0", "2.1"), tier="trusted")
        hub.office.grant(login.pseudonym, name, rights)
    with hub.client() as client:
        client.auth = httpx.BasicAuth(login.pseudonym, login.token)
        yield lambda one: asked(client, one)


def test_the_same_requests_get_the_same_answers_but_for_what_is_listed(ours, medallion):
    found = {}
    for name, one in STEPS.items():
        mine, theirs = reduced(ours(one)), reduced(medallion(one))
        if mine != theirs:
            found[name] = (mine, theirs)
    unexplained = {n: d for n, d in found.items() if n not in DIFFERENCES}
    assert not unexplained, "\n".join(
        f"{n}\n  ours   {a}\n  theirs {b}" for n, (a, b) in unexplained.items()
    )
    assert set(DIFFERENCES) == set(found), "a listed difference is none any more"
