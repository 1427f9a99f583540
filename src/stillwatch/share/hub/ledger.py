"""The Merkle ledger (RFC 6962) over the hub's events, in the hub's own database.

An entry is the event itself, written in the transaction that does what it tells of: there is no
moment between the two at which a crash could keep one and lose the other, and processes that share
the database append one after the other, under the chain's lock. A leaf is the commitment of
`seal.ledger`, which event and salt determine; subtrees are hashed when the ledger is signed: a
request costs no more for it. Whoever holds event, salt, proof and checkpoint needs no hub.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import bindparam, func, insert, or_, select, tuple_
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
from stillwatch.share.hub.tables import CHECKPOINT, EVENT, NODE

__all__ = [
    "Receipt",
    "consistency",
    "keep_note",
    "latest_note",
    "new_checkpoint",
    "receipts",
    "verify_tree",
]

_T = TypeVar("_T")
_Stored = Callable[[int, int], bytes]
_CHUNK: Final = 300
_AT_ONCE: Final = 2_000
_EVENTS: Final = select(EVENT).where(EVENT.c.number > bindparam("after")).order_by(EVENT.c.number)


@dataclass(frozen=True)
class Receipt:
    """One entry with its proof in the tree of ``size`` entries."""

    number: int
    event: Mapping[str, Any]
    salt: bytes
    proof: tuple[bytes, ...]


async def _grow(connection: AsyncConnection) -> int:
    """Hash the events that are not in the tree yet; return its size. The caller has the lock."""
    last = await connection.scalar(select(func.max(NODE.c.place)).where(NODE.c.level == 0))
    size = 0 if last is None else int(last) + 1
    waiting = [(k, (size >> k) - 1) for k in range(size.bit_length()) if size >> k & 1]
    known = await _nodes(connection, waiting)
    while rows := (await connection.execute(_EVENTS.limit(_AT_ONCE), {"after": size - 1})).all():
        new = _subtrees(rows, known)
        await connection.execute(
            insert(NODE), [{"level": k, "place": p, "hash": h} for (k, p), h in new.items()]
        )
        size = rows[-1].number + 1
        known = _waiting(size, known | new)
    return size


def _subtrees(
    rows: Sequence[Any], known: Mapping[tuple[int, int], bytes]
) -> dict[tuple[int, int], bytes]:
    """Return the leaves of events in order and every full subtree that they complete."""
    new: dict[tuple[int, int], bytes] = {}
    for row in rows:
        level, place, found = 0, row.number, _leaf(row)
        new[level, place] = found
        while place & 1:
            left = (level, place - 1)
            found = node_hash(new[left] if left in new else known[left], found)
            level, place = level + 1, place >> 1
            new[level, place] = found
    return new


def _waiting(size: int, known: Mapping[tuple[int, int], bytes]) -> dict[tuple[int, int], bytes]:
    """Return the left halves that wait: one for each bit of the number of entries."""
    places = [(k, (size >> k) - 1) for k in range(size.bit_length()) if size >> k & 1]
    return {place: known[place] for place in places}


def _leaf(row: Any) -> bytes:
    """Return the leaf of an event's row."""
    made = Entry.of(row.number, bytes(row.salt), json.loads(row.value))
    return leaf_hash(made.commitment)


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
    """Return how many entries are hashed."""
    last = await connection.scalar(select(func.max(NODE.c.place)).where(NODE.c.level == 0))
    return 0 if last is None else int(last) + 1


async def _root(connection: AsyncConnection, size: int) -> bytes:
    return await _built(connection, lambda stored: span_hash(0, size, stored))


async def new_checkpoint(connection: AsyncConnection, origin: str, key: Ed25519PrivateKey) -> str:
    """Sign the tree as it is, keep the note and return it; one kept for this size stays."""
    await lock_chain(connection)
    size = await _grow(connection)
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
        select(EVENT.c.number, EVENT.c.salt, EVENT.c.value)
        .where(or_(EVENT.c.member == member, EVENT.c.member == ""))
        .where(EVENT.c.number >= after, EVENT.c.number < size)
        .order_by(EVENT.c.number)
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
    hashed = await _size(connection)
    known: dict[tuple[int, int], bytes] = {}
    count = 0
    if 0 in notes:
        _check(notes.pop(0), EMPTY, origin, key)
    while rows := (await connection.execute(_EVENTS.limit(_AT_ONCE), {"after": count - 1})).all():
        for number, row in enumerate(rows, count):
            if row.number != number:
                raise EvidenceError("is missing", where=f"entry {number}")
            if json.loads(row.value)["member"] != row.member:
                raise EvidenceError("is another member's", where=f"entry {number}")
        new = _subtrees(rows, known)
        kept = [(k, p) for k, p in new if (p + 1) << k <= hashed]
        for place, found in (await _nodes(connection, kept)).items():
            if new[place] != found:
                raise EvidenceError("was changed after it was signed", where=f"node {place}")
        known |= new
        for size in [n for n in notes if count < n <= rows[-1].number + 1]:
            _check(notes.pop(size), _over(_waiting(size, known)), origin, key)
        count = rows[-1].number + 1
        known = _waiting(count, known)
    if notes or hashed > count:
        raise EvidenceError(f"the ledger has {count} entries", where="the tree or a checkpoint")
    return count, _over(known)


def _over(waiting: Mapping[tuple[int, int], bytes]) -> bytes:
    """Return the root over the subtrees that wait, from the smallest on."""
    root = None
    for _, found in sorted(waiting.items()):
        root = found if root is None else node_hash(found, root)
    return EMPTY if root is None else root


def _check(note: str, root: bytes, origin: str, key: Ed25519PrivateKey) -> None:
    seen = open_checkpoint(note, public_key(key), origin=origin)
    if seen.root != root:
        raise EvidenceError("is not the tree of its size", where=f"checkpoint {seen.size}")
