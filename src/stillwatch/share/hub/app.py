"""The hub as a web application: the endpoints of TAXII 2.1, each a function of a few lines.

In which order a request is checked stands in `calls`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import select
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from stillwatch.share.hub.calls import (
    FIXED_HEADERS,
    PURPOSE_HEADER,
    Call,
    Handler,
    answer,
    read_body,
)
from stillwatch.share.hub.collections import list_collections
from stillwatch.share.hub.conduct import Delivery, Note, Record
from stillwatch.share.hub.deleting import delete_object
from stillwatch.share.hub.envelopes import read_envelope
from stillwatch.share.hub.evidence import read_checkpoint, read_consistency, read_receipts
from stillwatch.share.hub.filters import read_filter
from stillwatch.share.hub.hub import Clock, Hub, database_is_away, utc_now
from stillwatch.share.hub.matching import evaluate, propose, read_keys
from stillwatch.share.hub.media import TAXII, is_taxii
from stillwatch.share.hub.reading import read_corrections, read_page
from stillwatch.share.hub.refusals import Refusal, not_found
from stillwatch.share.hub.settings import Settings, Signer
from stillwatch.share.hub.statuses import read_status
from stillwatch.share.hub.structure import Rules
from stillwatch.share.hub.tables import API_ROOT
from stillwatch.share.hub.witnessing import add_checkpoint, ledgers_of

__all__ = ["PURPOSE_HEADER", "create_app", "create_witness"]

_log = logging.getLogger(__name__)


async def _discovery(call: Call) -> Response:
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
    return answer(told)


async def _root(call: Call) -> Response:
    """Section 4.2."""
    async with call.hub.database.reading() as connection:
        await call.enter(connection)
    told = {"title": call.root.api_root_title, "versions": [TAXII]}
    if call.root.api_root_description:
        told["description"] = call.root.api_root_description
    return answer({**told, "max_content_length": call.root.api_root_max_content_length})


async def _status(call: Call) -> Response:
    """Section 4.3."""
    async with call.hub.database.reading() as connection:
        member = await call.enter(connection)
        found = await read_status(connection, call.root.api_root_pk, call.path("status"), member)
    if found is None:
        raise not_found()
    return answer(found.resource.encode())


async def _collections(call: Call) -> Response:
    """Section 5.1."""
    async with call.hub.database.reading() as connection:
        member = await call.enter(connection)
        found = await list_collections(connection, call.root.api_root_pk, member)
    return answer({"collections": [one.resource() for one in found]} if found else {})


async def _collection(call: Call) -> Response:
    """Section 5.2."""
    async with call.hub.database.reading() as connection:
        await call.enter(connection)
    return answer(call.collection.resource() if call.collection else {})


def _reader(endpoint: str) -> Handler:
    """Sections 5.3 (manifest), 5.4 (objects), 5.6 (object) and 5.8 (versions)."""

    async def read(call: Call) -> Response:
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
                left=member.reads_per_day - member.read_today,
                object_id=call.path("object") if "object" in call.request.path_params else None,
            )
        released = endpoint in {"objects", "object"} and page.ids
        told = call.told(
            "release" if released else "read", endpoint=endpoint, ids=page.ids, count=len(page.ids)
        )
        delivery = Delivery(member.pk, collection.pk, page.added) if released else None
        note = Note(told, delivery, member.pk, len(page.ids), member.reads_per_day)
        await hub.recorder.note(note, call.at)
        return answer(page.body, headers=page.headers)

    return read


async def _corrections(call: Call) -> Response:
    """No part of TAXII: what this member received and what was since revoked or deleted."""
    async with call.hub.database.reading() as connection:
        member = await call.enter(connection)
        collection = call.reads(corrections=True)
        wanted = read_filter(call.request.query_params.multi_items(), "corrections")
        most = call.hub.settings.max_page_size
        limit = min(wanted.limit or most, most)
        body = await read_corrections(connection, member, collection, wanted, limit)
    await call.hub.recorder.note(Note(call.told("read", endpoint="corrections")), call.at)
    return answer(body)


async def _add(call: Call) -> Response:
    """Section 5.5."""
    hub, headers = call.hub, call.request.headers
    async with hub.database.reading() as connection:
        member = await call.enter(connection)
    collection = call.writes()
    if not is_taxii(headers.get("content-type")):
        raise Refusal(415, f"Send {TAXII}.")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refusal(415, "Send the body as it is: compressed ones are not taken.")
    body = await read_body(call.request, call.root.api_root_max_content_length)
    objects = await asyncio.to_thread(read_envelope, body, hub.settings.max_objects)
    call.may_submit(len(objects))
    identifier = str(uuid.uuid4())
    if len(objects) <= hub.settings.inline_objects:
        examined = await hub.examine(objects, member, collection)
        resource = await hub.submit_now(examined, identifier, member, collection)
    else:
        examined = await hub.outline(objects, member, collection)
        resource = await hub.submit_later(examined, body, identifier, member, collection)
    return answer(resource.encode(), 202)


async def _delete(call: Call) -> Response:
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
    return answer(b"")


async def _health(call: Call) -> Response:
    """No part of TAXII, and without authentication: whether the database answers."""
    async with call.hub.database.reading() as connection:
        await connection.execute(select(API_ROOT.c.pk).limit(1))
    return answer({"status": "ok"})


_ANY: Final = Rules()
_OBJECTS: Final = "/{root}/collections/{collection}/objects/"
_Endpoints = tuple[tuple[str, dict[str, Handler]], ...]
# What the hub and the witness both serve.
_EVIDENCE: Final[_Endpoints] = (
    ("/health/", {"GET": _health}),
    ("/ledger/checkpoint/", {"GET": read_checkpoint}),
    ("/ledger/consistency/", {"GET": read_consistency}),
    ("/ledger/receipts/", {"GET": read_receipts}),
    ("/match/keys/", {"GET": read_keys}),
    ("/match/", {"POST": evaluate}),
)
_HUB: Final[_Endpoints] = (
    ("/taxii2/", {"GET": _discovery}),
    *_EVIDENCE,
    ("/match/candidates/", {"POST": propose}),
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
    rules: Rules = _ANY,
    record: Record | None = None,
    clock: Clock = utc_now,
) -> Starlette:
    """Return the hub's ASGI application.

    ``rules`` apply to every submitted object, always after the structural check. ``record`` is
    called for every event in the order of the chain, before what it tells of is committed: if it
    raises, nothing is done and the answer is 503.
    """
    hub = Hub.of(settings, key, rules=rules, record=record, clock=clock)
    return _application(hub, _HUB)


def create_witness(
    settings: Settings, key: bytes, signer: Signer, *, clock: Clock = utc_now
) -> Starlette:
    """Return the witness's ASGI application: evaluations, cosignatures, and its own ledger.

    Raises ConfigError where a ledger's key in the settings is none.
    """
    hub = Hub.of(settings, key, rules=_ANY, record=None, clock=clock)
    cosigns = add_checkpoint(signer, ledgers_of(settings))
    return _application(hub, (*_EVIDENCE, ("/add-checkpoint", {"POST": cosigns})))


def _application(hub: Hub, endpoints: _Endpoints) -> Starlette:
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
        for path, handlers in endpoints
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
            call = Call(hub, request, hub.now())
            try:
                return await handlers[method](call)
            except Refusal as refusal:
                return await _refused(call, refusal)
            except ClientDisconnect:
                return answer(b"", 400)
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
    return answer(refusal.message_body(), refusal.status, refusal.headers)


async def _refused(call: Call, refusal: Refusal) -> Response:
    """Answer with an error; a denial to a known member is an event like any other."""
    if call.member is not None and refusal.status in {400, 401, 403, 404, 413, 415, 422, 429}:
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
                headers = {**FIXED_HEADERS, **where, "Content-Type": TAXII}
                return Response(status_code=308, headers=headers)
        if error.status_code == 404:
            return _error(not_found())
        refusal = Refusal(error.status_code, "This is not a request that the endpoint takes.")
        refusal.headers.update(dict(error.headers or {}))
        return _error(refusal)

    return unrouted


async def _broken(request: Request, error: Exception) -> Response:
    return _error(Refusal(500, "The server failed. Nothing was changed."))
