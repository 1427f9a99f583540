"""Matching over real HTTP: what each party sees, one corrupted party at a time, from the wire."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from voprf import ristretto
from wire import Relay, found_values

from stillwatch.cli.app import run
from stillwatch.errors import ConfigError, EvidenceError, InputError, ShareRefused
from stillwatch.share.client import Holders, check, fetch_proofs, hub_client, open_home, start_home
from stillwatch.share.client import open_holders as holders_of
from stillwatch.share.hub import checkpoint, make_home
from stillwatch.share.match import KeyHolder, epoch_of

TAXII = "application/taxii+json;version=2.1"
CARD = "+15550000007"
OTHERS = [f"+1555000000{k}" for k in range(7)]
ROLES = ("hub", "witness")
BASIS = [
    "[[legal_basis]]", 'name = "n"', 'source = "s"', "since = 2026-01-01", "until = 2027-01-01",
    'reviewed_by = "c"', 'purposes = ["detection"]',
]  # fmt: skip


@dataclass
class Member:
    """A member's folder, and what went over its wire to each holder."""

    home: Any
    relays: dict[str, Relay]

    @contextlib.contextmanager
    def holders(self) -> Iterator[Holders]:
        with pytest.MonkeyPatch.context() as patch:
            for role in ROLES:
                patch.setenv(*self.tokens[role])
            with holders_of(self.home) as made:
                yield made

    def make(self, values: list[str], kind: str = "phone") -> list[str]:
        with self.holders() as holders:
            holders.pin()
            return holders.tokens(kind, values, now=datetime.now(UTC))[1]

    def propose(self, suspected: list[str], asked: list[str]) -> list[str]:
        with self.holders() as holders:
            holders.pin()
            return holders.propose(suspected, asked, now=datetime.now(UTC))

    def wire(self, role: str) -> bytes:
        return self.relays[role].bytes()

    tokens: Any = None


@pytest.fixture
def parties(new_hub, tmp_path) -> Iterator[Any]:
    """Start a hub and a witness: ``parties()`` gives them and a maker of members."""
    made: list[Any] = []
    relayed: list[Relay] = []

    def start(settings: str = ""):
        hub = new_hub(settings=settings)
        home = tmp_path / "witness"
        make_home(home, title="A witness", database="sqlite:///hub.sqlite", role="witness")
        if settings:
            text = (home / "hub.toml").read_text()
            (home / "hub.toml").write_text(text.replace("[ledgers]", f"{settings}\n[ledgers]"))
        witness = type(hub)(home)
        witness.office.migrate()
        servers = {"hub": hub, "witness": witness}
        for server in servers.values():
            server.start()
        made.extend(servers.values())

        def member(name: str) -> Member:
            start_home(tmp_path / name, contributor=uuid.uuid5(uuid.NAMESPACE_OID, name))
            relays = {role: Relay(server.port, tmp_path / name, role)
                      for role, server in servers.items()}  # fmt: skip
            lines, tokens = [], {}
            for role, server in servers.items():
                tokens[role] = (f"TOKEN_{role.upper()}", server.login(number=name).token)
                lines += [f"[{role}]", f'url = "http://127.0.0.1:{relays[role].port}/api/"',
                          f'token_env = "TOKEN_{role.upper()}"']  # fmt: skip
            lines += BASIS
            with (tmp_path / name / "share.toml").open("a") as file:
                file.write("\n".join(lines) + "\n")
            relayed.extend(relays.values())
            one = Member(open_home(tmp_path / name), relays)
            one.tokens = tokens
            return one

        return hub, witness, member

    yield start
    for relay in relayed:
        relay.close()
    for server in made:
        server.stop()


def seeds(server) -> dict[str, bytes]:
    with contextlib.closing(sqlite3.connect(server.home / "hub.sqlite")) as database:
        return dict(database.execute("SELECT epoch, seed FROM match_key"))


def blinded(wire: bytes) -> list[bytes]:
    """Return every blinded value in what a member sent."""
    found = []
    for part in wire.split(b'{"epoch": ')[1:]:
        head = json.loads(b'{"epoch": ' + part[: part.index(b"}") + 1])
        found += [base64.b64decode(one) for one in head.get("blinded", ())]
    return found


def forms(value: str) -> list[str]:
    return [value, value[1:], hashlib.sha256(f"phone\0{value}".encode()).hexdigest()]


