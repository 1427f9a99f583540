"""A filled hub of migration 0002 is brought to the present one, and says what it said.

`version_0002.sql` was written by the code of that version (6fb8100, rules antitrust): what two
contributors submitted, in two audiences, a refusal, a revoked and a deleted object, reads, a
correction, a disabled member, a signed checkpoint. `version_0002.json` is what that code answered.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from old_rows import copied

from stillwatch.errors import StillwatchError
from stillwatch.share import content
from stillwatch.share.hub.database import Database
from stillwatch.share.hub.schema import _config
from stillwatch.share.hub.tables import METADATA

HELD = Path(__file__).parents[1] / "fixtures" / "hub"
OLD = json.loads((HELD / "version_0002.json").read_text("utf-8"))
KIND = "PRIVATE KEY"  # of this test's hub alone
COLLECTION = OLD["collection"]
SETTINGS = """
title = "An old hub"
rules = "antitrust"
status_days = 36500
"""


def old_home(folder: Path, database: str) -> Path:
    home = folder / "hub"
    home.mkdir()
    ledger = f"-----BEGIN {KIND}-----\n{OLD['ledger_key']}\n-----END {KIND}-----\n"
    for name, text in (("hub.key", OLD["hub_key"] + "\n"), ("ledger", ledger)):
        (home / name).write_text(text)
        (home / name).chmod(0o600)
    (home / "hub.toml").write_text(f'database = "{database}"\n{SETTINGS}')
    with sqlite3.connect(home / "hub.sqlite") as made:
        made.executescript((HELD / "version_0002.sql").read_text("utf-8"))
    made.close()
    return home


def worked(url: str, act: Any) -> Any:
    """Return what a function of a connection returns, on a hub's database."""

    async def work() -> Any:
        database = Database(url)
        try:
            async with database.writing() as connection:
                return await connection.run_sync(act)
        finally:
            await database.close()

    return asyncio.run(work())


def moved(file: Path) -> Any:
    """Copy the rows of a file into tables that the migrations up to 0002 make on a server."""

    def act(connection: sa.Connection) -> None:
        command.upgrade(_config(connection), "0002")
        for table, held in copied(connection, file):
            counted = [
                c.name for c in table.primary_key if "nextval" in str(c.server_default or "")
            ]
            for name in counted or [c.name for c in table.primary_key if c.name == "pk"]:
                sequence = connection.scalar(
                    sa.text(f"SELECT pg_get_serial_sequence('{table.name}', '{name}')")
                )
                if sequence and held:
                    top = max(row[name] for row in held)
                    connection.execute(sa.select(sa.func.setval(sequence, top)))

    return act


@pytest.fixture
def old(database_kind: str, database: str, tmp_path: Path) -> tuple[Path, str]:
    home = old_home(tmp_path, database)
    if database_kind == "sqlite":
        return home, f"sqlite:///{home / 'hub.sqlite'}"
    worked(database, moved(home / "hub.sqlite"))
    return home, database


def counts(connection: sa.Connection) -> dict[str, int]:
    return {
        name: int(connection.scalar(sa.text(f'SELECT count(*) FROM "{name}"')) or 0)
        for name in OLD["rows"]
    }


def test_a_filled_hub_of_an_older_version_says_what_it_said(old, server_of):
    home, url = old
    server = server_of(home)
    with pytest.raises(StillwatchError, match="0002"):
        server.office.members()
    server.office.migrate()
    assert worked(url, counts) == OLD["rows"], "not a row is lost or doubled"
    differences = worked(url, lambda c: compare_metadata(MigrationContext.configure(c), METADATA))
    assert differences == []
    entries, last = OLD["verified"]
    assert server.office.verify(last) == (entries, last), "the chain and its checkpoint hold"
    server.start()
    for name, said in OLD["said"].items():
        headers = {"Authorization": f"Bearer {OLD['tokens'][name]}"}
        for path, (status, body) in said.items():
            where = path.replace("COL", COLLECTION)
            answer = httpx.get(server.url + where, headers=headers)
            text = answer.text.replace(COLLECTION, "COL").replace(OLD["strict"], "STRICT")
            assert (answer.status_code, json.loads(text or "null")) == (status, body), (name, path)
    gone = httpx.get(
        f"{server.url}/taxii2/", headers={"Authorization": f"Bearer {OLD['tokens']['gone']}"}
    )
    assert gone.status_code == 401
    goes_on(server)


def goes_on(server: Any) -> None:
    """Members submit to it, corrections reach who received before, the ledger continues."""
    objects = OLD["said"]["one"]["/exchange/collections/COL/objects/?match[version]=all"][1]
    frame = next(
        one for one in objects["objects"]
        if one["type"] == "indicator" and "frame_head_8" in one["name"].replace(" ", "_")
    )  # fmt: skip
    now = datetime.fromisoformat("2026-11-01T00:00:00+00:00")
    revoked = {**frame, "revoked": True, "modified": "2026-11-01T00:00:00.000Z"}
    note = content.note("deletion", [frame["id"]], by=frame["created_by_ref"], created=now)
    path = f"{server.url}/exchange/collections/{COLLECTION}/"
    headers = {"Content-Type": "application/taxii+json;version=2.1"}
    sent = httpx.post(
        f"{path}objects/", json={"objects": [revoked, note]},
        headers={**headers, "Authorization": f"Bearer {OLD['tokens']['one']}"},
    )  # fmt: skip
    assert sent.json()["success_count"] == 2, sent.text
    reader = {"Authorization": f"Bearer {OLD['tokens']['reader']}"}
    told = httpx.get(f"{path}corrections/", headers=reader).json()
    assert frame["id"] in json.dumps(told)
    entries, last = OLD["verified"]
    assert server.office.verify(last)[0] > entries
