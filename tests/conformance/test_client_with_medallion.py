"""The client against a TAXII 2.1 server of other makers (medallion 3.0.0), as real processes.

medallion goes into build/medallion, an environment of its own, once.
"""

from __future__ import annotations

import base64
import fcntl
import json
import random
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ports import free_port, wait_for

from stillwatch.errors import InputError, ShareRefused
from stillwatch.schema import indicator_of
from stillwatch.seal import new_key, read_private_key
from stillwatch.share import refusals
from stillwatch.share.client import (
    Collection,
    appeal,
    export,
    open_home,
    opine,
    prepare_campaign,
    pull,
    release,
    review,
    revoke,
    send,
    sight,
    start_home,
    summarize,
    verify_own,
)

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
COLLECTION = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
USER = ("member", "pass")
PRICES = "12 USD per million tokens"


@pytest.fixture(scope="session")
def medallion() -> Path:
    folder = ROOT / "build" / "medallion"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / "medallion.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "bin" / "medallion").exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--no-compile"]
            subprocess.run([*pip, "medallion==3.0.0"], check=True)
    return folder / "bin" / "medallion"


@pytest.fixture
def server(medallion, tmp_path):
    """Yield the API root of a fresh server with one empty collection."""
    port = free_port()
    root = f"http://127.0.0.1:{port}/api1/"
    data = {
        "/discovery": {"title": "t", "description": "d", "contact": "c", "default": root,
                       "api_roots": [root]},
        "api1": {
            "information": {"title": "a", "description": "d",
                            "versions": ["application/taxii+json;version=2.1"],
                            "max_content_length": 9765625},
            "status": [],
            "collections": [{"id": COLLECTION, "title": "c", "description": "d", "can_read": True,
                             "can_write": True, "objects": [], "manifest": [],
                             "media_types": ["application/stix+json;version=2.1"]}],
        },
    }  # fmt: skip
    (tmp_path / "data.json").write_text(json.dumps(data))
    config = {
        "backend": {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend",
                    "filename": str(tmp_path / "data.json")},
        "users": {USER[0]: USER[1]}, "taxii": {"max_page_size": 20},
    }  # fmt: skip
    (tmp_path / "medallion.json").write_text(json.dumps(config))
    with (tmp_path / "medallion.log").open("w") as log:
        process = subprocess.Popen(
            [str(medallion), "--host", "127.0.0.1", "--port", str(port),
             str(tmp_path / "medallion.json")], stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_for(port, process)
        yield root
    finally:
        process.terminate()
        process.wait(60)


def member(path: Path, **settings: str):
    """Return a home with three people and a legal basis."""
    start_home(path, contributor=uuid.uuid5(uuid.NAMESPACE_OID, path.name))
    for name in ("alice", "bob", "carol"):
        new_key(path / "keys" / name)
    with (path / "share.toml").open("a") as file:
        for name in ("alice", "bob", "carol"):
            file.write(f'[people.{name}]\nkey = "keys/{name}.pub"\n')
        file.write('[[legal_basis]]\nname = "n"\nsource = "s"\nsince = 2026-01-01\n'
                   f'until = {settings.get("until", "2027-01-01")}\nreviewed_by = "counsel"\n'
                   'purposes = ["detection", "correction"]\n')  # fmt: skip
    return open_home(path)


def key(home, name):
    return read_private_key(home.path / "keys" / name)


def line(name="c-9f8e27b6a5d4", **changes):
    claim = {"confidence": 0.99, "evidence": [{"signal": "round_robin", "p_value": 1e-9}]}
    return {
        "campaign_id": name, "standing": "accused", "accounts": 41, "exchanges": 81_234,
        "first_seen": "2026-11-16T03:12:07Z", "last_seen": "2026-11-20T17:45:00Z",
        "methods": ["relay"], "claims": {"coordinated": claim, "extractive": claim},
    } | changes  # fmt: skip


def rows(count, seed=1):
    rng = random.Random(seed)
    return [{"kind": "near_text", "value": f"{rng.getrandbits(64):016x}"} for _ in range(count)]


def released(home, package, now=NOW):
    review(home, package, "alice", key(home, "alice"), now=now)
    if package.purpose != "correction":
        release(home, package, "bob", key(home, "bob"), now=now)
    return package


def post(root, objects):
    """Put objects on the server as a careless member would, past our client."""
    request = urllib.request.Request(
        f"{root}collections/{COLLECTION}/objects/", json.dumps({"objects": objects}).encode(),
        {"Content-Type": "application/taxii+json;version=2.1",
         "Accept": "application/taxii+json;version=2.1",
         "Authorization": "Basic " + base64.b64encode(b":".join(map(str.encode, USER))).decode()},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 202


def test_two_members_warn_see_appeal_and_take_back(server, tmp_path):
    """One campaign from release to deletion, over the wire of another maker's server."""
    ours, theirs = member(tmp_path / "ours"), member(tmp_path / "theirs")
    package = released(ours, prepare_campaign(ours, line(), rows(40), now=NOW))
    with Collection(server, COLLECTION, auth=USER) as hub:
        told = send(ours, package, hub, now=NOW)
        assert told == {"success": len(package.objects), "failure": 0, "pending": 0}
        assert send(ours, package, hub, now=NOW) == told, "again: nothing is sent twice"

        got = pull(theirs, hub, purpose="detection", now=NOW)
        assert (got.received, got.refused) == (len(package.objects), 0), "five pages, all of them"
        found = [indicator_of(json.loads(text)) for text in got.path.read_text().splitlines()]
        sent = {o["id"] for o in package.objects if o["type"] == "indicator"}
        assert {i.indicator_id for i in found} == sent
        assert len(sent) >= 39, "at most one value looked like a message"
        assert {i.weight for i in found} == {0.25}
        assert pull(theirs, hub, purpose="detection", now=NOW).received == 0, "goes on where it was"

        campaign_id = found[0].campaign_id
        seen = sight(theirs, campaign_id, 17, NOW - timedelta(days=3), NOW, now=NOW,
                     rng=random.Random(4))  # fmt: skip
        released(theirs, seen)
        with pytest.raises(ShareRefused, match="waits"):
            send(theirs, seen, hub, now=NOW)
        later = NOW + timedelta(hours=49)
        assert send(theirs, seen, hub, now=later)["success"] == 2, "with its policy"
        send(theirs, released(theirs, opine(theirs, campaign_id, "agree", now=NOW)), hub, now=NOW)
        pull(ours, hub, purpose="detection", now=later)
        held = json.loads((ours.pulled / "objects.json").read_text())
        (sighting,) = [o for o in held if o["type"] == "sighting"]
        assert sighting["count"] == 10, "a band, not 17"
        assert pull(theirs, hub, purpose="detection", now=later).indicators == len(sent)

        opened = appeal(theirs, [campaign_id], "appeal_opened", now=later)
        send(theirs, released(theirs, opened, later), hub, now=later)
        assert pull(theirs, hub, purpose="correction", now=later).indicators == 0, "halted"

        gone = revoke(ours, [campaign_id], now=later)
        review(ours, gone, "alice", key(ours, "alice"), now=later)  # one person suffices
        assert send(ours, gone, hub, now=later)["failure"] == 0
        pull(theirs, hub, purpose="correction", now=later)
        left = json.loads((theirs.pulled / "objects.json").read_text())
        ours_left = {o["type"] for o in left if o.get("created_by_ref") == ours.contributor}
        assert ours_left == {"note"}, "what was taken back is deleted, with all that hung on it"
        assert (theirs.pulled / "indicators.jsonl").read_bytes() == b""

    assert verify_own(ours) > 5
    counts = summarize(ours, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert counts["sent objects"] == len(package.objects) + len(gone.objects)
    lines = list(export(ours, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)))
    said = {o["id"] for text in lines for o in text.get("objects", ())}
    assert {o["id"] for o in package.objects} <= said, "counsel sees all that was said"


def test_what_a_careless_member_sends_does_not_come_in(server, tmp_path):
    """medallion took `price_per_token` with 202; the client that reads it keeps nothing of it."""
    ours, theirs = member(tmp_path / "ours"), member(tmp_path / "theirs")
    package = prepare_campaign(theirs, line(), rows(3), now=NOW)
    objects = [dict(o) for o in package.objects]
    seen = next(o for o in objects if o["type"] == "campaign")
    bad = {**seen, "price_per_token": PRICES}
    post(server, [bad])
    with Collection(server, COLLECTION, auth=USER) as hub:
        got = pull(ours, hub, purpose="detection", now=NOW)
    assert (got.received, got.refused, got.indicators) == (0, 1, 0)
    for file in ours.path.rglob("*"):
        if file.is_file():
            assert PRICES.encode() not in file.read_bytes()


def test_nobody_writes_a_new_version_of_anothers_object(server, tmp_path):
    ours, theirs = member(tmp_path / "ours"), member(tmp_path / "theirs")
    package = released(ours, prepare_campaign(ours, line(), rows(3), now=NOW))
    later = NOW + timedelta(hours=1)
    with Collection(server, COLLECTION, auth=USER) as hub:
        send(ours, package, hub, now=NOW)
        pull(ours, hub, purpose="detection", now=NOW)
        note = next(o for o in package.objects if o["type"] == "indicator")
        forged = {**note, "created_by_ref": theirs.contributor, "revoked": True,
                  "modified": "2026-11-27T12:30:00.000Z"}  # fmt: skip
        post(server, [forged])
        assert refusals(forged, now=later), "its id does not follow from its content"
        got = pull(theirs, hub, purpose="detection", now=later)
    assert got.refused == 1


def test_an_outage_loses_nothing_and_is_resumed(server, tmp_path):
    ours = member(tmp_path / "ours")
    package = released(ours, prepare_campaign(ours, line(), rows(50), now=NOW))
    assert len(package.objects) > 100, "more than a batch"
    waits: list[float] = []
    with (
        Collection("http://127.0.0.1:9/api1/", COLLECTION, sleep=waits.append) as nobody,
        pytest.raises(InputError, match="cannot be reached"),
    ):
        send(ours, package, nobody, now=NOW)
    assert waits == [1.0, 2.0, 4.0, 8.0]
    with Collection(server, COLLECTION, auth=USER) as hub:
        real, calls = hub.add, []

        def once(objects):
            calls.append(len(objects))
            if len(calls) == 2:
                raise InputError("cut off", where="hub")
            return real(objects)

        hub.add = once  # type: ignore[method-assign]
        with pytest.raises(InputError, match="cut off"):
            send(ours, package, hub, now=NOW)
        assert len(package.receipts()) == 100
        assert send(ours, package, hub, now=NOW)["success"] == len(package.objects)
        assert calls[-1] == len(package.objects) - 100, "only the rest"


def test_a_wrong_password_is_told_apart_from_an_outage(server):
    with Collection(server, COLLECTION, auth=("member", "wrong")) as hub:
        with pytest.raises(InputError, match="answers 401"):
            list(hub.objects(purpose="detection"))
        with pytest.raises(ShareRefused, match="purpose"):
            list(hub.objects(purpose="marketing"))
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{server}collections/", timeout=60)
