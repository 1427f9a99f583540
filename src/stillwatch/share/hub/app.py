"""The hub as a web application: the endpoints of TAXII 2.1, each a function of a few lines.

The order in which a request is checked, everywhere the same:

1. who it is (401), 2. what it can read (406), 3. API root and collection (404), 4. its rights
(403), 5. its purpose, its quota and its parameters (400, 429), 6. the data (404). What a member may
not see is answered exactly as what is not there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from stillwatch.share.hub.adding import read_status
from stillwatch.share.hub.collections import (
    Collection,
    collection_in,
    list_collections,
    place_sql,
)
from stillwatch.share.hub.conduct import Delivery, Note, Record, event
from stillwatch.share.hub.deleting import delete_object
from stillwatch.share.hub.envelopes import read_envelope
from stillwatch.share.hub.filters import read_filter
from stillwatch.share.hub.hub import Clock, Hub, database_is_away, utc_now
from stillwatch.share.hub.media import TAXII, accepts, is_taxii
from stillwatch.share.hub.members import Member, shown, who_parameters
from stillwatch.share.hub.reading import read_corrections, read_page
from stillwatch.share.hub.refusals import Refusal, not_found
from stillwatch.share.hub.settings import PURPOSES, Settings
from stillwatch.share.hub.structure import Accept
from stillwatch.share.hub.tables import API_ROOT
from stillwatch.share.hub.times import DAY_US
from stillwatch.share.hub.visible import Eyes

__all__ = ["PURPOSE_HEADER", "create_app"]

PURPOSE_HEADER: Final = "X-Stillwatch-Purpose"
_BODY_S: Final = 120.0
_FIXED: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_log = logging.getLogger(__name__)


_BLIND: Final = Eyes(-1, (), False)


def _plain(name: str) -> bool:
    """Return whether a part of a path can be a name here."""
    return 0 < len(name) <= 300 and name.isascii() and name.isprintable()


@dataclass
class _Call:
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
        if not accepts(headers.get("accept")):
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

    def reads(self) -> Collection:
        """Do steps 4 and 5 for a read."""
        member, collection = self._known()
        if not collection.can_read:
            raise Refusal(403, "You may not read this collection.")
        told = self.request.headers.get(PURPOSE_HEADER)
        if told is not None and told not in PURPOSES:
            raise Refusal(400, f"{PURPOSE_HEADER} must be one of: {', '.join(PURPOSES)}.")
        if told is None and self.hub.settings.purpose == "required":
            raise Refusal(
                400, f"Every read needs a purpose: send {PURPOSE_HEADER}: {', '.join(PURPOSES)}."
            )
        self.purpose = told or f"agreement:{member.purpose}"
        if member.read_today >= member.reads_per_day:
            raise self._exhausted()
        return collection

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
            raise self._exhausted()

    def _exhausted(self) -> Refusal:
        left_s = (DAY_US - self.at % DAY_US) // 1_000_000 + 1
        return Refusal(
            429, "Your quota for today is used up.", headers={"Retry-After": str(left_s)}
        )

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


Handler = Callable[[_Call], Awaitable[Response]]


def _answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, status, {**_FIXED, **(headers or {}), "Content-Type": TAXII})


async def _discovery(call: _Call) -> Response:
    """Section 4.1."""
    async with call.hub.database.reading() as connection:
        await call.enter(connection)
        query = select(API_ROOT.c.slug).order_by(API_ROOT.c.pk)
        slugs = (await connection.execute(query)).scalars().all()
    settings = call.hub.settings
    base = (settings.public_url or "").rstrip("/")
    roots = [f"{base}/{slug}/" for slug in slugs]
    told: dict[str, Any] = {"title": settings.title, "description": settings.description}
    if settings.contact:
        told["contact"] = settings.contact
    if roots:
        told |= {"default": roots[0], "api_roots": roots}
    return _answer(told)


async def _root(call: _Call) -> Response:
    """Section 4.2."""
    async with call.hub.database.reading() as connection:
        await call.enter(connection)
    told = {"title": call.root.api_root_title, "versions": [TAXII]}
    if call.root.api_root_description:
        told["description"] = call.root.api_root_description
    return _answer({**told, "max_content_length": call.root.api_root_max_content_length})


async def _status(call: _Call) -> Response:
    """Section 4.3."""
    async with call.hub.database.reading() as connection:
        member = await call.enter(connection)
        found = await read_status(connection, call.root.api_root_pk, call.path("status"), member)
    if found is None:
        raise not_found()
    return _answer(found.resource.encode())


async def _collections(call: _Call) -> Response:
    """Section 5.1."""
    async with call.hub.database.reading() as connection:
        member = await call.enter(connection)
        found = await list_collections(connection, call.root.api_root_pk, member)
    return _answer({"collections": [one.resource() for one in found]} if found else {})


async def _collection(call: _Call) -> Response:
    """Section 5.2."""
    async with call.hub.database.reading() as connection:
        await call.enter(connection)
    return _answer(call.collection.resource() if call.collection else {})


def _reader(endpoint: str) -> Handler:
    """Sections 5.3 (manifest), 5.4 (objects), 5.6 (object) and 5.8 (versions)."""

    async def read(call: _Call) -> Response:
        hub = call.hub
        async with hub.database.reading() as connection:
            member = await call.enter(connection)
            collection = call.reads()
            wanted = read_filter(call.request.query_params.multi_items(), endpoint)
            page = await read_page(
                connection,
                endpoint,
                member=member,
                eyes=call.eyes,
                collection=collection,
                wanted=wanted,
                settings=hub.settings,
                key=hub.key,
                object_id=call.path("object") if "object" in call.request.path_params else None,
            )
        released = endpoint in {"objects", "object"} and page.ids
        told = call.told(
            "release" if released else "read", endpoint=endpoint, ids=page.ids, count=len(page.ids)
        )
        delivery = Delivery(member.pk, collection.pk, page.added) if released else None
        await hub.recorder.note(Note(told, delivery, member.pk, len(page.ids)), call.at)
        return _answer(page.body, headers=page.headers)

    return read


async def _corrections(call: _Call) -> Response:
    """No part of TAXII: what this member received and what was since revoked or deleted."""
    async with call.hub.database.reading() as connection:
        member = await call.enter(connection)
        collection = call.reads()
        wanted = read_filter(call.request.query_params.multi_items(), "corrections")
        most = call.hub.settings.max_page_size
        limit = min(wanted.limit or most, most)
        body = await read_corrections(connection, member, collection, wanted, limit)
    await call.hub.recorder.note(Note(call.told("read", endpoint="corrections")), call.at)
    return _answer(body)


async def _add(call: _Call) -> Response:
    """Section 5.5."""
    hub, headers = call.hub, call.request.headers
    async with hub.database.reading() as connection:
        member = await call.enter(connection)
    collection = call.writes()
    if not is_taxii(headers.get("content-type")):
        raise Refusal(415, f"Send {TAXII}.")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refusal(415, "Send the body as it is: compressed ones are not taken.")
    body = await _body(call.request, call.root.api_root_max_content_length)
    objects = await asyncio.to_thread(read_envelope, body, hub.settings.max_objects)
    call.may_submit(len(objects))
    identifier = str(uuid.uuid4())
    if len(objects) <= hub.settings.inline_objects:
        examined = await hub.examine(objects, member, collection)
        resource = await hub.submit_now(examined, identifier, member, collection)
    else:
        examined = await hub.outline(objects, member, collection)
        resource = await hub.submit_later(examined, body, identifier, member, collection)
    return _answer(resource.encode(), 202)


async def _body(request: Request, most: int) -> bytes:
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


async def _delete(call: _Call) -> Response:
    """Section 5.7."""
    hub = call.hub
    async with hub.database.reading() as connection:
        member = await call.enter(connection)
        collection = call.deletes()
        wanted = read_filter(call.request.query_params.multi_items(), "delete")
    async with hub.database.writing() as connection:
        await delete_object(
            connection,
            call.path("object"),
            member=member,
            eyes=call.eyes,
            collection=collection,
            wanted=wanted,
            key=hub.key,
            now=call.at,
            record=hub.record,
        )
    await hub.database.forget()
    return _answer(b"")


async def _health(call: _Call) -> Response:
    """No part of TAXII, and without authentication: whether the database answers."""
    async with call.hub.database.reading() as connection:
        await connection.execute(select(API_ROOT.c.pk).limit(1))
    return _answer({"status": "ok"})


_OBJECTS: Final = "/{root}/collections/{collection}/objects/"
_ENDPOINTS: Final[tuple[tuple[str, dict[str, Handler]], ...]] = (
    ("/taxii2/", {"GET": _discovery}),
    ("/health/", {"GET": _health}),
    ("/{root}/", {"GET": _root}),
    ("/{root}/status/{status}/", {"GET": _status}),
    ("/{root}/collections/", {"GET": _collections}),
    ("/{root}/collections/{collection}/", {"GET": _collection}),
    ("/{root}/collections/{collection}/manifest/", {"GET": _reader("manifest")}),
    ("/{root}/collections/{collection}/corrections/", {"GET": _corrections}),
    (_OBJECTS, {"GET": _reader("objects"), "POST": _add}),
    (_OBJECTS + "{object}/", {"GET": _reader("object"), "DELETE": _delete}),
    (_OBJECTS + "{object}/versions/", {"GET": _reader("versions")}),
)


def create_app(
    settings: Settings,
    key: bytes,
    *,
    accept: Accept | None = None,
    record: Record | None = None,
    clock: Clock = utc_now,
) -> Starlette:
    """Return the hub's ASGI application.

    ``accept`` is called for every submitted object and returns sentences that refuse it; none: it
    is accepted. The structural check comes before it, always. ``record`` is called for every event
    in the order of the chain, before what it tells of is committed: if it raises, nothing is done
    and the answer is 503.
    """
    hub = Hub.of(settings, key, accept=accept, record=record, clock=clock)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        worker = asyncio.create_task(hub.work())
        try:
            yield
        finally:
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker
            await hub.database.close()

    routes = [
        Route(path, _endpoint(hub, handlers), methods=list(handlers))
        for path, handlers in _ENDPOINTS
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={HTTPException: _unrouted(routes), Exception: _broken},
    )
    app.router.redirect_slashes = False
    app.state.hub = hub
    return app


def _endpoint(hub: Hub, handlers: dict[str, Handler]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        # A kept connection may be one of before an outage: a read is tried again on a new one.
        for last in (method != "GET", True):
            call = _Call(hub, request, hub.now())
            try:
                return await handlers[method](call)
            except Refusal as refusal:
                return await _refused(call, refusal)
            except ClientDisconnect:
                return _answer(b"", 400)
            except Exception as error:
                if not database_is_away(error):
                    raise
                if last:
                    _log.warning("the database does not answer: %s", type(error).__name__)
                    break
        return _error(Refusal(503, "The database does not answer.", headers=_RETRY))

    return endpoint


_RETRY: Final = {"Retry-After": "5"}


def _error(refusal: Refusal) -> Response:
    return _answer(refusal.message_body(), refusal.status, refusal.headers)


async def _refused(call: _Call, refusal: Refusal) -> Response:
    """Answer with an error; a denial to a known member is an event like any other."""
    if call.member is not None and refusal.status in {400, 403, 404, 413, 415, 422, 429}:
        told = call.told("deny", status=refusal.status, method=call.request.method)
        try:
            await call.hub.recorder.note(Note(told), call.at)
        except Exception as error:  # noqa: BLE001 - a refusal stays one where it cannot be recorded
            _log.warning("a denial could not be recorded: %s", type(error).__name__)
            return _error(Refusal(503, "The database does not answer.", headers=_RETRY))
    return _error(refusal)


def _unrouted(routes: list[Route]) -> Any:
    async def unrouted(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        path = request.url.path
        if error.status_code == 404 and not path.endswith("/"):
            scope = {**request.scope, "path": path + "/"}
            if any(route.matches(scope)[0] is not Match.NONE for route in routes):
                query = f"?{request.url.query}" if request.url.query else ""
                # Relative, and made of a path that a route matched: it leads to this host alone.
                where = {"Location": quote(path + "/") + query}
                return Response(status_code=308, headers={**_FIXED, **where, "Content-Type": TAXII})
        if error.status_code == 404:
            return _error(not_found())
        refusal = Refusal(error.status_code, "This is not a request that the endpoint takes.")
        refusal.headers.update(dict(error.headers or {}))
        return _error(refusal)

    return unrouted


async def _broken(request: Request, error: Exception) -> Response:
    return _error(Refusal(500, "The server failed. Nothing was changed."))
