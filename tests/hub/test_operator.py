"""The operator's side: settings, tables, commands, and that a page stays one look into an index."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from stillwatch.cli.app import run
from stillwatch.errors import ConfigError
from stillwatch.share.hub import Office, make_home, read_key, read_settings
from stillwatch.share.hub.database import Database
from stillwatch.share.hub.filters import Filter
from stillwatch.share.hub.tables import METADATA
from stillwatch.share.hub.visible import Eyes, versions_sql


def in_database(server, work):
    async def act():
        database = Database(read_settings(server.home).database)
        try:
            async with database.writing() as connection:
                return await work(connection)
        finally:
            await database.close()

    return asyncio.run(act())


def test_the_steps_of_alembic_lead_to_the_tables_of_the_code(hub):
    def differences(connection):
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)

    assert in_database(hub, lambda c: c.run_sync(differences)) == []


def test_the_operator_is_told_where_it_will_serve(hub):
    assert f"Will serve 'A hub' at {hub.url}; Ctrl-C ends it." in hub.log.read_text("utf-8")


@pytest.mark.parametrize("sees_all", [False, True])
def test_a_page_is_read_in_the_order_of_an_index(hub, shelf, make_indicator, sees_all):
    """No sort and no pass over the collection, however many objects there are."""
    me = hub.login()
    for _ in range(3):
        shelf.add(me, *(make_indicator() for _ in range(1_000)))

    async def plan(connection):
        key = await connection.scalar(
            text("SELECT pk FROM collection WHERE id = :id"), {"id": shelf.id}
        )
        if connection.dialect.name == "postgresql":
            await connection.execute(text("ANALYZE version"))
        query, parameters = versions_sql(
            Eyes(1, [1, 2], sees_all), key, Filter(), several_specs=False,
            columns=("added", "object_id", "body"), after=1, most=101,
        )  # fmt: skip
        literal = query.params(parameters).compile(
            dialect=connection.dialect, compile_kwargs={"literal_binds": True}
        )
        explain = "EXPLAIN " if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
        rows = await connection.exec_driver_sql(explain + str(literal).replace("%", "%%"))
        return "\n".join(str(row[-1]) for row in rows)

    told = in_database(hub, plan)
    if "QUERY PLAN" in told or "->" in told:
        outer = told.split("SubPlan")[0]
        assert "Index Scan using uq_version_collection_added" in outer
        assert "Seq Scan" not in told
        assert "Sort" not in outer
    else:
        assert "uq_version_collection_added" in told or "sqlite_autoindex_version" in told
        assert "SCAN" not in told
        assert "USE TEMP B-TREE FOR ORDER BY" not in told.split("CORRELATED")[0]


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ('colour = "blue"', "colour"),
        ("page_size = 0", "page_size"),
        ('purpose = "maybe"', "purpose"),
        ('public_url = "http://plain.example/"', "public_url"),
        ("title = 7", "title"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, line, where):
    make_home(tmp_path / "hub", title="A hub", database="sqlite:///hub.sqlite", rules="structure")
    file = tmp_path / "hub" / "hub.toml"
    kept = [x for x in file.read_text().splitlines() if not x.startswith(line.split()[0])]
    file.write_text("\n".join([*kept, line]) + "\n")
    with pytest.raises(ConfigError, match=where):
        read_settings(tmp_path / "hub")


def test_a_database_that_is_neither_is_refused(tmp_path):
    make_home(tmp_path / "hub", title="A hub", database="mysql://x/y", rules="structure")
    with pytest.raises(ConfigError, match="sqlite and postgresql"):
        Office(tmp_path / "hub").migrate()


def test_a_new_hub_keeps_its_key_to_itself_and_is_not_overwritten(tmp_path):
    home = tmp_path / "hub"
    make_home(home, title="A hub", database="sqlite:///hub.sqlite", rules="structure")
    assert len(read_key(home)) == 32
    assert os.stat(home / "hub.key").st_mode & 0o077 == 0
    assert os.stat(home / "hub.toml").st_mode & 0o077 == 0
    with pytest.raises(ConfigError, match="already"):
        make_home(home, title="A hub", database="sqlite:///hub.sqlite", rules="structure")


def test_the_first_hour_by_commands(tmp_path, capsys):
    """As docs/hub.md tells it, but for serving."""
    home = str(tmp_path / "hub")

    def said(*words: str) -> str:
        assert run(["hub", *words, "--home", home]) == 0
        return capsys.readouterr().out

    assert "technical" in said("init", "--title", "Distillation warnings")
    pseudonym, token, identity = said("member", "add", "First Provider, contract 17").split()
    assert pseudonym.startswith("member-")
    assert identity == Office(tmp_path / "hub").identity(pseudonym)
    assert len(said("member", "add", "test suite", "--named").split()) == 2
    assert token.startswith("swh_")
    assert len(said("collection", "add", "Test", "--stix", "2.0", "--stix", "2.1").strip()) == 36
    assert "2.0,2.1" in said("collection", "list")
    assert said("member", "token", pseudonym).strip() != token
    said("member", "grant", pseudonym, "technical", "r")
    said("member", "disable", pseudonym)
    assert "disabled" in said("member", "list")
    assert "First Provider" in said("member", "list")
    assert token not in said("member", "list")
    assert "0 events" in said("verify")
    assert said("events") == ""
    assert "Nobody" in said("received", "indicator--x")
    said("migrate")


@pytest.mark.parametrize(
    "words",
    [
        ["member", "add", "x", "--role", "king"],
        ["member", "add", "x", "--tier", "low"],
        ["member", "add", "x", "--purpose", "pricing"],
        ["member", "disable", "member-none"],
        ["member", "grant", "member-none", "technical", "rw"],
        ["collection", "add", "x", "--tlp", "blue"],
        ["collection", "add", "x", "--alias", "technical"],
        ["collection", "add", "x", "--root", "nowhere"],
        ["events", "--since", "yesterday"],
        ["serve", "--host", "0.0.0.0"],
    ],
)
def test_a_wrong_command_says_what_and_ends_with_1(tmp_path, capsys, words):
    home = tmp_path / "hub"
    make_home(home, title="A hub", database="sqlite:///hub.sqlite", rules="structure")
    office = Office(home)
    office.migrate()
    office.add_root("exchange", title="A root")
    office.add_collection("exchange", title="T", alias="technical", now=datetime.now(UTC))
    assert run(["hub", *words, "--home", str(home)]) == 1
    assert "Error:" in capsys.readouterr().err


def test_a_public_url_makes_the_api_roots_absolute(new_hub):
    server = new_hub(settings='public_url = "https://hub.example:8443"\n')
    server.start()
    with server.client(server.login()) as client:
        told = client.get("/taxii2/").json()
    assert told["api_roots"] == ["https://hub.example:8443/api/"]
    assert json.dumps(told).count("http://") == 0
