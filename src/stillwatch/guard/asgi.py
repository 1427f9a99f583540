"""The HTTP contract on raw ASGI. No body and no header makes it answer 500 (fuzzed)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from stillwatch.guard.bodies import BadBody, columns_of_call, ending_of, parse, request_of_body
from stillwatch.guard.decision import Decision
from stillwatch.guard.gateways import (
    authz_headers,
    authz_status,
    forwarded,
    guardrail_answer,
    guardrail_request,
)
from stillwatch.guard.metrics import exposition
from stillwatch.guard.request import Origin, Request, request_of_text
from stillwatch.guard.service import Service
from stillwatch.guard.tracing import Begun

__all__ = ["Reply", "app_of", "authz_now", "decide_now"]

_log = logging.getLogger("stillwatch.guard")
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
_JSON: Final = [(b"content-type", b"application/json")]
_GUARDRAIL: Final = "/beta/litellm_basic_guardrail_api"
_CLOSED_PATHS: Final = {"/v1/decide": "decide", "/v1/decide/batch": "decide", _GUARDRAIL: "litellm"}


class Reply(NamedTuple):
    """One answer: status, body, headers."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]


class _Refused(Exception):
    """The request is not looked at: its status and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def app_of(
    service: Service, started: Callable[[], Awaitable[Callable[[], Awaitable[None]]]] | None = None
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return the ASGI application of a service.

    ``started`` runs when the server starts, its result when it stops (reloading, state, gossip).
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _lifespan(scope, receive, send, started)
            return
        status, body, headers = await _answer(service, scope, receive)
        head = [*headers, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": body})

    return app


async def _lifespan(scope: Scope, receive: Receive, send: Send, started: Any) -> None:
    if scope["type"] != "lifespan":
        return
    stop = None
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            stop = await started() if started else None
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            if stop is not None:
                await stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


def decide_now(
    service: Service, given: list[tuple[bytes, bytes]], data: bytes
) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Answer POST /v1/decide whose body is here: status, body, headers. Raises nothing."""
    try:
        headers = _headers(service, given)
        _ask_token(service, headers)
    except _Refused as refused:
        service.counts["refused", str(refused.status)] += 1
        return _error(refused.status, str(refused))
    begun = None if service.tracing is None else service.tracing.begin(headers)
    return _traced(service, begun, "/v1/decide", _decide, data)


def _traced(service: Service, begun: Begun | None, path: str, handle: Any, data: bytes) -> Reply:
    """Answer as `_guarded` does; make a span of it where the request is sampled."""
    tracing = service.tracing
    if begun is None or tracing is None:
        return _guarded(service, path, handle, data)
    tracing.decide()
    reply = _guarded(service, path, handle, data)
    tracing.finish(begun, "POST", path, reply.status)
    return reply


def _ask_token(service: Service, headers: Mapping[bytes, bytes]) -> None:
    token = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
    token = token or headers.get(b"x-api-key", b"")
    if not service.may_ask(token.decode("latin-1")):
        raise _Refused(401, "show a token that is accepted")


async def _answer(service: Service, scope: Scope, receive: Receive) -> Reply:
    path, method = scope["path"], scope["method"]
    try:
        if path.startswith("/authz/") or path == "/authz":
            return await _authz(service, scope, receive)
        headers = _headers(service, scope["headers"])
        if method == "GET" and path in _GETS:
            return _GETS[path](service)
        handle = _POSTS.get(path)
        if handle is None:
            raise _Refused(404, "no such route")
        if method != "POST":
            raise _Refused(405, "POST it")
        _ask_token(service, headers)
        begun = None if service.tracing is None else service.tracing.begin(headers)
        data = await _body(service, headers, receive)
        return _traced(service, begun, path, handle, data)
    except _Refused as refused:
        service.counts["refused", str(refused.status)] += 1
        if path == _GUARDRAIL:
            return _unasked(service, refused)
        return _error(refused.status, str(refused))


def _unasked(service: Service, refused: _Refused) -> Reply:
    """Answer LiteLLM's guardrail about a request that is not taken.

    LiteLLM counts 502 to 504 as a guard that is away and falls back as it is told to; any other
    error it hands to its user, who can help neither a wrong token nor a long prompt.
    """
    if refused.status == 401:
        return _error(503, str(refused))
    if refused.status == 405:
        return _error(405, str(refused))
    decision = service.unavailable(f"refused {refused.status}", "litellm")
    return Reply(200, orjson.dumps(guardrail_answer(decision, "")), _JSON)


