"""Purging: what is too old goes, what still acts or can be appealed stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stillwatch.cases import (
    add_note,
    appeal,
    close_case,
    decide,
    in_force,
    purge_book,
    purge_runs,
    read_cases,
    read_decisions,
    read_members,
    read_retention,
    resolve,
    verify_book,
)
from stillwatch.errors import ConfigError, InputError

DAY = timedelta(days=1)


@pytest.fixture
def purge(book, terms):
    return lambda now: purge_book(book, read_retention(), terms=terms, now=now)


def test_a_closed_case_goes_whole_after_its_time(book, case, order, terms, noon, purge):
    decide(book, order(remark="x"), terms=terms, now=noon)
    close_case(book, case, reason="over", by="Ada", now=noon)
    entries = verify_book(book).entries
    assert purge(noon + 89 * DAY) == 0
    assert purge(noon + 91 * DAY) == entries
    assert (read_cases(book), read_decisions(book), read_members(book, case)) == ([], [], [])
    done = verify_book(book)
    assert (done.entries, done.opened, done.erased) == (entries + 1, 1, entries)
    assert purge(noon + 92 * DAY) == 0


def test_an_open_case_stays_but_its_old_notes_go(book, case, noon, purge):
    add_note(book, case, text="old", by="Ada", now=noon)
    add_note(book, case, text="new", by="Ada", now=noon + 50 * DAY)
    assert purge(noon + 91 * DAY) == 1
    assert len(read_cases(book)) == 1
    with book.reading() as connection:
        from stillwatch.cases.tables import notes

        assert [row.text for row in connection.execute(notes.select())] == ["new"]
    verify_book(book)


def test_what_is_in_force_is_never_purged(book, case, order, terms, noon, purge):
    close_case_at = noon + 80 * DAY
    decide(book, order(), terms=terms, now=noon + 79 * DAY)
    close_case(book, case, reason="over", by="Ada", now=close_case_at - 79 * DAY + 79 * DAY)
    assert purge(noon + 100 * DAY) == 0
    assert in_force(book, terms=terms, now=noon + 100 * DAY)


def test_an_open_appeal_and_a_correction_keep_the_case(book, case, order, terms, noon, purge):
    made = decide(book, order(), terms=terms, now=noon)
    held = appeal(book, made.id, "a1", by="x", terms=terms, now=noon)
    close_case(book, case, reason="over", by="Ada", now=noon)
    assert purge(noon + 100 * DAY) == 0
    resolve(book, held.id, upheld=True, by="Cy", reason="x", now=noon + 100 * DAY)
    assert purge(noon + 200 * DAY) == 0
    assert purge(noon + 281 * DAY) > 0
    assert read_cases(book) == []
    verify_book(book)


def test_a_merged_case_goes_and_the_one_that_took_it_in_stays(book, bring, campaign, noon, purge):
    bring(campaign("c-1", "abc"), campaign("c-2", "defg"))
    bring(campaign("c-3", "abcdefgh"))
    assert purge(noon + 91 * DAY) == 2
    assert [c.id for c in read_cases(book)] == ["case-1"]
    verify_book(book)


def test_runs_go_by_their_last_exchange_and_other_folders_stay(make_run, tmp_path, noon):
    old = make_run(until="2026-08-01T00:00:00Z").path
    new = make_run(until="2026-11-01T00:00:00Z").path
    unknown = make_run(until=None).path
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to(old)
    assert purge_runs(tmp_path, read_retention(), now=noon) == [old]
    assert not old.exists()
    assert new.exists()
    assert unknown.exists()
    assert (tmp_path / "photos").exists()
    with pytest.raises(InputError):
        purge_runs(tmp_path / "absent", read_retention(), now=noon)


@pytest.mark.parametrize("text", ["", "[days]\ncases = 90", "[days]\ncases=0\nnotes=1\nruns=1",
                                  "[days]\ncases=true\nnotes=1\nruns=1", "[days", "[d]\nx=1",
                                  "[days]\ncases=1\nnotes=1\nruns=1\nx=1"])  # fmt: skip
def test_wrong_retention_is_refused(tmp_path, text):
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(ConfigError):
        read_retention(tmp_path / "r.toml")
    with pytest.raises(InputError):
        read_retention(tmp_path / "absent.toml")
