"""Events, deliveries, corrections and deletion: what the hub keeps of what was done."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from stillwatch.errors import EvidenceError
from stillwatch.share.hub import Rules, create_app, read_key, read_settings

TAXII = "application/taxii+json;version=2.1"


def actions(server, shelf) -> list[str]:
    return [e["action"] for e in server.office.events(None, None) if e["collection"] == shelf.id]


def test_everything_done_is_an_event_in_one_chain(hub, shelf, make_indicator):
    me, other = hub.login(), hub.login(number="other")
    one = make_indicator()
    shelf.add(me, one, {"type": "nonsense"})
    shelf.get(other, "manifest/")
    shelf.get(other)
    shelf.get(other, f"objects/indicator--{uuid.uuid4()}/")
    shelf.add(me, {**one, "modified": "2026-11-02T00:00:00.000Z", "revoked": True})
    with hub.client(me) as client:
        client.delete(f"{shelf.objects}{one['id']}/")
    assert actions(hub, shelf) == [
        "submit", "refuse", "read", "release", "deny", "submit", "revoke", "notify", "delete",
        "notify",
    ]  # fmt: skip
    told = [e for e in hub.office.events(None, None) if e["collection"] == shelf.id]
    assert told[3]["count"] == 1
    assert told[3]["purpose"] == "agreement:detection"
    assert told[7]["recipients"] == told[9]["recipients"] == 1
    assert {e["member"] for e in told if "recipients" in e} == {"hub"}, "else a read receipt"
    count, last = hub.office.verify()
    assert count == len(hub.office.events(None, None))
    assert hub.office.verify(last) == (count, last)
    with pytest.raises(EvidenceError, match="end is cut"):
        hub.office.verify("sha256:" + "0" * 64)


def test_events_of_a_period(hub, shelf):
    now = datetime.now(UTC)
    shelf.get(hub.login())
    since = [e for e in hub.office.events(now, None) if e["collection"] == shelf.id]
    assert len(since) == 1
    assert [e for e in hub.office.events(None, now) if e["collection"] == shelf.id] == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event SET value = replace(value, 'release', 'read') WHERE value LIKE '%release%'",
        "DELETE FROM event WHERE number = 1",
        "UPDATE event SET number = number + 100 WHERE number = 2",
        "UPDATE event SET before = own WHERE number = 1",
    ],
)
def test_a_change_of_the_chain_shows(four_events, change):
    assert four_events.office.verify()[0] == 4
    with sqlite3.connect(four_events.home / "hub.sqlite") as database:
        assert database.execute(change).rowcount > 0
    with pytest.raises(EvidenceError):
        four_events.office.verify()


def test_who_received_is_known_and_told(hub, shelf, make_indicator):
    me, first, second = (hub.login(number=n) for n in ("owner", "first", "second"))
    made = [make_indicator() for _ in range(3)]
    shelf.add(me, *made)
    assert shelf.ids(first, limit=1) == [made[0]["id"]]
    assert shelf.ids(second, **{"match[id]": made[2]["id"]}) == [made[2]["id"]]
    shelf.ids(second, "manifest/")  # says that it is there, hands nothing out

    def received(one) -> set[str]:
        return {r.pseudonym for r in hub.office.received(one["id"])}

    assert [received(one) for one in made] == [{first.pseudonym}, set(), {second.pseudonym}]
    revoked = {**made[2], "modified": "2026-11-02T00:00:00.000Z", "revoked": True}
    shelf.add(me, revoked)
    with hub.client(me) as client:
        for one in made[:2]:
            assert client.delete(f"{shelf.objects}{one['id']}/").status_code == 200
    told = {
        login.pseudonym: shelf.get(login, "corrections/").json().get("corrections", [])
        for login in (me, first, second)
    }
    assert told[me.pseudonym] == []
    assert [(c["id"], c["kind"]) for c in told[first.pseudonym]] == [(made[0]["id"], "deleted")]
    assert [(c["id"], c["kind"]) for c in told[second.pseudonym]] == [(made[2]["id"], "revoked")]
    later = shelf.get(first, "corrections/", added_after=told[first.pseudonym][0]["date"])
    assert later.json() == {}


def test_deletion_leaves_no_content_in_the_database(new_hub, make_shelf, make_indicator):
    server = new_hub()
    server.start()
    shelf, me = make_shelf(server), server.login()
    one = make_indicator(name=f"secret-{uuid.uuid4()}")
    shelf.add(me, one)
    with server.client(me) as client:
        assert client.delete(f"{shelf.objects}{one['id']}/").status_code == 200
    with contextlib.closing(sqlite3.connect(server.home / "hub.sqlite")) as database:
        tables = [
            r[0] for r in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        text = "".join(
            str(row)
            for t in tables
            if t != "submission"
            for row in database.execute(f'SELECT * FROM "{t}"')
        )
        assert database.execute("SELECT count(*) FROM tombstone").fetchone() == (1,)
    assert one["name"] not in text
    assert one["id"] not in text
    files = b"".join(p.read_bytes() for p in server.home.glob("hub.sqlite*"))
    assert files
    assert one["name"].encode() not in files


def test_what_the_operator_withdrew_does_not_come_back_by_a_replay(hub, shelf, make_indicator):
    me, operator = hub.login(), hub.login(role="operator")
    one, two = make_indicator(), make_indicator()
    shelf.add(me, one, two)
    with hub.client(operator) as client:
        assert client.delete(f"{shelf.objects}{one['id']}/").status_code == 200
    with hub.client(me) as client:
        assert client.delete(f"{shelf.objects}{two['id']}/").status_code == 200
    told = shelf.add(me, one, two)  # its own deletion its submitter may take back
    assert [f["id"] for f in told["failures"]] == [one["id"]]
    assert "withdrawn" in told["failures"][0]["message"]
    assert shelf.ids(me) == [two["id"]]


def test_another_version_of_what_the_operator_withdrew_does_not_come_back(
    hub, shelf, make_indicator
):
    me, operator = hub.login(), hub.login(role="operator")
    one = make_indicator()
    shelf.add(me, one)
    with hub.client(operator) as client:
        assert client.delete(f"{shelf.objects}{one['id']}/").status_code == 200
    told = shelf.add(me, {**one, "modified": "2026-11-03T00:00:00.000Z"})
    assert "withdrawn" in told["failures"][0]["message"]


def test_only_who_knew_it_learns_that_something_was_withdrawn(hub, shelf, make_indicator):
    """To any other member the id answers as a new one does, and nobody else sees what it sent."""
    me, operator = hub.login(), hub.login(role="operator")
    handed, stranger, reader = (hub.login(number=n) for n in ("handed", "stranger", "reads"))
    one, fresh = make_indicator(), make_indicator()
    shelf.add(me, one)
    assert shelf.ids(handed) == [one["id"]]
    with hub.client(operator) as client:
        assert client.delete(f"{shelf.objects}{one['id']}/").status_code == 200
    told = shelf.add(handed, one)
    assert "withdrawn" in told["failures"][0]["message"], "it was told of the deletion anyway"

    told = shelf.add(stranger, one, fresh)
    assert [s["id"] for s in told["successes"]] == [one["id"], fresh["id"]]
    assert told["failure_count"] == 0
    for path in ("objects/", "manifest/"):
        assert shelf.ids(stranger, path) == [one["id"], fresh["id"]]
    assert shelf.add(stranger, one)["success_count"] == 1, "the same again, as ever"
    assert shelf.ids(reader) == [fresh["id"]]
    assert shelf.ids(me) == [fresh["id"]]
    assert shelf.ids(operator) == [one["id"], fresh["id"]]
    first, second = (o["date_added"] for o in shelf.get(stranger, "manifest/").json()["objects"])
    assert instant(second) - instant(first) == timedelta(microseconds=1), "as if it were new"


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_what_is_revoked_stays_so(hub, shelf, make_indicator):
    """STIX 2.1, section 3.2: a revocation is for good, and no later version undoes it."""
    me, other = hub.login(), hub.login(number="other")
    one = make_indicator()
    revoked = {**one, "modified": "2026-11-02T00:00:00.000Z", "revoked": True}
    again = {**one, "modified": "2026-11-03T00:00:00.000Z"}
    early = {**one, "modified": "2026-11-01T12:00:00.000Z"}
    assert shelf.add(me, one, revoked)["failure_count"] == 0
    told = shelf.add(me, again, early, revoked)
    assert "revoked, for good" in told["failures"][0]["message"]
    assert told["failures"][0]["version"] == again["modified"]
    assert told["success_count"] == 2, "a version of before that comes late, and the same again"
    assert shelf.get(other).json()["objects"] == [revoked]
    two = make_indicator()
    both = [{**two, "modified": revoked["modified"], "revoked": True},
            {**two, "modified": again["modified"]}]  # fmt: skip
    assert shelf.add(me, *both)["failure_count"] == 1, "in one envelope, too"
    nested = make_indicator(x_note={"revoked": True})
    shelf.add(me, nested)
    later = {**nested, "modified": "2026-11-04T00:00:00.000Z"}
    assert shelf.add(me, later)["failure_count"] == 0, "a field of that name within is none"


def test_a_required_purpose_is_demanded(new_hub, make_shelf):
    server = new_hub(settings='purpose = "required"\n')
    server.start()
    shelf, me = make_shelf(server), server.login()
    assert shelf.get(me).status_code == 400
    with server.client(me, **{"X-Stillwatch-Purpose": "audit"}) as client:
        assert client.get(shelf.objects).status_code == 200
    assert [e["purpose"] for e in server.office.events(None, None)] == [None, "audit"]


def ask(app, login, method: str, path: str, **more) -> httpx.Response:
    """Ask an application in this process: its rules and ledger are this test's own objects."""

    async def work() -> httpx.Response:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app), base_url="http://hub"
            ) as client,
        ):
            headers = {"Authorization": f"Bearer {login.token}", "Content-Type": TAXII}
            return await client.request(method, path, headers=headers, **more)

    return asyncio.run(work())


