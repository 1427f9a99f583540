"""What all requests share: settings, secret, database, rules, and the worker of large envelopes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.errors import ShareRefused
from stillwatch.share.hub.adding import Submitted, add_objects, examine
from stillwatch.share.hub.collections import Collection, collection_by_key
from stillwatch.share.hub.conduct import Record, Recorder, append_events, event, exhausted, use_up
from stillwatch.share.hub.database import Database
from stillwatch.share.hub.envelopes import read_envelope
from stillwatch.share.hub.members import Member, member_by_key
from stillwatch.share.hub.refusals import Refusal
from stillwatch.share.hub.settings import Settings
from stillwatch.share.hub.statuses import failed_resource, finish, pending_resource
from stillwatch.share.hub.structure import Rules, structural
from stillwatch.share.hub.tables import COLLECTION, MEMBER, SUBMISSION
from stillwatch.share.hub.times import DAY_US, micros
from stillwatch.share.hub.visible import Eyes
from stillwatch.share.legal import LegalBasis, in_force, legal_bases

__all__ = ["Clock", "Hub", "database_is_away", "lapsed", "utc_now"]

Clock = Callable[[], datetime]
_POLL_S: Final = 1.0
_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return this moment, UTC."""
    return datetime.now(UTC)


def database_is_away(error: BaseException) -> bool:
    """Return whether an error is the database's (away, full, locked) and not the hub's."""
    return isinstance(error, SQLAlchemyError | OSError) or type(error).__module__.startswith(
        ("asyncpg", "sqlite3")
    )


def lapsed(bases: Sequence[LegalBasis], purpose: str, now: datetime) -> Sequence[str]:
    """Return why nothing may be said or read for a purpose now; nothing where none is demanded."""
    if not bases:
        return ()
    try:
        in_force(bases, purpose, now=now)
    except ShareRefused as error:
        return (f"{error.message}.",)
    return ()


def _purpose_of(stix: Mapping[str, Any]) -> str:
    """Return what an object is said for: what takes back or disputes is a correction."""
    corrects = stix.get("revoked") is True or stix["type"] in {"note", "opinion"}
    return "correction" if corrects else "detection"


