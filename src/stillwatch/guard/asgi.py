"""The HTTP contract on raw ASGI. No body and no header makes it answer 500 (fuzzed)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson

from stillwatch.guard.authz import authz
from stillwatch.guard.bodies import BadBody, BadName, ending_of, parse, request_of_body
from stillwatch.guard.decision import Decision
from stillwatch.guard.gateways import GUARDRAIL_PATHS, REFUSES, guardrail_answer, guardrail_call
from stillwatch.guard.metrics import exposition
from stillwatch.guard.receiving import body_of
from stillwatch.guard.replies import (
    JSON,
    LONG_NAME,
    Receive,
    Refused,
    Reply,
    Scope,
    Send,
    error_reply,
    failed,
    headers_of,
    shown,
)
from stillwatch.guard.service import Service, Serving
from stillwatch.guard.skim import Skim
from stillwatch.guard.tracing import Begun

__all__ = ["app_of", "decide_long_now", "decide_now", "header_names", "skim_of_decide"]

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
_PASSES: Final = Reply(200, b'{"action":"NONE"}', JSON)
_CLOSED_PATHS: Final = {"/v1/decide": "decide", "/v1/decide/batch": "decide", _GUARDRAIL: "litellm"}


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
        headers = headers_of(service, given)
        _ask_token(service, headers)
        begun = None if service.tracing is None else service.tracing.begin(headers)
        return _traced(service, begun, "/v1/decide", handle, data)
    except Refused as refused:
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
        raise Refused(401, "show a token that is accepted")


async def _answer(service: Service, scope: Scope, receive: Receive) -> Reply:
    path, method = scope["path"], scope["method"]
    try:
        if path.startswith("/authz/") or path == "/authz":
            return await authz(service, scope, receive)
        headers = headers_of(service, scope["headers"])
        if method == "GET" and path in _GETS:
            if path == "/metrics" and service.serving.metrics_token:
                _ask_token(service, headers)
            return _GETS[path](service)
        handle = _POSTS.get(path)
        if handle is None:
            raise Refused(404, "no such route")
        if method != "POST":
            raise Refused(405, "POST it")
        _ask_token(service, headers)
        begun = None if service.tracing is None else service.tracing.begin(headers)
        data = await body_of(service, headers, receive, _SKIMMED.get(path))
        return _traced(service, begun, path, handle, data)
    except Refused as refused:
        return _not_taken(service, path, refused)


def _not_taken(service: Service, path: str, refused: Refused) -> Reply:
    service.counts["refused", str(refused.status)] += 1
    if path == _GUARDRAIL:
        return _unasked(service, refused)
    return error_reply(refused.status, str(refused))


def _unasked(service: Service, refused: Refused) -> Reply:
    """Answer LiteLLM's guardrail about a request that is not taken.

    LiteLLM counts 502 to 504 as a guard that is away and falls back as it is told to; any other
    error it hands to its user, who can help neither a wrong token nor a long prompt.
    """
    if refused.status == 401:
        return error_reply(503, str(refused))
    if refused.status == 405:
        return error_reply(405, str(refused))
    decision = service.unavailable(f"refused {refused.status}", "litellm")
    return _guardrail_reply(service, decision)


def _guarded(service: Service, path: str, handle: Any, data: bytes | Skim) -> Reply:
    try:
        whole = data if isinstance(data, bytes) else _skimmed(service, data)
        answer: Reply = handle(service, whole)
        return answer
    except Refused as refused:
        return _not_taken(service, path, refused)
    except BadBody as bad:
        service.counts["refused", "400"] += 1
        return error_reply(400, str(bad))
    except Exception as error:  # noqa: BLE001 – whatever fails of ours must not be the caller's error
        route = _CLOSED_PATHS.get(path, "decide")
        decision = failed(service, error, route)
        if path == _GUARDRAIL:
            return _guardrail_reply(service, decision)
        return Reply(200, orjson.dumps(shown(service, decision)), JSON)


def _skimmed(service: Service, skim: Skim) -> bytes:
    """Return a body of what was found in one that is too long. Raises Refused: nothing was."""
    value = skim.value()
    if not value:
        raise Refused(413, "the body is too long")
    service.counts["refused", "body"] += 1
    return orjson.dumps(value)


def _decide(service: Service, data: bytes) -> Reply:
    request = request_of_body(parse(data), service.clock_us(), inline=True)
    decision = service.decide(request, "decide")
    return Reply(200, orjson.dumps(shown(service, decision)), JSON)


def _decide_batch(service: Service, data: bytes) -> Reply:
    rows = _rows(service, data)
    now_us = service.clock_us()
    requests = [request_of_body(row, now_us, inline=True) for row in rows]
    told = [shown(service, service.decide(request, "decide")) for request in requests]
    return Reply(200, orjson.dumps({"decisions": told}), JSON)


def _observe(service: Service, data: bytes) -> Reply:
    _observe_one(service, parse(data))
    return Reply(202, b'{"observed":1}', JSON)


def _observe_batch(service: Service, data: bytes) -> Reply:
    rows = _rows(service, data)
    for row in rows:
        _observe_one(service, row)
    return Reply(202, orjson.dumps({"observed": len(rows)}), JSON)


def _observe_one(service: Service, value: Any) -> None:
    request = request_of_body(value, service.clock_us())
    ending = ending_of(value)
    if ending.summarized:
        service.note_summary("observe", ending.summarized, ending.decision_id)
    if ending.verified:
        service.guard.verify(request.account_id, request.end_user_id, request.ts_us)
    service.guard.observe(
        request, status=ending.status, output_tokens=ending.output_tokens,
        prefix_full=ending.prefix_full, h_blob=ending.h_blob, h_response=ending.h_response,
        turn=ending.turn,
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
    value = parse(data)
    if isinstance(value, dict) and value.get("input_type") == "response":
        # The deployment also has the guardrail after its calls: what was answered.
        service.observe_calls(service.calls.told(value, service.clock_us()))
        return _PASSES
    try:
        call = guardrail_call(value, service.clock_us(), service.serving.trusted_hops)
    except BadName:
        decision = service.unavailable(LONG_NAME, "litellm")
    else:
        if call is None:
            return _PASSES
        decision = service.decide(call.request, "litellm")
        if decision.verdict not in REFUSES:  # what is refused has no answer
            service.calls.note(value, call)
    return _guardrail_reply(service, decision)


def _guardrail_reply(service: Service, decision: Decision) -> Reply:
    answer = guardrail_answer(decision, service.guard.table.ladder)
    return Reply(200, orjson.dumps(answer), JSON)


def _healthz(service: Service) -> Reply:
    return Reply(200, b'{"alive":true}', JSON)


def _readyz(service: Service) -> Reply:
    ready, state = service.ready()
    return Reply(200 if ready else 503, orjson.dumps(state), JSON)


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
