"""The Merkle ledger of a running hub: whole after a kill, one for all processes, provable."""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from stillwatch.cli.app import run
from stillwatch.errors import EvidenceError, InputError
from stillwatch.seal import open_checkpoint, public_key
from stillwatch.share.client import check, fetch_proofs, hub_client, open_home, start_home
from stillwatch.share.hub import checkpoint, make_home, read_signer, transparency, verify_ledger

TAXII = "application/taxii+json;version=2.1"
TOKEN = "STILLWATCH_TEST_TOKEN"


def member_home(server, login, folder: Path, monkeypatch, **witness: str):
    """Return a member's folder that pins the hub's ledger (and a witness's)."""
    signed = checkpoint(server.home)
    start_home(folder, contributor=uuid.uuid5(uuid.NAMESPACE_OID, folder.name))
    lines = [
        "[hub]", f'url = "{server.url}/api/"', f'token_env = "{TOKEN}"',
        f'ledger = "{signed["ledger"]}"', f'ledger_key = "{signed["key"]}"',
    ]  # fmt: skip
    if witness:
        lines += ["[witness]", *(f'{name} = "{value}"' for name, value in witness.items())]
    with (folder / "share.toml").open("a") as file:
        file.write("\n".join(lines) + "\n")
    monkeypatch.setenv(TOKEN, login.token)
    return open_home(folder)


def proofs(home) -> int:
    with hub_client(home) as http:
        return fetch_proofs(home, http)


def test_every_submission_denial_read_and_release_is_an_entry(hub, shelf, make_indicator):
    me, other = hub.login(), hub.login(number="other")
    one = make_indicator()
    shelf.add(me, one, {"type": "nonsense"})
    shelf.get(other, "manifest/")
    shelf.get(other)
    shelf.get(other, f"objects/indicator--{uuid.uuid4()}/")
    shelf.add(me, {**one, "modified": "2026-11-02T00:00:00.000Z", "revoked": True})
    with hub.client(me) as client:
        client.delete(f"{shelf.objects}{one['id']}/")
    size, root = verify_ledger(hub.home)
    assert size == len(hub.office.events(None, None))
    signed = checkpoint(hub.home)
    signer = read_signer(hub.home, "hub")
    seen = open_checkpoint(signed["note"], public_key(signer.key), origin=signer.origin)
    assert (seen.size, base64.b64encode(seen.root).decode()) == (size, root)
    assert checkpoint(hub.home) == signed, "the same ledger, the same checkpoint"


def test_a_member_proves_off_line_what_it_did(hub, shelf, make_indicator, tmp_path, monkeypatch):
    me, other = hub.login(number="prover"), hub.login(number="not-the-prover")
    shelf.add(me, make_indicator())
    shelf.get(other)
    home = member_home(hub, me, tmp_path / "share", monkeypatch)
    first = proofs(home)
    shelf.get(me)
    shelf.get(other)
    checkpoint(hub.home)
    assert proofs(home) >= 2, "the release, and that receipts were read"
    proven = check(home)
    assert proven.entries["submit"] == proven.entries["release"] == 1
    assert first >= 1
    receipts = (tmp_path / "share" / "hub-ledger" / "receipts.jsonl").read_text().splitlines()
    whose = {json.loads(line)["event"]["member"] for line in receipts}
    assert me.pseudonym in whose
    assert whose <= {me.pseudonym, ""}, "nobody sees another member's entries"
    assert run(["share", "audit", "--home", str(home.path)]) == 0


def moved(home, server):
    """Return the member's folder after the hub was started anew, on another port."""
    file = home.path / "share.toml"
    lines = file.read_text().splitlines()
    place = next(k for k, line in enumerate(lines) if line.startswith("url = "))
    lines[place] = f'url = "{server.url}/api/"'
    file.write_text("\n".join(lines) + "\n")
    return open_home(home.path)


def changed(folder: Path, name: str, change) -> None:
    file = folder / "hub-ledger" / name
    file.write_text(change(file.read_text()))