def test_equal_values_of_two_members_have_equal_tokens(parties):
    _, _, member = parties()
    ours, theirs = member("ours"), member("theirs")
    (mine,) = ours.make([CARD])
    found = theirs.make([*OTHERS, CARD])
    assert [t == mine for t in found] == [False] * 7 + [True]


@pytest.mark.parametrize("party", ROLES)
def test_a_corrupted_holder_sees_who_asks_and_how_much_and_no_value(parties, party):
    hub, witness, member = parties()
    ours, theirs = member("ours"), member("theirs")
    (token,) = set(ours.make([CARD, CARD]))
    theirs.make([CARD])
    seen = [ours.wire(party), theirs.wire(party)]
    elements = [one for wire in seen for one in blinded(wire)]
    assert len(elements) == len(set(elements)) == 3, (
        "equal values look different, to one holder too"
    )
    for wire in seen:
        assert found_values(forms(CARD), wire) == []
        assert token.encode() not in wire, "a holder sees no token of an identifier"
    # its key and all it saw do not tell the value, though it knows the token and all candidates
    server = hub if party == "hub" else witness
    epoch, seed = next(iter(seeds(server).items()))
    own = ristretto.Evaluator.from_seed(seed, f"{party}:{epoch}".encode())
    for value in (*OTHERS, CARD):
        plain = f"phone\0{value}".encode()
        for guess in (own.evaluate_known_input(plain),
                      own.evaluate_known_input(own.evaluate_known_input(plain)),
                      *(own.evaluate_known_input(e) for e in elements)):  # fmt: skip
            assert hashlib.sha256(guess).hexdigest() != token


def test_hub_and_witness_together_can_try_values_out_as_the_threat_model_says(parties):
    hub, witness, member = parties()
    (token,) = member("ours").make([CARD])
    epoch = epoch_of(datetime.now(UTC))
    inner = ristretto.Evaluator.from_seed(seeds(hub)[epoch], f"hub:{epoch}".encode())
    outer = ristretto.Evaluator.from_seed(seeds(witness)[epoch], f"witness:{epoch}".encode())
    both = outer.evaluate_known_input(inner.evaluate_known_input(f"phone\0{CARD}".encode()))
    assert hashlib.sha256(both).hexdigest() == token


def test_a_corrupted_member_has_its_quota_at_each_holder(parties):
    hub, witness, member = parties("evaluations_per_day = 10\n")
    spy = member("spy")
    spy.make(OTHERS)
    with pytest.raises(InputError, match="quota"):
        spy.make(OTHERS[:4])
    spy.make(OTHERS[:3])
    with pytest.raises(InputError, match="quota"):
        spy.make([CARD])
    # another member still has its own, and what was refused was told to nobody
    assert member("ours").make([CARD])
    for server in (hub, witness):
        events = server.office.events(None, None)
        done = [(e["action"], e.get("count"), e.get("status")) for e in events]
        assert ("evaluate", 7, None) in done
        assert ("evaluate", 3, None) in done
        assert sum(e["count"] for e in events if e["action"] == "evaluate") == 11
    denied = [e for e in hub.office.events(None, None) if e["action"] == "deny"]
    assert [e["status"] for e in denied] == [429, 429]


def replace_seed(server, seed: bytes) -> None:
    with contextlib.closing(sqlite3.connect(server.home / "hub.sqlite")) as database:
        database.execute("UPDATE match_key SET seed = ?", (seed,))
        database.commit()


@pytest.mark.parametrize("party", ROLES)
def test_a_holder_that_uses_another_key_for_one_member_is_caught(parties, party):
    hub, witness, member = parties()
    ours = member("ours")
    ours.make([CARD])
    replace_seed(hub if party == "hub" else witness, b"x" * 32)
    with ours.holders() as holders:
        with pytest.raises(EvidenceError, match="proof"):
            holders.tokens("phone", [CARD], now=datetime.now(UTC))
        with pytest.raises(EvidenceError, match="another key"):
            holders.pin()


