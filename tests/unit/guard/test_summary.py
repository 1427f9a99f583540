"""*summarize* by the middleware: what it says it did is what it did (clients: tests/servers)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from stillwatch.guard import GuardMiddleware
from stillwatch.guard import reasoning as taken_out
from stillwatch.guard.metrics import exposition
from stillwatch.policy import Ladder

from .conftest import ordered
from .test_http import call, key, served

__all__ = ["key"]

THOUGHT = "the moon pulls"
CHAT = {"choices": [{"message": {"content": "It turns.", "reasoning_content": THOUGHT}}]}
WHOLE = json.dumps(CHAT).encode()
DELTA = {"choices": [{"delta": {"content": "It turns.", "reasoning_content": THOUGHT}}]}
STREAM = f"data: {json.dumps(DELTA)}\n\ndata: [DONE]\n\n".encode()
JSON, SSE = b"application/json; charset=utf-8", b"text/event-stream"


def answered(
    service: Any, body: bytes, kind: bytes = JSON, *, account: str = "bad-1", status: int = 200,
    more: tuple[tuple[bytes, bytes], ...] = (), **options: Any,
) -> tuple[dict[bytes, bytes], bytes, Any]:  # fmt: skip
    """One POST whose answer an application sends in pieces: headers, body, what it was asked."""
    seen: list[Any] = []
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *more]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        half = len(body) // 2
        await send({"type": "http.response.body", "body": body[:half], "more_body": True})
        await send({"type": "http.response.body", "body": body[half:]})

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asks = [(b"accept-encoding", b"gzip"), (b"x-other", b"1")]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": asks,
             "extensions": {"http.response.pathsend": {}, "tls": {}}}  # fmt: skip
    made = GuardMiddleware(application, service, lambda _: account, **options)
    asyncio.run(made(scope, receive, send))
    told = b"".join(m.get("body", b"") for m in sent[1:])
    return dict(sent[0]["headers"]), told, seen[0]


def done(service: Any) -> dict[str, int]:
    return {k[2]: n for k, n in service.counts.items() if k[0] == "summary"}


@pytest.fixture
def service(tmp_path, key):
    return served(tmp_path, key, ordered("summarize"))


def test_an_answer_goes_out_without_reasoning_and_says_so(service):
    headers, body, scope = answered(service, WHOLE, more=((b"ETag", b"1"),))
    assert json.loads(body) == {"choices": [{"message": {"content": "It turns."}}]}
    assert headers[b"content-length"] == b"%d" % len(body)
    assert headers[b"x-stillwatch-reasoning"] == b"withheld"
    assert b"ETag" not in headers
    # A compressed answer could not be read; without a word any coding would do.
    assert scope["headers"] == [(b"x-other", b"1"), (b"accept-encoding", b"identity")]
    assert scope["extensions"] == {"tls": {}}
    headers, body, _ = answered(service, STREAM, SSE)
    assert b"content-length" not in headers
    assert headers[b"x-stillwatch-reasoning"] == b"withheld"
    assert THOUGHT.encode() not in body
    assert body.endswith(b"data: [DONE]\n\n")
    assert done(service) == {"stripped": 2}
    assert b'summaries_total{outcome="stripped",route="asgi"} 2' in exposition(service)


def test_a_stream_whose_first_event_is_a_ping_says_so_too(service):
    delta = {"type": "thinking_delta", "thinking": THOUGHT}
    event = {"type": "content_block_delta", "index": 0, "delta": delta}
    last = f"data: {json.dumps(event)}\n\n".encode()
    first = b'event: ping\ndata: {"type": "ping"}\n\n'.ljust(len(last), b"\n")
    headers, body, _ = answered(service, first + last, SSE)  # each in a piece
    assert THOUGHT.encode() not in body
    assert headers[b"x-stillwatch-reasoning"] == b"withheld"


@pytest.mark.parametrize("account", ["good", "bad-1"])
def test_only_this_verdict_touches_an_answer(tmp_path, key, account):
    verdict = "watch" if account == "bad-1" else "summarize"
    service = served(tmp_path, key, ordered(verdict))
    headers, body, scope = answered(service, WHOLE, account=account)
    assert (body, b"x-stillwatch-reasoning" in headers) == (WHOLE, False)
    assert (b"accept-encoding", b"gzip") in scope["headers"]
    assert done(service) == {}


def test_an_application_that_summarizes_itself_is_left_alone(service):
    headers, body, scope = answered(service, WHOLE, strips=False)
    assert (body, b"x-stillwatch-reasoning" in headers) == (WHOLE, False)
    assert scope["stillwatch"].verdict == "summarize"


@pytest.mark.parametrize(
    ("body", "kind", "more", "status"),
    [
        (WHOLE, JSON, ((b"content-encoding", b"gzip"),), 200),
        (b"{half", JSON, (), 200),
        (b'{"data": []}', JSON, (), 200),
        (WHOLE, b"application/x-ndjson", (), 200),
        (b": a comment\n\ndata: {}\n\n", SSE, (), 200),
        (b"", SSE, (), 200),
        (b"[" * 100_000, JSON, (), 200),
    ],
    ids=["gzip", "half", "other", "ndjson", "events", "empty", "deep"],
)
def test_what_cannot_be_read_passes_and_is_counted(service, caplog, body, kind, more, status):
    headers, told, _ = answered(service, body, kind, more=more, status=status)
    assert told == body
    assert done(service) == {"not_read": 1}
    assert '"outcome": "not_read"' in caplog.text
    assert b"x-stillwatch-reasoning" not in headers


def test_errors_of_the_application_pass(service):
    headers, told, _ = answered(service, b'{"error": {}}', status=500)
    assert (told, b"x-stillwatch-reasoning" in headers) == (b'{"error": {}}', False)
    assert done(service) == {}


@pytest.mark.parametrize(("body", "kind"), [(WHOLE, JSON), (STREAM, SSE)])
def test_a_defect_of_ours_lets_the_answer_pass(service, monkeypatch, caplog, body, kind):
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a defect of ours")

    monkeypatch.setattr(taken_out.Strip, "whole", broken)
    assert answered(service, body, kind)[1] == body
    assert done(service) == {"failed": 1}
    assert '"error": "ZeroDivisionError"' in caplog.text
    assert THOUGHT not in caplog.text


def test_it_is_not_said_where_the_law_allows_silence(tmp_path, key):
    ladder = Ladder(mode="enforce", silent_alteration=True, silent_legal_basis="order 7",
                    silent_approved_by="R. Doe")  # fmt: skip
    service = served(tmp_path, key, replace(ordered("summarize"), ladder=ladder.as_dict()))
    headers, body, _ = answered(service, WHOLE)
    assert THOUGHT.encode() not in body
    assert b"x-stillwatch-reasoning" not in headers


@pytest.mark.parametrize("outcome", taken_out.OUTCOMES)
def test_who_strips_elsewhere_reports_it(tmp_path, key, outcome):
    service = served(tmp_path, key)
    told = {"account_id": "bad-1", "decision_id": "node-0-1", "summarized": outcome}
    assert call(service, "/v1/observe", told)[0] == 202
    assert done(service) == {outcome: 1}
    assert call(service, "/v1/observe", {**told, "summarized": "x"})[0] == 400
    assert call(service, "/v1/observe", {**told, "summarized": 7})[0] == 400
    assert call(service, "/v1/observe", {**told, "summarized": ["stripped"]})[0] == 400
    assert call(service, "/v1/observe", {**told, "decision_id": 7})[0] == 400
