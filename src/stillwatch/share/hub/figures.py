"""The aggregate lane: the operator combines what contributors told it alone, and publishes bands.

1. Each contributor is a member; its figures are exact, come from outside, and are not kept.
2. `share.lanes` decides: five contributors and more, none over a quarter, whole months that ended
   90 days ago, and no publication from which an earlier one leaves fewer than five.
3. What was published of whom stays in the database, and the report goes into the collection, in one
   transaction. By TAXII nobody submits such a report, not even the operator: nothing would hold it
   against what was published.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, insert, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.errors import ConfigError, InputError, ShareRefused, why
from stillwatch.share import content
from stillwatch.share.antitrust import normal, require
from stillwatch.share.catalogue import CATALOGUE
from stillwatch.share.hub.adding import add_objects, examine
from stillwatch.share.hub.collections import Collection, collection_by_key
from stillwatch.share.hub.database import Database
from stillwatch.share.hub.members import Member, member_by_key, member_key, pseudonym_identity
from stillwatch.share.hub.schema import demand_current
from stillwatch.share.hub.settings import read_key, read_settings
from stillwatch.share.hub.structure import Rules
from stillwatch.share.hub.tables import COLLECTION, MEMBER, PUBLICATION
from stillwatch.share.hub.times import micros
from stillwatch.share.hub.visible import Eyes
from stillwatch.share.lanes import Contribution, Publication, combine
from stillwatch.share.legal import in_force, legal_bases
from stillwatch.share.words import SHARED_METHODS

__all__ = ["publish_figures", "read_parts"]

_COUNTS: Final = ("campaigns", "accounts", "exchanges")
_TECHNIQUE: Final = "AML.T0024.002"  # what all of them are about: a report refers to something


def read_parts(file: Path) -> list[Contribution]:
    """Return the contributions of a file of JSON lines.

    A line: ``contributor`` (a member's pseudonym), ``campaigns``, ``accounts``, ``exchanges``, and
    ``methods``, which may be missing.

    Raises:
        InputError: it cannot be read; a line is none. The line is named, its values are not.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(file)) from error
    return [_part(text, f"{file.name}:{k}") for k, text in enumerate(lines, 1) if text.strip()]


def _part(line: str, where: str) -> Contribution:
    hint = "a JSON object: contributor, campaigns, accounts, exchanges, methods"
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise InputError("not JSON", where=where, hint=hint) from None
    if not isinstance(row, dict) or set(row) - {"methods"} != {"contributor", *_COUNTS}:
        raise InputError("lacks a field or has another", where=where, hint=hint)
    for name in _COUNTS:
        if type(row[name]) is not int or row[name] < 0:
            raise InputError("is no whole number from 0", where=f"{where}.{name}")
    methods = row.get("methods", [])
    if not isinstance(methods, list) or not set(map(str, methods)) <= set(SHARED_METHODS):
        raise InputError(f"are not of {', '.join(SHARED_METHODS)}", where=f"{where}.methods")
    campaigns, accounts, exchanges = (row[name] for name in _COUNTS)
    return Contribution(
        str(row["contributor"]), campaigns, accounts, exchanges, frozenset(map(str, methods))
    )


