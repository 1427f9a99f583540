"""The HTTP contract on raw ASGI.

LiteLLM's logger tries again after 5xx alone, OTLP's exporters after 429, 502, 503 and 504: what a
client shall send again is answered 503 with Retry-After, what it shall not is 4xx.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from stillwatch.collect.bodies import Refused, Room, read_body
from stillwatch.collect.intake import Busy
from stillwatch.collect.otlp_proto import logs_value, status_bytes, success_bytes, traces_value
from stillwatch.collect.requests import Taken, take_litellm, take_otlp
from stillwatch.collect.service import Service
from stillwatch.collect.wal import frame

__all__ = ["app_of"]

_log = logging.getLogger("stillwatch.collect")
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
_JSON: Final = b"application/json"
_PROTO: Final = b"application/x-protobuf"
_ROUTES: Final = {
    "/v1/litellm": ("litellm", None),
    "/v1/traces": ("traces", traces_value),
    "/v1/logs": ("logs", logs_value),
}
_REJECTED: Final = {"traces": "rejectedSpans", "logs": "rejectedLogRecords"}
_INLINE_BYTES: Final = 32_768  # a larger body is parsed beside the loop
_MOST_HEADERS: Final = 100
_RPC: Final = {400: 3, 401: 16, 408: 4, 413: 3, 415: 3, 503: 14, 500: 13}


class Reply(NamedTuple):
    """One answer."""

    status: int
    body: bytes
    kind: bytes = _JSON
    retry_s: int = 0


def app_of(service: Service) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return the ASGI application of a service."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(service, receive, send)
        elif scope["type"] == "http":
            reply = await _answer(service, scope, receive)
            head = [
                (b"content-type", reply.kind),
                (b"content-length", b"%d" % len(reply.body)),
            ]
            if reply.retry_s:
                head.append((b"retry-after", b"%d" % reply.retry_s))
            await send({"type": "http.response.start", "status": reply.status, "headers": head})
            await send({"type": "http.response.body", "body": reply.body})

    return app


async def _lifespan(service: Service, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await service.start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await service.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _answer(service: Service, scope: Scope, receive: Receive) -> Reply:
    path, method = scope["path"], scope["method"]
    if method == "GET" and path in _GETS:
        return _GETS[path](service)
    route, decode = _ROUTES.get(path, ("other", None))
    headers = dict(scope["headers"])
    kind = _kind(headers, route)
    began = time.perf_counter()
    try:
        if route == "other":
            raise Refused(404, "no such route")
        if method != "POST":
            raise Refused(405, "POST it")
        reply = await _take(service, route, decode, kind, headers, len(scope["headers"]), receive)
    except Refused as refused:
        reply = _error(refused.status, str(refused), route, kind)
    except Busy as busy:
        reply = _error(503, busy.message, route, kind, busy.retry_s)
    except Exception as error:  # noqa: BLE001 – its words could hold content; the client tries again
        _log.error(json.dumps({"event": "failed", "route": route, "error": type(error).__name__}))
        reply = _error(503, "the collector failed", route, kind, 5)
    service.metrics.requests.labels(route, str(reply.status)).inc()
    service.metrics.ack.observe(time.perf_counter() - began)
    return reply


def _kind(headers: Mapping[bytes, bytes], route: str) -> bytes:
    given = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return _PROTO if given == _PROTO and route != "litellm" else _JSON


async def _take(
    service: Service, route: str, decode: Any, kind: bytes, headers: Mapping[bytes, bytes],
    header_count: int, receive: Receive,
) -> Reply:  # fmt: skip
    """Read, parse, write to the disk, acknowledge: in this order and no other."""
    if header_count > _MOST_HEADERS:
        raise Refused(431, "too many headers")
    token = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
    token = token or headers.get(b"x-api-key", b"")
    if not service.may_ask(token.decode("latin-1")):
        raise Refused(401, "show a token that is accepted")
    if decode is not None:
        given = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if given not in (_JSON, _PROTO):
            raise Refused(415, "send application/x-protobuf or application/json")
    intake, settings, metrics = service.intake, service.settings, service.metrics
    assert intake is not None
    with Room(intake) as room:
        body, size = await read_body(headers, receive, settings, room)
        metrics.bytes_in.labels(route).inc(size)
        decode = decode if kind == _PROTO else None
        taken = await _parsed(service, body, decode, route)
        room.take(len(taken.payload))
        if taken.kept:
            await intake.put(frame(taken.kind, time.time_ns() // 1_000, taken.payload))
    metrics.records.labels(route).inc(taken.kept)
    metrics.refused.labels(route).inc(taken.refused)
    metrics.ignored.labels(route).inc(taken.ignored)
    return _accepted(taken, route, kind)


async def _parsed(service: Service, body: bytes, decode: Any, route: str) -> Taken:
    most = service.settings.max_records
    if route == "litellm":
        parse: Callable[[], Taken] = partial(take_litellm, body, most)
    else:
        parse = partial(take_otlp, body, decode, most, service.now())
    if len(body) <= _INLINE_BYTES:
        return parse()
    async with service.parsing:
        return await asyncio.to_thread(parse)


def _accepted(taken: Taken, route: str, kind: bytes) -> Reply:
    if route == "litellm":
        return Reply(200, b'{"accepted":%d,"refused":%d}' % (taken.kept, taken.refused))
    if kind == _PROTO:
        return Reply(200, success_bytes(taken.refused, taken.warning), _PROTO)
    if not taken.refused and not taken.warning:
        return Reply(200, b"{}")
    partial_success: dict[str, Any] = {"errorMessage": taken.warning}
    if taken.refused:
        partial_success[_REJECTED[route]] = str(taken.refused)
    return Reply(200, json.dumps({"partialSuccess": partial_success}).encode())


def _error(status: int, reason: str, route: str, kind: bytes, retry_s: int = 0) -> Reply:
    """Return a refusal; for OTLP as the specification's Status, in the encoding of the request."""
    if route in _REJECTED:
        code = _RPC.get(status, 3)
        if kind == _PROTO:
            return Reply(status, status_bytes(code, reason), _PROTO, retry_s)
        return Reply(status, json.dumps({"code": code, "message": reason}).encode(), _JSON, retry_s)
    return Reply(status, json.dumps({"error": reason}).encode(), _JSON, retry_s)


def _healthy(_: Service) -> Reply:
    return Reply(200, b'{"status":"ok"}')


def _ready(service: Service) -> Reply:
    problem = service.problem
    body = json.dumps({"ready": problem is None, "problem": problem}).encode()
    return Reply(200 if problem is None else 503, body)


def _metrics(service: Service) -> Reply:
    kind = b"text/plain; version=0.0.4; charset=utf-8"
    return Reply(200, service.metrics.exposition(), kind)


_GETS: Final[dict[str, Callable[[Service], Reply]]] = {
    "/healthz": _healthy,
    "/readyz": _ready,
    "/metrics": _metrics,
}
