"""API roots and collections, and what one member may do with each."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    BindParameter,
    Select,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.errors import ConfigError
from stillwatch.share.hub.markings import TIERS, TLP_TIERS
from stillwatch.share.hub.media import STIX_MEDIA
from stillwatch.share.hub.members import Member, member_key, who_sql
from stillwatch.share.hub.refusals import not_found
from stillwatch.share.hub.tables import API_ROOT, COLLECTION, GRANT, MEMBER

__all__ = [
    "Collection",
    "add_collection",
    "add_root",
    "collection_by_key",
    "collection_in",
    "grant",
    "list_collections",
    "place_sql",
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


@cache
def place_sql(root: bool, collection: bool) -> Select[Any]:
    """Return the query of a member, with an API root, with a collection by its id or alias.

    Takes :func:`who_parameters`, ``slug`` and ``name``.
    """
    query = who_sql()
    if not root:
        return query
    query = query.add_columns(*API_ROOT.c).outerjoin(API_ROOT, API_ROOT.c.slug == bindparam("slug"))
    if not collection:
        return query
    name: BindParameter[Any] = bindparam("name")
    named = or_(COLLECTION.c.id == name, COLLECTION.c.alias == name)
    own = and_(GRANT.c.collection == COLLECTION.c.pk, GRANT.c.member == MEMBER.c.pk)
    return (
        query.add_columns(*COLLECTION.c, GRANT.c.can_read, GRANT.c.can_write)
        .outerjoin(COLLECTION, and_(COLLECTION.c.root == API_ROOT.c.pk, named))
        .outerjoin(GRANT, own)
        .limit(1)
    )


async def list_collections(
    connection: AsyncConnection, root: int, member: Member
) -> list[Collection]:
    """Return the collections that exist for a member, oldest first."""
    rows = (await connection.execute(_seen(member).where(COLLECTION.c.root == root))).all()
    return [made for row in rows if (made := collection_in(row, member)) is not None]


async def collection_by_key(connection: AsyncConnection, pk: int, member: Member) -> Collection:
    """Return a collection by its row, with what a member may do with it now.

    Raises:
        Refusal: 404, it does not exist for the member any more.
    """
    row = (await connection.execute(_seen(member).where(COLLECTION.c.pk == pk))).one()
    found = collection_in(row, member)
    if found is None:
        raise not_found()
    return found


def _seen(member: Member) -> Select[Any]:
    own = and_(GRANT.c.collection == COLLECTION.c.pk, GRANT.c.member == member.pk)
    return (
        select(*COLLECTION.c, GRANT.c.can_read, GRANT.c.can_write)
        .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
        .select_from(COLLECTION)
        .outerjoin(GRANT, own)
        .order_by(COLLECTION.c.created, COLLECTION.c.pk)
    )


def collection_in(row: Any, member: Member) -> Collection | None:
    """Return a row's collection with this member's rights: its grant, else by role and tier.

    None where there is none for this member. A role narrows a grant: a reader never writes.
    """
    granted = row.access_can_read is not None
    if row.collection_pk is None:
        return None
    if not granted and member.tier < row.collection_tier and not member.sees_all:
        return None
    return Collection(
        row.collection_pk,
        row.collection_root,
        row.collection_id,
        row.collection_title,
        row.collection_description,
        row.collection_alias,
        tuple(row.collection_spec_versions.split(",")),
        row.collection_default_tlp,
        row.collection_created,
        row.access_can_read if granted else True,
        (row.access_can_write if granted else True) and member.writes,
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
    if slug in {"taxii2", "health", "ledger", "match", "add-checkpoint"}:
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
