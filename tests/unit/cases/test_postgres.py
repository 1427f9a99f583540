"""The same database on a PostgreSQL server that the tests start."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from stillwatch.cases import (
    appeal,
    decide,
    effects,
    erase_from_book,
    in_force,
    open_book,
    purge_book,
    read_cases,
    read_retention,
    resolve,
    verify_book,
)
from stillwatch.cases.tables import metadata
from stillwatch.errors import InputError


@pytest.fixture
def url(postgres, request):
    return postgres.database(f"db{abs(hash(request.node.name)) % 10**12}")


@pytest.fixture
def book(url):
    opened = open_book(url)
    yield opened
    opened.close()


def test_a_case_lives_there_as_in_a_file(book, case, order, terms, noon, bring, campaign):
    made = decide(book, order(accounts=("a1", "a2")), terms=terms, now=noon)
    held = appeal(book, made.id, "a1", by="them", terms=terms, now=noon)
    resolve(book, held.id, upheld=True, by="Cy", reason="a class", now=noon)
    assert sorted(in_force(book, terms=terms, now=noon)) == ["a2"]
    assert effects(book, terms=terms, now=noon)["corrections"][0]["account_id"] == "a1"
    bring(campaign("c-2", ["a1", "a2", "a3", "a4", "a5"]))
    before = verify_book(book)
    assert before.entries == before.opened == 8
    assert erase_from_book(book, "a1", by="Dee", now=noon) > 0
    assert verify_book(book).entries == 9
    assert purge_book(book, read_retention(), terms=terms, now=noon) == 0
    assert len(read_cases(book)) == 1


@pytest.mark.parametrize("statement", ["UPDATE history SET value = ''", "DELETE FROM history"])
def test_the_server_refuses_to_change_the_history(book, case, statement):
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), book.engine.begin() as connection:
        connection.execute(sa.text(statement))
    verify_book(book)


def test_the_migrations_make_the_tables_that_the_code_knows(book):
    with book.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_two_processes_write_one_chain(book, url, case):
    script = textwrap.dedent("""
        import sys
        from datetime import UTC, datetime
        from stillwatch.cases import add_note, open_book
        book = open_book(sys.argv[1])
        for n in range(15):
            add_note(book, "case-0", text=f"{sys.argv[2]} {n}", by="Ada",
                     now=datetime(2026, 11, 27, tzinfo=UTC))
    """)
    writers = [
        subprocess.Popen([sys.executable, "-c", script, url, name]) for name in ("one", "two")
    ]
    assert [w.wait(timeout=120) for w in writers] == [0, 0]
    assert verify_book(book).entries == 1 + 30


def test_two_processes_may_make_the_same_database(url):
    script = "import sys; from stillwatch.cases import open_book; open_book(sys.argv[1])"
    writers = [subprocess.Popen([sys.executable, "-c", script, url]) for _ in range(3)]
    assert [w.wait(timeout=120) for w in writers] == [0, 0, 0]


def test_a_server_that_is_not_there_is_told(postgres):
    with pytest.raises(InputError, match="cannot be opened"):
        open_book(f"postgresql://hub@127.0.0.1:{postgres.port}/absent")
