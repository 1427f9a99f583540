"""Kills, a database that goes away, a full disk, two processes, clocks that differ, replays."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from stillwatch.errors import ConfigError
from stillwatch.share.hub import Listen, create_app, make_home, read_key, read_settings, serve
from stillwatch.share.hub.hub import utc_now

TAXII = "application/taxii+json;version=2.1"


def everything(shelf, login) -> list[str]:
    found: list[str] = []
    asked = {"limit": 1_000}
    while True:
        answer = shelf.get(login, **asked)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        found += [o["id"] for o in told.get("objects", [])]
        if not told.get("more"):
            return found
        asked["next"] = told["next"]


class Writer(threading.Thread):
    """Submits envelopes until it is told to end; keeps what was acknowledged and what was not."""

    def __init__(self, shelf, login, make_indicator, size: int = 20) -> None:
        super().__init__(daemon=True)
        self.shelf, self.login, self.make, self.size = shelf, login, make_indicator, size
        self.acknowledged: list[list[str]] = []
        self.unanswered: list[list[str]] = []
        self.ended = threading.Event()

    def run(self) -> None:
        with self.shelf.server.client(self.login, **{"Content-Type": TAXII}) as client:
            while not self.ended.is_set():
                made = [self.make() for _ in range(self.size)]
                ids = [one["id"] for one in made]
                try:
                    answer = client.post(self.shelf.objects, json={"objects": made})
                except httpx.HTTPError:
                    self.unanswered.append(ids)
                    return
                if answer.status_code == 202:
                    self.acknowledged.append(ids)
                else:
                    self.unanswered.append(ids)


@pytest.mark.slow
def test_kill_9_during_ingest(new_hub, make_shelf, make_indicator, database):
    """Nothing acknowledged is lost; of other envelopes all objects are there or none."""
    server, dice = new_hub(database), random.Random(7)
    shelf, me = make_shelf(server), server.login()
    acknowledged, unanswered = [], []
    for _ in range(3):
        server.start()
        writer = Writer(shelf, me, make_indicator)
        writer.start()
        while len(writer.acknowledged) < 2 and writer.is_alive():
            time.sleep(0.01)
        time.sleep(0.3 * dice.random())  # anywhere in the midst of an envelope
        server.kill()
        writer.join(180)
        acknowledged += writer.acknowledged
        unanswered += writer.unanswered
    server.start()
    found = everything(shelf, me)
    assert len(found) == len(set(found))
    assert len(acknowledged) >= 6
    assert {i for ids in acknowledged for i in ids} <= set(found)
    for ids in unanswered:
        assert len(set(ids) & set(found)) in {0, len(ids)}
    assert server.office.verify()[0] >= len(acknowledged)


def test_an_envelope_for_later_survives_a_kill(new_hub, make_shelf, make_indicator):
    server = new_hub(settings="inline_objects = 10\n")
    shelf, me = make_shelf(server), server.login()
    server.start()
    made = [make_indicator() for _ in range(1_500)]
    told = shelf.add(me, *made, {"type": "nonsense"})
    assert told["status"] == "pending"
    assert told["pending_count"] == told["total_count"] == 1_501
    server.kill()
    server.start()
    with server.client(me) as client:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            told = client.get(f"/api/status/{told['id']}/").json()
            if told["status"] == "complete":
                break
            time.sleep(0.1)
    assert (told["success_count"], told["failure_count"], told["pending_count"]) == (1_500, 1, 0)
    assert everything(shelf, me) == [o["id"] for o in made]


def test_the_database_goes_away_and_comes_back(postgres, new_hub, make_shelf, make_indicator):
    server = new_hub(postgres.database("away"))
    shelf, me = make_shelf(server), server.login()
    server.start()
    first, second = make_indicator(), make_indicator()
    shelf.add(me, first)
    postgres.stop()
    with server.client(me, **{"Content-Type": TAXII}) as client:
        for method, path, body in (
            ("GET", "/health/", None),
            ("GET", shelf.objects, None),
            ("POST", shelf.objects, {"objects": [second]}),
        ):
            answer = client.request(method, path, json=body)
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert answer.json()["http_status"] == "503"
    postgres.start()
    assert shelf.ids(me) == [first["id"]]
    shelf.add(me, second)
    assert shelf.ids(me) == [first["id"], second["id"]]


@pytest.mark.slow
def test_two_processes_on_one_database(new_hub, make_shelf, make_indicator, database):
    """Four writers at two processes while a reader pages: none lost, none doubled, one order."""
    one = new_hub(database)
    shelf, me = make_shelf(one), one.login()
    one.start()
    two = type(one)(one.home)
    two.start()
    other = type(shelf)(two, shelf.id)
    try:
        writers = [Writer(s, me, make_indicator, 5) for s in (shelf, other) * 2]
        for writer in writers:
            writer.start()
        seen: list[str] = []
        asked: dict[str, object] = {"limit": 7}
        turns = itertools.cycle((shelf, other))
        began, done = time.monotonic(), 0
        while time.monotonic() < began + (2 if done >= 12 else 240):
            done = sum(len(w.acknowledged) for w in writers)
            told = next(turns).get(me, **asked)
            objects = told.json().get("objects", [])
            seen += [o["id"] for o in objects]
            if objects:  # go on as a client does that has no cursor
                asked["added_after"] = told.headers["x-taxii-date-added-last"]
        for writer in writers:
            writer.ended.set()
        for writer in writers:
            writer.join(180)
        while objects := (told := shelf.get(me, **asked)).json().get("objects", []):
            seen += [o["id"] for o in objects]
            asked["added_after"] = told.headers["x-taxii-date-added-last"]
        written = [i for w in writers for ids in w.acknowledged for i in ids]
        assert not any(w.unanswered for w in writers)
        assert len(written) >= 20
        assert len(seen) == len(set(seen))
        assert set(seen) == set(written)
        assert one.office.verify()[0] > 0
    finally:
        two.stop()


def test_a_full_disk(new_hub, make_shelf, make_indicator):
    """No file may grow over 2 MB: SQLite meets a disk that takes no more."""
    prlimit = shutil.which("prlimit")
    assert prlimit, "util-linux has prlimit"
    server = new_hub()
    shelf, me = make_shelf(server), server.login()
    server.start(wrapper=(prlimit, "--fsize=2000000"))
    kept, full = [], None
    with server.client(me, **{"Content-Type": TAXII}) as client:
        for _ in range(200):
            made = [make_indicator(description="x" * 20_000) for _ in range(3)]
            answer = client.post(shelf.objects, json={"objects": made})
            if answer.status_code != 202:
                full = answer
                break
            kept += [o["id"] for o in made]
    assert full is not None
    assert full.status_code == 503
    server.kill()
    server.start()
    assert everything(shelf, me) == kept
    assert shelf.add(me, make_indicator())["success_count"] == 1
    server.office.verify()


def test_clocks_that_differ_keep_one_order(new_hub, make_shelf, make_indicator):
    """A process whose clock is an hour behind adds after what is there, not among it."""
    server = new_hub()
    shelf, me = make_shelf(server), server.login()

    def submit(hours: int) -> str:
        def clock():
            return utc_now() + timedelta(hours=hours)

        app = create_app(read_settings(server.home), read_key(server.home), clock=clock)
        made = make_indicator()

        async def work() -> None:
            transport = httpx.ASGITransport(app=app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://hub") as client,
            ):
                headers = {"Authorization": f"Bearer {me.token}", "Content-Type": TAXII}
                body = {"objects": [made]}
                answer = await client.post(shelf.objects, json=body, headers=headers)
                assert answer.status_code == 202

        asyncio.run(work())
        return made["id"]

    added = [submit(hours) for hours in (0, 1, -1, 0)]
    server.start()
    records = shelf.get(me, "manifest/").json()["objects"]
    assert [r["id"] for r in records] == added
    assert len({r["date_added"] for r in records}) == 4
    assert shelf.ids(me, added_after=records[1]["date_added"]) == added[2:]


def test_replayed_and_reordered_submissions(hub, shelf, make_indicator):
    """The same envelopes in any order and any number of times: the same newest versions."""
    me, dice = hub.login(), random.Random(3)
    base = [make_indicator() for _ in range(4)]
    versions = [
        {**one, "modified": f"2026-11-0{day}T00:00:00.000Z", "name": f"as of day {day}"}
        for one in base
        for day in (1, 2, 3)
    ]
    sent = versions * 3
    dice.shuffle(sent)
    for i in range(0, len(sent), 5):
        assert shelf.add(me, *sent[i : i + 5])["failure_count"] == 0
    newest = {o["id"]: o["name"] for o in shelf.get(me).json()["objects"]}
    assert newest == {one["id"]: "as of day 3" for one in base}
    assert len(shelf.ids(me, **{"match[version]": "all"})) == 12


def test_the_same_envelope_at_the_same_moment_is_taken_once(hub, shelf, make_indicator):
    me = hub.login()
    body = json.dumps({"objects": [make_indicator() for _ in range(20)]})
    told = []

    def send() -> None:
        with hub.client(me, **{"Content-Type": TAXII}) as client:
            told.append(client.post(shelf.objects, content=body))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [t.status_code for t in told] == [202] * 6
    assert all(t.json()["success_count"] == 20 for t in told)
    assert len(shelf.ids(me, **{"match[version]": "all"})) == 20


def test_a_hub_without_its_tables_does_not_serve(tmp_path: Path):
    make_home(tmp_path / "hub", title="A hub", database="sqlite:///hub.sqlite", rules="structure")
    with pytest.raises(ConfigError, match="step none"):
        serve(tmp_path / "hub", Listen())


def test_a_client_that_hangs_up_harms_nobody(hub, shelf):
    me = hub.login()
    with hub.client(me, **{"Content-Type": TAXII}) as client:

        def half():
            yield b'{"objects":['
            raise RuntimeError("the client dies")

        with pytest.raises(RuntimeError, match="the client dies"):
            client.post(shelf.objects, content=half())
    assert shelf.get(me).json() == {}
