"""The Merkle ledger (RFC 6962) over the hub's events, in the hub's own database.

An entry and the subtrees it completes are written in the transaction that does what it tells of:
there is no moment between the two at which a crash could keep one and lose the other, and processes
that share the database append one after the other, under the chain's lock. A leaf is the salted
commitment of `seal.ledger`; whoever holds event, salt, proof and checkpoint needs no hub.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, insert, or_, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.errors import EvidenceError
from stillwatch.seal import (
    EMPTY,
    Entry,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    open_checkpoint,
    public_key,
    sign_checkpoint,
    span_hash,
)
from stillwatch.share.hub.database import lock_chain
from stillwatch.share.hub.tables import CHECKPOINT, EVENT, LEAF, NODE

__all__ = [
    "Receipt",
    "consistency",
    "grow",
    "keep_note",
    "latest_note",
    "new_checkpoint",
    "receipts",
    "verify_tree",
]

_T = TypeVar("_T")
_Stored = Callable[[int, int], bytes]
_CHUNK: Final = 300


@dataclass(frozen=True)
class Receipt:
    """One entry with its proof in the tree of ``size`` entries."""

    number: int
    event: Mapping[str, Any]
    salt: bytes
    proof: tuple[bytes, ...]


async def grow(
    connection: AsyncConnection, first: int, events: Sequence[Mapping[str, Any]]
) -> None:
    """Append entries from number ``first`` on; the caller holds the chain's lock."""
    made = []
    for number, event in enumerate(events, first):
        salt = os.urandom(16)
        made.append((number, salt, Entry.of(number, salt, event).commitment, event["member"]))
    # The left halves that wait: one for each bit of the number of entries that are there.
    waiting = [(k, (first >> k) - 1) for k in range(first.bit_length()) if first >> k & 1]
    known = await _nodes(connection, waiting)
    new: dict[tuple[int, int], bytes] = {}
    for number, _, commitment, _ in made:
        level, place, found = 0, number, leaf_hash(commitment)
        new[level, place] = found
        while place & 1:
            left = (level, place - 1)
            found = node_hash(new[left] if left in new else known[left], found)
            level, place = level + 1, place >> 1
            new[level, place] = found
    await connection.execute(
        insert(LEAF),
        [{"number": n, "salt": s, "commitment": c, "member": m} for n, s, c, m in made],
    )
    await connection.execute(
        insert(NODE), [{"level": k, "place": p, "hash": h} for (k, p), h in new.items()]
    )


async def _nodes(
    connection: AsyncConnection, wanted: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], bytes]:
    """Return the hashes of subtrees. Raises EvidenceError where one is missing."""
    found: dict[tuple[int, int], bytes] = {}
    asked = sorted(set(wanted))
    for i in range(0, len(asked), _CHUNK):
        query = select(NODE).where(tuple_(NODE.c.level, NODE.c.place).in_(asked[i : i + _CHUNK]))
        for row in await connection.execute(query):
            found[row.level, row.place] = bytes(row.hash)
    for level, place in asked:
        if (level, place) not in found:
            raise EvidenceError("the tree lacks a node", where=f"level {level}, {place}")
    return found


async def _built(connection: AsyncConnection, build: Callable[[_Stored], _T]) -> _T:
    """Return what ``build`` makes of stored nodes: asked once for which, then with all of them."""
    wanted: list[tuple[int, int]] = []

    def note(level: int, place: int) -> bytes:
        wanted.append((level, place))
        return EMPTY

    build(note)
    known = await _nodes(connection, wanted)
    return build(lambda level, place: known[level, place])


async def _size(connection: AsyncConnection) -> int:
    last = await connection.scalar(select(func.max(LEAF.c.number)))
    return 0 if last is None else int(last) + 1


async def _root(connection: AsyncConnection, size: int) -> bytes:
    return await _built(connection, lambda stored: span_hash(0, size, stored))


async def new_checkpoint(connection: AsyncConnection, origin: str, key: Ed25519PrivateKey) -> str:
    """Sign the tree as it is, keep the note and return it; one kept for this size stays."""
    await lock_chain(connection)
    size = await _size(connection)
    kept = await connection.scalar(select(CHECKPOINT.c.note).where(CHECKPOINT.c.size == size))
    if kept is not None:
        return str(kept)
    note = sign_checkpoint(origin, size, await _root(connection, size), key)
    await keep_note(connection, size, note)
    return note


async def keep_note(connection: AsyncConnection, size: int, note: str) -> None:
    """Keep a checkpoint, in the place of the one of its size (which had fewer cosignatures)."""
    make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    new = make(CHECKPOINT).values(size=size, note=note)
    await connection.execute(
        new.on_conflict_do_update(index_elements=[CHECKPOINT.c.size], set_={"note": note})
    )


