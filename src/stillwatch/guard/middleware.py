"""ASGI middleware: the guard inside one's own service, in front of its application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from stillwatch.guard.asgi import Receive, Scope, Send
from stillwatch.guard.bodies import BadBody, columns_of_call, parse
from stillwatch.guard.gateways import authz_headers, authz_status, refusal_text
from stillwatch.guard.request import Origin, request_of_text
from stillwatch.guard.service import Service

__all__ = ["GuardMiddleware"]

_METHODS = frozenset({"POST", "PUT", "PATCH"})


class GuardMiddleware:
    """Asks a service's guard about every POST, PUT and PATCH before the application sees it.

    ``account_of(scope)`` names the account, from the service's own authentication; None is asked
    about nothing. A body over the limit passes without being looked at: its account is judged, its
    text is not. Refused calls get OpenAI's form of an error, 403 or 429. The service does not
    reload by itself here: call ``service.reload()`` about once a second.
    """

    def __init__(
        self, app: Any, service: Service, account_of: Callable[[Scope], str | None]
    ) -> None:
        self._app = app
        self._service = service
        self._account_of = account_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        account = self._account_of(scope) if _asked(scope) else None
        if account is None:
            await self._app(scope, receive, send)
            return
        messages, data = await self._read(receive)
        origin = self._origin(scope, account, data)
        try:
            columns = columns_of_call(data) if data else {}
        except BadBody:
            columns = {}
        decision = self._service.decide(request_of_text(origin, columns), "asgi")
        ladder = self._service.guard.table.ladder
        status = authz_status(decision, auth_request=False)
        if status == 200:
            await self._app(scope, _replayed(messages, receive), send)
            return
        kind = "rate_limit_error" if status == 429 else "permission_error"
        text = refusal_text(decision, ladder.step_up_url)
        body = orjson.dumps({"error": {"message": text, "type": kind, "code": decision.verdict}})
        headers = [
            *authz_headers(decision, ladder),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _read(self, receive: Receive) -> tuple[list[Any], dict[str, Any] | None]:
        """Return the messages of the body so far, and its JSON where it is whole and an object."""
        messages: list[Any] = []
        size = 0
        while True:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if message["type"] != "http.request" or size > self._service.serving.max_body:
                return messages, None
            if not message.get("more_body"):
                break
        try:
            value = parse(b"".join(m.get("body", b"") for m in messages))
        except BadBody:
            return messages, None
        return messages, value if isinstance(value, dict) else None

    def _origin(self, scope: Scope, account: str, data: Mapping[str, Any] | None) -> Origin:
        headers = dict(scope["headers"])
        model = data.get("model") if data else None
        client = scope.get("client")
        return Origin(
            self._service.clock_us(), account, model=model if isinstance(model, str) else "",
            ip=client[0] if client else None,
            user_agent=headers.get(b"user-agent", b"").decode("latin-1")[:512] or None,
        )  # fmt: skip


def _asked(scope: Scope) -> bool:
    return bool(scope["type"] == "http" and scope["method"] in _METHODS)


def _replayed(messages: list[Any], receive: Receive) -> Receive:
    waiting = list(reversed(messages))

    async def again() -> Any:
        return waiting.pop() if waiting else await receive()

    return again
