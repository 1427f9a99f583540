"""Pages of objects, manifests and versions: the endpoints of section 5 of TAXII 2.1."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.share.hub.collections import Collection
from stillwatch.share.hub.cursors import open_cursor, seal_cursor
from stillwatch.share.hub.filters import Filter
from stillwatch.share.hub.media import STIX_MEDIA
from stillwatch.share.hub.members import Member
from stillwatch.share.hub.refusals import not_found
from stillwatch.share.hub.settings import Settings
from stillwatch.share.hub.tables import CORRECTION
from stillwatch.share.hub.times import timestamp
from stillwatch.share.hub.visible import Eyes, versions_sql

__all__ = ["Page", "read_corrections", "read_page"]

_COLUMNS: Final = {
    "objects": ("added", "object_id", "body"),
    "object": ("added", "object_id", "body"),
    "manifest": ("added", "object_id", "version_text", "spec"),
    "versions": ("added", "object_id", "version_text"),
}


@dataclass(frozen=True)
class Page:
    """A page as bytes, where it begins and ends, and what is in it."""

    body: bytes
    first: int
    last: int
    added: tuple[int, ...]
    ids: tuple[str, ...]

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of TAXII 2.1, section 3.2.

        They must be there even where nothing is; then both are the instant after which was
        searched, so that a client that goes on from there misses nothing.
        """
        return {
            "X-TAXII-Date-Added-First": timestamp(self.first),
            "X-TAXII-Date-Added-Last": timestamp(self.last),
        }


async def read_page(
    connection: AsyncConnection,
    endpoint: str,
    *,
    member: Member,
    eyes: Eyes,
    collection: Collection,
    wanted: Filter,
    settings: Settings,
    key: bytes,
    left: int,
    object_id: str | None = None,
) -> Page:
    """Return one page of an endpoint: objects, object, manifest or versions.

    ``left``: how many objects the member may still read today, one at least; a page has no more.

    Raises:
        Refusal: 400 for a cursor that does not belong here, 404 for an object that is not there.
    """
    asked = wanted if object_id is None else _about(wanted, object_id)
    bound = (member.pseudonym.encode(), collection.id.encode(), endpoint.encode(), asked.bound())
    after = wanted.added_after
    if wanted.next is not None:
        after = max(open_cursor(key, bound, wanted.next), after or 0)
    limit = min(wanted.limit or settings.page_size, settings.max_page_size, left)
    query, parameters = versions_sql(
        eyes,
        collection.pk,
        asked,
        several_specs=len(collection.spec_versions) > 1,
        columns=_COLUMNS[endpoint],
        after=after,
        newest_only=endpoint != "versions",
        most=limit + 1,
    )
    rows = (await connection.execute(query, parameters)).all()
    if not rows and object_id is not None:
        await _must_exist(connection, eyes, collection, object_id)
    more, rows = len(rows) > limit, rows[:limit]
    cursor = seal_cursor(key, bound, rows[-1].added) if more else None
    searched = collection.created if after is None else after
    return Page(
        _body(endpoint, rows, cursor),
        rows[0].added if rows else searched,
        rows[-1].added if rows else searched,
        tuple(row.added for row in rows),
        tuple(row.object_id for row in rows),
    )


def _about(wanted: Filter, object_id: str) -> Filter:
    return Filter(
        added_after=wanted.added_after,
        ids=(object_id,),
        spec_versions=wanted.spec_versions,
        keywords=wanted.keywords,
        versions=wanted.versions,
    )


async def _must_exist(
    connection: AsyncConnection, eyes: Eyes, collection: Collection, object_id: str
) -> None:
    """Raise 404 unless the member sees some version: a filter that leaves none is answered {}."""
    query, parameters = versions_sql(
        eyes,
        collection.pk,
        Filter(ids=(object_id,), keywords=("all",), spec_versions=collection.spec_versions),
        several_specs=False,
        columns=("added",),
        most=1,
    )
    if (await connection.execute(query, parameters)).first() is None:
        raise not_found()


def _body(endpoint: str, rows: Sequence[Any], cursor: str | None) -> bytes:
    """Return the JSON of a page; without rows an empty object, as the standard demands.

    Objects are joined as the texts they are stored as: they are not parsed again.
    """
    if not rows:
        return b"{}"
    if endpoint in {"objects", "object"}:
        name, items = "objects", [row.body for row in rows]
    elif endpoint == "manifest":
        name, items = "objects", [json.dumps(_record(row)) for row in rows]
    else:
        name, items = "versions", [json.dumps(row.version_text) for row in rows]
    going_on = f'"more":true,"next":{json.dumps(cursor)}' if cursor else '"more":false'
    return f'{{{going_on},"{name}":[{",".join(items)}]}}'.encode()


def _record(row: Any) -> dict[str, str]:
    return {
        "id": row.object_id,
        "date_added": timestamp(row.added),
        "version": row.version_text,
        "media_type": f"{STIX_MEDIA}{row.spec}",
    }


async def read_corrections(
    connection: AsyncConnection, member: Member, collection: Collection, wanted: Filter, limit: int
) -> bytes:
    """Return what this member has received and what was since revoked or deleted, oldest first."""
    query = (
        select(CORRECTION)
        .where(
            CORRECTION.c.member == member.pk,
            CORRECTION.c.collection == collection.pk,
            CORRECTION.c.at > (wanted.added_after or 0),
        )
        .order_by(CORRECTION.c.at, CORRECTION.c.pk)
        .limit(limit)
    )
    rows = (await connection.execute(query)).all()
    told = [{"id": r.object_id, "kind": r.kind, "date": timestamp(r.at)} for r in rows]
    return json.dumps({"corrections": told} if told else {}).encode()
