"""`/authz/{path}`: gateways that take a status for a verdict (nginx, Envoy, Caddy, Traefik)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from stillwatch.guard.bodies import (
    BadBody,
    BadName,
    columns_of_call,
    identifier,
    moment_or_0,
    named,
    parse,
)
from stillwatch.guard.gateways import authz_headers, authz_status, forwarded, refusal_error
from stillwatch.guard.receiving import body_or_none
from stillwatch.guard.replies import (
    JSON,
    LONG_NAME,
    Receive,
    Reply,
    Scope,
    error_reply,
    failed,
    too_many,
)
from stillwatch.guard.request import Origin, Request, request_of_text
from stillwatch.guard.service import Service

__all__ = ["authz", "authz_now"]


async def authz(service: Service, scope: Scope, receive: Receive) -> Reply:
    """Answer `authz_now` once the body is here."""
    data = await body_or_none(service, receive)
    return authz_now(service, str(scope["method"]), scope["headers"], data)


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
        if too_many(service, given):
            service.counts["refused", "headers"] += 1
        style = headers.get(b"x-stillwatch-style", b"")
        if not service.may_ask(headers.get(b"x-stillwatch-token", b"").decode("latin-1")):
            service.counts["refused", "503"] += 1
            return error_reply(503, "show a token that is accepted in x-stillwatch-token")
        if tracing is not None and (begun := tracing.begin(headers)) is not None:
            tracing.decide()
        request = _authz_request(service, headers, _authz_call(service, headers, data))
        decision = (
            service.unavailable("no account was named", "authz")
            if request is None
            else service.decide(request, "authz")
        )
    except BadName:
        decision = service.unavailable(LONG_NAME, "authz")
    except Exception as error:  # noqa: BLE001 – what fails of ours is not the caller's error
        decision = failed(service, error, "authz")
    of_nginx = style == b"auth_request"
    status = authz_status(decision, auth_request=of_nginx)
    if tracing is not None and begun is not None:
        tracing.finish(begun, method, "/authz/{path}", status)
    ladder = service.guard.table.ladder
    told = authz_headers(decision, ladder, auth_request=of_nginx)
    if status == 200 or method == "HEAD":
        return Reply(status, b"", told)
    return Reply(status, orjson.dumps(refusal_error(decision, ladder)), [*told, *JSON])


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
