"""Nobody speaks in another's name: whose identity may stand under an object.

A pseudonymous member's objects get its identity from the hub. A member under its own name sends one
itself, and could send another's: a contributor's record, an arbiter's verdict or a correction would
then be forged. So an identity that another member has, by its pseudonym or because it submitted
the identity to the collection first, is refused, whether or not it is seen.

An identity is a random id that its member chooses, 122 bits of it, and nothing shows whether it was
random. A member speaks under three in a collection at most, so that ids are no letter to others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.share.hub.members import Member, pseudonym_identity
from stillwatch.share.hub.tables import MEMBER, SPEAKER, VERSION

__all__ = ["MOST_IDENTITIES", "Voices", "named", "others_identities", "references", "voices_of"]

MOST_IDENTITIES: Final = 3
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


@dataclass
class Voices:
    """The identities of a member's own choice in a collection, ``free`` ones apart."""

    held: set[str]
    free: frozenset[str]
    added: list[str] = field(default_factory=list)

    def admit(self, identity: str) -> bool:
        """Return whether a member may speak under an identity, and remember that it does."""
        if not identity or identity in self.free or identity in self.held:
            return True
        if len(self.held) >= MOST_IDENTITIES:
            return False
        self.held.add(identity)
        self.added.append(identity)
        return True

    async def keep(self, connection: AsyncConnection, member: Member, collection: int) -> None:
        """Write what was added; the caller holds the collection's lock."""
        rows = [
            {"collection": collection, "member": member.pk, "identity": one} for one in self.added
        ]
        if rows:
            await connection.execute(insert(SPEAKER), rows)


async def voices_of(
    connection: AsyncConnection, member: Member, collection: int, key: bytes, fixed: Iterable[str]
) -> Voices:
    """Return under which identities a member speaks. ``fixed``: what is the same for all."""
    query = select(SPEAKER.c.identity).where(
        SPEAKER.c.collection == collection, SPEAKER.c.member == member.pk
    )
    held = set((await connection.execute(query)).scalars())
    return Voices(held, frozenset(fixed) | {pseudonym_identity(key, member.pseudonym)})
