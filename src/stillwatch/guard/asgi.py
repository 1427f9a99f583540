"""The HTTP contract on raw ASGI. No body and no header makes it answer 500 (fuzzed)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from stillwatch.guard.bodies import (
    BadBody,
    BadName,
    columns_of_call,
    ending_of,
    identifier,
    moment_or_0,
    named,
    parse,
    request_of_body,
)
from stillwatch.guard.decision import Decision
from stillwatch.guard.gateways import (
    GUARDRAIL_PATHS,
    REFUSES,
    authz_headers,
    authz_status,
    forwarded,
    guardrail_answer,
    guardrail_request,
    refusal_text,
)
from stillwatch.guard.metrics import exposition
from stillwatch.guard.request import Origin, Request, request_of_text
from stillwatch.guard.service import Service, Serving
from stillwatch.guard.skim import Skim
from stillwatch.guard.tracing import Begun

__all__ = ["Reply", "app_of", "authz_now", "decide_long_now", "decide_now",
           "header_names", "skim_of_decide"]  # fmt: skip

_log = logging.getLogger("stillwatch.guard")
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
_JSON: Final = [(b"content-type", b"application/json")]
_GUARDRAIL: Final = "/beta/litellm_basic_guardrail_api"
_CALL_PATHS: Final = tuple(
    (name,) for name in ("account_id", "end_user_id", "org_id", "model", "plan", "ip", "ja4",
                         "user_agent")
)  # fmt: skip
# Where a body that is too long to be read still says whose it is.
_SKIMMED: Final = {"/v1/decide": _CALL_PATHS, _GUARDRAIL: GUARDRAIL_PATHS}
_HEADERS: Final = frozenset(
    (b"authorization", b"connection", b"content-length", b"expect", b"traceparent", b"upgrade",
     b"user-agent", b"x-api-key", b"x-envoy-auth-partial-body", b"x-forwarded-for", b"x-ja4",
     b"x-real-ip", b"x-stillwatch-style", b"x-stillwatch-token")
)  # fmt: skip
_LONG_NAME: Final = "the account's name is too long"
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


def decide_now(service: Service, given: list[tuple[bytes, bytes]], data: bytes) -> Reply:
    """Answer POST /v1/decide whose body is here. Raises nothing."""
    return _decided(service, given, _decide, data)


def header_names(serving: Serving) -> frozenset[bytes]:
    """Return the names of the headers that are looked at, and of those that HTTP itself needs."""
    given = (serving.account_header, serving.end_user_header, serving.org_header,
             serving.plan_header, serving.created_header)  # fmt: skip
    return _HEADERS | {name.encode("latin-1") for name in given if name}


def skim_of_decide() -> Skim:
    """Return what finds out of whom a body of /v1/decide speaks that is too long."""
    return Skim(_CALL_PATHS)


def decide_long_now(service: Service, given: list[tuple[bytes, bytes]], skim: Skim) -> Reply:
    """Answer POST /v1/decide whose body is too long: the account is judged. Raises nothing."""
    return _decided(service, given, _decide, skim)


def _decided(service: Service, given: list[tuple[bytes, bytes]], handle: Any, data: Any) -> Reply:
    try:
        headers = _headers(service, given)
        _ask_token(service, headers)
        begun = None if service.tracing is None else service.tracing.begin(headers)
        return _traced(service, begun, "/v1/decide", handle, data)
    except _Refused as refused:
        return _not_taken(service, "/v1/decide", refused)


def _traced(service: Service, begun: Begun | None, path: str, handle: Any, data: Any) -> Reply:
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
            if path == "/metrics" and service.serving.metrics_token:
                _ask_token(service, headers)
            return _GETS[path](service)
        handle = _POSTS.get(path)
        if handle is None:
            raise _Refused(404, "no such route")
        if method != "POST":
            raise _Refused(405, "POST it")
        _ask_token(service, headers)
        begun = None if service.tracing is None else service.tracing.begin(headers)
        data = await _body(service, headers, receive, _SKIMMED.get(path))
        return _traced(service, begun, path, handle, data)
    except _Refused as refused:
        return _not_taken(service, path, refused)


def _not_taken(service: Service, path: str, refused: _Refused) -> Reply:
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
    return _guardrail_reply(service, decision)


def _guarded(service: Service, path: str, handle: Any, data: bytes | Skim) -> Reply:
    try:
        whole = data if isinstance(data, bytes) else _skimmed(service, data)
        answer: Reply = handle(service, whole)
        return answer
    except _Refused as refused:
        return _not_taken(service, path, refused)
    except BadBody as bad:
        service.counts["refused", "400"] += 1
        return _error(400, str(bad))
    except Exception as error:  # noqa: BLE001 – whatever fails of ours must not be the caller's error
        route = _CLOSED_PATHS.get(path, "decide")
        decision = _failed(service, error, route)
        if path == _GUARDRAIL:
            return _guardrail_reply(service, decision)
        return Reply(200, orjson.dumps(_shown(service, decision)), _JSON)


def _skimmed(service: Service, skim: Skim) -> bytes:
    """Return a body of what was found in one that is too long. Raises _Refused: nothing was."""
    value = skim.value()
    if not value:
        raise _Refused(413, "the body is too long")
    service.counts["refused", "body"] += 1
    return orjson.dumps(value)


def _failed(service: Service, error: Exception, route: str) -> Decision:
    _log.error(json.dumps({"event": "failed", "route": route, "error": type(error).__name__}))
    return service.unavailable(type(error).__name__, route)


def _headers(service: Service, given: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    if _too_many(service, given):
        raise _Refused(431, "too many headers, or too long ones")
    return dict(given)


def _too_many(service: Service, given: list[tuple[bytes, bytes]]) -> bool:
    serving = service.serving
    if len(given) > serving.max_headers:
        return True
    return sum(len(k) + len(v) for k, v in given) > serving.max_header_bytes


async def _body(
    service: Service, headers: Mapping[bytes, bytes], receive: Receive,
    paths: tuple[tuple[str, ...], ...] | None,
) -> bytes | Skim:  # fmt: skip
    """Return the whole body, or what ``paths`` held in one that is too long.

    A body that is too slow is refused, one that is too long where there are no ``paths``.
    """
    most = service.serving.max_body
    length = headers.get(b"content-length", b"")
    long = length.isdigit() and (len(length) >= 20 or int(length) > most)
    try:
        async with asyncio.timeout(service.serving.body_timeout_s):
            return await _read(receive, -1 if long else most, paths)
    except TimeoutError:
        raise _Refused(408, "the body came too slowly") from None


async def _read(
    receive: Receive, most: int, paths: tuple[tuple[str, ...], ...] | None
) -> bytes | Skim:
    parts, size = [], 0
    skim: Skim | None = None
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "the caller went away")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most and skim is None:
            if paths is None:
                raise _Refused(413, "the body is too long")
            skim = Skim(paths)
        if skim is not None:
            skim.feed(b"".join(parts))
            parts.clear()
        if not message.get("more_body"):
            return b"".join(parts) if skim is None else skim


def _decide(service: Service, data: bytes) -> Reply:
    request = request_of_body(parse(data), service.clock_us(), inline=True)
    decision = service.decide(request, "decide")
    return Reply(200, orjson.dumps(_shown(service, decision)), _JSON)


def _decide_batch(service: Service, data: bytes) -> Reply:
    rows = _rows(service, data)
    now_us = service.clock_us()
    requests = [request_of_body(row, now_us, inline=True) for row in rows]
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
    try:
        request = guardrail_request(parse(data), service.clock_us(), hops)
    except BadName:
        decision = service.unavailable(_LONG_NAME, "litellm")
    else:
        if request is None:
            return Reply(200, b'{"action":"NONE"}', _JSON)
        decision = service.decide(request, "litellm")
    return _guardrail_reply(service, decision)


def _guardrail_reply(service: Service, decision: Decision) -> Reply:
    answer = guardrail_answer(decision, service.guard.table.ladder)
    return Reply(200, orjson.dumps(answer), _JSON)


async def _authz(service: Service, scope: Scope, receive: Receive) -> Reply:
    data = await _body_or_none(service, receive)
    return authz_now(service, str(scope["method"]), scope["headers"], data)


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
) -> Reply:
    """Answer a gateway in status style: 200 allows, 403 and 429 refuse. Raises nothing.

    A gateway takes every status for a verdict on its user, so that what is wrong between it and the
    guard has none of them: without the token (``x-stillwatch-token``) it is 503, which gateways
    count as a guard that is away; where ``data`` is None, the account is judged, the text is not.
    Too many headers are no way around it either: they are here already, and a caller sends as many
    as it likes through a gateway that passes them on.
    """
    tracing, begun, style = service.tracing, None, b""
    try:
        headers = dict(given)
        if _too_many(service, given):
            service.counts["refused", "headers"] += 1
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
    except BadName:
        decision = service.unavailable(_LONG_NAME, "authz")
    except Exception as error:  # noqa: BLE001 – what fails of ours is not the caller's error
        decision = _failed(service, error, "authz")
    status = authz_status(decision, auth_request=style == b"auth_request")
    if tracing is not None and begun is not None:
        tracing.finish(begun, method, "/authz/{path}", status)
    return Reply(status, b"", authz_headers(decision, service.guard.table.ladder))


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
    """Return what a gateway asks about; None where it names no account.

    End user, organization and plan count only where the operator said which headers name them: any
    other caller may send one. Raises BadName: an account's name that /v1/decide would not take
    either; cut, it would be another's.
    """
    serving = service.serving

    def of(name: str) -> str | None:
        value = headers.get(name.encode(), b"").decode("utf-8", "replace") if name else ""
        return value or None

    account = of(serving.account_header)
    if account is None:
        return None
    model = body.get("model") if body else None
    hops = (of("x-forwarded-for") or "")[-512:]  # its end is what one's own proxies wrote
    address = forwarded(hops, serving.trusted_hops) or of("x-real-ip")
    ja4, agent = ((of(name) or "")[:512] or None for name in ("x-ja4", "user-agent"))
    now_us = service.clock_us()
    origin = Origin(
        now_us, identifier(account, "the account"), named(of(serving.end_user_header)),
        named(of(serving.org_header)), model if isinstance(model, str) else "",
        named(of(serving.plan_header)), address, ja4, agent,
        created_us=moment_or_0(of(serving.created_header), now_us),
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
    if decision.citation:
        shown["citation"] = decision.citation
    if decision.verdict == "throttle":
        shown["retry_after_s"] = decision.retry_after_s
    elif decision.verdict == "step_up":
        shown["step_up_url"] = table.ladder.step_up_url
    elif decision.verdict == "summarize":
        shown["disclose"] = not table.ladder.silent_alteration
    if decision.verdict in REFUSES:
        shown["message"] = refusal_text(decision, table.ladder)
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
