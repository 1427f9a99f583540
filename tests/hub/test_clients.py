"""Clients of others: taxii2-client pages while writers add; stix2's store reads and writes."""

from __future__ import annotations

import threading
import warnings

import pytest
import requests
import stix2

with warnings.catch_warnings():  # it imports a module of the standard library that is to go
    warnings.simplefilter("ignore")
    import taxii2client.v21 as taxii
    from taxii2client.common import TokenAuth


HASH = "aa" * 32


@pytest.fixture
def session(hub, shelf):
    """A collection of taxii2-client, as a member who reads and writes."""
    login = hub.login()
    url = hub.url + shelf.path
    return taxii.Collection(url, user=login.pseudonym, password=login.token)


def test_discovery_to_collection(hub, shelf):
    login = hub.login()
    server = taxii.Server(f"{hub.url}/taxii2/", auth=TokenAuth(login.token))
    assert server.title == "A hub"
    root = server.default
    assert root.url == f"{hub.url}/api/"
    assert shelf.id in {c.id for c in root.collections}


@pytest.mark.parametrize("number", [4_000])
def test_taxii2_client_pages_while_writers_add(hub, shelf, session, make_indicator, number):
    """None lost, none doubled: neither of what was there nor of what comes."""
    me = hub.login()
    before = [make_indicator() for _ in range(number)]
    for i in range(0, number, 1_000):
        assert shelf.add(me, *before[i : i + 1_000])["success_count"] == 1_000
    added: list[str] = []
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set() and len(added) < 2_000:
            made = [make_indicator() for _ in range(10)]
            shelf.add(me, *made)
            added.extend(one["id"] for one in made)

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[str] = []
    for page in taxii.as_pages(session.get_objects, per_request=250):
        seen += [one["id"] for one in page.get("objects", [])]
        if len(seen) > number - 500:
            ended.set()
            writer.join()
    writer.join()
    assert len(added) >= 10
    assert len(seen) == len(set(seen))
    assert seen == [*(one["id"] for one in before), *added]


def test_taxii2_client_pages_the_manifest_and_versions(hub, shelf, session, make_indicator):
    me = hub.login()
    made = [make_indicator() for _ in range(25)]
    shelf.add(me, *made)
    records = [
        record["id"]
        for page in taxii.as_pages(session.get_manifest, per_request=7)
        for record in page["objects"]
    ]
    assert records == [one["id"] for one in made]
    assert session.object_versions(made[0]["id"])["versions"] == [made[0]["modified"]]
    session.delete_object(made[0]["id"])
    with pytest.raises(requests.HTTPError, match="404"):
        session.get_object(made[0]["id"])


def test_stix2_store_reads_and_writes(session):
    store = stix2.TAXIICollectionStore(session)
    made = [
        stix2.v21.Campaign(name="A campaign", object_marking_refs=[stix2.v21.TLP_AMBER]),
        stix2.v21.Indicator(
            pattern=f"[artifact:hashes.'SHA-256' = '{HASH}']",
            pattern_type="stix",
            valid_from="2026-11-01T00:00:00Z",
        ),
    ]
    made.append(stix2.v21.Relationship(made[1], "indicates", made[0]))
    for one in made:
        store.add(one)
    for one in made:
        assert store.get(one["id"]) == one
    newer = made[0].new_version(name="The same campaign")
    store.add(newer)
    assert store.get(newer["id"]) == newer
    assert len(store.all_versions(newer["id"])) == 2
    found = store.query([stix2.Filter("type", "=", "indicator")])
    assert [one["id"] for one in found] == [made[1]["id"]]
