"""What people wrote down about accounts, and databases of the version before."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from stillwatch.cases import (
    add_note,
    erase_from_book,
    label,
    mentions,
    open_book,
    read_labels_on,
    read_notes_on,
    tally_labels,
    verify_book,
)
from stillwatch.cases.book import _MIGRATIONS
from stillwatch.errors import ConfigError


def test_a_note_is_on_an_account_of_its_case_and_goes_with_its_erasure(book, case, noon):
    add_note(book, "case-0", text="a1 answered", by="Ada", now=noon, account_id="a1")
    add_note(book, "case-0", text="of the case", by="Ada", now=noon)
    assert [(n.account_id, n.text) for n in read_notes_on(book, "a1")] == [("a1", "a1 answered")]
    assert read_notes_on(book, "a2") == []
    with pytest.raises(ConfigError, match="never in the case"):
        add_note(book, "case-0", text="x", by="Ada", now=noon, account_id="stranger")
    verify_book(book)
    erase_from_book(book, "a1", by="Dee", now=noon)
    assert read_notes_on(book, "a1") == []
    verify_book(book)


@pytest.mark.parametrize(
    ("text", "found"),
    [("@Ada look", True), ("thanks @ADA.", True), ("(@ada)", True), ("@adam", False),
     ("ada", False), ("mail@ada", True), ("@adam and @ada", True)],
)  # fmt: skip
def test_who_is_named_in_a_note(book, case, noon, text, found):
    add_note(book, "case-0", text=text, by="Bo", now=noon)
    assert mentions(book, "Ada") == ({"case-0"} if found else set())


def test_of_several_labels_of_an_account_the_newest_counts(book, case, noon):
    for account, verdict in (("a1", "true"), ("a2", "false"), ("a1", "unsure")):
        label(book, "case-0", account, verdict=verdict, reason=f"so {verdict}", by="Ada", now=noon)
    assert dict(tally_labels(book)["case-0"]) == {"unsure": 1, "false": 1}
    newest, first = read_labels_on(book, "a1")
    assert (newest.label, newest.reason) == ("unsure", "so unsure")
    assert (first.label, first.reason) == ("true", "so true")


def test_a_database_of_the_version_before_gets_the_reasons_of_its_labels(tmp_path):
    file = tmp_path / "old.db"
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(sa.text("INSERT INTO bodies VALUES (0, 's', :body)"),
                           {"body": json.dumps({"reason": "they said so"})})  # fmt: skip
        connection.execute(sa.text("INSERT INTO labels VALUES (0, 'a1', 'case-0', 'true', 'A', 1)"))
    engine.dispose()
    book = open_book(file)
    assert [x.reason for x in read_labels_on(book, "a1")] == ["they said so"]
    book.close()