@dataclass
class Hub:
    """A hub at work; one per process. Several may share one database and key."""

    settings: Settings
    key: bytes
    database: Database
    rules: Rules
    record: Record | None
    clock: Clock

    def __post_init__(self) -> None:
        self.recorder = Recorder(self.database, self.record)
        self.bases = legal_bases(self.settings.legal_basis)
        self._woken = asyncio.Event()

    @classmethod
    def of(
        cls,
        settings: Settings,
        key: bytes,
        *,
        rules: Rules,
        record: Record | None,
        clock: Clock,
    ) -> Hub:
        """Return a hub whose structural check always comes before that of its rules.

        Raises:
            ConfigError: a legal basis in the settings is none.
        """
        shape = structural(settings.types, settings.max_object_bytes)
        bases = legal_bases(settings.legal_basis)

        def both(stix: Mapping[str, Any]) -> Sequence[str]:
            return (
                shape(stix)
                or lapsed(bases, _purpose_of(stix), clock())
                or (rules.accept(stix) if rules.accept is not None else ())
            )

        every = replace(rules, accept=both)
        return cls(settings, key, Database(settings.database), every, record, clock)

    def now(self) -> int:
        """Return this moment in microseconds."""
        return micros(self.clock())

    async def examine(
        self, objects: Sequence[Mapping[str, Any]], member: Member, collection: Collection
    ) -> list[Submitted]:
        """Return the objects after all checks that need no database, made in a thread."""
        return await asyncio.to_thread(
            examine,
            objects,
            rules=self.rules,
            member=member,
            specs=collection.spec_versions,
            key=self.key,
        )

    async def outline(
        self, objects: Sequence[Mapping[str, Any]], member: Member, collection: Collection
    ) -> list[Submitted]:
        """Return ids and versions of objects that are examined later."""
        return await asyncio.to_thread(
            examine,
            objects,
            rules=Rules(form=self.rules.form),
            member=member,
            specs=collection.spec_versions,
            key=self.key,
        )

    async def submit_now(
        self, objects: list[Submitted], identifier: str, member: Member, collection: Collection
    ) -> str:
        """Add an envelope within the request; return its status resource."""
        received = self.now()
        async with self.database.writing() as connection:
            await _note_submission(connection, identifier, member, collection, received, "{}")
            return await self._add(connection, objects, identifier, member, collection, received)

    async def submit_later(
        self,
        objects: list[Submitted],
        body: bytes,
        identifier: str,
        member: Member,
        collection: Collection,
    ) -> str:
        """Keep an envelope for the worker; return its status resource, pending."""
        received = self.now()
        resource = pending_resource(identifier, received, objects)
        async with self.database.writing() as connection:
            await _note_submission(
                connection, identifier, member, collection, received, resource, body
            )
            used, _ = await use_up(
                connection, member.pk, received // DAY_US, submitted=len(objects)
            )
            if used > member.objects_per_day:
                raise exhausted(received)
        self._woken.set()
        return resource

    async def _add(
        self,
        connection: AsyncConnection,
        objects: list[Submitted],
        identifier: str,
        member: Member,
        collection: Collection,
        received: int,
        reserved: int = 0,
    ) -> str:
        # As it is now: since the request a right may have gone, or an audience come.
        current, audiences = await member_by_key(connection, member.pk)
        collection = await collection_by_key(connection, collection.pk, current)
        if not collection.can_write:
            raise Refusal(403, "You may not write to this collection.")
        # Who may not read sees what is its own: refusals would tell what else is there.
        eyes = (
            Eyes(current.pk, audiences, current.sees_all)
            if collection.can_read
            else Eyes(current.pk, (), False)
        )
        return await add_objects(
            connection,
            objects,
            identifier=identifier,
            member=member,
            eyes=eyes,
            collection=collection,
            key=self.key,
            received=received,
            now=self.now(),
            record=self.record,
            fixed=self.rules.fixed,
            reserved=reserved,
        )

    async def work(self) -> None:
        """Work off large envelopes until cancelled; drop statuses whose time is over."""
        purged = 0
        while True:
            try:
                if self.now() - purged > DAY_US // 24:
                    await self._purge()
                    purged = self.now()
                if await self.work_one():
                    continue
            except Exception as error:  # noqa: BLE001 - the worker outlives a database that is away
                _log.warning("the worker waits: %s", type(error).__name__)
            self._woken.clear()
            try:
                await asyncio.wait_for(self._woken.wait(), _POLL_S)
            except TimeoutError:
                continue

    async def work_one(self) -> bool:
        """Work off the oldest envelope that no other process has taken; return whether one was.

        The whole envelope is one transaction: killed in its midst, it is pending as before.
        """
        oldest = (
            select(SUBMISSION)
            .where(SUBMISSION.c.finished.is_(None), SUBMISSION.c.body.is_not(None))
            .order_by(SUBMISSION.c.received)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self.database.reading() as connection:
            if (
                await connection.execute(oldest.with_only_columns(SUBMISSION.c.id))
            ).first() is None:
                return False
        async with self.database.writing() as connection:
            row = (await connection.execute(oldest)).first()
            if row is None:
                return False
            try:
                async with connection.begin_nested():
                    await self._work_off(connection, row)
            except Refusal as refusal:  # the member or its right is gone
                resource = failed_resource(row.resource, refusal.message)
                await finish(connection, row.id, resource, self.now())
                await self._refused(connection, row, json.loads(resource)["failure_count"])
            except Exception as error:
                if database_is_away(error):
                    raise
                _log.error("an envelope could not be worked off: %s", type(error).__name__)
                await finish(connection, row.id, failed_resource(row.resource), self.now())
            return True

    async def _refused(self, connection: AsyncConnection, row: Any, count: int) -> None:
        """Enter that an envelope was refused whole after it had been taken."""
        pseudonym = await connection.scalar(
            select(MEMBER.c.pseudonym).where(MEMBER.c.pk == row.member)
        )
        collection = await connection.scalar(
            select(COLLECTION.c.id).where(COLLECTION.c.pk == row.collection)
        )
        told = event(
            "refuse", key=self.key, member=str(pseudonym), at=self.now(), collection=collection,
            count=count,
        )  # fmt: skip
        await append_events(connection, [told], self.record)

    async def _work_off(self, connection: AsyncConnection, row: Any) -> None:
        member, _ = await member_by_key(connection, row.member)
        collection = await collection_by_key(connection, row.collection, member)
        objects = read_envelope(row.body, self.settings.max_objects)
        examined = await self.examine(objects, member, collection)
        await self._add(
            connection, examined, row.id, member, collection, row.received, len(examined)
        )

    async def _purge(self) -> None:
        end = self.now() - self.settings.status_days * DAY_US
        async with self.database.writing() as connection:
            await connection.execute(delete(SUBMISSION).where(SUBMISSION.c.finished < end))


async def _note_submission(
    connection: AsyncConnection,
    identifier: str,
    member: Member,
    collection: Collection,
    received: int,
    resource: str,
    body: bytes | None = None,
) -> None:
    """Write down that an envelope came; ``body`` where a worker is to add it later."""
    await connection.execute(
        insert(SUBMISSION).values(
            id=identifier,
            root=collection.root,
            collection=collection.pk,
            member=member.pk,
            received=received,
            resource=resource,
            body=body,
        )
    )