def _guarded(service: Service, path: str, handle: Any, data: bytes) -> Reply:
    try:
        answer: Reply = handle(service, data)
        return answer
    except BadBody as bad:
        service.counts["refused", "400"] += 1
        return _error(400, str(bad))
    except Exception as error:  # noqa: BLE001 – whatever fails of ours must not be the caller's error
        route = _CLOSED_PATHS.get(path, "decide")
        decision = _failed(service, error, route)
        if path == _GUARDRAIL:
            return Reply(200, orjson.dumps(guardrail_answer(decision, "")), _JSON)
        return Reply(200, orjson.dumps(_shown(service, decision)), _JSON)


def _failed(service: Service, error: Exception, route: str) -> Decision:
    _log.error(json.dumps({"event": "failed", "route": route, "error": type(error).__name__}))
    return service.unavailable(type(error).__name__, route)


def _headers(service: Service, given: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    serving = service.serving
    if len(given) > serving.max_headers:
        raise _Refused(431, "too many headers")
    if sum(len(k) + len(v) for k, v in given) > serving.max_header_bytes:
        raise _Refused(431, "headers are too long")
    return dict(given)


async def _body(service: Service, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """Return the whole body. A body that is too long or too slow is refused."""
    most = service.serving.max_body
    length = headers.get(b"content-length", b"")
    if length.isdigit() and len(length) < 20 and int(length) > most:
        raise _Refused(413, "the body is too long")
    try:
        async with asyncio.timeout(service.serving.body_timeout_s):
            message = await receive()
            if not message.get("more_body") and message["type"] == "http.request":
                body: bytes = message.get("body", b"")
                if len(body) > most:
                    raise _Refused(413, "the body is too long")
                return body
            return await _rest(message, receive, most)
    except TimeoutError:
        raise _Refused(408, "the body came too slowly") from None


async def _rest(message: Any, receive: Receive, most: int) -> bytes:
    parts, size = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise _Refused(400, "the caller went away")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise _Refused(413, "the body is too long")
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def _decide(service: Service, data: bytes) -> Reply:
    decision = service.decide(request_of_body(parse(data), service.clock_us()), "decide")
    return Reply(200, orjson.dumps(_shown(service, decision)), _JSON)


def _decide_batch(service: Service, data: bytes) -> Reply:
    rows = _rows(service, data)
    now_us = service.clock_us()
    requests = [request_of_body(row, now_us) for row in rows]
    shown = [_shown(service, service.decide(request, "decide")) for request in requests]
    return Reply(200, orjson.dumps({"decisions": shown}), _JSON)


def _observe(service: Service, data: bytes) -> Reply:
    _observe_one(service, parse(data))
    return Reply(202, b'{"observed":1}', _JSON)


def _observe_batch(service: Service, data: bytes) -> Reply:
    rows = _rows(service, data)
    for row in rows:
        _observe_one(service, row)
    return Reply(202, orjson.dumps({"observed": len(rows)}), _JSON)


def _observe_one(service: Service, value: Any) -> None:
    request = request_of_body(value, service.clock_us())
    ending = ending_of(value)
    if ending.verified:
        service.guard.verify(request.account_id, request.end_user_id, request.ts_us)
    service.guard.observe(
        request, status=ending.status, output_tokens=ending.output_tokens,
        prefix_full=ending.prefix_full, h_blob=ending.h_blob,
    )  # fmt: skip
    service.counts["observed",] += 1


def _rows(service: Service, data: bytes) -> list[Any]:
    value = parse(data)
    rows = value.get("requests") if isinstance(value, dict) else None
    if not isinstance(rows, list):
        raise BadBody("requests must be a list")
    if len(rows) > service.serving.max_batch:
        raise BadBody(f"at most {service.serving.max_batch} requests at once")
    return rows


def _guardrail(service: Service, data: bytes) -> Reply:
    hops = service.serving.trusted_hops
    request = guardrail_request(parse(data), service.clock_us(), hops)
    if request is None:
        return Reply(200, b'{"action":"NONE"}', _JSON)
    decision = service.decide(request, "litellm")
    url = service.guard.table.ladder.step_up_url
    return Reply(200, orjson.dumps(guardrail_answer(decision, url)), _JSON)


async def _authz(service: Service, scope: Scope, receive: Receive) -> Reply:
    data = await _body_or_none(service, receive)
    return Reply(*authz_now(service, str(scope["method"]), scope["headers"], data))


async def _body_or_none(service: Service, receive: Receive) -> bytes | None:
    """Return the whole body; None where it is too long (read all the same, so that the answer is
    not lost with a connection that is cut), too slow, or the caller went away."""
    parts, size, most = [], 0, service.serving.max_body
    try:
        async with asyncio.timeout(service.serving.body_timeout_s):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                size += len(message.get("body", b""))
                if size <= most:
                    parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    return b"".join(parts) if size <= most else None
    except TimeoutError:
        return None


def authz_now(
    service: Service, method: str, given: list[tuple[bytes, bytes]], data: bytes | None
) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Answer a gateway in status style: 200 allows, 403 and 429 refuse. Raises nothing.

    A gateway takes every status for a verdict on its user, so that what is wrong between it and the
    guard has none of them: without the token (``x-stillwatch-token``) it is 503, which gateways
    count as a guard that is away; where ``data`` is None, the account is judged, the text is not.
    """
    tracing, begun, style = service.tracing, None, b""
    try:
        headers = _headers(service, given)
        style = headers.get(b"x-stillwatch-style", b"")
        if not service.may_ask(headers.get(b"x-stillwatch-token", b"").decode("latin-1")):
            service.counts["refused", "503"] += 1
            return _error(503, "show a token that is accepted in x-stillwatch-token")
        if tracing is not None and (begun := tracing.begin(headers)) is not None:
            tracing.decide()
        request = _authz_request(service, headers, _authz_call(service, headers, data))
        decision = (
            service.unavailable("no account was named", "authz")
            if request is None
            else service.decide(request, "authz")
        )
    except _Refused as refused:
        service.counts["refused", str(refused.status)] += 1
        decision = service.unavailable(f"refused {refused.status}", "authz")
    except Exception as error:  # noqa: BLE001 – what fails of ours is not the caller's error
        decision = _failed(service, error, "authz")
    status = authz_status(decision, auth_request=style == b"auth_request")
    if tracing is not None and begun is not None:
        tracing.finish(begun, method, "/authz/{path}", status)
    return status, b"", authz_headers(decision, service.guard.table.ladder)


def _authz_call(
    service: Service, headers: Mapping[bytes, bytes], data: bytes | None
) -> dict[str, Any] | None:
    """Return the call in the body; None where there is none, or only a part of it came.

    A gateway that cuts long bodies would show half a prompt: its hashes would be another text's.
    """
    if data is None:
        service.counts["refused", "body"] += 1
        return None
    if not data or headers.get(b"x-envoy-auth-partial-body") == b"true":
        return None
    try:
        value = parse(data)
    except BadBody:
        return None
    return value if isinstance(value, dict) else None


def _authz_request(
    service: Service, headers: Mapping[bytes, bytes], body: dict[str, Any] | None
) -> Request | None:
    serving = service.serving

    def of(name: str) -> str | None:
        value = headers.get(name.encode(), b"").decode("utf-8", "replace")[:512]
        return value or None

    account = of(serving.account_header)
    if account is None:
        return None
    model = body.get("model") if body else None
    address = forwarded(of("x-forwarded-for"), serving.trusted_hops) or of("x-real-ip")
    origin = Origin(
        service.clock_us(), account, of(serving.end_user_header), of(serving.org_header),
        model if isinstance(model, str) else "", None, address, of("x-ja4"), of("user-agent"),
    )  # fmt: skip
    try:
        columns = columns_of_call(body) if body else {}
    except BadBody:
        columns = {}
    return request_of_text(origin, columns)


def _shown(service: Service, decision: Decision) -> dict[str, Any]:
    table = service.guard.table
    shown: dict[str, Any] = {
        "verdict": decision.verdict, "would": decision.would, "mode": decision.mode,
        "reasons": decision.reasons, "campaign_id": decision.campaign_id,
        "ttl_s": decision.ttl_s, "decision_id": decision.decision_id,
        "policy_version": table.snapshot.version,
    }  # fmt: skip
    if decision.verdict == "throttle":
        shown["retry_after_s"] = decision.retry_after_s
    elif decision.verdict == "step_up":
        shown["step_up_url"] = table.ladder.step_up_url
    elif decision.verdict == "summarize":
        shown["disclose"] = not table.ladder.silent_alteration
    return shown


def _error(status: int, reason: str) -> Reply:
    return Reply(status, orjson.dumps({"error": reason}), _JSON)


def _healthz(service: Service) -> Reply:
    return Reply(200, b'{"alive":true}', _JSON)


def _readyz(service: Service) -> Reply:
    ready, state = service.ready()
    return Reply(200 if ready else 503, orjson.dumps(state), _JSON)


def _metrics(service: Service) -> Reply:
    return Reply(200, exposition(service), [(b"content-type", b"text/plain; version=0.0.4")])


_GETS: Final = {"/healthz": _healthz, "/readyz": _readyz, "/metrics": _metrics}
_POSTS: Final = {
    "/v1/decide": _decide,
    "/v1/decide/batch": _decide_batch,
    "/v1/observe": _observe,
    "/v1/observe/batch": _observe_batch,
    _GUARDRAIL: _guardrail,
}