def test_rules_refuse_and_the_ledger_hears_of_everything(new_hub, make_shelf, make_indicator):
    server = new_hub()
    shelf, me, heard = make_shelf(server), server.login(), []

    def accept(stix):
        return ["Prices are not shared."] if "price" in stix["name"] else []

    def app():
        settings = read_settings(server.home)
        return create_app(settings, read_key(server.home), rules=Rules(accept), record=heard.append)

    body = {"objects": [make_indicator(name="price list"), make_indicator()]}
    told = ask(app(), me, "POST", shelf.objects, json=body).json()
    assert told["failures"][0]["message"] == "Prices are not shared."
    assert told["success_count"] == 1
    ask(app(), me, "GET", shelf.objects)
    assert [e["action"] for e in heard] == ["submit", "refuse", "release"]
    chain = server.office.events(None, None)
    assert heard == [{k: v for k, v in e.items() if k not in {"number", "digest"}} for e in chain]


def test_an_envelope_that_breaks_the_rules_code_fails_whole_and_only_once(
    new_hub, make_shelf, make_indicator
):
    server = new_hub(settings="inline_objects = 0\n")
    shelf, me = make_shelf(server), server.login()

    def accept(stix):
        raise RuntimeError("a defect in a rule")

    app = create_app(read_settings(server.home), read_key(server.home), rules=Rules(accept))
    body = {"objects": [make_indicator(), make_indicator()]}

    async def work() -> tuple[dict, bool]:
        transport = httpx.ASGITransport(app=app)
        headers = {"Authorization": f"Bearer {me.token}", "Content-Type": TAXII}
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            told = (await client.post(shelf.objects, json=body, headers=headers)).json()
            assert told["pending_count"] == 2
            assert await app.state.hub.work_one() is True
            again = await app.state.hub.work_one()
            told = (await client.get(f"/api/status/{told['id']}/", headers=headers)).json()
        await app.state.hub.database.close()
        return told, again

    told, again = asyncio.run(work())
    assert again is False
    assert (told["status"], told["success_count"], told["failure_count"]) == ("complete", 0, 2)


