"""One half of the matching key, over HTTP: evaluations for members, and corroborated candidates.

The hub and the witness serve the same two endpoints, each with a half of its own that is made by
month, kept in the database (so that several processes have one) and forgotten after two. An
evaluation is counted against the member's quota and is in the ledger before its answer leaves.

At the hub alone members vote for templates that they suspect, as tokens, and ask about templates
that they have: a member is told which of those at least two other members suspect, not who, nor how
many, and nothing of any other.
"""

from __future__ import annotations

import asyncio
import base64
import calendar
import json
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from stillwatch.errors import NotPermitted
from stillwatch.share.hub.calls import Call, answer, read_body
from stillwatch.share.hub.conduct import append_events, event, exhausted
from stillwatch.share.hub.database import lock_chain
from stillwatch.share.hub.hub import Hub
from stillwatch.share.hub.refusals import Refusal, not_found
from stillwatch.share.hub.tables import CANDIDATE, EVALUATED, MATCH_KEY
from stillwatch.share.hub.times import DAY_US
from stillwatch.share.match.holder import KeyHolder, epoch_of, read_blinded

__all__ = ["evaluate", "propose", "read_keys"]

MOST_PROPOSED: Final = 1_000
_LARGEST: Final = 1_000_000
_KEPT: Final = timedelta(days=62)
_TOKEN: Final = re.compile(r"[0-9a-f]{64}")
_MALFORMED: Final = "Send an epoch, votes and asked: lists of tokens of 64 hexadecimal digits."


def _upsert(connection: AsyncConnection, table: Any) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


