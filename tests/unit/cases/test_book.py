"""The database: append-only, chained, one writer at a time, no way back in time."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from stillwatch.cases import (
    add_note,
    assign,
    decide,
    in_force,
    label,
    open_book,
    read_case,
    read_evidence,
    verify_book,
)
from stillwatch.cases.tables import metadata
from stillwatch.errors import ConfigError, EvidenceError, InputError


@pytest.fixture
def raw(book, tmp_path, case, order, terms, noon):
    """Return a way into the file beside this program, once a case and a decision are in it."""
    decide(book, order(), terms=terms, now=noon)

    def change(*statements):
        with sqlite3.connect(tmp_path / "cases.db") as connection:
            for statement in statements:
                connection.execute(statement)

    return change


DROP = ("DROP TRIGGER history_no_update", "DROP TRIGGER history_no_delete")


def test_what_was_written_verifies(book, raw):
    done = verify_book(book)
    assert (done.entries, done.opened, done.erased) == (3, 3, 0)
    assert verify_book(book, last=done.last) == done


@pytest.mark.parametrize("statement", ["UPDATE history SET value = '{}'", "DELETE FROM history"])
def test_the_database_refuses_to_change_the_history(raw, statement):
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw(statement)


@pytest.mark.parametrize(
    ("statements", "match"),
    [((*DROP, "UPDATE history SET value = replace(value, 'decision.made', 'x')"), "entry 1"),
     ((*DROP, "DELETE FROM history WHERE number = 1"), "entry 1"),
     ((*DROP, "DELETE FROM history WHERE number = 2"), "entry|body"),
     (("UPDATE bodies SET body = replace(body, 'Ada', 'Eve')",), "changed after"),
     (("DELETE FROM bodies WHERE number = 0",), "missing"),
     (("INSERT INTO bodies VALUES (99, 'x', '{}')",), "without an entry"),
     (("UPDATE decisions SET verdict = 'watch'",), "table decisions"),
     (("UPDATE decisions SET expires_us = expires_us + 1",), "table decisions"),
     (("DELETE FROM members WHERE account_id = 'a2'",), "table members"),
     (("INSERT INTO corrections VALUES (9, 'a1', 'c', 'c', 'd', 'x', 1)",), "table corrections")],
)  # fmt: skip
def test_tampering_beside_the_program_is_found(book, raw, statements, match):
    raw(*statements)
    with pytest.raises(EvidenceError, match=match):
        verify_book(book)


def test_a_cut_end_is_found_with_the_digest_kept_elsewhere(book, raw, case, noon):
    add_note(book, case, text="last", by="Ada", now=noon)
    kept = verify_book(book).last
    raw(*DROP, "DELETE FROM history WHERE number = 3", "DELETE FROM bodies WHERE number = 3",
        "DELETE FROM notes")  # fmt: skip
    verify_book(book)
    with pytest.raises(EvidenceError, match="end is cut"):
        verify_book(book, last=kept)


def test_a_clock_that_was_set_back_writes_nothing(book, case, order, terms, noon):
    before = verify_book(book).last
    with pytest.raises(ConfigError, match="behind the last entry"):
        decide(book, order(), terms=terms, now=noon - timedelta(hours=1))
    assert verify_book(book).last == before


def test_a_clock_a_little_behind_writes_the_last_time(book, case, order, terms, noon):
    made = decide(book, order(), terms=terms, now=noon - timedelta(minutes=2))
    assert made.at == noon


def test_a_clock_set_back_does_not_revive_an_expired_decision(book, case, order, terms, noon):
    hour = timedelta(hours=1)
    decide(book, order(expires=noon + hour), terms=terms, now=noon)
    add_note(book, case, text="later", by="Ada", now=noon + 2 * hour)
    assert in_force(book, terms=terms, now=noon + hour / 2) == {}


def test_an_error_inside_a_transaction_leaves_nothing(book, case, noon):
    before = verify_book(book)

    def half():
        with book.writing(noon) as writer:
            writer.add("case.note", {"case_id": case, "text": "x", "by": "Ada"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert verify_book(book) == before


def test_two_processes_write_one_chain(tmp_path, book, case, noon):
    script = textwrap.dedent("""
        import sys
        from datetime import UTC, datetime
        from stillwatch.cases import add_note, open_book
        book = open_book(sys.argv[1])
        for n in range(25):
            add_note(book, "case-0", text=f"{sys.argv[2]} {n}", by="Ada",
                     now=datetime(2026, 11, 27, tzinfo=UTC))
    """)
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "cases.db"), name])
        for name in ("one", "two", "three")
    ]
    assert [w.wait(timeout=120) for w in writers] == [0, 0, 0]
    assert verify_book(book).entries == 1 + 75
    with book.reading() as connection:
        told = [r[0] for r in connection.execute(sa.text("SELECT text FROM notes ORDER BY number"))]
    for name in ("one", "two", "three"):
        assert [t for t in told if t.startswith(f"{name} ")] == [f"{name} {n}" for n in range(25)]


def test_two_processes_may_make_the_same_database(tmp_path):
    script = "import sys; from stillwatch.cases import open_book; open_book(sys.argv[1])"
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "new.db")]) for _ in range(3)
    ]
    assert [w.wait(timeout=120) for w in writers] == [0, 0, 0]


def test_the_migrations_make_the_tables_that_the_code_knows(book):
    with book.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


def test_opening_again_changes_nothing(tmp_path, book, raw):
    before = verify_book(book)
    again = open_book(tmp_path / "cases.db")
    assert verify_book(again) == before
    again.close()


def test_what_a_newer_stillwatch_has_opened_is_told(tmp_path, book):
    with book.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(InputError, match="does not know") as caught:
        open_book(tmp_path / "cases.db")
    assert "update" in (caught.value.hint or "")


def test_what_is_no_database_is_refused(tmp_path):
    (tmp_path / "x.db").write_bytes(b"this is text and no database at all, not even nearly" * 20)
    with pytest.raises(InputError, match="cannot be opened"):
        open_book(tmp_path / "x.db")
    with pytest.raises(InputError, match="cannot be opened"):
        open_book(tmp_path / "no" / "folder.db")


def test_the_chain_holds_no_account_and_no_name(book, raw):
    with book.reading() as connection:
        values = " ".join(connection.scalars(sa.text("SELECT value FROM history")))
    for word in ("Ada", '"a1"', "case-0", "c-1", "decision-1"):
        assert word not in values


def test_people_are_assigned_and_their_labels_kept(book, case, noon):
    assign(book, case, to="Bo", by="Ada", now=noon)
    assert read_case(book, case).assigned_to == "Bo"
    label(book, case, "a1", verdict="true", reason="seen", by="Bo", now=noon)
    for wrong in ({"verdict": "guilty"}, {"reason": " "}, {"by": "rule:x"}):
        with pytest.raises(ConfigError):
            label(book, case, "a1", **{"verdict": "true", "reason": "r", "by": "Bo", "now": noon,
                                       **wrong})  # fmt: skip
    with pytest.raises(ConfigError, match="never in the case"):
        label(book, case, "zz", verdict="true", reason="r", by="Bo", now=noon)


def test_the_evidence_is_the_campaign_as_it_was_seen(book, case):
    held = read_evidence(book, case)
    assert held["campaign_id"] == "c-1"
    assert len(held["members"]) == 5


def test_an_error_of_the_database_quotes_no_value(book, raw, case):
    raw("DROP TABLE labels")
    with pytest.raises(InputError, match="failed") as caught:
        verify_book(book)
    assert "labels" not in str(caught.value)
