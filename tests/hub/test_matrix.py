"""Who may do what: every endpoint × role × marking; nothing of what is hidden shows anywhere."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from stillwatch.share.hub import RECIPIENTS_EXTENSION, Rules, read_key, read_settings
from stillwatch.share.hub.collections import collection_by_key
from stillwatch.share.hub.hub import Hub
from stillwatch.share.hub.members import disable_member, member_by_key
from stillwatch.share.hub.tables import COLLECTION, MEMBER, SUBMISSION

TAXII = "application/taxii+json;version=2.1"
TLP = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
    "white of TLP 1": "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "red of TLP 1": "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}
READERS = [
    *itertools.product(("reader", "contributor"), ("observer", "member", "trusted")),
    ("operator", "observer"),
    ("counsel", "observer"),
]
# marking → the tiers that see it; operator and counsel see all
SEEN = {
    "none": {"member", "trusted"},  # the collection's default is amber
    "clear": {"observer", "member", "trusted"},
    "green": {"observer", "member", "trusted"},
    "amber": {"member", "trusted"},
    "amber+strict": {"trusted"},
    "red": set(),
    "white of TLP 1": {"observer", "member", "trusted"},
    "red of TLP 1": set(),
    "green and amber+strict": {"trusted"},
    "part of it red": set(),
    "for one": {"named"},
    "red for one": {"named"},
    "amber+strict for one": set(),  # the one named is no trusted member
}


def recipients(*names: str) -> dict[str, Any]:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{uuid.uuid4()}",
        "created": "2026-10-01T00:00:00.000Z",
        "extensions": {
            RECIPIENTS_EXTENSION: {
                "extension_type": "property-extension",
                "recipients": list(names),
            }
        },
    }


def refs_of(marking: str, listed: str) -> dict[str, Any]:
    if marking == "none":
        return {}
    if marking == "part of it red":
        part = {"marking_ref": TLP["red"], "selectors": ["name"]}
        return {"object_marking_refs": [TLP["green"]], "granular_markings": [part]}
    if marking == "green and amber+strict":
        return {"object_marking_refs": [TLP["green"], TLP["amber+strict"]]}
    if marking.endswith("for one"):
        level = marking.removesuffix("for one").strip()
        return {"object_marking_refs": [listed, *([TLP[level]] if level else [])]}
    return {"object_marking_refs": [TLP[marking]]}


@pytest.fixture(scope="module")
def stage(hub, make_shelf, make_indicator):
    """A collection that every tier reaches, with one object of each marking in it."""
    owner, named = hub.login(number="owner"), hub.login(tier="member", number="named")
    shelf = make_shelf(hub, tier="observer")
    listed = recipients(named.pseudonym)
    shelf.marked = {m: make_indicator(**refs_of(m, listed["id"])) for m in SEEN}
    told = shelf.add(owner, listed, *shelf.marked.values())
    assert told["failure_count"] == 0, told
    shelf.owner, shelf.named, shelf.listed = owner, named, listed
    return shelf


def sees(marking: str, role: str, tier: str) -> bool:
    return role in {"operator", "counsel"} or tier in SEEN[marking]


@pytest.mark.parametrize(("role", "tier"), READERS)
def test_every_read_shows_what_the_markings_let_through_and_nothing_else(stage, role, tier):
    reader = stage.server.login(role=role, tier=tier, number="reader")
    wanted = {o["id"] for m, o in stage.marked.items() if sees(m, role, tier)}
    if role in {"operator", "counsel"}:
        wanted.add(stage.listed["id"])
    # of an envelope those of one audience stand together, in an order that is drawn
    wanted = [name for name in stage.ids(stage.server.login("operator")) if name in wanted]
    everything = {"match[version]": "all", "match[spec_version]": "2.1"}
    for path in ("objects/", "manifest/"):
        for asked in ({}, everything, {"match[version]": "first"}, {"match[version]": "last"}):
            assert stage.ids(reader, path, **asked) == wanted
        assert paged(stage, reader, path) == wanted
    for marking, one in stage.marked.items():
        for path in (f"objects/{one['id']}/", f"objects/{one['id']}/versions/"):
            status = stage.get(reader, path).status_code
            assert status == (200 if one["id"] in wanted else 404), marking
        asked = {"match[id]": one["id"]}
        assert stage.ids(reader, **asked) == [x for x in wanted if x == one["id"]]


def paged(shelf, reader, path: str) -> list[str]:
    """Page one by one: neither counts, `more` nor cursors may tell of what is left out."""
    found: list[str] = []
    asked: dict[str, Any] = {"limit": 1}
    while True:
        told = shelf.get(reader, path, **asked).json()
        found += [o["id"] for o in told.get("objects", [])]
        if not told.get("more"):
            return found
        asked["next"] = told["next"]


def test_recipients_see_what_names_them_and_not_who_else_is_named(stage):
    seen = stage.ids(stage.named)
    for marking in ("for one", "red for one"):
        assert stage.marked[marking]["id"] in seen
    assert stage.marked["amber+strict for one"]["id"] not in seen
    assert stage.listed["id"] not in seen
    assert stage.get(stage.named, f"objects/{stage.listed['id']}/").status_code == 404


def test_the_submitter_sees_all_of_its_own(stage):
    own = {stage.listed["id"], *(o["id"] for o in stage.marked.values())}
    assert set(stage.ids(stage.owner)) == own


@pytest.mark.parametrize("path", ["objects/{}/", "objects/{}/versions/"])
def test_what_is_hidden_is_answered_as_what_is_not_there(stage, path):
    reader = stage.server.login(role="contributor", tier="member", number="reader")
    hidden = stage.get(reader, path.format(stage.marked["red"]["id"]))
    absent = stage.get(reader, path.format(f"indicator--{uuid.uuid4()}"))
    assert hidden.status_code == absent.status_code == 404
    assert hidden.content == absent.content
    same = [n for n in hidden.headers if n != "date"]
    assert {n: hidden.headers[n] for n in same} == {n: absent.headers[n] for n in same}


def test_deleting_what_is_hidden_is_answered_as_what_is_not_there(stage):
    other = stage.server.login(role="contributor", tier="member", number="reader")
    with stage.server.client(other) as client:
        hidden = client.delete(f"{stage.objects}{stage.marked['red']['id']}/")
        absent = client.delete(f"{stage.objects}indicator--{uuid.uuid4()}/")
        seen = client.delete(f"{stage.objects}{stage.marked['green']['id']}/")
    assert (hidden.status_code, hidden.content) == (404, absent.content)
    assert seen.status_code == 403
    assert stage.marked["red"]["id"] in stage.ids(stage.owner)


def test_submitting_a_hidden_id_tells_nothing_and_takes_nothing_over(
    hub, make_shelf, make_indicator
):
    """A probe with an id that exists but is hidden must look like one with a fresh id."""
    shelf = make_shelf(hub)
    owner, probe = hub.login(number="owner"), hub.login(number="probe")
    third = hub.login(number="third")
    listed = recipients(third.pseudonym)
    real = make_indicator(object_marking_refs=[listed["id"]], name="the real one")
    shelf.add(owner, listed, real)
    bait = make_indicator(id=real["id"], name="bait", modified="2026-11-20T00:00:00.000Z")
    fresh = make_indicator(name="bait", modified="2026-11-20T00:00:00.000Z")
    told, plain = shelf.add(probe, bait), shelf.add(probe, fresh)
    assert [told[k] for k in sorted(told) if k.endswith("_count")] == [
        plain[k] for k in sorted(plain) if k.endswith("_count")
    ]
    assert shelf.ids(probe, **{"match[id]": real["id"]}) == [real["id"]]
    for reader in (owner, third):  # who sees the real one sees no version of the other
        objects = shelf.get(reader, f"objects/{real['id']}/", **{"match[version]": "all"}).json()
        assert [o["name"] for o in objects["objects"]] == ["the real one"]
    with hub.client(probe) as client:
        assert client.delete(f"{shelf.objects}{real['id']}/").status_code == 200
    assert shelf.ids(third, **{"match[id]": real["id"]}) == [real["id"]]


def test_nobody_adds_a_version_to_what_another_submitted(shelf, make_indicator):
    owner, other = shelf.server.login(number="owner"), shelf.server.login(number="other")
    real = make_indicator()
    shelf.add(owner, real)
    told = shelf.add(other, {**real, "modified": "2026-11-30T00:00:00.000Z", "revoked": True})
    assert told["failure_count"] == 1
    assert "another member" in told["failures"][0]["message"]
    assert shelf.get(other).json()["objects"] == [real]


def test_a_hidden_later_version_does_not_hide_the_earlier_one(shelf, make_indicator):
    owner, reader = shelf.server.login(number="owner"), shelf.server.login(number="other")
    first = make_indicator()
    later = {**first, "modified": "2026-11-02T00:00:00.000Z", "object_marking_refs": [TLP["red"]]}
    shelf.add(owner, first, later)
    assert shelf.get(reader).json()["objects"] == [first]
    assert shelf.get(owner).json()["objects"] == [later]
    versions = shelf.get(reader, f"objects/{first['id']}/versions/").json()["versions"]
    assert versions == [first["modified"]]
    asked = {"match[version]": later["modified"]}
    assert shelf.ids(reader, **asked) == []


def test_an_unknown_marking_is_refused_and_so_is_anothers(shelf, make_indicator):
    owner, other = shelf.server.login(number="owner"), shelf.server.login(number="other")
    listed = recipients(other.pseudonym)
    shelf.add(owner, listed)
    for ref in (f"marking-definition--{uuid.uuid4()}", listed["id"]):
        told = shelf.add(other, make_indicator(object_marking_refs=[ref]))
        assert "not known here" in told["failures"][0]["message"]
    assert shelf.ids(other) == []


@pytest.mark.parametrize(
    "extension",
    [
        {"recipients": []},
        {"recipients": "all"},
        {"recipients": [1]},
        {"recipients": ["x" * 65]},
        "member-1",
        {},
    ],
)
def test_a_recipients_marking_that_cannot_be_read_is_refused(shelf, make_indicator, extension):
    owner = shelf.server.login(number="owner")
    bad = recipients("x")
    bad["extensions"][RECIPIENTS_EXTENSION] = extension
    told = shelf.add(owner, bad, make_indicator(object_marking_refs=[bad["id"]]))
    assert (told["success_count"], told["failure_count"]) == (0, 2)


def test_a_marking_definition_cannot_be_changed_under_what_it_marks(shelf, make_indicator):
    owner, other = shelf.server.login(number="owner"), shelf.server.login(number="other")
    listed = recipients("member-of-nowhere")
    shelf.add(owner, listed, make_indicator(object_marking_refs=[listed["id"]]))
    wider = recipients(other.pseudonym)
    wider |= {"id": listed["id"], "created": "2026-11-01T00:00:00.000Z"}
    assert shelf.add(owner, wider)["failure_count"] == 1
    assert shelf.ids(other) == []


STATUS = {  # of (role, tier) on a collection of tier member: read, submit, delete another's
    ("reader", "observer"): (404, 404, 404),
    ("reader", "member"): (200, 403, 403),
    ("contributor", "observer"): (404, 404, 404),
    ("contributor", "member"): (200, 202, 403),
    ("operator", "observer"): (200, 202, 200),
    ("counsel", "observer"): (200, 403, 403),
}


@pytest.mark.parametrize(("role", "tier"), STATUS)
def test_endpoint_by_role(shelf, make_indicator, role, tier):
    owner = shelf.server.login(number="owner")
    login = shelf.server.login(role=role, tier=tier, number="reader")
    one = make_indicator()
    shelf.add(owner, one)
    read, submit, delete = STATUS[role, tier]
    with shelf.server.client(login, **{"Content-Type": TAXII}) as client:
        for path in (
            shelf.path,
            shelf.objects,
            f"{shelf.path}manifest/",
            f"{shelf.path}corrections/",
            f"{shelf.objects}{one['id']}/",
            f"{shelf.objects}{one['id']}/versions/",
        ):
            assert client.get(path).status_code == read, path
        listed = client.get("/api/collections/").json().get("collections", [])
        assert (shelf.id in [c["id"] for c in listed]) == (read == 200)
        body = {"objects": [make_indicator()]}
        assert client.post(shelf.objects, json=body).status_code == submit
        assert client.delete(f"{shelf.objects}{one['id']}/").status_code == delete


def test_a_submitter_stands_under_its_pseudonym(shelf, make_indicator):
    real = f"identity--{uuid.uuid4()}"
    hidden, named = shelf.server.login(number="owner"), shelf.server.login(pseudonymous=False)
    one, two = (make_indicator(created_by_ref=real) for _ in range(2))
    identity = {
        "type": "identity",
        "spec_version": "2.1",
        "id": real,
        "created": "2026-11-01T00:00:00.000Z",
        "modified": "2026-11-01T00:00:00.000Z",
        "name": "A provider",
    }
    told = shelf.add(hidden, one, identity)
    assert (told["success_count"], told["failure_count"]) == (1, 1)
    assert shelf.add(named, two)["success_count"] == 1
    objects = {o["id"]: o["created_by_ref"] for o in shelf.get(hidden).json()["objects"]}
    assert objects[two["id"]] == real
    assert objects[one["id"]].startswith("identity--")
    assert objects[one["id"]] != real
    again = make_indicator(created_by_ref=f"identity--{uuid.uuid4()}")
    shelf.add(hidden, again)
    told = shelf.get(hidden, f"objects/{again['id']}/").json()["objects"][0]
    assert told["created_by_ref"] == objects[one["id"]]
    assert shelf.add(hidden, one)["failure_count"] == 0  # the same again is no error


def test_a_grant_narrows_and_widens_but_never_makes_a_reader_write(shelf):
    reader = shelf.server.login(role="reader", number="granted")
    observer = shelf.server.login(role="reader", tier="observer", number="granted")
    assert shelf.get(observer, "").status_code == 404
    for login in (reader, observer):
        shelf.server.office.grant(login.pseudonym, shelf.id, "rw")
        told = shelf.get(login, "").json()
        assert (told["can_read"], told["can_write"]) == (True, False)


def test_a_disabled_member_and_an_ended_token_are_strangers(hub, shelf):
    now = datetime.now(UTC)
    office = hub.office
    name, token = office.add_member("x", now=now, token_days=1)
    _, old = office.add_member("x", now=now - timedelta(days=3), token_days=2)
    second = office.new_token(name, now=now, days=None, replace=False)

    def status(sent: str) -> int:
        with hub.client(None, Authorization=f"Bearer {sent}") as client:
            return client.get(shelf.path).status_code

    assert [status(t) for t in (token, second, old)] == [200, 200, 401]
    third = office.new_token(name, now=now, days=None, replace=True)
    assert [status(t) for t in (token, second, third)] == [401, 401, 200]
    office.disable(name, now=now)
    assert status(third) == 401


def test_basic_takes_the_pseudonym_and_the_token_together(hub, shelf):
    mine, other = hub.login(number="owner"), hub.login(number="other")
    with hub.client() as client:
        for user, wanted in ((mine.pseudonym, 200), (other.pseudonym, 401), ("", 401)):
            assert client.get(shelf.path, auth=(user, mine.token)).status_code == wanted


def dates(shelf, login) -> dict[str, datetime]:
    told = shelf.get(login, "manifest/").json()["objects"]
    return {one["id"]: datetime.fromisoformat(one["date_added"]) for one in told}


def test_no_gap_between_dates_tells_of_what_is_hidden(shelf, make_indicator):
    """Dates a microsecond apart, and one missing, would say: there is something for others."""
    owner = shelf.server.login(number="owner")
    reader = shelf.server.login(role="reader", number="reader")
    red, clear = {"object_marking_refs": [TLP["red"]]}, {"object_marking_refs": [TLP["clear"]]}
    made = [make_indicator(**(red if k % 3 == 1 else clear)) for k in range(9)]
    assert shelf.add(owner, *made)["failure_count"] == 0
    seen = dates(shelf, reader)
    assert list(seen) == [one["id"] for k, one in enumerate(made) if k % 3 != 1]
    steps = [b - a for a, b in itertools.pairwise(seen.values())]
    assert steps == [timedelta(microseconds=1)] * 5
    everything = dates(shelf, shelf.server.login("operator"))
    assert len(set(everything.values())) == 9
    # where the stretches lie is drawn: the hidden one comes first as well as last
    firsts = set()
    for _ in range(20):
        pair = [make_indicator(**clear), make_indicator(**red)]
        shelf.add(owner, *pair)
        firsts.add(shelf.ids(owner, limit=1_000)[-2:] == [one["id"] for one in pair])
    assert firsts == {True, False}, "by chance alike once in 524,288 runs"


def test_who_may_only_write_learns_nothing_of_what_is_there(shelf, make_indicator):
    owner, blind = shelf.server.login(number="owner"), shelf.server.login(number="blind")
    shelf.server.office.grant(blind.pseudonym, shelf.id, "w")
    one, fresh = make_indicator(), make_indicator()
    shelf.add(owner, one)
    told = shelf.add(blind, one, fresh)
    assert [s["id"] for s in told["successes"]] == [one["id"], fresh["id"]]
    assert shelf.ids(owner) == [one["id"], fresh["id"]], "the first submitter's alone is shown"


def test_a_right_that_ends_while_an_envelope_comes_is_not_used(hub, shelf, make_indicator):
    """A body may take two minutes; who was expelled meanwhile publishes nothing."""
    for end, status in (
        (lambda who: hub.office.disable(who, now=datetime.now(UTC)), 401),
        (lambda who: hub.office.grant(who, shelf.id, "r"), 403),
        (lambda who: hub.office.grant(who, shelf.id, "rw"), 202),
    ):
        name, token = hub.office.add_member("x", now=datetime.now(UTC))
        body = json.dumps({"objects": [make_indicator()]}).encode()
        head = (
            f"POST {shelf.objects} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: {TAXII}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", hub.port), timeout=120) as connection:
            connection.sendall(head.encode() + body[:20])
            time.sleep(0.3)  # it was let in, and its body is awaited
            end(name)
            connection.sendall(body[20:])
            answer = connection.recv(4_096)
        assert answer.split()[1] == str(status).encode()
    assert len(shelf.ids(hub.login())) == 1


def test_an_envelope_that_waits_is_not_worked_off_for_who_was_expelled(hub, shelf, make_indicator):
    settings = read_settings(hub.home)
    name, _ = hub.office.add_member("x", now=datetime.now(UTC))

    async def wait_and_work() -> dict[str, Any]:
        waiting = Hub.of(
            settings,
            read_key(hub.home),
            rules=Rules(),
            record=None,
            clock=lambda: datetime.now(UTC),
        )
        try:
            async with waiting.database.reading() as connection:
                row = select(MEMBER.c.pk).where(MEMBER.c.pseudonym == name)
                member, _ = await member_by_key(connection, await connection.scalar(row))
                row = select(COLLECTION.c.pk).where(COLLECTION.c.id == shelf.id)
                collection = await collection_by_key(
                    connection, await connection.scalar(row), member
                )
            objects = [make_indicator()]
            outline = await waiting.outline(objects, member, collection)
            body, identifier = json.dumps({"objects": objects}).encode(), str(uuid.uuid4())
            async with waiting.database.writing() as connection:  # before a worker can take it
                await disable_member(connection, name, at=waiting.now())
            await waiting.submit_later(outline, body, identifier, member, collection)
            for _ in range(1_200):  # by this process's worker or the server's
                await waiting.work_one()
                async with waiting.database.reading() as connection:
                    query = select(SUBMISSION.c.resource).where(SUBMISSION.c.id == identifier)
                    told = json.loads(str(await connection.scalar(query)))
                if told["status"] == "complete":
                    break
                await asyncio.sleep(0.1)
            return told
        finally:
            await waiting.database.close()

    told = asyncio.run(wait_and_work())
    assert (told["status"], told["failure_count"]) == ("complete", 1)
    assert "Authenticate" in told["failures"][0]["message"]
    assert shelf.ids(hub.login()) == []
    events = [e for e in hub.office.events(None, None) if e["member"] == name]
    assert [e["action"] for e in events] == ["refuse"], "it is in the ledger"
