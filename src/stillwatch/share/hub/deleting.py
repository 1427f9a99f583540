"""Deletion: the content goes for good; what stays is a keyed digest, and who must be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.share.hub.collections import Collection
from stillwatch.share.hub.conduct import HUB, Record, append_events, event
from stillwatch.share.hub.corrections import correct
from stillwatch.share.hub.filters import Filter
from stillwatch.share.hub.members import Member
from stillwatch.share.hub.refusals import Refusal, not_found
from stillwatch.share.hub.tables import COLLECTION, MARKING, TOMBSTONE, VERSION
from stillwatch.share.hub.visible import Eyes, versions_sql
from stillwatch.share.hub.withdrawn import WHOLE, tombstone_key

__all__ = ["delete_object"]

_CHUNK = 400


async def delete_object(
    connection: AsyncConnection,
    object_id: str,
    *,
    member: Member,
    eyes: Eyes,
    collection: Collection,
    wanted: Filter,
    key: bytes,
    now: int,
    record: Record | None,
) -> int:
    """Delete the versions that a request names, all where it names none; return how many.

    A contributor deletes what it submitted, the operator anything.

    Raises:
        Refusal: 404 where the member sees no such version, 403 where it is another member's.
    """
    await connection.execute(
        select(COLLECTION.c.pk)
        .where(COLLECTION.c.pk == collection.pk)
        .with_for_update(key_share=True)
    )
    rows = await _chosen(connection, object_id, member, eyes, collection, wanted)
    if not rows:
        raise not_found()
    if member.role != "operator" and any(row.owner != member.pk for row in rows):
        raise Refusal(403, "Only who submitted an object, or the operator, may delete it.")
    owner = None if member.role == "operator" else member.pk
    reached = await correct(
        connection,
        collection=collection.pk,
        object_id=object_id,
        owner=owner,
        kind="deleted",
        at=now,
        added={row.added for row in rows},
    )
    keys = [row.pk for row in rows]
    for i in range(0, len(keys), _CHUNK):
        await connection.execute(delete(VERSION).where(VERSION.c.pk.in_(keys[i : i + _CHUNK])))
    if object_id.startswith("marking-definition--"):
        await connection.execute(
            delete(MARKING).where(
                MARKING.c.id == object_id, MARKING.c.owner.in_({row.owner for row in rows})
            )
        )
    names = {(row.spec, row.version_key, row.owner) for row in rows}
    if not (wanted.keywords or wanted.versions or wanted.spec_versions):
        names |= {(WHOLE, WHOLE, row.owner) for row in rows if owner is None}
    buried = [
        {
            "collection": collection.pk,
            "key": tombstone_key(key, object_id, spec, version),
            "owner": who,
            "by_operator": owner is None and who != member.pk,
            "deleted": now,
        }
        for spec, version, who in sorted(names)
    ]
    await connection.execute(insert(TOMBSTONE), buried)
    about: dict[str, Any] = {
        "key": key, "at": now, "collection": collection.id, "ids": [object_id]
    }  # fmt: skip
    told = event("delete", member=member.pseudonym, count=len(rows), **about)
    heard = event("notify", member=HUB, recipients=reached, **about)
    await append_events(connection, [told, heard], record)
    return len(rows)


async def _chosen(
    connection: AsyncConnection,
    object_id: str,
    member: Member,
    eyes: Eyes,
    collection: Collection,
    wanted: Filter,
) -> Sequence[Any]:
    """Return the versions to delete.

    Without match[version] all of them: afterwards the object must be gone (section 5.7), and the
    operator's deletion leaves none of another submitter in its place.
    """
    v = VERSION.c
    columns = (v.pk, v.added, v.owner, v.spec, v.version_key)
    if not wanted.keywords and not wanted.versions and member.role == "operator":
        query = select(*columns).where(v.collection == collection.pk, v.object_id == object_id)
        if wanted.spec_versions:
            query = query.where(v.spec.in_(wanted.spec_versions))
        return (await connection.execute(query)).all()
    query, parameters = versions_sql(
        eyes,
        collection.pk,
        Filter(
            ids=(object_id,),
            spec_versions=wanted.spec_versions or collection.spec_versions,
            keywords=wanted.keywords,
            versions=wanted.versions,
        ),
        several_specs=False,
        columns=[c.name for c in columns],
        newest_only=False,
    )
    return (await connection.execute(query, parameters)).all()
