"""A filled case database of version 0002 is brought to the present one, and says what it said.

`version_0002.sql` was written by the code of that version (fb4c154: decisions of one and of two
people, an appeal upheld and one that waits, an undo, notes, labels, a sighting, a rescan that let
two cases grow, an erasure), `version_0002.json` is what that code read in it.
"""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command as alembic_command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from old_rows import copied

from stillwatch.cases import (
    attach,
    effects,
    enter_refusals,
    in_force,
    open_book,
    read_appeals,
    read_attachments,
    read_cases,
    read_decisions,
    read_labels_on,
    read_lines,
    read_members,
    read_notes_on,
    read_notice,
    resolve,
    settle,
    verify_book,
)
from stillwatch.cases.book import _MIGRATIONS
from stillwatch.cases.tables import metadata

HELD = Path(__file__).parents[2] / "fixtures" / "casebook"
SAID = json.loads((HELD / "version_0002.json").read_text("utf-8"))
AT = datetime.fromisoformat(SAID["at"])


def old_file(folder: Path) -> Path:
    file = folder / "cases.db"
    with sqlite3.connect(file) as made:
        made.executescript((HELD / "version_0002.sql").read_text("utf-8"))
    made.close()
    return file


def old_server(folder: Path, url: str) -> str:
    """The same rows in tables that the migrations up to 0002 made on a server."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+pg8000://", 1))
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic_command.upgrade(config, "0002")
        assert any(held for _, held in list(copied(connection, old_file(folder))))
    engine.dispose()
    return url


@pytest.fixture(params=["a file", "a server"])
def upgraded(request, tmp_path):
    if request.param == "a file":
        where = old_file(tmp_path)
    else:
        server = request.getfixturevalue("postgres")
        where = old_server(tmp_path, server.database(f"up{abs(hash(request.node.name)) % 10**12}"))
    opened = open_book(where)
    yield opened
    opened.close()


def test_everything_that_was_said_is_there_and_the_chain_verifies(upgraded, terms):
    checked = verify_book(upgraded)
    assert (checked.entries, checked.opened, checked.erased) == (30, 27, 3)
    with upgraded.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    cases = read_cases(upgraded)
    assert [
        [c.id, list(c.campaign_ids), c.state, c.opened.isoformat(), c.merged_into, c.assigned_to,
         c.evidence_digest] for c in cases
    ] == SAID["cases"]  # fmt: skip
    assert {c.kind for c in cases} == {"campaign"}
    assert {
        c.id: [list(m) for m in read_members(upgraded, c.id)] for c in cases
    } == SAID["members"]  # fmt: skip
    decisions = read_decisions(upgraded)
    assert [
        [d.id, d.case_id, d.subject, d.scope, sorted(d.accounts), d.verdict, d.reason,
         d.evidence_digest, d.by, d.at.isoformat(), d.expires.isoformat(), d.undoes,
         d.approved_by, d.pending] for d in decisions
    ] == SAID["decisions"]  # fmt: skip
    assert [
        [a.id, a.decision, a.account_id, a.state, a.by, a.at.isoformat(), a.due.isoformat(),
         a.outcome, a.resolved_by] for a in read_appeals(upgraded)
    ] == SAID["appeals"]  # fmt: skip
    assert {
        d.id: read_notice(upgraded, d.id, d.accounts[0]) for d in decisions if d.id in
        SAID["notices"]
    } == SAID["notices"]  # fmt: skip
    assert SAID["notes"] == {a: [n.text for n in read_notes_on(upgraded, a)] for a in SAID["notes"]}
    labels = {a: [held.label for held in read_labels_on(upgraded, a)] for a in SAID["labels"]}
    assert labels == SAID["labels"]
    assert len(read_lines(upgraded, now=AT)) == len(cases)


def test_what_scan_and_guard_are_asked_for_is_the_same(upgraded, terms):
    now = {k: v for k, v in effects(upgraded, terms=terms, now=AT).items() if k != "eased"}
    assert json.loads(json.dumps(now)) == {k: v for k, v in SAID["effects"].items() if k != "eased"}
    standing = in_force(upgraded, terms=terms, now=AT)
    assert sorted([k, v.verdict, v.decision_id] for k, v in standing.items()) == SAID["in_force"]


def test_and_what_is_new_since_goes_on_from_there(upgraded, terms):
    """The appeal that waited is heard, a file is attached, a refusal by ownership is entered."""
    case_id = SAID["cases"][1][0]
    attach(upgraded, case_id, name="a.txt", data=b"x", by="Ada", now=AT)
    assert [held.name for held in read_attachments(upgraded, case_id)] == ["a.txt"]
    assert not enter_refusals(upgraded, [], {}, {}, terms=terms, now=AT).decisions
    (waits,) = [a for a in read_appeals(upgraded) if a.state == "open"]
    assert resolve(upgraded, waits.id, upheld=True, by="Cy", reason="also", now=AT).state == (
        "upheld"
    )
    assert settle(upgraded, now=AT + timedelta(days=9)) == []
    assert verify_book(upgraded).entries > 32