def test_a_forged_receipt_and_a_forged_checkpoint_are_found(
    hub, shelf, make_indicator, tmp_path, monkeypatch
):
    me = hub.login(number="forged")
    shelf.add(me, make_indicator())
    home = member_home(hub, me, tmp_path / "share", monkeypatch)
    proofs(home)
    shelf.get(me)
    checkpoint(hub.home)
    proofs(home)
    folder = tmp_path / "share" / "hub-ledger"
    good = {name: (folder / name).read_text() for name in ("receipts.jsonl", "checkpoints.json")}
    check(home)
    for name, change in (
        ("receipts.jsonl", lambda text: text.replace('"count":1', '"count":2')),
        ("receipts.jsonl", lambda text: text.replace('"action":"submit"', '"action":"refuse"')),
        ("checkpoints.json", lambda text: json.dumps(json.loads(text)[::-1])),
        ("checkpoints.json", lambda text: json.dumps(
            [{**one, "proof": one["proof"][:-1]} for one in json.loads(text)])),
    ):  # fmt: skip
        changed(home.path, name, change)
        assert (folder / name).read_text() != good[name]
        with pytest.raises(EvidenceError):
            check(home)
        (folder / name).write_text(good[name])
    check(home)


CHANGES = {
    "an event": "UPDATE event SET value = replace(value, 'release', 'refuse') "
    "WHERE value LIKE '%release%'",
    "whose it is": "UPDATE event SET member = 'member-0' WHERE number = 1",
    "a salt": "UPDATE event SET salt = x'00' WHERE number = 1",
    "an entry gone": "DELETE FROM event WHERE number = 2",
    "the end cut": "DELETE FROM event WHERE number >= 3",
    "a leaf": "UPDATE node SET hash = zeroblob(32) WHERE level = 0 AND place = 2",
    "a node": "UPDATE node SET hash = zeroblob(32) WHERE level = 2",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_database_shows(four_events, change):
    checkpoint(four_events.home)
    assert verify_ledger(four_events.home)[0] == 4
    with sqlite3.connect(four_events.home / "hub.sqlite") as database:
        assert database.execute(change).rowcount > 0
    with pytest.raises(EvidenceError):  # a node that no root is made of shows in the receipts
        verify_ledger(four_events.home)


def test_a_rewritten_ledger_contradicts_what_members_and_witness_hold(
    new_hub, make_shelf, make_indicator, tmp_path, monkeypatch
):
    """The operator, who has the key, rewrites the ledger; in itself it holds, and is caught."""
    server = new_hub()
    server.start()
    shelf, me = make_shelf(server), server.login()
    shelf.add(me, make_indicator())
    shelf.get(me)
    home = member_home(server, me, tmp_path / "share", monkeypatch)
    proofs(home)
    server.stop()
    with sqlite3.connect(server.home / "hub.sqlite") as database:
        for table in ("event", "node", "checkpoint"):
            database.execute(f"DELETE FROM {table}")
    server.start()
    shelf.get(me, "manifest/")
    for _ in range(4):
        shelf.get(me)
    checkpoint(server.home)
    assert verify_ledger(server.home)[0] == 5, "in itself it holds"
    with pytest.raises(EvidenceError, match="no beginning of the later"):
        proofs(moved(home, server))


@pytest.mark.slow
def test_kill_between_database_and_ledger(new_hub, make_shelf, make_indicator, database):
    """Killed at any moment: every acknowledged envelope and page has its entry, and no other."""
    server = new_hub(database)
    shelf, me = make_shelf(server), server.login()
    acknowledged = {"submit": 0, "release": 0}
    for _ in range(3):
        server.start()
        ended = threading.Event()

        def work(action: str, ended=ended) -> None:
            with server.client(me, **{"Content-Type": TAXII}) as client:
                while not ended.is_set():
                    try:
                        if action == "submit":
                            body = {"objects": [make_indicator()]}
                            told = client.post(shelf.objects, json=body)
                        else:
                            told = client.get(shelf.objects, params={"limit": 1})
                    except httpx.HTTPError:
                        return
                    if told.status_code in (200, 202) and told.json():
                        acknowledged[action] += 1

        threads = [threading.Thread(target=work, args=(a,)) for a in acknowledged]
        for thread in threads:
            thread.start()
        wanted = {action: count + 2 for action, count in acknowledged.items()}
        until = time.monotonic() + 240
        while any(acknowledged[a] < count for a, count in wanted.items()):
            assert time.monotonic() < until, acknowledged
            time.sleep(0.01)
        ended.wait(0.3)
        server.kill()
        ended.set()
        for thread in threads:
            thread.join(180)
    server.start()
    stored = shelf.get(me, limit=1_000).json()["objects"]
    server.stop()
    size, _ = verify_ledger(server.home)
    events = server.office.events(None, None)
    assert size == len(events)
    done = [e["action"] for e in events]
    assert acknowledged["submit"] > 3
    assert acknowledged["release"] > 3
    assert done.count("release") >= acknowledged["release"] + 1
    submitted = sum(e["new"] for e in events if e["action"] == "submit")
    assert submitted == len(stored) >= acknowledged["submit"], "database and ledger say the same"


@pytest.mark.slow
def test_two_hub_processes_keep_one_ledger(new_hub, make_shelf, make_indicator, database):
    one = new_hub(database)
    shelf, me = make_shelf(one), one.login()
    one.start()
    two = type(one)(one.home)
    two.start()
    other = type(shelf)(two, shelf.id)
    notes = []
    try:

        def work(mine) -> None:
            for _ in range(6):
                mine.add(me, make_indicator())
                mine.get(me, limit=2)

        threads = [threading.Thread(target=work, args=(s,)) for s in (shelf, other) * 2]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            notes.append(checkpoint(one.home)["note"])
            time.sleep(0.2)  # SQLite's one write lock is for the requests too
        for thread in threads:
            thread.join(180)
    finally:
        two.stop()
    size, _ = verify_ledger(one.home)
    done = [e["action"] for e in one.office.events(None, None)]
    assert (size, done.count("submit"), done.count("release")) == (48, 24, 24)
    assert notes, "signed while both wrote"


def test_a_transparency_report_comes_from_the_ledger(new_hub, make_shelf, make_indicator, capsys):
    server = new_hub()
    server.start()
    shelf, me, other = make_shelf(server), server.login(), server.login(number="other")
    shelf.add(me, *(make_indicator() for _ in range(12)))
    shelf.get(other)
    shelf.get(None)
    shelf.get(other, f"objects/indicator--{uuid.uuid4()}/")
    signed = checkpoint(server.home)
    told = transparency(server.home, None, None)
    assert told["objects"] == {"release": "10-30", "submit": "10-30"}
    assert told["actions"] == {"deny": "0-10", "release": "0-10", "submit": "0-10"}
    assert told["denied_by_status"] == {"404": "0-10"}
    assert told["checkpoint"] == signed["note"]
    text = json.dumps(told)
    assert not [login for login in (me, other) if login.pseudonym in text]
    later = datetime.now(UTC) + timedelta(hours=1)
    assert transparency(server.home, later, None)["actions"] == {}
    assert run(["hub", "transparency", "--home", str(server.home)]) == 0
    assert json.loads(capsys.readouterr().out) == told
    with sqlite3.connect(server.home / "hub.sqlite") as database:
        database.execute("UPDATE event SET value = replace(value, '12', '11')")
    with pytest.raises(EvidenceError):
        transparency(server.home, None, None)


def new_witness(server, home: Path, url: str = "sqlite:///hub.sqlite"):
    """Start a witness that knows a hub."""
    signed = checkpoint(server.home)
    make_home(home, title="A witness", database=url, role="witness")
    with (home / "hub.toml").open("a") as file:
        file.write(f'"{signed["ledger"]}" = "{signed["key"]}"\n')
    one = type(server)(home)
    one.office.migrate()
    one.start()
    return one


@pytest.fixture
def witness(tmp_path):
    """Make a witness that knows a hub: ``witness(server)``."""
    made = []

    def make(server, url: str = "sqlite:///hub.sqlite"):
        made.append(new_witness(server, tmp_path / f"witness{len(made)}", url))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def some_witness(hub_maker, tmp_path_factory):
    """One witness of a hub that never wrote, for requests that leave no trace."""
    folder = tmp_path_factory.mktemp("witnessed")
    one = new_witness(hub_maker(folder / "hub", "sqlite:///hub.sqlite"), folder / "witness")
    yield one
    one.stop()


def test_a_witness_cosigns_what_continues_and_nothing_else(
    new_hub, make_shelf, make_indicator, witness, tmp_path, monkeypatch
):
    server = new_hub()
    server.start()
    shelf, me = make_shelf(server), server.login()
    shelf.add(me, make_indicator())
    other = witness(server)
    own = checkpoint(other.home)
    for _ in range(3):
        shelf.get(me)
        signed = checkpoint(server.home, witnesses=[other.url])
        assert signed["note"].count(own["ledger"]) == 1
    again = checkpoint(server.home, witnesses=[other.url])
    assert again["note"].split("\n")[:3] == signed["note"].split("\n")[:3], "the same tree"
    home = member_home(
        server, me, tmp_path / "share", monkeypatch, ledger=own["ledger"], ledger_key=own["key"]
    )
    proofs(home)
    assert check(home).witnesses == (own["ledger"],)
    # without a cosignature a member that pinned the witness believes nothing
    shelf.get(me)
    checkpoint(server.home)
    with pytest.raises(EvidenceError, match="fewer than 1"):
        proofs(home)
    # the operator rewrites: the witness has seen another ledger
    server.stop()
    with sqlite3.connect(server.home / "hub.sqlite") as database:
        for table in ("event", "node", "checkpoint"):
            database.execute(f"DELETE FROM {table}")
    server.start()
    shelf.get(me)
    with pytest.raises(EvidenceError, match="has seen"):
        checkpoint(server.home, witnesses=[other.url])
    for _ in range(9):
        shelf.get(me)
    with pytest.raises(EvidenceError, match="422"):
        checkpoint(server.home, witnesses=[other.url])
    server.stop()
    other.stop()
    server.start()
    with pytest.raises(InputError, match="cannot be reached"):
        checkpoint(server.home, witnesses=[other.url])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"\xff\n\nx", 400), (b"old -1\n\nx\n1\nAA==\n\n", 400),
        (b"old 0\nnot base64!\n\nx\n", 400), (b"old 0\nAAAA\n\nx\n", 400),
        (b"old 0\n\nelsewhere\n1\nAA==\n\n", 404), (b"x" * 30_000, 413),
    ],
)  # fmt: skip
def test_the_witness_refuses_what_is_no_request(some_witness, body, status):
    """C2SP tlog-witness, add-checkpoint."""
    other = some_witness
    assert httpx.post(f"{other.url}/add-checkpoint", content=body).status_code == status


def test_the_witness_refuses_a_checkpoint_that_the_hub_did_not_sign(new_hub, witness):
    server = new_hub()
    other = witness(server)
    note = checkpoint(server.home)["note"]
    forged = note.replace("\n0\n", "\n5\n", 1)
    assert forged != note
    told = httpx.post(f"{other.url}/add-checkpoint", content=f"old 0\n\n{forged}")
    assert told.status_code == 403
    assert httpx.post(f"{other.url}/add-checkpoint", content=f"old 0\n\n{note}").status_code == 200


def test_who_asks_for_proofs_shows_who_it_is(hub):
    checkpoint(hub.home)
    reader = hub.login("reader", "observer")
    for path in ("checkpoint/", "consistency/?first=0&second=0", "receipts/"):
        with hub.client() as client:
            assert client.get(f"/ledger/{path}").status_code == 401
        with hub.client(reader) as client:
            assert client.get(f"/ledger/{path}").status_code == 200
    with hub.client(reader) as client:
        for path in ("consistency/", "consistency/?first=1&second=0", "receipts/?after=x",
                     "consistency/?first=0&second=99999999"):  # fmt: skip
            assert client.get(f"/ledger/{path}").status_code == 400
