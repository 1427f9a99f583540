"""Nobody speaks in another's name: whose identity may stand under an object.

A pseudonymous member's objects get its identity from the hub. A member under its own name sends one
itself, and could send another's: a contributor's record, an arbiter's verdict or a correction would
then be forged. So an identity that another member has, by its pseudonym or because it submitted
the identity to the collection first, is refused, whether or not it is seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.share.hub.members import Member, pseudonym_identity
from stillwatch.share.hub.tables import MEMBER, VERSION

__all__ = ["named", "others_identities", "references"]

_CHUNK: Final = 400


def named(stix: Mapping[str, Any]) -> str:
    """Return the identity that an object speaks for: its own id, or its creator; empty: none."""
    name = stix.get("id") if stix.get("type") == "identity" else stix.get("created_by_ref")
    return name if isinstance(name, str) else ""


async def others_identities(
    connection: AsyncConnection,
    objects: Sequence[Mapping[str, Any]],
    member: Member,
    collection: int,
    key: bytes,
) -> frozenset[str]:
    """Return which identities that these objects speak for are another member's.

    A pseudonymous member has none to choose. Reads all members' pseudonyms: hundreds, not millions.
    """
    told = {name for one in objects if (name := named(one))}
    if member.pseudonymous or not told:
        return frozenset()
    pseudonyms = select(MEMBER.c.pseudonym).where(MEMBER.c.pk != member.pk)
    held = {
        pseudonym_identity(key, name) for name in (await connection.execute(pseudonyms)).scalars()
    }
    found, names = told & held, sorted(told - held)
    for i in range(0, len(names), _CHUNK):
        query = select(VERSION.c.object_id).where(
            VERSION.c.collection == collection,
            VERSION.c.object_id.in_(names[i : i + _CHUNK]),
            VERSION.c.owner != member.pk,
        )
        found |= set((await connection.execute(query)).scalars())
    return frozenset(found)


def references(stix: Mapping[str, Any]) -> set[str]:
    """Return the ids that an object refers to, but for its creator's and its markings'."""
    found: set[str] = set()
    for name, value in stix.items():
        if name not in {"created_by_ref", "object_marking_refs"}:
            if name.endswith("_ref"):
                found.add(value)
            elif name.endswith("_refs"):
                found.update(value)
    return found