def test_a_status_is_dropped_when_its_days_are_over(new_hub, make_shelf, make_indicator):
    server = new_hub(settings="status_days = 2\n")
    shelf, me = make_shelf(server), server.login()

    def app(days: int):
        def clock():
            return datetime.now(UTC) + timedelta(days=days)

        return create_app(read_settings(server.home), read_key(server.home), clock=clock)

    body = {"objects": [make_indicator()]}
    told = ask(app(0), me, "POST", shelf.objects, json=body).json()
    path = f"/api/status/{told['id']}/"

    async def purge(days: int) -> None:
        application = app(days)
        await application.state.hub._purge()
        await application.state.hub.database.close()

    for days, status in ((1, 200), (3, 404)):
        asyncio.run(purge(days))
        assert ask(app(0), me, "GET", path).status_code == status


def test_what_cannot_be_recorded_is_not_done(new_hub, make_shelf, make_indicator):
    server = new_hub()
    shelf, me = make_shelf(server), server.login()
    broken = True

    def record(event):
        if broken:
            raise OSError("the ledger is away")

    def app():
        return create_app(read_settings(server.home), read_key(server.home), record=record)

    body = {"objects": [make_indicator()]}
    assert ask(app(), me, "POST", shelf.objects, json=body).status_code == 503
    assert ask(app(), me, "GET", shelf.objects).status_code == 503
    broken = False
    assert ask(app(), me, "GET", shelf.objects).json() == {}
    assert len(server.office.events(None, None)) == 1
