"""What the operator does beside serving: one plain function call each, for the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.errors import ConfigError
from stillwatch.share.hub.collections import add_collection, add_root, grant
from stillwatch.share.hub.conduct import read_events, verify_events
from stillwatch.share.hub.corrections import received_by
from stillwatch.share.hub.database import Database
from stillwatch.share.hub.markings import TIERS
from stillwatch.share.hub.members import (
    add_member,
    add_token,
    disable_member,
    pseudonym_identity,
)
from stillwatch.share.hub.schema import demand_current, upgrade
from stillwatch.share.hub.settings import make_signer, read_key, read_settings
from stillwatch.share.hub.tables import API_ROOT, COLLECTION, MEMBER, VERSION
from stillwatch.share.hub.times import DAY_US, micros, timestamp

__all__ = ["Office", "Received"]

_T = TypeVar("_T")
_MAX_CONTENT: int = 10 * 1024 * 1024


@dataclass(frozen=True)
class Received:
    """Who was handed a version of an object."""

    pseudonym: str
    collection: str
    version: str


class Office:
    """The hub in a folder, from its operator's desk."""

    def __init__(self, home: Path) -> None:
        """Read the settings.

        Raises:
            ConfigError: there is no hub, or its settings are wrong.
        """
        self._home = home
        self._url = read_settings(home).database

    def migrate(self) -> None:
        """Make or alter the tables, and the key that signs checkpoints where there is none."""
        make_signer(self._home)

        async def work() -> None:
            database = Database(self._url)
            try:
                await upgrade(database)
            finally:
                await database.close()

        asyncio.run(work())

    def _write(self, act: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
        async def work() -> _T:
            database = Database(self._url)
            try:
                await demand_current(database)
                async with database.writing() as connection:
                    return await act(connection)
            finally:
                await database.close()

        return asyncio.run(work())

    def add_root(self, slug: str, *, title: str, max_content_length: int = _MAX_CONTENT) -> None:
        """Enter an API root."""
        self._write(
            lambda c: add_root(c, slug=slug, title=title, max_content_length=max_content_length)
        )

    def add_collection(
        self,
        root: str,
        *,
        title: str,
        now: datetime,
        description: str | None = None,
        alias: str | None = None,
        tier: str = "member",
        default_tlp: str = "amber",
        spec_versions: Sequence[str] = ("2.1",),
        identifier: str | None = None,
    ) -> str:
        """Enter a collection; return its id."""
        return self._write(
            lambda c: add_collection(
                c,
                root=root,
                title=title,
                description=description,
                alias=alias,
                tier=tier,
                default_tlp=default_tlp,
                spec_versions=spec_versions,
                at=micros(now),
                identifier=identifier,
            )
        )

    def collections(self) -> list[dict[str, Any]]:
        """Return all collections with the API root of each."""

        async def act(connection: AsyncConnection) -> list[dict[str, Any]]:
            query = (
                select(COLLECTION, API_ROOT.c.slug)
                .join(API_ROOT, API_ROOT.c.pk == COLLECTION.c.root)
                .order_by(COLLECTION.c.pk)
            )
            return [dict(row) for row in (await connection.execute(query)).mappings()]

        return self._write(act)

    def add_member(
        self,
        label: str,
        *,
        now: datetime,
        role: str = "contributor",
        tier: str = "member",
        purpose: str = "detection",
        pseudonymous: bool = True,
        objects_per_day: int = 100_000,
        reads_per_day: int = 10_000_000,
        token_days: int | None = None,
    ) -> tuple[str, str]:
        """Enter a member; return its pseudonym and its token, which is shown this once."""

        async def act(connection: AsyncConnection) -> tuple[str, str]:
            at = micros(now)
            pseudonym = await add_member(
                connection,
                label=label,
                role=role,
                tier=tier,
                purpose=purpose,
                pseudonymous=pseudonymous,
                objects_per_day=objects_per_day,
                reads_per_day=reads_per_day,
                at=at,
            )
            ends = None if token_days is None else at + token_days * DAY_US
            token = await add_token(connection, pseudonym, at=at, expires=ends, replace=False)
            return pseudonym, token

        return self._write(act)

    def identity(self, pseudonym: str) -> str:
        """Return the STIX identity that the hub puts under what a pseudonymous member sends."""
        return pseudonym_identity(read_key(self._home), pseudonym)

    def new_token(self, pseudonym: str, *, now: datetime, days: int | None, replace: bool) -> str:
        """Make another token of a member; ``replace`` ends the others."""
        at = micros(now)
        ends = None if days is None else at + days * DAY_US
        return self._write(lambda c: add_token(c, pseudonym, at=at, expires=ends, replace=replace))

    def disable(self, pseudonym: str, *, now: datetime) -> None:
        """End a member's access."""
        self._write(lambda c: disable_member(c, pseudonym, at=micros(now)))

    def members(self) -> list[dict[str, Any]]:
        """Return all members, with the names of their tiers."""

        async def act(connection: AsyncConnection) -> list[dict[str, Any]]:
            rows = (await connection.execute(select(MEMBER).order_by(MEMBER.c.pk))).mappings()
            return [{**row, "tier": TIERS[row["tier"]]} for row in rows]

        return self._write(act)

    def grant(self, pseudonym: str, collection: str, rights: str) -> None:
        """Give a member rights of its own on a collection."""
        self._write(lambda c: grant(c, pseudonym=pseudonym, collection=collection, rights=rights))

    def received(self, object_id: str) -> list[Received]:
        """Return who was handed which version of an object that is here."""

        async def act(connection: AsyncConnection) -> list[Received]:
            query = select(
                VERSION.c.collection, VERSION.c.added, VERSION.c.version_text, COLLECTION.c.id
            ).join(COLLECTION, COLLECTION.c.pk == VERSION.c.collection)
            rows = (await connection.execute(query.where(VERSION.c.object_id == object_id))).all()
            members = select(MEMBER.c.pk, MEMBER.c.pseudonym)
            names: dict[int, str] = {
                row.pk: row.pseudonym for row in await connection.execute(members)
            }
            found = [
                Received(names[member], row.id, row.version_text)
                for row in rows
                for member in await received_by(connection, row.collection, {row.added})
            ]
            return sorted(found, key=lambda r: (r.collection, r.version, r.pseudonym))

        return self._write(act)

    def verify(self, last: str | None = None) -> tuple[int, str | None]:
        """Return how many events the chain holds, and its last digest.

        Raises:
            EvidenceError: the chain was changed, or does not contain ``last``.
        """

        async def work() -> tuple[int, str | None]:
            database = Database(self._url)
            try:
                return await verify_events(database, last=last)
            finally:
                await database.close()

        return asyncio.run(work())

    def events(self, since: datetime | None, until: datetime | None) -> list[dict[str, Any]]:
        """Return the events of a period with their numbers and digests.

        Raises:
            ConfigError: the period ends before it begins.
        """
        if since is not None and until is not None and until < since:
            raise ConfigError("the period ends before it begins", where="--until")
        low = "" if since is None else timestamp(micros(since))
        high = "~" if until is None else timestamp(micros(until))

        async def act(connection: AsyncConnection) -> list[dict[str, Any]]:
            return [
                {"number": link.number, **link.value, "digest": link.own}
                async for link in read_events(connection)
                if low <= link.value["time"] < high
            ]

        return self._write(act)
