"""One request on its way, the same for every endpoint: who asks, where, with which rights.

The order in which a request is checked:

1. who it is (401), 2. what it can read (406), 3. API root and collection (404), 4. its rights
(403), 5. its purpose, its quota and its parameters (400, 429), 6. the data (404). What a member may
not see is answered exactly as what is not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from stillwatch.share.hub.collections import Collection, collection_in, place_sql
from stillwatch.share.hub.conduct import event, exhausted
from stillwatch.share.hub.hub import Hub, lapsed
from stillwatch.share.hub.media import TAXII, accepts
from stillwatch.share.hub.members import Member, shown, who_parameters
from stillwatch.share.hub.refusals import Refusal, not_found
from stillwatch.share.hub.settings import PURPOSES
from stillwatch.share.hub.visible import Eyes

__all__ = ["FIXED_HEADERS", "PURPOSE_HEADER", "Call", "Handler", "answer", "read_body"]

PURPOSE_HEADER: Final = "X-Stillwatch-Purpose"
FIXED_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_BODY_S: Final = 120.0
_BLIND: Final = Eyes(-1, (), False)


def _plain(name: str) -> bool:
    """Return whether a part of a path can be a name here."""
    return 0 < len(name) <= 300 and name.isascii() and name.isprintable()


@dataclass
class Call:
    """One request on its way: what is known of it so far."""

    hub: Hub
    request: Request
    at: int
    member: Member | None = None
    eyes: Eyes = _BLIND
    root: Any = None
    collection: Collection | None = None
    purpose: str | None = None

    def path(self, name: str) -> str:
        """Return a part of the path; 404 for one that no name here can be."""
        value = str(self.request.path_params.get(name, ""))
        if not _plain(value):
            raise not_found()
        return value

    async def enter(self, connection: AsyncConnection) -> Member:
        """Do steps 1 to 3, in one query."""
        headers, parts = self.request.headers, self.request.path_params
        header = headers.get("authorization")
        given = who_parameters(header, self.at)
        known = all(map(_plain, (parts.get("root", "-"), parts.get("collection", "-"))))
        query = place_sql("root" in parts and known, "collection" in parts and known)
        if known:
            given |= {"slug": parts.get("root"), "name": parts.get("collection")}
        row = (await connection.execute(query, given)).first()
        self.member, audiences = shown(row, header)
        self.eyes = Eyes(self.member.pk, audiences, self.member.sees_all)
        if not accepts(headers.getlist("accept")):
            raise Refusal(406, f"This server answers in {TAXII}.")
        if "root" in parts:
            if row is None or not known or row.api_root_pk is None:
                raise not_found()
            self.root = row
        if "collection" in parts:
            self.collection = collection_in(row, self.member)
            if self.collection is None:
                raise not_found()
        return self.member

    def reads(self, *, corrections: bool = False) -> Collection:
        """Do steps 4 and 5 for a read; what was revoked or deleted is told without a basis, too."""
        member, collection = self._known()
        if not collection.can_read:
            raise Refusal(403, "You may not read this collection.")
        self.says_why()
        if not corrections:
            self.has_basis()
        if member.read_today >= member.reads_per_day:
            raise exhausted(self.at)
        return collection

    def says_why(self) -> None:
        """Take note of the purpose, which every read has."""
        told = self.request.headers.get(PURPOSE_HEADER)
        if told is not None and told not in PURPOSES:
            raise Refusal(400, f"{PURPOSE_HEADER} must be one of: {', '.join(PURPOSES)}.")
        if told is None and self.hub.settings.purpose == "required":
            raise Refusal(
                400, f"Every read needs a purpose: send {PURPOSE_HEADER}: {', '.join(PURPOSES)}."
            )
        self.purpose = told or f"agreement:{self.who().purpose}"

    def has_basis(self) -> None:
        """Demand a legal basis for the purpose, where the hub's settings name any."""
        purpose = (self.purpose or "").removeprefix("agreement:")
        over = lapsed(self.hub.bases, purpose, self.hub.clock())
        if over:
            raise Refusal(403, " ".join(over))

    def who(self) -> Member:
        """Return the member that was entered."""
        if self.member is None:
            raise RuntimeError("a request was not entered")
        return self.member

    def writes(self) -> Collection:
        """Do step 4 for a submission."""
        collection = self._known()[1]
        if not collection.can_write:
            raise Refusal(403, "You may not write to this collection.")
        return collection

    def deletes(self) -> Collection:
        """Do step 4 for a deletion (TAXII 2.1, section 5.7, table of mandatory responses)."""
        collection = self._known()[1]
        if not collection.can_read and not collection.can_write:
            raise not_found()
        if not collection.can_read or not collection.can_write:
            raise Refusal(403, "You may not delete from this collection.")
        return collection

    def may_submit(self, objects: int) -> None:
        """Do step 5 for a submission."""
        member = self._known()[0]
        if member.submitted_today + objects > member.objects_per_day:
            raise exhausted(self.at)

    def _known(self) -> tuple[Member, Collection]:
        if self.member is None or self.collection is None:
            raise RuntimeError("a request was not entered")
        return self.member, self.collection

    def told(self, action: str, **counts: Any) -> dict[str, Any]:
        """Return an event about this request."""
        return event(
            action,
            key=self.hub.key,
            member=self.member.pseudonym if self.member else "",
            at=self.at,
            collection=self.collection.id if self.collection else None,
            purpose=self.purpose,
            **counts,
        )


Handler = Callable[[Call], Awaitable[Response]]


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, status, {**FIXED_HEADERS, **(headers or {}), "Content-Type": TAXII})


async def read_body(request: Request, most: int) -> bytes:
    """Return the body, of which never more than ``most`` bytes are held."""
    too_large = Refusal(413, f"The body is larger than {most:,} bytes.")
    length = request.headers.get("content-length", "")
    if length.isdigit() and len(length) < 20 and int(length) > most:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_S):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, f"The body did not come within {_BODY_S:.0f} s.") from None
    return b"".join(parts)
