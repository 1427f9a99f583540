"""Members: who they are, what they may do, and how a request shows whose it is.

A token is 256 random bits; the hub keeps its SHA-256 alone. It is sent as `Authorization: Bearer`
(or `Token`, which taxii2-client writes), or as the password of HTTP Basic whose user name is the
member's pseudonym.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    ScalarSelect,
    Select,
    String,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.errors import ConfigError
from stillwatch.share.hub.markings import TIERS
from stillwatch.share.hub.refusals import Refusal
from stillwatch.share.hub.settings import PURPOSES
from stillwatch.share.hub.tables import AUDIENCE, MEMBER, RECIPIENT, TOKEN, USAGE
from stillwatch.share.hub.times import DAY_US

__all__ = [
    "ROLES",
    "Member",
    "add_member",
    "add_token",
    "disable_member",
    "member_by_key",
    "member_key",
    "pseudonym_identity",
    "shown",
    "who_parameters",
    "who_sql",
]

ROLES: Final = ("reader", "contributor", "operator", "counsel")
_SEES_ALL: Final = frozenset({"operator", "counsel"})
_WRITES: Final = frozenset({"contributor", "operator"})
_NOT_NEEDED: Final = frozenset({"label", "created", "disabled"})
_NO_NAME: Final = "Bearer -"
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="stillwatch", Basic realm="stillwatch"'}


@dataclass(frozen=True)
class Member:
    """A member as a request knows it."""

    pk: int
    pseudonym: str
    role: str
    tier: int
    purpose: str
    pseudonymous: bool
    objects_per_day: int
    reads_per_day: int
    submitted_today: int
    read_today: int

    @property
    def sees_all(self) -> bool:
        """Return whether markings hide nothing: the operator takes down, counsel examines."""
        return self.role in _SEES_ALL

    @property
    def writes(self) -> bool:
        """Return whether the role may submit and delete at all."""
        return self.role in _WRITES


def _credentials(header: str | None) -> tuple[str | None, str]:
    """Return (pseudonym or None, token) of an Authorization header."""
    scheme, _, value = (header or "").strip().partition(" ")
    value = value.strip()
    if scheme.lower() in {"bearer", "token"} and value:
        return None, value
    if scheme.lower() == "basic":
        try:
            user, colon, token = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            user = colon = token = ""
        if colon:
            return user, token
    raise Refusal(401, "Authenticate with a member's token.", headers=_CHALLENGE)


def who_sql() -> Select[Any]:
    """Return the query of the member that a token shows; takes :func:`who_parameters`.

    Beside the member: what it used today, and the audiences that it belongs to, joined by commas.
    """
    return (
        select(
            *(c for c in MEMBER.c if c.name not in _NOT_NEEDED),
            USAGE.c.submitted,
            USAGE.c.read,
            _audiences().label("audiences"),
        )
        .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
        .select_from(TOKEN)
        .join(MEMBER, TOKEN.c.member == MEMBER.c.pk)
        .outerjoin(USAGE, and_(USAGE.c.member == MEMBER.c.pk, USAGE.c.day == bindparam("today")))
        .where(
            TOKEN.c.digest == bindparam("token_digest"),
            or_(TOKEN.c.expires.is_(None), TOKEN.c.expires > bindparam("at")),
            MEMBER.c.disabled.is_(None),
        )
    )


def who_parameters(header: str | None, at: int) -> dict[str, Any]:
    """Return what :func:`who_sql` takes for an Authorization header and a moment.

    Raises:
        Refusal: 401, the header shows nobody.
    """
    token = _credentials(header)[1]
    digest = hashlib.sha256(token.encode()).hexdigest()
    return {"token_digest": digest, "at": at, "today": at // DAY_US}


def _audiences() -> ScalarSelect[Any]:
    named = (
        select(RECIPIENT.c.audience)
        .where(RECIPIENT.c.audience == AUDIENCE.c.pk, RECIPIENT.c.pseudonym == MEMBER.c.pseudonym)
        .correlate(AUDIENCE, MEMBER)  # else any member's name would do
        .exists()
    )
    return (
        select(func.aggregate_strings(cast(AUDIENCE.c.pk, String(20)), ","))
        .where(AUDIENCE.c.tier <= MEMBER.c.tier, or_(AUDIENCE.c.listed != true(), named))
        .correlate(MEMBER)
        .scalar_subquery()
    )


def shown(row: Any, header: str | None) -> tuple[Member, tuple[int, ...]]:
    """Return the member in a row of :func:`who_sql`, and its audiences.

    Raises:
        Refusal: 401, there is no row, or the name that was sent is another's.
    """
    user = _credentials(header)[0]
    if row is None or (
        user is not None and not hmac.compare_digest(user.encode(), row.member_pseudonym.encode())
    ):
        raise Refusal(401, "Authenticate with a member's token.", headers=_CHALLENGE)
    audiences = tuple(map(int, row.audiences.split(","))) if row.audiences else ()
    return _member(row), audiences


async def member_by_key(connection: AsyncConnection, pk: int) -> tuple[Member, tuple[int, ...]]:
    """Return a member by its row, as it is now, and its audiences; without what it used.

    Raises:
        Refusal: 401, its access has ended.
    """
    query = (
        select(
            *(c for c in MEMBER.c if c.name not in _NOT_NEEDED),
            literal(0).label("usage_submitted"),
            literal(0).label("usage_read"),
            _audiences().label("audiences"),
        )
        .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
        .where(MEMBER.c.pk == pk, MEMBER.c.disabled.is_(None))
    )
    return shown((await connection.execute(query)).first(), _NO_NAME)


def _member(row: Any) -> Member:
    return Member(
        row.member_pk,
        row.member_pseudonym,
        row.member_role,
        row.member_tier,
        row.member_purpose,
        row.member_pseudonymous,
        row.member_objects_per_day,
        row.member_reads_per_day,
        row.usage_submitted or 0,
        row.usage_read or 0,
    )


def pseudonym_identity(key: bytes, pseudonym: str) -> str:
    """Return the identity that stands for a member as the creator of its objects; a version 4 UUID
    in form, always the same for one hub and member, and without the hub's key tied to neither."""
    made = hmac.new(key, b"identity\0" + pseudonym.encode(), hashlib.sha256).digest()
    return f"identity--{uuid.UUID(bytes=made[:16], version=4)}"


