"""ASGI middleware: the guard inside one's own service, in front of its application."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from stillwatch.guard.bodies import BadBody, columns_of_call, parse
from stillwatch.guard.decision import Decision
from stillwatch.guard.gateways import authz_headers, authz_status, refusal_error
from stillwatch.guard.replies import Receive, Scope, Send
from stillwatch.guard.request import Origin, request_of_text
from stillwatch.guard.service import Service
from stillwatch.guard.summary import Summary, asks_plainly

__all__ = ["Caller", "GuardMiddleware"]

_log = logging.getLogger("stillwatch.guard")
_METHODS = frozenset({"POST", "PUT", "PATCH"})


class Caller(NamedTuple):
    """Who calls, by the service's own authentication; permits may name organization and plan.

    ``created_us``: when the account was made, in microseconds since 1970; 0 where it is not known.
    """

    account_id: str
    org_id: str | None = None
    plan: str | None = None
    end_user_id: str | None = None
    created_us: int = 0


class GuardMiddleware:
    """Asks a service's guard about every POST, PUT and PATCH before the application sees it.

    ``account_of(scope)`` names the caller, from the service's own authentication, as an account's
    id or a `Caller`; None is asked about nothing. A body over the limit passes without being looked
    at: its account is judged, its text is not. Refused calls get OpenAI's form of an error, 403 or
    429; what passes has its `Decision` in ``scope["stillwatch"]``. Of a call to be summarized the
    answer's reasoning is taken out on its way back (see `Summary`); with ``strips`` false that is
    the application's to do. Where the guard fails, the call passes, or is refused where the service
    fails closed on the route *asgi*. The service does not reload by itself here: call
    ``service.reload()`` about once a second.
    """

    def __init__(
        self, app: Any, service: Service, account_of: Callable[[Scope], str | Caller | None],
        *, strips: bool = True,
    ) -> None:  # fmt: skip
        self._app = app
        self._service = service
        self._account_of = account_of
        self._strips = strips

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = self._account_of(scope) if _asked(scope) else None
        if caller is None:
            await self._app(scope, receive, send)
            return
        messages, data = await self._read(receive)
        if isinstance(caller, str):
            caller = Caller(caller)
        try:
            decision = self._decide(scope, caller, data)
        except Exception as error:  # noqa: BLE001 – what fails of ours is not the caller's error
            what = {"event": "failed", "route": "asgi", "error": type(error).__name__}
            _log.error(json.dumps(what))
            decision = self._service.unavailable(type(error).__name__, "asgi")
        ladder = self._service.guard.table.ladder
        status = authz_status(decision, auth_request=False)
        if status == 200:
            passed = {**scope, "stillwatch": decision}
            if decision.verdict == "summarize" and self._strips:
                passed, send = asks_plainly(passed), self._summary(send, decision)
            await self._app(passed, _replayed(messages, receive), send)
            return
        body = orjson.dumps(refusal_error(decision, ladder))
        headers = [
            *authz_headers(decision, ladder),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _summary(self, send: Send, decision: Decision) -> Summary:
        def ended(outcome: str) -> None:
            self._service.note_summary("asgi", outcome, decision.decision_id)

        silent = self._service.guard.table.ladder.silent_alteration
        return Summary(send, ended, says_so=not silent)

    def _decide(self, scope: Scope, caller: Caller, data: dict[str, Any] | None) -> Decision:
        origin = self._origin(scope, caller, data)
        try:
            columns = columns_of_call(data) if data else {}
        except BadBody:
            columns = {}
        return self._service.decide(request_of_text(origin, columns), "asgi")

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

    def _origin(self, scope: Scope, caller: Caller, data: Mapping[str, Any] | None) -> Origin:
        headers = dict(scope["headers"])
        model = data.get("model") if data else None
        client = scope.get("client")
        return Origin(
            self._service.clock_us(), caller.account_id, caller.end_user_id, caller.org_id,
            model=model if isinstance(model, str) else "", plan=caller.plan,
            ip=client[0] if client else None,
            user_agent=headers.get(b"user-agent", b"").decode("latin-1")[:512] or None,
            created_us=caller.created_us,
        )  # fmt: skip


def _asked(scope: Scope) -> bool:
    return bool(scope["type"] == "http" and scope["method"] in _METHODS)


def _replayed(messages: list[Any], receive: Receive) -> Receive:
    waiting = list(reversed(messages))

    async def again() -> Any:
        return waiting.pop() if waiting else await receive()

    return again