def test_a_key_that_the_hub_shows_one_member_alone_differs_from_the_ledger(parties, monkeypatch):
    hub, _, member = parties()
    ours = member("ours")
    ours.make([CARD])
    replace_seed(hub, b"x" * 32)
    late = member("late")
    with late.holders() as holders:
        holders.pin()  # it has nothing to compare with yet
    signed = checkpoint(hub.home)
    for one, fits in ((ours, True), (late, False)):
        file = one.home.path / "share.toml"
        text = file.read_text().replace(
            "\n[hub]\n", f'\n[hub]\nledger = "{signed["ledger"]}"\nledger_key = "{signed["key"]}"\n'
        )
        file.write_text(text)
        home = open_home(one.home.path)
        monkeypatch.setenv(*one.tokens["hub"])
        with hub_client(home) as http:
            fetch_proofs(home, http)
        if fits:
            assert check(home).entries["key"] == 1
        else:
            with pytest.raises(EvidenceError, match="not the one shown to you"):
                check(home)


def test_keys_change_with_the_month_and_old_ones_are_forgotten(parties):
    hub, witness, member = parties()
    ours = member("ours")
    (old,) = ours.make([CARD])
    for server in (hub, witness):
        with contextlib.closing(sqlite3.connect(server.home / "hub.sqlite")) as database:
            database.execute("UPDATE match_key SET epoch = '2020-01'")
            database.commit()
    epoch = epoch_of(datetime.now(UTC))
    (ours.home.path / "pins.json").unlink()
    (new,) = ours.make([CARD])
    assert new != old
    for server in (hub, witness):
        assert list(seeds(server)) == [epoch], "the key of 2020 is gone from the database"
        made = [e for e in server.office.events(None, None) if e["action"] == "key"]
        assert [e["epoch"] for e in made] == [epoch, epoch]
    body = json.dumps({"epoch": "2020-01", "blinded": [
        base64.b64encode(ristretto.Client.blind(b"x")[1].serialize()).decode()]})  # fmt: skip
    with hub.client(hub.login(number="ours")) as client:
        assert client.post("/match/", content=body).status_code == 404


@pytest.mark.parametrize("path", ["/match/", "/match/candidates/"])
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"epoch": "2026-11", "blinded": []}',
     b'{"epoch": 7, "votes": ["a"], "asked": []}',
     b'{"epoch": "2026-11", "blinded": ["AAAA"], "votes": [], "asked": []}', b"[" * 5_000,
     b'{"epoch": "2026-11", "blinded": "abc", "votes": "abc", "asked": []}'],
)  # fmt: skip
def test_malformed_requests_are_refused(hub, path, body):
    with hub.client(hub.login()) as client:
        assert client.post(path, content=body).status_code == 422


@pytest.mark.parametrize(
    ("role", "votes"), [("reader", 403), ("contributor", 200), ("operator", 200), ("counsel", 403)]
)
def test_endpoint_by_role(hub, role, votes):
    """Every member may evaluate and prove, within its quota; who may not submit may not vote."""
    checkpoint(hub.home)
    element = base64.b64encode(ristretto.Client.blind(b"x")[1].serialize()).decode()
    with hub.client(hub.login(role)) as client:
        epoch = next(iter(client.get("/match/keys/").json()["keys"]))
        body = json.dumps({"epoch": epoch, "blinded": [element]})
        told = json.dumps({"epoch": epoch, "votes": ["ab" * 32], "asked": []})
        assert client.post("/match/", content=body).status_code == 200
        assert client.post("/match/candidates/", content=told).status_code == votes
        for path in ("checkpoint/", "receipts/", "consistency/?first=0&second=0"):
            assert client.get(f"/ledger/{path}").status_code == 200
        wrong = {"X-Stillwatch-Purpose": "marketing"}
        assert client.post("/match/", content=body, headers=wrong).status_code == 400
        assert client.get("/ledger/receipts/", headers=wrong).status_code == 400


def test_who_shows_no_token_gets_nothing(hub):
    reader = hub.login("reader")
    tokens = json.dumps({"epoch": "2026-11", "votes": ["ab" * 32], "asked": []})
    with hub.client() as client:
        assert client.get("/match/keys/").status_code == 401
        assert client.post("/match/", content=b"{}").status_code == 401
        assert client.post("/match/candidates/", content=tokens).status_code == 401
    with hub.client(reader) as client:
        assert client.get("/match/keys/").status_code == 200
        assert client.post("/match/candidates/", content=tokens).status_code == 403