async def add_member(
    connection: AsyncConnection,
    *,
    label: str,
    role: str,
    tier: str,
    purpose: str,
    pseudonymous: bool,
    objects_per_day: int,
    reads_per_day: int,
    at: int,
) -> str:
    """Enter a member and return its pseudonym, which says nothing of who it is.

    Raises:
        ConfigError: a role, tier or purpose that there is not.
    """
    for value, allowed in ((role, ROLES), (tier, TIERS), (purpose, PURPOSES)):
        if value not in allowed:
            raise ConfigError(f"{value} is none of {', '.join(allowed)}", where="member add")
    pseudonym = f"member-{secrets.token_hex(6)}"
    await connection.execute(
        insert(MEMBER).values(
            pseudonym=pseudonym,
            label=label,
            role=role,
            tier=TIERS.index(tier),
            purpose=purpose,
            pseudonymous=pseudonymous,
            objects_per_day=objects_per_day,
            reads_per_day=reads_per_day,
            created=at,
        )
    )
    return pseudonym


async def member_key(connection: AsyncConnection, pseudonym: str) -> int:
    """Return a member's row.

    Raises:
        ConfigError: there is none of that pseudonym.
    """
    found = await connection.scalar(select(MEMBER.c.pk).where(MEMBER.c.pseudonym == pseudonym))
    if found is None:
        raise ConfigError("no such member", where=pseudonym, hint="stillwatch hub member list")
    return int(found)


async def add_token(
    connection: AsyncConnection, pseudonym: str, *, at: int, expires: int | None, replace: bool
) -> str:
    """Make a token, shown once. ``replace``: the member's other tokens end now.

    Raises:
        ConfigError: there is no such member.
    """
    member = await member_key(connection, pseudonym)
    if replace:
        await connection.execute(delete(TOKEN).where(TOKEN.c.member == member))
    token = f"swh_{secrets.token_urlsafe(32)}"
    await connection.execute(
        insert(TOKEN).values(
            digest=hashlib.sha256(token.encode()).hexdigest(),
            member=member,
            created=at,
            expires=expires,
        )
    )
    return token


async def disable_member(connection: AsyncConnection, pseudonym: str, *, at: int) -> None:
    """End a member's access and its tokens; what it submitted stays.

    Raises:
        ConfigError: there is no such member.
    """
    member = await member_key(connection, pseudonym)
    await connection.execute(delete(TOKEN).where(TOKEN.c.member == member))
    await connection.execute(update(MEMBER).where(MEMBER.c.pk == member).values(disabled=at))
