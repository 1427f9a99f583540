"""Corrections reach everyone who received: who was handed a version, what is noted for them."""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.share.hub.conduct import delivered
from stillwatch.share.hub.tables import CORRECTION, DELIVERY, VERSION

__all__ = ["correct", "received_by"]


async def received_by(
    connection: AsyncConnection, collection: int, added: set[int]
) -> dict[int, set[int]]:
    """Return by member which of these versions (by the instant each was added) it was handed.

    Exact: a delivery lists each version. The time grows with the deliveries that span one.
    """
    found: dict[int, set[int]] = {}
    if not added:
        return found
    rows = await connection.stream(
        select(DELIVERY.c.member, DELIVERY.c.added).where(
            DELIVERY.c.collection == collection,
            DELIVERY.c.first_added <= max(added),
            DELIVERY.c.last_added >= min(added),
        )
    )
    async for row in rows:
        met = delivered(row.added) & added
        if met:
            found.setdefault(row.member, set()).update(met)
    return found


async def correct(
    connection: AsyncConnection,
    *,
    collection: int,
    object_id: str,
    owner: int | None,
    kind: str,
    at: int,
    added: set[int] | None = None,
) -> int:
    """Note a correction for every other member that received the object; return how many.

    ``owner``: whose versions are meant, None for all. ``added``: the versions, where known.
    """
    if added is None:
        query = select(VERSION.c.added).where(
            VERSION.c.collection == collection, VERSION.c.object_id == object_id
        )
        if owner is not None:
            query = query.where(VERSION.c.owner == owner)
        added = set((await connection.execute(query)).scalars())
    reached = sorted(set(await received_by(connection, collection, added)) - {owner})
    rows = [
        {"member": m, "collection": collection, "at": at, "object_id": object_id, "kind": kind}
        for m in reached
    ]
    if rows:
        await connection.execute(insert(CORRECTION), rows)
    return len(rows)
