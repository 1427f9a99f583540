"""API roots and collections, and what one member may do with each."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.errors import ConfigError
from stillwatch.share.hub.markings import TIERS, TLP_TIERS
from stillwatch.share.hub.media import STIX_MEDIA
from stillwatch.share.hub.members import Member, member_key
from stillwatch.share.hub.refusals import not_found
from stillwatch.share.hub.tables import API_ROOT, COLLECTION, GRANT

__all__ = [
    "Collection",
    "add_collection",
    "add_root",
    "collection_by_key",
    "find_collection",
    "find_root",
    "grant",
    "list_collections",
]


@dataclass(frozen=True)
class Collection:
    """A collection as one member may use it."""

    pk: int
    root: int
    id: str
    title: str
    description: str | None
    alias: str | None
    spec_versions: tuple[str, ...]
    default_tlp: str
    created: int
    can_read: bool
    can_write: bool

    def resource(self) -> dict[str, Any]:
        """Return the resource of TAXII 2.1, section 5.2.1."""
        told = {
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "alias": self.alias,
            "can_read": self.can_read,
            "can_write": self.can_write,
            "media_types": [f"{STIX_MEDIA}{spec}" for spec in reversed(self.spec_versions)],
        }
        return {name: value for name, value in told.items() if value is not None}


async def find_root(connection: AsyncConnection, slug: str) -> Row[Any]:
    """Return an API root.

    Raises:
        Refusal: 404.
    """
    found = (await connection.execute(select(API_ROOT).where(API_ROOT.c.slug == slug))).first()
    if found is None:
        raise not_found()
    return found


async def list_collections(
    connection: AsyncConnection, root: int, member: Member
) -> list[Collection]:
    """Return the collections that exist for a member, oldest first."""
    rows = (await connection.execute(_seen(member).where(COLLECTION.c.root == root))).all()
    return [made for row in rows if (made := _for(row, member)) is not None]


async def find_collection(
    connection: AsyncConnection, root: int, name: str, member: Member
) -> Collection:
    """Return a collection by its id or alias.

    Raises:
        Refusal: 404, none of that name, or none for this member.
    """
    if not name.isprintable() or len(name) > 250:
        raise not_found()
    named = or_(COLLECTION.c.id == name, COLLECTION.c.alias == name)
    rows = (await connection.execute(_seen(member).where(COLLECTION.c.root == root, named))).all()
    found = [made for row in rows if (made := _for(row, member)) is not None]
    for one in found:
        if one.id == name:
            return one
    if not found:
        raise not_found()
    return found[0]


async def collection_by_key(connection: AsyncConnection, pk: int, member: Member) -> Collection:
    """Return a collection by its row, with what a member may do with it now.

    Raises:
        Refusal: 404, it does not exist for the member any more.
    """
    row = (await connection.execute(_seen(member).where(COLLECTION.c.pk == pk))).one()
    found = _for(row, member)
    if found is None:
        raise not_found()
    return found


def _seen(member: Member) -> Any:
    own = and_(GRANT.c.collection == COLLECTION.c.pk, GRANT.c.member == member.pk)
    return (
        select(COLLECTION, GRANT.c.can_read, GRANT.c.can_write)
        .outerjoin(GRANT, own)
        .order_by(COLLECTION.c.created, COLLECTION.c.pk)
    )


def _for(row: Any, member: Member) -> Collection | None:
    """Return the collection with this member's rights: its grant, else those of its role and tier.

    A role narrows a grant: a reader never writes.
    """
    if row.can_read is None and member.tier < row.tier and not member.sees_all:
        return None
    granted_read, granted_write = (
        (True, True) if row.can_read is None else (row.can_read, row.can_write)
    )
    return Collection(
        row.pk,
        row.root,
        row.id,
        row.title,
        row.description,
        row.alias,
        tuple(row.spec_versions.split(",")),
        row.default_tlp,
        row.created,
        granted_read,
        granted_write and member.writes,
    )


async def add_root(
    connection: AsyncConnection, *, slug: str, title: str, max_content_length: int
) -> None:
    """Enter an API root.

    Raises:
        ConfigError: not a name that a URL can hold, or one that is taken.
    """
    if not slug.replace("-", "").replace("_", "").isalnum() or not slug.isascii():
        raise ConfigError("must be of letters, digits, - and _", where=f"root {slug}")
    if slug in {"taxii2", "health"}:
        raise ConfigError("is taken by the hub itself", where=f"root {slug}")
    taken = await connection.scalar(select(API_ROOT.c.pk).where(API_ROOT.c.slug == slug))
    if taken is not None:
        raise ConfigError("is there already", where=f"root {slug}")
    await connection.execute(
        insert(API_ROOT).values(slug=slug, title=title, max_content_length=max_content_length)
    )


async def add_collection(
    connection: AsyncConnection,
    *,
    root: str,
    title: str,
    description: str | None,
    alias: str | None,
    tier: str,
    default_tlp: str,
    spec_versions: Sequence[str],
    at: int,
    identifier: str | None = None,
) -> str:
    """Enter a collection and return its id, a new UUID unless one is given.

    Raises:
        ConfigError: no such root, tier, TLP level or version; an alias or id that is taken.
    """
    chosen = sorted(set(spec_versions))
    if tier not in TIERS or default_tlp not in TLP_TIERS or not set(chosen) <= {"2.0", "2.1"}:
        raise ConfigError(
            f"tiers are {', '.join(TIERS)}; TLP levels {', '.join(TLP_TIERS)}; versions 2.0, 2.1",
            where="collection add",
        )
    found = await connection.scalar(select(API_ROOT.c.pk).where(API_ROOT.c.slug == root))
    if found is None:
        raise ConfigError("no such API root", where=root)
    made = identifier or str(uuid.uuid4())
    for name in filter(None, (made, alias)):
        taken = select(COLLECTION.c.pk).where(
            COLLECTION.c.root == found, or_(COLLECTION.c.id == name, COLLECTION.c.alias == name)
        )
        if await connection.scalar(taken) is not None:
            raise ConfigError("is taken", where=f"collection {name}")
    await connection.execute(
        insert(COLLECTION).values(
            root=found,
            id=made,
            title=title,
            description=description,
            alias=alias,
            spec_versions=",".join(chosen or ["2.1"]),
            default_tlp=default_tlp,
            tier=TIERS.index(tier),
            created=at,
            last_added=at,
        )
    )
    return made


async def grant(
    connection: AsyncConnection, *, pseudonym: str, collection: str, rights: str
) -> None:
    """Give one member rights of its own on a collection: "rw", "r", "w" or "none".

    Raises:
        ConfigError: no such member, collection or rights.
    """
    if rights not in {"rw", "r", "w", "none"}:
        raise ConfigError("rights are rw, r, w or none", where=f"grant {rights}")
    member = await member_key(connection, pseudonym)
    found = (
        await connection.execute(
            select(COLLECTION.c.pk).where(
                or_(COLLECTION.c.id == collection, COLLECTION.c.alias == collection)
            )
        )
    ).scalars()
    rows = found.all()
    if len(rows) != 1:
        raise ConfigError("names no collection, or several", where=collection)
    values = {"can_read": rights in {"rw", "r"}, "can_write": rights in {"rw", "w"}}
    here = and_(GRANT.c.member == member, GRANT.c.collection == rows[0])
    await connection.execute(delete(GRANT).where(here))
    await connection.execute(insert(GRANT).values(member=member, collection=rows[0], **values))
