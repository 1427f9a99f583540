"""Everything said, denied, read and released, as events in a hash chain; and who received what.

An event has counts and a keyed digest of ids, never content. Events of many requests that end at
the same moment are committed together; no answer leaves before its event is on the disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.errors import EvidenceError
from stillwatch.seal import Link, append, verify_chain
from stillwatch.share.hub.database import Database, lock_chain
from stillwatch.share.hub.refusals import Refusal
from stillwatch.share.hub.tables import DELIVERY, EVENT, USAGE
from stillwatch.share.hub.times import DAY_US, timestamp

__all__ = [
    "ACTIONS",
    "HUB",
    "Delivery",
    "Note",
    "Record",
    "Recorder",
    "append_events",
    "delivered",
    "event",
    "exhausted",
    "read_events",
    "use_up",
    "verify_events",
]

ACTIONS: Final = (
    "submit", "refuse", "deny", "read", "release", "delete", "revoke", "key", "evaluate", "propose",
    "cosign", "notify",
)  # fmt: skip
# Whose entries are that no member has a receipt for: how many received an object only the operator
# knows, since it would tell the submitter whether a rival has read it.
HUB: Final = "hub"
Record = Callable[[Mapping[str, Any]], None]
_MOST_AT_ONCE: Final = 500
_CHUNK: Final = 1_000
# Built once: building a statement costs more than asking.
_NEW_EVENT: Final = insert(EVENT)
_NEW_DELIVERY: Final = insert(DELIVERY)
_LAST_EVENT: Final = (
    select(EVENT.c.number, EVENT.c.before, EVENT.c.own).order_by(EVENT.c.number.desc()).limit(1)
)


def _more_used(make: Any) -> Any:
    new = make(USAGE)
    return new.on_conflict_do_update(
        index_elements=[USAGE.c.member, USAGE.c.day],
        set_={
            "submitted": USAGE.c.submitted + new.excluded.submitted,
            "read": USAGE.c.read + new.excluded.read,
        },
    ).returning(USAGE.c.submitted, USAGE.c.read)


_USE_UP: Final = {
    "postgresql": _more_used(postgresql.insert),
    "sqlite": _more_used(sqlite.insert),
}


@dataclass(frozen=True)
class Delivery:
    """The versions that one answer handed to one member, by the instant each was added."""

    member: int
    collection: int
    added: tuple[int, ...]


@dataclass(frozen=True)
class Note:
    """What one request leaves behind: its event, what it handed out, what it used up."""

    event: dict[str, Any]
    delivery: Delivery | None = None
    member: int | None = None
    read: int = 0
    most: int = 0  # that the member may read on a day


def event(
    action: str,
    *,
    key: bytes,
    member: str,
    at: int,
    collection: str | None = None,
    ids: Iterable[str] = (),
    purpose: str | None = None,
    **counts: int | str,
) -> dict[str, Any]:
    """Return an event; ``at`` in microseconds.

    The digest of the ids is keyed: an id that is made of its value is not found by trying values.
    """
    names = sorted(set(ids))
    sealed = hmac.new(key, b"ids\0" + "\0".join(names).encode(), hashlib.sha256).hexdigest()
    return {
        "action": action,
        "member": member,
        "collection": collection,
        "objects": f"hmac-sha256:{sealed}" if names else None,
        "purpose": purpose,
        "time": timestamp(at),
        **counts,
    }


async def append_events(
    connection: AsyncConnection, events: Sequence[Mapping[str, Any]], record: Record | None
) -> None:
    """Append events to the chain inside the caller's transaction, and tell ``record`` of each."""
    if not events:
        return
    await lock_chain(connection)
    found = (await connection.execute(_LAST_EVENT)).first()
    last = Link(found.number, None, found.before, found.own) if found else None
    rows: list[dict[str, Any]] = []
    for value in events:
        last = append(dict(value), last)
        rows.append(
            {
                "number": last.number,
                "value": json.dumps(last.value, sort_keys=True, ensure_ascii=False),
                "before": last.before,
                "own": last.own,
                "salt": os.urandom(16),
                "member": str(value["member"]),
            }
        )
    await connection.execute(_NEW_EVENT, rows)
    if record is not None:
        await asyncio.to_thread(_tell, record, events)


def _tell(record: Record, events: Sequence[Mapping[str, Any]]) -> None:
    try:
        for value in events:
            record(value)
    except Exception as error:
        raise Refusal(503, "This cannot be recorded now, and so is not done.") from error