async def _holder(connection: AsyncConnection, hub: Hub, at: int) -> KeyHolder:
    """Return the holder with the keys in force; make this month's, forget those that are over.

    The caller holds the chain's lock: of several processes one makes the key.
    """
    now = datetime.fromtimestamp(at // 1_000_000, UTC)
    epoch, oldest = epoch_of(now), epoch_of(now - _KEPT)
    rows = {row.epoch: bytes(row.seed) for row in await connection.execute(select(MATCH_KEY))}
    if epoch not in rows:
        rows[epoch] = secrets.token_bytes(32)
        new = _upsert(connection, MATCH_KEY).values(epoch=epoch, seed=rows[epoch])
        await connection.execute(new)
        key = KeyHolder(hub.settings.role, {epoch: rows[epoch]}).public_key(epoch)
        told = {"epoch": epoch, "public_key": base64.b64encode(key).decode()}
        made = event("key", key=hub.key, member="", at=at, holder=hub.settings.role, **told)
        await append_events(connection, [made], hub.record)
    for table in (MATCH_KEY, CANDIDATE):
        await connection.execute(delete(table).where(table.c.epoch < oldest))
    return KeyHolder(hub.settings.role, {e: seed for e, seed in rows.items() if e >= oldest})


async def read_keys(call: Call) -> Response:
    """Answer with the public keys of the epochs in force, for members to pin."""
    async with call.hub.database.reading() as connection:
        await call.enter(connection)
    async with call.hub.database.writing() as connection:
        await lock_chain(connection)
        holder = await _holder(connection, call.hub, call.at)
    keys = {e: base64.b64encode(holder.public_key(e)).decode() for e in holder.epochs}
    return answer({"holder": call.hub.settings.role, "keys": keys})


async def evaluate(call: Call) -> Response:
    """Evaluate blinded values for a member, within its quota."""
    hub = call.hub
    async with hub.database.reading() as connection:
        await call.enter(connection)
    call.says_why()
    call.has_basis()
    try:
        asked = read_blinded(await read_body(call.request, _LARGEST))
    except NotPermitted as error:
        raise Refusal(422, f"The body is {error.message}.") from None
    async with hub.database.writing() as connection:
        await lock_chain(connection)
        holder = await _holder(connection, hub, call.at)
        if asked.epoch not in holder.epochs:
            raise not_found()
        await _take(connection, call, len(asked.blinded))
        told = call.told("evaluate", count=len(asked.blinded), epoch=asked.epoch)
        await append_events(connection, [told], hub.record)
    return answer(await asyncio.to_thread(holder.evaluate, asked))


async def _take(connection: AsyncConnection, call: Call, count: int) -> None:
    """Count evaluations against the member, under the chain's lock, before they are made.

    Raises:
        Refusal: 429, the day's or the month's quota would be exceeded.
    """
    settings, member = call.hub.settings, call.who().pk
    day = call.at // DAY_US
    date = datetime.fromtimestamp(call.at // 1_000_000, UTC)
    first = day - date.day + 1
    last = first + calendar.monthrange(date.year, date.month)[1] - 1
    new = _upsert(connection, EVALUATED).values(member=member, day=day, count=count)
    await connection.execute(
        new.on_conflict_do_update(
            index_elements=[EVALUATED.c.member, EVALUATED.c.day],
            set_={"count": EVALUATED.c.count + new.excluded.count},
        )
    )
    spent = select(EVALUATED.c.day, EVALUATED.c.count.label("n")).where(
        EVALUATED.c.member == member, EVALUATED.c.day.between(first, last)
    )
    used = {row.day: int(row.n) for row in await connection.execute(spent)}
    most = settings.evaluations_per_day, settings.evaluations_per_month
    if used[day] > most[0] or sum(used.values()) > most[1]:
        raise exhausted(call.at)


async def propose(call: Call) -> Response:
    """Note which templates the member suspects; answer which of those it asks about others do.

    Own votes do not count in one's own answer: it says what other members' data suggest.
    """
    hub = call.hub
    async with hub.database.reading() as connection:
        member = await call.enter(connection)
    if not member.writes:
        raise Refusal(403, "You may not propose.")
    call.says_why()
    call.has_basis()
    epoch, votes, asked = _proposed(await read_body(call.request, _LARGEST))
    async with hub.database.writing() as connection:
        await lock_chain(connection)
        holder = await _holder(connection, hub, call.at)
        if epoch not in holder.epochs:
            raise not_found()
        if votes:
            rows = [{"epoch": epoch, "token": token, "member": member.pk} for token in votes]
            await connection.execute(_upsert(connection, CANDIDATE).on_conflict_do_nothing(), rows)
        mine = select(func.count()).where(
            CANDIDATE.c.epoch == epoch, CANDIDATE.c.member == member.pk
        )
        if (await connection.scalar(mine) or 0) > hub.settings.candidates_per_month:
            raise exhausted(call.at)
        found = await _corroborated(connection, epoch, asked, member.pk, hub)
        told = call.told(
            "propose", count=len(votes), asked=len(asked), corroborated=len(found), epoch=epoch
        )
        await append_events(connection, [told], hub.record)
    return answer({"epoch": epoch, "corroborated": found})


def _proposed(body: bytes) -> tuple[str, list[str], list[str]]:
    try:
        told = json.loads(body)
        epoch, lists = told["epoch"], (told["votes"], told["asked"])
        good = isinstance(epoch, str) and all(isinstance(one, list) for one in lists)
        tokens = [*lists[0], *lists[1]]
        if not good or not all(isinstance(t, str) and _TOKEN.fullmatch(t) for t in tokens):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Refusal(422, _MALFORMED) from None
    if not tokens or len(tokens) > MOST_PROPOSED:
        raise Refusal(422, f"One request is about 1 to {MOST_PROPOSED:,} tokens.")
    return epoch, sorted(set(lists[0])), sorted(set(lists[1]))


async def _corroborated(
    connection: AsyncConnection, epoch: str, asked: Sequence[str], member: int, hub: Hub
) -> list[str]:
    query = (
        select(CANDIDATE.c.token)
        .where(
            CANDIDATE.c.epoch == epoch,
            CANDIDATE.c.token.in_(asked),
            CANDIDATE.c.member != member,
        )
        .group_by(CANDIDATE.c.token)
        .having(func.count() >= hub.settings.corroborated_from)
        .order_by(CANDIDATE.c.token)
    )
    return list((await connection.execute(query)).scalars())