def publish_figures(
    home: Path, parts: Sequence[Contribution], first: datetime, last: datetime, *, operator: str,
    collection: str, now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """Publish the figures of whole months, ``first`` to ``last``; return the report.

    ``operator``: the pseudonym of a member with that role, under whose identity it stands.

    Raises:
        ShareRefused: rules ``aggregate-lane``, ``no-differencing``, ``legal-basis``.
        ConfigError: no such operator, collection or contributor.
    """
    settings, key = read_settings(home), read_key(home)
    bases = legal_bases(settings.legal_basis)
    if bases:
        in_force(bases, "measurement", now=now)

    async def work() -> dict[str, Any]:
        database = Database(settings.database)
        try:
            await demand_current(database)
            async with database.writing() as connection:
                await _alone(connection)
                member, audiences = await _operator(connection, operator)
                where = await _collection(connection, collection, member)
                await _demand_members(connection, parts)
                figures, kept = combine(parts, first, last, await _earlier(connection), now=now)
                at = await _after_the_last(connection, now)
                made = _report(figures, pseudonym_identity(key, operator), at)
                await _add(connection, made, member, audiences, where, key, now)
                await _keep(connection, kept, at)
                return made
        finally:
            await database.close()

    return asyncio.run(work())


def _report(figures: Mapping[str, Any], by: str, now: datetime) -> dict[str, Any]:
    refs = [content.atlas_id(_TECHNIQUE)]
    made = normal(content.aggregate(figures, refs, by=by, published=now))
    require(made, now=now)
    return made


async def _alone(connection: AsyncConnection) -> None:
    """Wait until nobody else publishes: each must see what the other did. SQLite has one writer."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("LOCK TABLE publication IN SHARE ROW EXCLUSIVE MODE"))


async def _operator(connection: AsyncConnection, pseudonym: str) -> tuple[Member, tuple[int, ...]]:
    found = await member_by_key(connection, await member_key(connection, pseudonym))
    if found[0].role != "operator":
        raise ConfigError("is no operator", where=pseudonym, hint="member add --role operator")
    return found


async def _collection(connection: AsyncConnection, name: str, member: Member) -> Collection:
    named = or_(COLLECTION.c.id == name, COLLECTION.c.alias == name)
    found = (await connection.execute(select(COLLECTION.c.pk).where(named))).scalars().all()
    if len(found) != 1:
        raise ConfigError("names no collection, or several", where=name)
    return await collection_by_key(connection, found[0], member)


async def _demand_members(connection: AsyncConnection, parts: Iterable[Contribution]) -> None:
    """Demand that contributors are members: one under two names would count as two."""
    known = set((await connection.execute(select(MEMBER.c.pseudonym))).scalars())
    unknown = {part.contributor for part in parts} - known
    if unknown:
        raise ConfigError(f"{len(unknown)} of the contributors are no members' pseudonyms",
                          where="contributor", hint="stillwatch hub member list")  # fmt: skip


async def _after_the_last(connection: AsyncConnection, now: datetime) -> datetime:
    """Return when a report is published: its id follows from the second, so no two have one."""
    last = await connection.scalar(select(func.max(PUBLICATION.c.published)))
    moment = now.astimezone(UTC).replace(microsecond=0)
    if last is None:
        return moment
    return max(moment, datetime.fromtimestamp(int(last) // 1_000_000 + 1, UTC))


async def _earlier(connection: AsyncConnection) -> list[Publication]:
    return [
        Publication(
            datetime.fromisoformat(row.first), datetime.fromisoformat(row.last),
            frozenset(json.loads(row.contributors)),
        )
        for row in await connection.execute(select(PUBLICATION).order_by(PUBLICATION.c.pk))
    ]  # fmt: skip


async def _keep(connection: AsyncConnection, kept: Publication, now: datetime) -> None:
    await connection.execute(
        insert(PUBLICATION).values(
            first=kept.first.isoformat(), last=kept.last.isoformat(), published=micros(now),
            contributors=json.dumps(sorted(kept.contributors)),
        )
    )  # fmt: skip


async def _add(
    connection: AsyncConnection, made: Mapping[str, Any], member: Member,
    audiences: Sequence[int], where: Collection, key: bytes, now: datetime,
) -> None:  # fmt: skip
    rules = Rules(fixed=CATALOGUE)
    told = await add_objects(
        connection,
        examine([made], rules=rules, member=member, specs=where.spec_versions, key=key),
        identifier=str(uuid.uuid4()), member=replace(member, objects_per_day=2**31),
        eyes=Eyes(member.pk, audiences, True), collection=where, key=key, received=micros(now),
        now=micros(now), record=None, fixed=CATALOGUE,
    )  # fmt: skip
    failures = json.loads(told).get("failures")
    if failures:
        raise ShareRefused(failures[0]["message"])
