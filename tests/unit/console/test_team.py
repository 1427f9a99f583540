"""A team's console: people, sessions, reads and cases on a PostgreSQL server of the tests."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from starlette.testclient import TestClient

from stillwatch.cases import open_book, open_cases, read_decisions, verify_book
from stillwatch.console import create_app, open_home, read_people
from stillwatch.console.desk import COOKIE
from stillwatch.console.entry import add_person, begin, find_person, give_secret, resume
from stillwatch.console.habits import keep_view, read_views
from stillwatch.console.home import VERSIONS, metadata
from stillwatch.errors import InputError

OURS = {"origin": "https://testserver", "sec-fetch-site": "same-origin"}
KEPT = {t.name for t in metadata.sorted_tables} | {VERSIONS}


@pytest.fixture
def url(postgres, request):
    return postgres.database(f"console{abs(hash(request.node.name)) % 10**12}")


@pytest.fixture
def team(desk, url, tmp_path, clock):
    """Return two desks, as of two machines, over one PostgreSQL database for people and cases."""
    desks = []
    for n in range(2):
        book, home = open_book(url), open_home(tmp_path / f"machine{n}", url)
        if not n:
            open_cases(book, desk.run, now=clock(), standings=("accused", "watch"))
            for name, role in (("Ana", "analyst"), ("Apo", "approver"), ("Con", "counsel")):
                add_person(home, name, (role,))
        desks.append(replace(desk, book=book, home=home, _held=type(desk._held)(), _making={},
                             _lock=threading.Lock()))  # fmt: skip
    yield desks
    for one in desks:
        one.book.close()
        one.home.close()


def test_a_team_works_at_two_consoles_as_at_one(team, inside, clock):
    here, there = team
    ana = inside("Ana", here)
    case = max(here.lines(), key=lambda line: line.accused).case_id
    form = {"verdict": "deny", "reason": "relay", "scope": "accused", "remark": "same pool"}
    assert ana.post(f"/cases/{case}/decide", form).status_code == 303
    assert ana.post("/views/save", {"name": "Ours", "query": "why=new",
                                    "shared": "1"}).status_code == 303  # fmt: skip
    apo = inside("Apo", there)
    page = apo.get("/")
    assert "Ours" in page.text
    (made,) = read_decisions(there.book)
    if made.pending:
        assert apo.post(f"/decisions/{made.id}/approve").status_code == 303
    undone = apo.post(f"/decisions/{made.id}/undo", {"remark": "a class"})
    assert undone.status_code == 303
    assert here.line(case).verdict is None
    moved = TestClient(create_app(there), base_url="https://testserver", follow_redirects=False)
    moved.cookies.set(COOKIE, ana.http.cookies.get(COOKIE, domain="testserver.local"))
    assert moved.get("/").status_code == 200  # one session, whichever machine answers
    moved.post("/logout", data={"csrf": ana.csrf}, headers=OURS)
    assert ana.get("/").headers["location"] == "/login"
    reads = inside("Con", here).get("/reads").text
    assert "apo" in reads
    assert "case.decide" in reads
    verify_book(here.book)


def test_a_password_opens_at_either_machine_and_failures_count_together(team, clock):
    here = team[0]
    secret = give_secret(here.home, "ana", now=clock())
    doors = [TestClient(create_app(d), base_url="https://testserver", follow_redirects=False)
             for d in team]  # fmt: skip
    for n in range(10):
        form = {"login": "Ana", "secret": "wrong"}
        assert doors[n % 2].post("/login", data=form, headers=OURS).status_code == 403
    form = {"login": "Ana", "secret": secret}
    assert doors[0].post("/login", data=form, headers=OURS).status_code == 403
    clock.on(minutes=16)
    assert doors[1].post("/login", data=form, headers=OURS).status_code == 303
    assert not (here.home.folder / "console.db").exists()


@pytest.mark.parametrize(
    "statement", ["UPDATE reads SET login = 'x'", "DELETE FROM reads", "TRUNCATE reads"]
)
def test_the_server_refuses_to_change_what_was_read(team, inside, statement):
    inside("Ana", team[0]).get("/")
    with (
        pytest.raises(sa.exc.DBAPIError, match="append-only"),
        team[0].home.engine.begin() as connection,
    ):
        connection.execute(sa.text(statement))


def test_the_migrations_make_the_tables_that_the_code_knows(url, tmp_path):
    for database in (None, url):
        home = open_home(tmp_path / f"home-{database is None}", database)
        with home.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={
                "version_table": VERSIONS,
                "include_object": lambda thing, name, kind, *_: kind != "table" or name in KEPT,
            })  # fmt: skip
            assert compare_metadata(context, metadata) == []
        home.close()


def test_consoles_that_start_at_once_make_one_database(url, tmp_path):
    homes = []
    threads = [threading.Thread(target=lambda n=n: homes.append(open_home(tmp_path / f"h{n}", url)))
               for n in range(4)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(homes) == 4
    for home in homes:
        home.close()


def test_a_folder_of_the_version_before_keeps_its_people_and_reads(tmp_path):
    folder = tmp_path / "old"
    home = open_home(folder)
    add_person(home, "Ana", ("admin",))
    noon = datetime(2026, 11, 26, tzinfo=UTC)
    token = begin(home, find_person(home, "ana"), now=noon, second=True)
    home.close()
    with sqlite3.connect(folder / "console.db") as database:  # as it was before migrations
        database.execute("ALTER TABLE sessions DROP COLUMN second")
        database.execute("ALTER TABLE people DROP COLUMN email")
        for table in (VERSIONS, "views", "skips", "habits", "factors"):
            database.execute(f"DROP TABLE {table}")
    database.close()
    home = open_home(folder)
    assert [p.name for p in read_people(home)] == ["Ana"]
    session = resume(home, token, now=noon)
    assert session is not None
    assert not session.second, "nobody knows of a session from before"
    keep_view(home, "ana", name="new", query="why=new", shared=False, now=noon)
    assert [v.name for v in read_views(home, "ana")] == ["new"]
    home.close()


@pytest.mark.parametrize("shared", [True, False])
def test_what_a_newer_console_has_opened_is_told(tmp_path, url, shared):
    """Consoles of a team are not updated at one moment."""
    held = tmp_path / "home", url if shared else None
    home = open_home(*held)
    with home.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSIONS} SET version_num = '9999'")
    home.close()
    with pytest.raises(InputError, match="does not know") as caught:
        open_home(*held)
    assert "update" in (caught.value.hint or "")


def test_a_server_that_is_not_there_is_told(postgres, tmp_path):
    with pytest.raises(InputError, match="cannot be opened") as caught:
        open_home(tmp_path / "home", f"postgresql://hub:secret@127.0.0.1:{postgres.port}/absent")
    assert "secret" not in str(caught.value)
