"""The guard inside one's own service: what the application gets, and what never fails it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from stillwatch.guard import Caller, GuardMiddleware
from stillwatch.schema.snapshot import keyed_permit

from .conftest import SALT, ordered
from .test_http import key, served

__all__ = ["key"]  # the fixture


def status_of(service: Any, caller: Any, body: bytes = b"{}") -> tuple[int, Any]:
    """One POST through the middleware: the status, and the decision that the application saw."""
    seen: list[Any] = []
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope.get("stillwatch"))
        assert (await receive())["body"] == body
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    asyncio.run(GuardMiddleware(application, service, lambda _: caller)(scope, receive, send))
    assert "stillwatch" not in scope
    return sent[0]["status"], seen[0] if seen else None


def test_the_accused_are_refused_and_all_others_reach_the_application(tmp_path, key):
    service = served(tmp_path, key)
    assert status_of(service, "bad-1") == (403, None)
    status, decision = status_of(service, "good")
    assert (status, decision.verdict) == (200, "allow")
    assert status_of(service, None) == (200, None)


@pytest.mark.parametrize(("closed", "status"), [((), 200), (("asgi",), 403)])
def test_a_guard_that_fails_lets_pass_unless_told_otherwise(tmp_path, key, closed, status):
    service = served(tmp_path, key, fail_closed=frozenset(closed))

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a defect of ours")

    service.guard.decide = broken
    assert status_of(service, "good")[0] == status
    assert service.counts["unavailable", "asgi", "ZeroDivisionError"] == 1


def test_permits_of_an_organization_and_a_plan_count(tmp_path, key):
    permit = {"permit_id": "p", "account_id": None, "org_id": "acme", "plan": "research",
              "methods": [], "models": [], "max_output_tokens_per_day": None,
              "valid_from_us": None, "valid_until_us": None}  # fmt: skip
    service = served(tmp_path, key, replace(ordered("deny"), permits=(keyed_permit(SALT, permit),)))
    assert status_of(service, "bad-1")[0] == 403
    assert status_of(service, Caller("bad-1", "acme"))[0] == 403
    assert status_of(service, Caller("bad-1", "acme", "research"))[0] == 200


def test_the_application_is_told_to_summarize(tmp_path, key):
    status, decision = status_of(served(tmp_path, key, ordered("summarize")), "bad-1")
    assert (status, decision.verdict) == (200, "summarize")
