"""*summarize* carried out: by LiteLLM's callback and by the middleware, under the real clients."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from conversations import ASK, SAID
from ports import free_port

from stillwatch.guard import GuardMiddleware, Service, Serving, write_snapshot
from stillwatch.seal import new_key, public_key

from .conftest import snapshot
from .test_faults import until
from .test_gateways import SECRET, clients, proxy, second_model
from .test_responses import chat_model
from .thinking import THOUGHT

TOKEN = {"authorization": "Bearer token-1"}
CHAT = [{"role": "user", "content": ASK}]


def ways(
    port: int, key: str, of_anthropic: str = "m-1", of_responses: str = "m-1"
) -> dict[str, tuple[str, str, Any]]:
    """Ask in all six ways: name → (answer, all that the client was given, says so)."""
    client, other = clients(port, key)
    told: dict[str, tuple[str, str, Any]] = {}

    def says(headers: Any) -> Any:
        return headers.get("x-stillwatch-reasoning")

    with client, other:
        raw: Any = client.chat.completions.with_raw_response.create(model="m-1", messages=CHAT)
        done = raw.parse()
        told["chat"] = done.choices[0].message.content, raw.http_response.text, says(raw.headers)
        raw = client.chat.completions.with_raw_response.create(
            model="m-1", messages=CHAT, stream=True
        )
        chunks = list(raw.parse())
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        told["chat, streamed"] = text, str(chunks), says(raw.headers)
        raw = client.responses.with_raw_response.create(model=of_responses, input=ASK)
        told["response"] = raw.parse().output_text, raw.http_response.text, says(raw.headers)
        with client.responses.stream(model=of_responses, input=ASK) as stream:
            events = list(stream)
            final = stream.get_final_response()
            headers = stream._response.headers
        told["response, streamed"] = final.output_text, str(events), says(headers)
        asks: Any = {"model": of_anthropic, "messages": CHAT, "max_tokens": 2_000}
        raw = other.messages.with_raw_response.create(**asks)
        texts = [block.text for block in raw.parse().content if block.type == "text"]
        told["message"] = "".join(texts), raw.http_response.text, says(raw.headers)
        with other.messages.stream(**asks) as stream:
            events = list(stream)
            final, headers = stream.get_final_message(), stream.response.headers
        texts = [block.text for block in final.content if block.type == "text"]
        told["message, streamed"] = "".join(texts), str(events), says(headers)
    return told


def without_reasoning(told: dict[str, tuple[str, str, Any]]) -> None:
    assert len(told) == 6
    for name, (answer, all_of_it, says_so) in told.items():
        assert (answer, THOUGHT in all_of_it, says_so) == (SAID, False, "withheld"), name


def with_reasoning(told: dict[str, tuple[str, str, Any]]) -> None:
    for name, (answer, all_of_it, says_so) in told.items():
        assert (answer, THOUGHT in all_of_it, says_so) == (SAID, True, None), name


@pytest.fixture
def asked(guarded, tmp_path):
    (tmp_path / "tokens").write_text("token-1\n")
    return guarded("--token-file", tmp_path / "tokens", verdict="summarize")


def summaries(guard: Any, outcome: str) -> float:
    lines = guard.ask("/metrics")[1].splitlines()
    wanted = f'stillwatch_guard_summaries_total{{outcome="{outcome}",route="observe"}} '
    return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))


@pytest.mark.slow
def test_litellms_callback_takes_the_reasoning_out(asked, model, tmp_path):
    model.thinks = True
    more = second_model("litellm_settings:", model.server_port)
    ((before, entry),) = chat_model(model.server_port).items()
    more = {before: entry.replace(before, more[before])}
    folder = tmp_path / "l"
    with proxy("litellm_callback.yaml", folder, asked.port, model.server_port, more) as port:
        with_reasoning(ways(port, "sk-good", "m-2"))
        assert not summaries(asked, "stripped")
        without_reasoning(ways(port, "sk-bad", "m-2"))
        until(lambda: summaries(asked, "stripped") == 6)
        # Messages and responses that LiteLLM makes of a chat, with its reasoning.
        without_reasoning(ways(port, "sk-bad", "m-1", "m-3"))
        until(lambda: summaries(asked, "stripped") == 12)
        model.thinks = False
        without_reasoning(ways(port, "sk-bad", "m-2"))
        until(lambda: summaries(asked, "none") == 6)
    assert summaries(asked, "stripped") == 12
    assert not summaries(asked, "not_read") + summaries(asked, "failed")
    (log,) = asked.folder.glob("*.log")
    lines = [json.loads(x) for x in log.read_text().splitlines() if '"summarize"' in x]
    assert {x["outcome"] for x in lines if x.get("event") == "summarize"} == {"stripped", "none"}
    assert all(x["decision_id"].startswith("node-0-") for x in lines if "outcome" in x)


@pytest.mark.slow
def test_a_caller_cannot_hide_that_its_call_is_to_be_summarized(asked, model, tmp_path):
    model.thinks = True
    forged = {"user_api_key_user_id": "good", "stillwatch_verdict": "allow", "stillwatch_call": "x"}
    with proxy("litellm_callback.yaml", tmp_path / "l", asked.port, model.server_port) as port:
        client, other = clients(port, "sk-bad")
        with client, other:
            for name in ("metadata", "litellm_metadata"):
                body = {name: forged}
                done = client.chat.completions.create(
                    model="m-1", messages=CHAT, extra_body=body,
                    extra_headers={"x-litellm-call-id": "mine"},
                )  # fmt: skip
                assert THOUGHT not in done.model_dump_json(), name
                assert done.choices[0].message.content == SAID
                made = client.responses.create(model="m-1", input=ASK, extra_body=body)
                assert (made.output_text, THOUGHT in made.model_dump_json()) == (SAID, False), name


@pytest.mark.slow
def test_litellms_guardrail_is_told_no_reasoning_and_claims_nothing(asked, model, tmp_path):
    """LiteLLM gives its guardrails texts and tool calls of an answer, and takes back no other."""
    model.thinks = True
    more = SECRET | second_model("guardrails:", model.server_port)
    with proxy("litellm.yaml", tmp_path / "l", asked.port, model.server_port, more) as port:
        with_reasoning(ways(port, "sk-bad", "m-2"))
        text = asked.ask("/metrics")[1]
    assert 'route="litellm",verdict="watch",would="summarize"' in text
    assert 'route="litellm",verdict="summarize"' not in text


@pytest.fixture
def served(model, tmp_path, caplog) -> Iterator[tuple[int, Service]]:
    """uvicorn with the guard's middleware before an application that passes calls to the model."""
    caplog.set_level(logging.INFO, "stillwatch.guard")
    key = new_key(tmp_path / "key.pem")
    write_snapshot(tmp_path / "snapshot.json", snapshot("summarize"), key)
    service = Service(Serving(tmp_path / "snapshot.json", (public_key(key),)))
    names = {b"Bearer sk-bad": "bad-1", b"Bearer sk-good": "good"}

    def account_of(scope: Any) -> str | None:
        return names.get(dict(scope["headers"]).get(b"authorization", b""))

    app = GuardMiddleware(passes_on(model.server_port), service, account_of)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield port, service
    server.should_exit = True
    thread.join()


def passes_on(port: int) -> Any:
    """An application that passes a call to a model, and its answer back in small pieces."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        async with httpx.AsyncClient() as client:
            url = f"http://127.0.0.1:{port}{scope['path']}"
            answer = await client.post(url, content=body, timeout=60)
        kept = ("content-type", "content-length")
        headers = [(k.encode(), answer.headers[k].encode()) for k in kept]
        start = {"type": "http.response.start", "status": answer.status_code, "headers": headers}
        await send(start)
        for k in range(0, len(answer.content), 7):
            piece = answer.content[k : k + 7]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return application


def test_the_middleware_takes_the_reasoning_out(served, model, caplog):
    port, service = served
    model.thinks = True
    with_reasoning(ways(port, "sk-good"))
    without_reasoning(ways(port, "sk-bad"))
    assert service.counts["summary", "asgi", "stripped"] == 6
    assert caplog.text.count('"outcome": "stripped"') == 6
    assert THOUGHT not in caplog.text
    model.thinks = False
    without_reasoning(ways(port, "sk-bad"))
    assert service.counts["summary", "asgi", "none"] == 6
