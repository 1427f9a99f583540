"""The aggregate lane at the hub: members' parts, combined and held against earlier ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from stillwatch.cli.app import run
from stillwatch.errors import InputError
from stillwatch.share import refusals
from stillwatch.share.hub import read_parts
from stillwatch.share.words import EXT

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Desk:
    """What the operator types, on a collection of a hub that serves."""

    def __init__(self, hub, shelf, folder):
        self.hub, self.shelf, self.file = hub, shelf, folder / "parts.jsonl"
        self.operator = hub.login("operator")
        self.members = [hub.login(number=f"part {k}").pseudonym for k in range(11)]

    def publish(self, who, first="2026-03", last="2026-06", by=None, **changed) -> int:
        rows = [
            {"contributor": self.members[k], "campaigns": 2, "accounts": 100, "exchanges": 10_000,
             "methods": ["relay"], **(changed if k == 0 else {})}
            for k in who
        ]  # fmt: skip
        self.file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return run([
            "hub", "figures", str(self.file), "--first", first, "--last", last, "--as",
            by or self.operator.pseudonym, "--collection", self.shelf.id, "--home",
            str(self.hub.home),
        ])  # fmt: skip


@pytest.fixture
def desk(hub, shelf, tmp_path, monkeypatch):
    made = Desk(hub, shelf, tmp_path)
    in_database(hub, "DELETE FROM publication")
    return made


def in_database(hub, statement):
    import asyncio

    from sqlalchemy import text

    from stillwatch.share.hub import read_settings
    from stillwatch.share.hub.database import Database

    async def act():
        database = Database(read_settings(hub.home).database)
        try:
            async with database.writing() as connection:
                await connection.execute(text(statement))
        finally:
            await database.close()

    asyncio.run(act())


def test_figures_of_five_reach_every_member_in_bands(desk, capsys):
    assert desk.publish(range(5)) == 0
    made = json.loads(capsys.readouterr().out)
    told = made["extensions"][EXT["aggregate"]]
    assert (told["contributors"], told["accounts"], told["exchanges"]) == (
        "5-10", "300-1000", "30000-100000",
    )  # fmt: skip
    assert "10000" not in json.dumps(told).replace("10000-", "").replace("100000", "")
    assert not any(name in json.dumps(made) for name in desk.members)
    assert refusals(made, now=datetime.now(UTC)) == ()
    reader = desk.hub.login("reader", tier="observer", number="reads figures")
    assert desk.shelf.ids(desk.hub.login(number="reads")) == [made["id"]]
    assert desk.shelf.get(reader).status_code == 404, "the collection is for tier member"
    mine = [e for e in desk.hub.office.events(None, None) if e["collection"] == desk.shelf.id]
    assert (mine[0]["action"], mine[0]["member"]) == ("submit", desk.operator.pseudonym)


@pytest.mark.parametrize(
    ("who", "more", "why"),
    [
        (range(4), {}, "aggregate-lane: needs 5 contributors"),
        ([0, 1, 2, 3, 3], {}, "each once"),
        (range(5), {"accounts": 134}, "over 25 percent"),
        (range(5), {"campaigns": 0, "accounts": 0, "exchanges": 0}, "above 0"),
        (range(5), {"last": "2026-09"}, "less than 90 days ago"),
        (range(5), {"last": "9999-12"}, "less than 90 days ago"),
        (range(5), {"first": "2026-07"}, "whole months"),
        (range(5), {"contributor": "member-of-nowhere"}, "no members"),
        (range(5), {"by": "member-of-nowhere"}, "no such member"),
        (range(5), {"first": "March"}, "--first"),
    ],
)
def test_what_would_tell_of_one_is_refused(desk, capsys, who, more, why):
    assert desk.publish(who, **more) == 1
    assert why in capsys.readouterr().err
    assert desk.shelf.ids(desk.operator) == []


def test_only_an_operator_publishes(desk, capsys):
    assert desk.publish(range(5), by=desk.members[0]) == 1
    assert "is no operator" in capsys.readouterr().err


def test_no_two_publications_can_be_subtracted(desk, capsys):
    """Six against five leave one; a part of a period leaves the rest of it."""
    assert desk.publish(range(5)) == 0
    for who, more in ((range(6), {}), (range(1, 6), {}), (range(5), {"last": "2026-05"})):
        assert desk.publish(who, **more) == 1
        assert "no-differencing" in capsys.readouterr().err
    assert desk.publish(range(10)) == 0, "five more at once"
    assert desk.publish(range(6), first="2026-01", last="2026-02") == 0, "other months"
    assert len(desk.shelf.ids(desk.operator)) == 3


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "1", '{"contributor": "m", "campaigns": 1, "accounts": 1}', '{"contributor": "m", '
     '"campaigns": -1, "accounts": 1, "exchanges": 1}', '{"contributor": "m", "campaigns": true, '
     '"accounts": 1, "exchanges": 1}', '{"contributor": "m", "campaigns": 1, "accounts": 1, '
     '"exchanges": 1, "price": 2}', '{"contributor": "m", "campaigns": 1, "accounts": 1, '
     '"exchanges": 1, "methods": ["discounts"]}'],
)  # fmt: skip
def test_a_part_that_is_none_names_its_line(tmp_path, line):
    (tmp_path / "parts.jsonl").write_text(f"\n{line}\n")
    with pytest.raises(InputError, match=r"parts\.jsonl:2"):
        read_parts(tmp_path / "parts.jsonl")
