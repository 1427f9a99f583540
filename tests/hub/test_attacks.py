"""What a hostile member or stranger tries, named by the attack."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import socket
import uuid

import httpx
import pytest

TAXII = "application/taxii+json;version=2.1"


@pytest.fixture
def three(shelf, me, make_indicator):
    shelf.add(me, *(make_indicator() for _ in range(3)))
    return shelf


def cursor(shelf, login, **asked) -> str:
    return str(shelf.get(login, limit=1, **asked).json()["next"])


def test_every_changed_byte_of_a_cursor_is_refused(three, me):
    raw = base64.urlsafe_b64decode(cursor(three, me))
    assert three.get(me, limit=1, next=cursor(three, me)).status_code == 200
    for i in range(len(raw)):
        changed = bytes([*raw[:i], raw[i] ^ 1, *raw[i + 1 :]])
        text = base64.urlsafe_b64encode(changed).decode().rstrip("=")
        assert three.get(me, limit=1, next=text).status_code == 400


@pytest.mark.parametrize("text", ["A", "AAAA", "A" * 10_000, "é", "..", "%00", "null", "0", "-1"])
def test_a_made_up_cursor_is_refused(three, me, text):
    assert three.get(me, limit=1, next=text).status_code == 400


def test_a_cursor_serves_its_own_filters_endpoint_collection_and_member_alone(
    hub, three, me, make_shelf, make_indicator
):
    other_shelf, other = make_shelf(hub), hub.login(number="other")
    other_shelf.add(me, make_indicator())
    given = cursor(three, me)
    assert three.get(me, limit=2, next=given).status_code == 200  # another limit is no filter
    for path, asked in (
        ("objects/", {"match[version]": "all"}),
        ("objects/", {"match[type]": "indicator"}),
        ("objects/", {"added_after": "2016-01-01T00:00:00.000000Z"}),
        ("manifest/", {}),
    ):
        assert three.get(me, path, next=given, **asked).status_code == 400
    assert three.get(other, next=given).status_code == 400
    assert other_shelf.get(me, next=given).status_code == 400


def post(shelf, login, body: bytes, **headers: str):
    with shelf.server.client(login, **{"Content-Type": TAXII, **headers}) as client:
        return client.post(shelf.objects, content=body)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip", "zstd"])
def test_a_compression_bomb_is_not_unpacked(shelf, me, coding):
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    assert post(shelf, me, bomb, **{"Content-Encoding": coding}).status_code == 415


def test_a_body_without_a_length_is_cut_off_at_the_limit(shelf, me):
    """12 MB in chunks, the limit being 10 MiB; the hub answers before it has read all."""

    def chunks():
        for _ in range(120):
            yield b" " * 100_000

    with shelf.server.client(me, **{"Content-Type": TAXII}) as client:
        with contextlib.suppress(httpx.WriteError):  # it may hang up while the rest is sent
            assert client.post(shelf.objects, content=chunks()).status_code == 413
        assert client.get(shelf.objects).json() == {}


DEEP = '{"type":"indicator","a":' + "[" * 40 + "]" * 40 + "}"
BAD_BODIES = {
    "nothing": (b"", 400),
    "not json": (b"{", 400),
    "not utf-8": (b'{"objects":["\xff"]}', 400),
    "a list": (b"[]", 422),
    "no objects": (b'{"objects":[]}', 422),
    "objects that is no list": (b'{"objects":{}}', 422),
    "an object that is none": (b'{"objects":[1]}', 422),
    "an object alone": (b'{"type":"indicator"}', 422),
    "a key twice": (b'{"objects":[{"type":"a","type":"b"}]}', 422),
    "objects twice": (b'{"objects":[{"a":1}],"objects":[{"b":1}]}', 422),
    "NaN": (b'{"objects":[{"a":NaN}]}', 422),
    "infinity": (b'{"objects":[{"a":1e999}]}', 422),
    "a whole number beyond 2^53": (b'{"objects":[{"a":9007199254740993}]}', 422),
    "a number of 10,000 digits": (b'{"objects":[{"a":' + b"9" * 10_000 + b"}]}", 422),
    "half a character": (b'{"objects":[{"a":"\\ud800"}]}', 422),
    "deep": (f'{{"objects":[{DEEP}]}}'.encode(), 422),
    "very deep": (b'{"objects":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 422),
    "too many objects": (b'{"objects":[' + b",".join([b"{}"] * 20_001) + b"]}", 422),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_body_that_is_ambiguous_or_too_much_is_refused(shelf, me, name):
    body, status = BAD_BODIES[name]
    answer = post(shelf, me, body)
    assert answer.status_code == status, answer.text
    assert shelf.get(me).json() == {}


BAD_OBJECTS = {
    "no type": {"type": None},
    "a type that is none": {"type": "Indicator"},
    "an unknown type": {"type": "x-price", "id": f"x-price--{uuid.UUID(int=7)}"},
    "an id of another type": {"id": f"malware--{uuid.UUID(int=7)}"},
    "an id that is a path": {"id": "indicator--../../etc/passwd"},
    "an id with a NUL": {"id": "indicator--\x00"},
    "an id that is a number": {"id": 7},
    "a time without a zone": {"modified": "2026-11-01T00:00:00"},
    "a time that is a number": {"created": 0},
    "modified before created": {"modified": "2026-10-01T00:00:00.000Z"},
    "no created": {"created": None},
    "a strange property": {"Price Per Token": 1},
    "a creator that is none": {"created_by_ref": "me"},
    "a confidence of 101": {"confidence": 101},
    "a large object": {"description": "x" * 100_001},
    "markings that are no list": {"object_marking_refs": "all"},
    "a part's marking that is none": {"granular_markings": [{"selectors": ["name"]}]},
    "a version of STIX that is none": {"spec_version": "9.9"},
}


@pytest.mark.parametrize("name", BAD_OBJECTS)
def test_a_bad_object_is_refused_alone_with_a_sentence(shelf, me, make_indicator, name):
    bad = {k: v for k, v in make_indicator(**BAD_OBJECTS[name]).items() if v is not None}
    good = make_indicator()
    told = shelf.add(me, bad, good)
    assert (told["success_count"], told["failure_count"]) == (1, 1)
    assert told["failures"][0]["message"].endswith(".")
    assert shelf.ids(me) == [good["id"]]


@pytest.mark.parametrize(
    "path",
    [
        "/api/collections/{c}/objects/..%2f..%2fmanifest/",
        "/api/collections/{c}/objects/%00/",
        "/api/collections/{c}/objects/%ff%fe/",
        "/api/collections/{c}/objects/{long}/",
        "/api/collections/{c}%00/objects/",
        "/api/collections//objects/",
        "/api/collections/%2e%2e/",
        "/api/collections/' OR 1=1 --/objects/",
        "/%00/",
        "//api/",
        "/api/../hub.key",
        "/hub.key",
        "/api/status/%00/",
    ],
)
def test_a_path_trick_is_not_found(shelf, me, path):
    with shelf.server.client(me) as client:
        answer = client.get(path.format(c=shelf.id, long="x" * 5_000), follow_redirects=True)
    assert answer.status_code == 404
    assert answer.json()["title"] == "NotFound"


def raw(server, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize("path", ["/taxii2", "/api/collections", "/%2fevil.example/taxii2"])
def test_the_redirect_to_a_slash_leads_to_this_host_alone(hub, path):
    answer = raw(
        hub, f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode()
    )
    head = answer.decode().lower()
    if "308" in head.splitlines()[0]:
        where = head.split("location: ")[1].splitlines()[0]
        assert where == f"{path}/"
    else:
        assert "404" in head.splitlines()[0]
        assert "location" not in head
    assert "evil.example" not in head.split("\r\n\r\n")[0].replace(path, "")


def test_a_request_that_says_its_length_twice_is_refused(shelf, me):
    body = b'{"objects":[]}'
    head = (
        f"POST {shelf.objects} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: Bearer {me.token}\r\nContent-Type: {TAXII}\r\nContent-Length: 14\r\n"
        "Content-Length: 2\r\n\r\n"
    )
    assert raw(shelf.server, head.encode() + body).split(b"\r\n")[0].startswith(b"HTTP/1.1 400")


def test_a_line_break_in_a_header_splits_no_answer(hub, me):
    with hub.client(me) as client:
        answer = client.get("/api/collections%0d%0aSet-Cookie:%20a=b")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("header", ["Bearer " + "x" * 20_000, "Basic " + "A" * 20_000, "Bearer é"])
def test_a_strange_authorization_is_a_stranger(hub, header):
    with hub.client() as client:
        answer = client.get("/taxii2/", headers={"Authorization": header.encode()})
    assert answer.status_code in {400, 401, 431}


def test_a_purpose_that_is_none_is_refused(three, me):
    with three.server.client(me) as client:
        for path in ("objects/", "manifest/", "corrections/"):
            url = three.path + path
            assert client.get(url, headers={"X-Stillwatch-Purpose": "pricing"}).status_code == 400
            assert client.get(url, headers={"X-Stillwatch-Purpose": "audit"}).status_code == 200


def test_a_quota_ends_a_members_day(hub, three, make_indicator, make_shelf):
    writer = hub.login(objects_per_day=2)
    shelf = make_shelf(hub)
    assert shelf.add(writer, make_indicator(), make_indicator())["success_count"] == 2
    answer = post(shelf, writer, json.dumps({"objects": [make_indicator()]}).encode())
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 86_401
    reader = hub.login(reads_per_day=3)
    assert len(three.ids(reader)) == 3
    assert three.get(reader).status_code == 429
    assert three.get(reader, "manifest/").status_code == 429


def test_the_log_of_the_server_holds_no_token_and_no_content(hub, three, me, make_indicator):
    secret = f"secret-{uuid.uuid4()}"
    three.add(me, make_indicator(name=secret), {"type": secret})
    three.get(me, f"objects/{secret}/")
    told = hub.log.read_text()
    assert secret not in told
    assert me.token not in told


def test_events_hold_no_content_and_no_id(hub, three, me, make_indicator):
    one = make_indicator(name=f"secret-{uuid.uuid4()}")
    three.add(me, one)
    three.get(me, f"objects/{one['id']}/")
    text = json.dumps([e for e in hub.office.events(None, None) if e["collection"] == three.id])
    assert '"release"' in text
    assert '"submit"' in text
    assert one["id"] not in text
    assert one["name"] not in text
