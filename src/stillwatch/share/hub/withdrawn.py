"""What the operator withdrew stays away, and only those who knew it learn that it was here.

A deletion leaves a name under the hub's key and no content. The operator's, of a whole object,
names every version of it: another `modified` brings nothing back. Who submitted it or was handed it
is refused with the reason. To anybody else an answer other than for a new object would tell that
there was one, and ids follow from contents: its submission is taken and shown to itself alone.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.share.hub.members import Member
from stillwatch.share.hub.tables import CORRECTION, TOMBSTONE

__all__ = ["WHOLE", "Place", "Withdrawn", "find_withdrawn", "tombstone_key"]

WHOLE: Final = "*"  # in the place of a specification version and of a version: all of them
_CHUNK: Final = 400
Place = tuple[str, str, str]  # object id, specification version, version key


class Withdrawn(NamedTuple):
    """Ids and versions that the operator withdrew, and the ids of which the submitter knows it."""

    places: frozenset[Place] = frozenset()
    known: frozenset[str] = frozenset()


def tombstone_key(key: bytes, object_id: str, spec: str, version_key: str) -> str:
    """Return what a deleted version leaves behind: its name under the hub's key, no content."""
    name = "\0".join((object_id, spec, version_key)).encode()
    return hmac.new(key, b"tombstone\0" + name, hashlib.sha256).hexdigest()


async def find_withdrawn(
    connection: AsyncConnection,
    collection: int,
    key: bytes,
    places: Sequence[Place],
    member: Member,
) -> Withdrawn:
    """Return which of these versions the operator has withdrawn from a collection."""
    named = {tombstone_key(key, *place): {place} for place in places}
    for place in places:
        named.setdefault(tombstone_key(key, place[0], WHOLE, WHOLE), set()).add(place)
    keys, found, own = sorted(named), set[Place](), set[str]()
    for i in range(0, len(keys), _CHUNK):
        query = select(TOMBSTONE.c.key, TOMBSTONE.c.owner).where(
            TOMBSTONE.c.collection == collection,
            TOMBSTONE.c.by_operator.is_(True),
            TOMBSTONE.c.key.in_(keys[i : i + _CHUNK]),
        )
        for row in await connection.execute(query):
            found |= named[row.key]
            if row.owner == member.pk or member.sees_all:
                own |= {name for name, _, _ in named[row.key]}
    if not found:
        return Withdrawn()
    others = sorted({name for name, _, _ in found} - own)
    for i in range(0, len(others), _CHUNK):
        query = select(CORRECTION.c.object_id).where(
            CORRECTION.c.member == member.pk,
            CORRECTION.c.collection == collection,
            CORRECTION.c.kind == "deleted",
            CORRECTION.c.object_id.in_(others[i : i + _CHUNK]),
        )
        own |= set((await connection.execute(query)).scalars())
    return Withdrawn(frozenset(found), frozenset(own))