async def read_events(connection: AsyncConnection) -> AsyncIterator[Link]:
    """Yield the chain from its beginning."""
    number = -1
    while True:
        rows = (
            await connection.execute(
                select(EVENT).where(EVENT.c.number > number).order_by(EVENT.c.number).limit(_CHUNK)
            )
        ).all()
        for row in rows:
            yield Link(row.number, json.loads(row.value), row.before, row.own)
        if not rows:
            return
        number = rows[-1].number


async def verify_events(database: Database, *, last: str | None = None) -> tuple[int, str | None]:
    """Return how many events hold together, and the digest of the last one.

    ``last``: a digest kept elsewhere that the chain must contain: without it a cut end goes
    unnoticed.

    Raises:
        EvidenceError: names the first event that was changed, or that ``last`` is not there.
    """
    async with database.reading() as connection:
        links = [link async for link in read_events(connection)]
    count = verify_chain(links)
    if last is not None and all(link.own != last for link in links):
        raise EvidenceError("the chain does not contain the digest that was kept: its end is cut")
    return count, links[-1].own if links else None


async def use_up(
    connection: AsyncConnection, member: int, day: int, *, submitted: int = 0, read: int = 0
) -> tuple[int, int]:
    """Add to what a member used on a day; return (submitted, read) of the day with it.

    The row stays locked until the transaction ends: whoever finds a quota exceeded rolls back, and
    of requests that run at the same moment none passes a quota that another has used up.
    """
    more = {"member": member, "day": day, "submitted": submitted, "read": read}
    row = (await connection.execute(_USE_UP[connection.dialect.name], more)).one()
    return int(row.submitted), int(row.read)


def exhausted(at: int) -> Refusal:
    """Return the answer to who has used up a quota of the day; ``at`` in microseconds."""
    left_s = (DAY_US - at % DAY_US) // 1_000_000 + 1
    return Refusal(429, "Your quota for today is used up.", headers={"Retry-After": str(left_s)})


@dataclass
class Recorder:
    """Commits the notes of reads and denials, those of one moment in one transaction."""

    database: Database
    record: Record | None = None
    _waiting: list[tuple[Note, int, asyncio.Future[None]]] = field(default_factory=list)
    _worker: asyncio.Task[None] | None = None

    async def note(self, note: Note, at: int) -> None:
        """Return when the note is on the disk.

        Raises:
            Refusal: 429, the member's quota is used up; nothing was written then.
            Exception: what the database or ``record`` raised; nothing was written then.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((note, at, done))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        await done

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
            try:
                over = await self._commit([(note, at) for note, at, _ in batch])
            except Exception as error:  # noqa: BLE001 - handed on to every request that waits
                for _, _, done in batch:
                    if not done.done():
                        done.set_exception(error)
            else:
                for k, (_, at, done) in enumerate(batch):
                    if not done.done() and k in over:
                        done.set_exception(exhausted(at))
                    elif not done.done():
                        done.set_result(None)

    async def _commit(self, batch: Sequence[tuple[Note, int]]) -> set[int]:
        """Write the notes that fit their members' quotas; return the places of the others."""
        over: set[int] = set()
        async with self.database.writing() as connection:
            by_member: dict[tuple[int, int], list[int]] = {}
            for k, (note, at) in enumerate(batch):
                if note.member is not None and note.read:
                    by_member.setdefault((note.member, at // DAY_US), []).append(k)
            for who, places in sorted(by_member.items()):  # one order of locks
                over |= await _over(connection, who, [(k, batch[k][0]) for k in places])
            kept = [one for k, one in enumerate(batch) if k not in over]
            deliveries = [_delivery(note.delivery, at) for note, at in kept if note.delivery]
            if deliveries:
                await connection.execute(_NEW_DELIVERY, deliveries)
            await append_events(connection, [note.event for note, _ in kept], self.record)
        return over


async def _over(
    connection: AsyncConnection, who: tuple[int, int], notes: Sequence[tuple[int, Note]]
) -> set[int]:
    """Count what notes of one member and day read; return the places of those over its quota."""
    asked = sum(note.read for _, note in notes)
    _, used = await use_up(connection, *who, read=asked)
    over: set[int] = set()
    for k, note in reversed(notes):
        if used > note.most:
            over.add(k)
            used -= note.read
            await use_up(connection, *who, read=-note.read)
    return over


def _delivery(one: Delivery, at: int) -> dict[str, Any]:
    return {
        "member": one.member,
        "collection": one.collection,
        "at": at,
        "first_added": one.added[0],
        "last_added": one.added[-1],
        "added": b"".join(a.to_bytes(8, "big") for a in one.added),
    }


def delivered(packed: bytes) -> set[int]:
    """Return the instants in a delivery's packed column."""
    return {int.from_bytes(packed[i : i + 8], "big") for i in range(0, len(packed), 8)}