def test_who_asks_for_a_template_learns_whether_two_others_suspect_it(parties):
    hub, _, member = parties()
    frame, common, own = (f"0:16:{k:016x}" for k in (1, 2, 3))
    first, second, third, other = (member(n) for n in ("first", "second", "third", "other"))
    assert first.propose([frame, own], [frame, own, common]) == []
    assert first.propose([frame, own], [frame, own, common]) == [], "one's own vote does not count"
    assert second.propose([frame], [frame]) == [], "one other"
    assert third.propose([], [frame, common]) == [frame], "who suspects nothing may ask"
    assert first.propose([], [frame, own]) == []
    assert other.propose([frame, common], [common]) == [], "who does not ask learns nothing"
    assert first.propose([], [frame, own]) == [frame]
    told = other.relays["hub"].received.read_bytes()
    for name in (frame, own):
        (token,) = first.make([name], kind="frame")
        assert token.encode() not in told
    # what the hub saw: tokens, and of the templates nothing
    for one in (first, second, third, other):
        assert found_values([frame, common, own, frame.split(":")[2]], one.wire("hub")) == []
    asked = [e for e in hub.office.events(None, None) if e["action"] == "propose"]
    assert sum(e["count"] for e in asked) == 2 + 2 + 1 + 2
    assert sum(e["corroborated"] for e in asked) == 2


def test_a_member_votes_no_more_than_its_month_allows(parties):
    _, _, member = parties("candidates_per_month = 5\n")
    one = member("one")
    one.propose([f"0:16:{k:016x}" for k in range(4)], [])
    with pytest.raises(InputError, match="quota"):
        one.propose([f"0:16:{k:016x}" for k in range(10, 13)], [])
    assert one.propose([f"0:16:{k:016x}" for k in range(4)], [f"0:16:{99:016x}"]) == []


def test_tokens_by_the_command(parties, tmp_path, monkeypatch, capsys):
    _, _, member = parties()
    ours = member("ours")
    for role in ROLES:
        monkeypatch.setenv(*ours.tokens[role])
    home = str(ours.home.path)
    values = tmp_path / "values.jsonl"
    rows = [{"campaign_id": "c-1", "kind": "phone", "value": CARD},
            {"campaign_id": "c-1", "kind": "email", "value": "a@b.example"}]  # fmt: skip
    values.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "tokens.jsonl"
    words = ["share", "tokens", str(values), "--out", str(out), "--home", home]
    assert run(words) == 1, "the keys are not pinned"
    assert "share pin" in capsys.readouterr().err
    assert run(["share", "pin", "--home", home]) == 0
    assert run(words) == 0
    made = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(m["campaign_id"], m["kind"], len(m["value"])) for m in made] == [
        ("c-1", "phone", 64), ("c-1", "email", 64),
    ]  # fmt: skip
    assert CARD not in out.read_text()
    assert ours.make([CARD]) == [made[0]["value"]]
    values.write_text('{"kind": "phone"}\n')
    assert run(words) == 2
    assert "values.jsonl:1" in capsys.readouterr().err


def test_no_tokens_without_a_legal_basis_or_of_another_kind(parties):
    _, _, member = parties()
    ours = member("ours")
    with ours.holders() as holders:
        holders.pin()
        with pytest.raises(ShareRefused, match="legal-basis"):
            holders.tokens("phone", [CARD], now=datetime(2027, 1, 1, tzinfo=UTC))
        with pytest.raises(ShareRefused, match="matchable"):
            holders.tokens("name", ["x"], now=datetime.now(UTC))
    text = (ours.home.path / "share.toml").read_text()
    for old, new, what in (
        ("http://127.0.0.1", "http://elsewhere.example", "https"),
        ("[witness]\nurl", "[witness]\nlink", "no url"),
    ):
        (ours.home.path / "share.toml").write_text(text.replace(old, new))
        ours.home = open_home(ours.home.path)
        with pytest.raises(ConfigError, match=what), ours.holders():
            pass


def test_two_processes_make_one_key(new_hub):
    server = new_hub()
    me = server.login()
    server.start()
    two = type(server)(server.home)
    two.start()
    told: list[Any] = []

    def ask(one) -> None:
        with one.client(me) as client:
            told.append(client.get("/match/keys/").json()["keys"])

    try:
        threads = [threading.Thread(target=ask, args=(one,)) for one in (server, two) * 6]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(180)
    finally:
        two.stop()
    assert len(told) == 12
    assert all(keys == told[0] for keys in told)
    ((epoch, seed),) = seeds(server).items()
    assert told[0][epoch] == base64.b64encode(
        KeyHolder("hub", {epoch: seed}).public_key(epoch)).decode()  # fmt: skip
    assert httpx.get(f"{server.url}/match/keys/").status_code == 401
