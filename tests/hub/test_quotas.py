"""Quotas under concurrency: two processes on one database, many requests at the same moment."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from voprf import ristretto

from stillwatch.share.match import epoch_of

TAXII = "application/taxii+json;version=2.1"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def two_processes(module_database, tmp_path_factory, hub_maker):
    """Two processes on one database, with a small quota of evaluations."""
    settings = "evaluations_per_day = 50\ninline_objects = 15\n"
    one = hub_maker(tmp_path_factory.mktemp("quotas") / "hub", module_database, settings)
    two = type(one)(one.home)
    one.start()
    two.start()
    yield one, two
    one.stop()
    two.stop()


def hammer(servers, login, ask: Callable[[Any], Any], times: int = 5) -> list[Any]:
    """Ask from eight threads at once, spread over the processes; return all answers."""
    told: list[Any] = []
    ready = threading.Barrier(8)

    def work(server) -> None:
        with server.client(login, **{"Content-Type": TAXII}) as client:
            client.get("/health/")
            ready.wait(120)
            told.extend(ask(client) for _ in range(times))

    threads = [threading.Thread(target=work, args=(s,)) for s in servers * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return told


def test_no_more_objects_are_added_than_the_day_allows(two_processes, make_shelf, make_indicator):
    server = two_processes[0]
    me, shelf = server.login(objects_per_day=100, number="now"), make_shelf(server)

    def add(client):
        return client.post(shelf.objects, json={"objects": [make_indicator() for _ in range(7)]})

    told = hammer(two_processes, me, add)
    codes = [t.status_code for t in told]
    assert len(codes) == 40
    assert codes.count(202) == 14, "14 × 7 = 98: a fifteenth would pass 100"
    assert codes.count(429) == 26
    assert len(shelf.ids(server.login(number="reader"), limit=1_000)) == 98


def test_envelopes_that_are_worked_off_later_count_when_they_come(
    two_processes, make_shelf, make_indicator
):
    server = two_processes[0]
    me, shelf = server.login(objects_per_day=100, number="later"), make_shelf(server)
    fixed = [make_indicator() for _ in range(20)]

    def add(client):
        return client.post(shelf.objects, json={"objects": [make_indicator() for _ in range(20)]})

    codes = [t.status_code for t in hammer(two_processes, me, add, times=2)]
    assert (codes.count(202), codes.count(429)) == (5, 11)
    # what was there already is given back once it is worked off
    other = server.login(objects_per_day=45, number="other")
    with server.client(other, **{"Content-Type": TAXII}) as client:
        for _ in range(2):
            told = client.post(shelf.objects, json={"objects": fixed})
            assert told.status_code == 202
            path = f"/api/status/{told.json()['id']}/"
            while client.get(path).json()["status"] == "pending":
                pass
        told = client.post(shelf.objects, json={"objects": [make_indicator() for _ in range(20)]})
        assert told.status_code == 202, "20 + 0 + 20"
        told = client.post(shelf.objects, json={"objects": [make_indicator() for _ in range(6)]})
        assert told.status_code == 429


def test_what_is_refused_was_examined_and_counts(two_processes, make_shelf, make_indicator):
    """Else a member could try without end what the rules let through."""
    server = two_processes[0]
    me, shelf = server.login(objects_per_day=10, number="tries"), make_shelf(server)
    wrong = [make_indicator(confidence=101) for _ in range(8)]
    assert shelf.add(me, *wrong)["failure_count"] == 8
    with server.client(me, **{"Content-Type": TAXII}) as client:
        told = client.post(shelf.objects, json={"objects": [make_indicator() for _ in range(3)]})
        assert told.status_code == 429, "8 + 3 pass 10"
    good = make_indicator()
    for _ in range(3):  # the same again is no new object, and costs nothing
        assert shelf.add(me, good)["success_count"] == 1
    assert shelf.add(me, make_indicator())["success_count"] == 1


def test_no_more_objects_are_read_than_the_day_allows(two_processes, make_shelf, make_indicator):
    server = two_processes[0]
    shelf = make_shelf(server)
    shelf.add(server.login(number="writer"), *(make_indicator() for _ in range(10)))
    me = server.login(reads_per_day=98)
    told = hammer(two_processes, me, lambda client: client.get(shelf.objects, params={"limit": 7}))
    given = [len(t.json()["objects"]) for t in told if t.status_code == 200]
    assert sum(given) <= 98
    assert sum(given) >= 91, "at most one page is left over where two collide"
    assert {t.status_code for t in told} == {200, 429}
    events = [e for e in server.office.events(None, None) if e["member"] == me.pseudonym]
    assert sum(e["count"] for e in events if e["action"] == "release") == sum(given)
    assert sum(e["action"] == "deny" for e in events) == [t.status_code for t in told].count(429)


def test_the_last_page_is_cut_to_what_is_left_and_paging_goes_on_tomorrow(
    two_processes, make_shelf, make_indicator
):
    server = two_processes[0]
    shelf = make_shelf(server)
    shelf.add(server.login(number="writer"), *(made := [make_indicator() for _ in range(9)]))
    me = server.login(reads_per_day=5)
    told = shelf.get(me, limit=8).json()
    assert [o["id"] for o in told["objects"]] == [o["id"] for o in made[:5]]
    assert told["more"] is True
    assert shelf.get(me, limit=8, next=told["next"]).status_code == 429


def test_no_more_evaluations_are_made_than_the_day_allows(two_processes):
    server = two_processes[0]
    me = server.login(number="evaluator")
    element = base64.b64encode(ristretto.Client.blind(b"x")[1].serialize()).decode()
    body = json.dumps({"epoch": epoch_of(datetime.now(UTC)), "blinded": [element] * 3})
    told = hammer(two_processes, me, lambda client: client.post("/match/", content=body), times=4)
    codes = [t.status_code for t in told]
    assert (codes.count(200), codes.count(429)) == (16, 16), "16 × 3 = 48: another would pass 50"
    events = [e for e in server.office.events(None, None) if e["member"] == me.pseudonym]
    done = [e for e in events if e["action"] == "evaluate"]
    assert sum(e["count"] for e in done) == 48