async def latest_note(connection: AsyncConnection) -> tuple[int, str] | None:
    """Return the size and text of the newest checkpoint, or None before the first."""
    query = select(CHECKPOINT).order_by(CHECKPOINT.c.size.desc()).limit(1)
    row = (await connection.execute(query)).first()
    return None if row is None else (row.size, row.note)


async def consistency(connection: AsyncConnection, first: int, second: int) -> list[bytes]:
    """Return the proof that the tree of ``first`` entries is a beginning of ``second``'s.

    Raises:
        EvidenceError: there are no such trees.
    """
    if not 0 <= first <= second <= await _size(connection):
        raise EvidenceError("there are no such trees", where=f"sizes {first}, {second}")

    def build(stored: _Stored) -> list[bytes]:
        return consistency_path(first, second, lambda a, b: span_hash(a, b, stored))

    return await _built(connection, build)


async def receipts(
    connection: AsyncConnection, member: str, *, after: int, size: int, most: int
) -> list[Receipt]:
    """Return a member's entries and everybody's, from number ``after`` on, below ``size``."""
    query = (
        select(LEAF.c.number, LEAF.c.salt, EVENT.c.value)
        .join(EVENT, EVENT.c.number == LEAF.c.number)
        .where(or_(LEAF.c.member == member, LEAF.c.member == ""))
        .where(LEAF.c.number >= after, LEAF.c.number < size)
        .order_by(LEAF.c.number)
        .limit(most)
    )
    rows = (await connection.execute(query)).all()

    def build(stored: _Stored) -> list[Receipt]:
        return [
            Receipt(
                row.number,
                json.loads(row.value),
                bytes(row.salt),
                tuple(inclusion_path(row.number, size, lambda a, b: span_hash(a, b, stored))),
            )
            for row in rows
        ]

    return await _built(connection, build)


async def _entries(connection: AsyncConnection) -> AsyncIterator[Any]:
    """Yield leaves in order, each with its event's text."""
    number = -1
    while True:
        query = (
            select(LEAF, EVENT.c.value)
            .outerjoin(EVENT, EVENT.c.number == LEAF.c.number)
            .where(LEAF.c.number > number)
            .order_by(LEAF.c.number)
            .limit(1_000)
        )
        rows = (await connection.execute(query)).all()
        for row in rows:
            yield row
        if not rows:
            return
        number = rows[-1].number


async def verify_tree(
    connection: AsyncConnection, origin: str, key: Ed25519PrivateKey
) -> tuple[int, bytes]:
    """Rebuild the tree from the events; return how many entries hold, and the root.

    Every checkpoint that was kept must be the tree's at its size: what was changed, left out or
    put in since then shows.

    Raises:
        EvidenceError: names the first entry or checkpoint that does not hold.
    """
    notes = {row.size: row.note for row in await connection.execute(select(CHECKPOINT))}
    edge: list[bytes | None] = []  # by level: the full subtree that waits for its right half
    count = 0
    if 0 in notes:
        _check(notes.pop(0), _over(edge), origin, key)
    async for row in _entries(connection):
        where = f"entry {count}"
        if row.number != count or row.value is None:
            raise EvidenceError("is missing", where=where)
        event = json.loads(row.value)
        if Entry.of(count, bytes(row.salt), event).commitment != bytes(row.commitment):
            raise EvidenceError("was changed after it was written", where=where)
        if event["member"] != row.member:
            raise EvidenceError("is another member's", where=where)
        _push(edge, leaf_hash(bytes(row.commitment)))
        count += 1
        if count in notes:
            _check(notes.pop(count), _over(edge), origin, key)
    if notes:
        raise EvidenceError(f"the ledger has {count} entries", where=f"checkpoint {min(notes)}")
    root = _over(edge)
    if await _root(connection, count) != root:
        raise EvidenceError("the tree does not fit its leaves", where=f"size {count}")
    return count, root


def _push(edge: list[bytes | None], found: bytes) -> None:
    for level, left in enumerate(edge):
        if left is None:
            edge[level] = found
            return
        found, edge[level] = node_hash(left, found), None
    edge.append(found)


def _over(edge: Sequence[bytes | None]) -> bytes:
    """Return the root over the subtrees that wait."""
    root = None
    for found in edge:
        if found is not None:
            root = found if root is None else node_hash(found, root)
    return EMPTY if root is None else root


def _check(note: str, root: bytes, origin: str, key: Ed25519PrivateKey) -> None:
    seen = open_checkpoint(note, public_key(key), origin=origin)
    if seen.root != root:
        raise EvidenceError("is not the tree of its size", where=f"checkpoint {seen.size}")
