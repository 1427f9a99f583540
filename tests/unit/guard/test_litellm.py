"""The callback class for LiteLLM's proxy before a real guard; with LiteLLM itself: tests/servers.

LiteLLM is in no environment of these tests: of it the class takes a base class and an exception.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest

from stillwatch.guard.asgi import app_of

from .conftest import ordered
from .test_http import key, served

__all__ = ["key"]

ASK = [{"role": "user", "content": "When does the tide turn?"}]
OWN = {"user_api_key_hash": "h", "requester_ip_address": "192.0.2.7", "user_agent": "curl"}
FORGED = {"account_id": "victim", "step_up": "passed", "hashes": {"prefix": 7}}


class Filtered(Exception):
    """What the model's own filter makes LiteLLM raise."""

    status_code = 400


class HTTPError(Exception):
    """FastAPI's, as far as the class needs it."""

    def __init__(self, status_code: int, detail: str, headers: Any = None) -> None:
        super().__init__(detail)
        self.status_code = status_code


def opened(value: str, key: str, exception_type: str, return_original_value: bool) -> str:
    """LiteLLM's decryption, of a cipher that turns a text round."""
    return value[::-1] if value[::-1].startswith("litellm_proxy:") else value


class Through(httpx.ASGITransport):
    """The guard in this process; keeps what it was sent."""

    def __init__(self, service: Any) -> None:
        super().__init__(app_of(service))
        self.sent: list[tuple[str, Any]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append((request.url.path, json.loads(request.content)))
        return await super().handle_async_request(request)


def connect(callback: Any, through: Through) -> None:
    """Let the callback ask a guard of this process."""
    client = httpx.AsyncClient(transport=through, base_url="http://guard")
    callback._client = callback._reporter = client


@pytest.fixture
def made(tmp_path, key, monkeypatch):
    """The callback, and what it sent."""
    held = {
        "fastapi": {"HTTPException": HTTPError},
        "litellm": {},
        "litellm.exceptions": {"ContentPolicyViolationError": Filtered},
        "litellm.integrations": {},
        "litellm.integrations.custom_logger": {"CustomLogger": object},
        "litellm.proxy": {},
        "litellm.proxy.common_utils": {},
        "litellm.proxy.common_utils.encrypt_decrypt_utils": {"decrypt_value_helper": opened},
    }
    for name, names in held.items():
        module = ModuleType(name)
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "stillwatch.guard.litellm", raising=False)
    loaded = importlib.import_module("stillwatch.guard.litellm")
    callback = loaded.StillwatchCallback()
    through = Through(served(tmp_path, key))
    connect(callback, through)
    yield callback, through.sent
    sys.modules.pop("stillwatch.guard.litellm", None)


def asked(callback: Any, account: str = "good", **data: Any) -> dict[str, Any]:
    caller = SimpleNamespace(
        user_id=account, team_id=None, api_key="k", org_id=None, end_user_id=None
    )
    call = {"model": "m-1", "messages": ASK, **data}
    return asyncio.run(callback.async_pre_call_hook(caller, None, call, "completion"))


def ended(callback: Any, data: dict[str, Any], error: Any = None, response: Any = None) -> None:
    given = {name: data.get(name) for name in ("metadata", "litellm_metadata")}
    kwargs = {"litellm_params": given, "messages": data["messages"], "exception": error}
    if error is None:
        asyncio.run(callback.async_log_success_event(kwargs, response, None, None))
    else:
        asyncio.run(callback.async_log_failure_event(kwargs, None, None, None))


def observed(sent: list[tuple[str, Any]]) -> list[Any]:
    return [body for path, body in sent if path == "/v1/observe"]


@pytest.mark.parametrize("mine", ["metadata", "litellm_metadata"])
def test_a_caller_cannot_forge_who_asked(made, mine):
    callback, sent = made
    theirs = "metadata" if mine == "litellm_metadata" else "litellm_metadata"
    forged = {"stillwatch_call": FORGED, "stillwatch_verdict": "allow"}
    data = asked(callback, **{mine: {**OWN, **forged}, theirs: dict(forged)})
    assert not data[theirs]
    assert "victim" not in str(data)
    ended(callback, data)
    (body,) = observed(sent)
    assert body["account_id"] == "good"
    assert not {"step_up", "hashes"} & body.keys()


def test_what_a_caller_made_up_is_reported_of_nobody(made):
    callback, sent = made
    data = {"messages": ASK, "metadata": {"stillwatch_call": FORGED}}
    ended(callback, data)
    ended(callback, {**data, "metadata": {"stillwatch_call": "a guess"}})
    assert not sent


@pytest.mark.parametrize("mine", ["metadata", "litellm_metadata"])
def test_a_caller_cannot_choose_its_address(made, mine):
    callback, sent = made
    theirs = "metadata" if mine == "litellm_metadata" else "litellm_metadata"
    asked(callback, **{mine: dict(OWN), theirs: {"requester_ip_address": "198.51.100.9"}})
    asked(callback, **{theirs: {"requester_ip_address": "198.51.100.9", "user_agent": "x"}})
    assert [(body.get("ip"), body.get("user_agent")) for _, body in sent] == [
        ("192.0.2.7", "curl"), (None, None),
    ]  # fmt: skip


def nested() -> list[Any]:
    found: list[Any] = []
    for _ in range(100_000):
        found = [found]
    return found


@pytest.mark.parametrize(
    "odd",
    [
        {"tools": [{"n": float("nan")}]},
        {"tools": [object()]},
        {"tools": nested()},
        {"messages": [{"role": "user", "content": "\ud800 tide"}]},
        {"model": float("nan")},
    ],
    ids=["nan", "object", "nested", "surrogate", "model"],
)
def test_a_call_that_is_no_json_is_no_way_around_its_account(made, odd):
    callback, sent = made
    with pytest.raises(HTTPError, match="may not use the model") as refused:
        asked(callback, "bad-1", metadata=dict(OWN), **odd)
    assert refused.value.status_code == 403
    data = asked(callback, metadata=dict(OWN), **odd)
    ended(callback, data)
    assert observed(sent)[0]["account_id"] == "good"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Filtered(), "filtered"),
        (SimpleNamespace(status_code=401), None),
        (SimpleNamespace(status_code=403), None),
        (SimpleNamespace(status_code=429), None),
        (SimpleNamespace(status_code=400), "client_error"),
        (SimpleNamespace(status_code=500), "server_error"),
        (SimpleNamespace(status_code=None), "server_error"),
    ],
)
def test_what_the_operators_own_key_met_is_not_reported_of_the_prompt(made, error, status):
    callback, sent = made
    ended(callback, asked(callback, metadata=dict(OWN)), error)
    assert [body["status"] for body in observed(sent)] == ([status] if status else [])


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        (SimpleNamespace(text="It turns."), "It turns."),
        (SimpleNamespace(message=SimpleNamespace(content="It turns.")), "It turns."),
        (SimpleNamespace(message=SimpleNamespace(content=None)), None),
        (SimpleNamespace(), None),
    ],
)
def test_a_completion_has_no_message(made, choice, text):
    callback, sent = made
    ended(callback, asked(callback, metadata=dict(OWN)), None, SimpleNamespace(choices=[choice]))
    assert observed(sent)[0]["output_text"] == text


def test_who_asked_is_held_within_bounds(made, monkeypatch):
    callback, sent = made
    monkeypatch.setattr(sys.modules["stillwatch.guard.litellm"], "_MOST_HELD", 2)
    calls = [asked(callback, f"good-{n}", metadata=dict(OWN)) for n in range(3)]
    for data in calls:
        ended(callback, data)
    assert [body["account_id"] for body in observed(sent)] == ["good-1", "good-2"]


MODELS = "resp_0123456789abcdef"
WRITTEN = base64.b64encode(
    f"litellm:custom_llm_provider:openai;model_id:d-1;response_id:{MODELS}".encode()
).decode()
OWNED = f"litellm_proxy:responses_api:response_id:resp_{WRITTEN};user_id:u-1;team_id:t-1"


@pytest.mark.parametrize(
    ("given", "models"),
    [
        (MODELS, MODELS),
        (f"resp_{WRITTEN}", MODELS),
        (f"resp_{OWNED[::-1]}", MODELS),
        ("chatcmpl-7", "chatcmpl-7"),
        ("resp_bm90aGluZw==", "resp_bm90aGluZw=="),  # base64 of another's
        ("resp_" + WRITTEN[:-3], "resp_" + WRITTEN[:-3]),
        ("", None),
        (7, None),
        (None, None),
    ],
)
def test_a_response_goes_by_the_models_own_id(made, given, models):
    """LiteLLM tells the id in two ways: one for the caller, one for who logs."""
    callback, sent = made
    data = asked(callback, metadata=dict(OWN), previous_response_id=given)
    assert sent[0][1].get("previous_response_id") == models
    kwargs = {
        "litellm_params": {"metadata": data["metadata"]}, "messages": ASK,
        "call_type": "aresponses",
    }  # fmt: skip
    asyncio.run(callback.async_log_success_event(kwargs, SimpleNamespace(id=given), None, None))
    (body,) = observed(sent)
    assert (body.get("previous_response_id"), body["response_id"]) == (models, models)


def test_the_id_of_a_chat_is_no_responses(made):
    callback, sent = made
    answer = SimpleNamespace(id="chatcmpl-7", choices=[])
    ended(callback, asked(callback, metadata=dict(OWN)), None, answer)
    assert "response_id" not in observed(sent)[0]


def test_what_a_response_says_is_its_messages(made):
    callback, sent = made
    parts = [{"type": "output_text", "text": "It turns."}, {"type": "refusal", "refusal": "no"},
             SimpleNamespace(type="output_text", text="At seven.")]  # fmt: skip
    output = [
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "secret"}]},
        SimpleNamespace(type="message", content=parts),
        {"type": "function_call", "name": "look", "arguments": "{}"},
        {"type": "message", "content": None},
    ]
    ended(callback, asked(callback, metadata=dict(OWN)), None, SimpleNamespace(output=output))
    assert observed(sent)[0]["output_text"] == "It turns.\nAt seven."


class Call:
    """LiteLLM's one object of a call, as far as the class needs it."""


@pytest.fixture
def summarizing(made, tmp_path, key):
    callback, _ = made
    (tmp_path / "s").mkdir()
    through = Through(served(tmp_path / "s", key, ordered("summarize")))
    connect(callback, through)
    return callback, through.sent


def chat() -> dict[str, Any]:
    message = {"content": "It turns.", "reasoning_content": "the moon pulls"}
    return {"choices": [{"message": message}]}


async def whole(callback: Any, data: dict[str, Any], answer: Any) -> tuple[Any, Any]:
    told = await callback.async_post_call_success_hook(data, None, answer)
    says = await callback.async_post_call_response_headers_hook(data, None, told)
    await asyncio.gather(*callback._reports)
    return told, says


async def streamed(callback: Any, data: dict[str, Any], chunks: list[Any]) -> list[Any]:
    async def stream() -> Any:
        for chunk in chunks:
            yield chunk

    hook = callback.async_post_call_streaming_iterator_hook(None, stream(), data)
    told = [chunk async for chunk in hook]
    await asyncio.gather(*callback._reports)
    return told


def test_a_copy_of_the_answer_goes_out_without_reasoning(summarizing):
    callback, sent = summarizing
    data = asked(callback, "bad-1", litellm_logging_obj=Call())
    answer = chat()
    told, says = asyncio.run(whole(callback, data, answer))
    assert told == {"choices": [{"message": {"content": "It turns."}}]}
    assert answer == chat()  # which LiteLLM logs
    assert says == {"x-stillwatch-reasoning": "withheld"}
    (body,) = observed(sent)
    assert (body["account_id"], body["summarized"]) == ("bad-1", "stripped")
    assert body["decision_id"].startswith("node-0-")


@pytest.mark.parametrize("note", [{}, {"user_api_key_hash": "h"}])
def test_no_note_of_the_callers_keeps_the_reasoning(summarizing, note):
    callback, _ = summarizing
    notes = {"metadata": {**OWN, **note}, "litellm_metadata": {**OWN, "stillwatch_verdict": "x"}}
    data = asked(callback, "bad-1", litellm_logging_obj=Call(), **notes)
    assert asyncio.run(whole(callback, data, chat()))[0] != chat()


def test_whoever_is_not_to_be_summarized_gets_the_answer_itself(summarizing):
    callback, sent = summarizing
    data, answer = asked(callback, "good", litellm_logging_obj=Call()), chat()
    told, says = asyncio.run(whole(callback, data, answer))
    assert told is answer
    assert says is None
    chunks = [chat()]
    assert asyncio.run(streamed(callback, data, chunks))[0] is chunks[0]
    assert not observed(sent)


@pytest.mark.parametrize("kind", [bytes, str])
def test_events_in_bytes_are_read_however_they_are_cut(summarizing, kind):
    callback, sent = summarizing
    data = asked(callback, "bad-1", litellm_logging_obj=Call())
    delta = {"type": "thinking_delta", "thinking": "the moon pulls"}
    event = json.dumps({"type": "content_block_delta", "index": 0, "delta": delta})
    frame = f"event: content_block_delta\ndata: {event}\n\n"
    text = frame + "event: ping\ndata: {}\n\n"
    chunks = [text[k : k + 9] for k in range(0, len(text), 9)]
    given = [c.encode() for c in chunks] if kind is bytes else chunks
    told = kind().join(asyncio.run(streamed(callback, data, given)))
    expected = ":\n\nevent: ping\ndata: {}\n\n"
    assert told == (expected.encode() if kind is bytes else expected)
    assert observed(sent)[0]["summarized"] == "stripped"


@pytest.mark.parametrize("kind", [bytes, str])
@pytest.mark.parametrize("fails", [False, True])
def test_an_event_that_the_streams_end_cut_goes_on_as_it_came(
    summarizing, monkeypatch, kind, fails
):
    callback, sent = summarizing
    data = asked(callback, "bad-1", litellm_logging_obj=Call())

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a defect of ours")

    if fails:
        module = sys.modules["stillwatch.guard.litellm"]
        monkeypatch.setattr(module.Strip, "event", broken)
    text = 'data: {"choices": [{"delta": {"content": "\u00e9\ud83d"}}]}'
    given = text if kind is str else text.encode(errors="surrogatepass")
    told = asyncio.run(streamed(callback, data, [given[:5], given[5:]]))
    assert [type(piece) for piece in told] == [kind]
    assert told == [given]
    assert observed(sent)[0]["summarized"] == ("failed" if fails else "none")


@pytest.mark.parametrize("word", ["x", {"a": 1}, 7])
@pytest.mark.parametrize("account", ["good", "bad-1"])
def test_a_callers_word_in_place_of_litellms_object_costs_no_answer(summarizing, word, account):
    """Routes on which LiteLLM sets its object after the hooks pass the caller's own field on."""
    callback, sent = summarizing

    async def asks() -> Any:
        caller = SimpleNamespace(
            user_id=account, team_id=None, api_key="k", org_id=None, end_user_id=None
        )
        data = {"messages": ASK, "litellm_logging_obj": word}
        await callback.async_pre_call_hook(caller, None, data, "moderation")
        return await whole(callback, data, {"results": []})

    assert asyncio.run(asks()) == ({"results": []}, None)
    told = [body["summarized"] for body in observed(sent)]
    assert told == (["not_read"] if account == "bad-1" else [])


def test_what_was_taken_out_before_the_caller_went_away_is_told(summarizing):
    callback, sent = summarizing
    data = asked(callback, "bad-1", litellm_logging_obj=Call())

    async def goes_away() -> None:
        async def stream() -> Any:
            for _ in range(9):
                yield {"choices": [{"delta": {"reasoning_content": "the moon pulls"}}]}

        hook = callback.async_post_call_streaming_iterator_hook(None, stream(), data)
        assert await anext(hook) == {"choices": [{"delta": {}}]}
        await hook.aclose()
        await asyncio.gather(*callback._reports)

    asyncio.run(goes_away())
    assert [body["summarized"] for body in observed(sent)] == ["stripped"]


def test_a_call_whose_answer_no_hook_will_know_is_told_to_be_unread(summarizing):
    callback, sent = summarizing

    async def asks() -> None:
        caller = SimpleNamespace(
            user_id="bad-1", team_id=None, api_key="k", org_id=None, end_user_id=None
        )
        await callback.async_pre_call_hook(caller, None, {"messages": ASK}, "completion")
        await asyncio.gather(*callback._reports)

    asyncio.run(asks())
    assert [body["summarized"] for body in observed(sent)] == ["not_read"]


@pytest.mark.parametrize("answer", [{"data": []}, {"candidates": [{"content": {"parts": []}}]}])
def test_an_answer_of_another_kind_passes_and_claims_nothing(summarizing, answer):
    callback, sent = summarizing
    data = asked(callback, "bad-1", litellm_logging_obj=Call())
    told, says = asyncio.run(whole(callback, data, dict(answer)))
    assert (told, says) == (answer, None)
    assert observed(sent)[0]["summarized"] == "not_read"


def test_a_defect_of_ours_lets_the_answer_pass(summarizing, monkeypatch):
    callback, sent = summarizing
    data = asked(callback, "bad-1", litellm_logging_obj=Call())

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a defect of ours")

    module = sys.modules["stillwatch.guard.litellm"]
    monkeypatch.setattr(module.Strip, "whole", broken)
    monkeypatch.setattr(module.Strip, "event", broken)
    answer = chat()
    told, says = asyncio.run(whole(callback, data, answer))
    assert (told, says) == (answer, None)
    chunks = [{"choices": []}, b"data: {}\n", b"\n", b"data: [DONE]\n\n"]
    passed = asyncio.run(streamed(callback, data, chunks[:1]))
    assert passed == chunks[:1]
    assert b"".join(asyncio.run(streamed(callback, data, chunks[1:]))) == b"".join(chunks[1:])
    assert [body["summarized"] for body in observed(sent)] == ["failed"] * 3


def test_reports_that_wait_keep_no_question_waiting(made, monkeypatch):
    """More of them than a client has connections, before a guard that answers questions alone."""
    callback, _ = made
    reports, waiting = 100, 0  # httpx's most

    async def guard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        if b"/v1/observe" in await reader.readline():
            waiting += 1
            await done.wait()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n"
                         b'{"mode": "allow"}')  # fmt: skip
            await writer.drain()
        writer.close()

    async def ask() -> httpx.Response:
        server = await asyncio.start_server(guard, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("GUARD_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("GUARD_TOKEN", "t")
        monkeypatch.setenv("GUARD_TIMEOUT_S", "10")
        asker = type(callback)()
        tasks = [asyncio.create_task(asker._tell({"n": n})) for n in range(reports)]
        while waiting < reports:
            await asyncio.sleep(0.01)
        try:
            return await asker._post("/v1/decide", {}, {})
        finally:
            done.set()
            await asyncio.gather(*tasks)
            await asyncio.gather(asker._client.aclose(), asker._reporter.aclose())
            server.close()
            await server.wait_closed()

    done = asyncio.Event()
    assert asyncio.run(asyncio.wait_for(ask(), 20)).json() == {"mode": "allow"}


@pytest.mark.parametrize(("token", "told"), [("", None), ("token-1\n", "Bearer token-1")])
def test_a_guard_that_wants_no_token_is_asked_over_a_real_connection(
    made, monkeypatch, token, told
):
    """A header that ends with a space is refused before it is sent: every call would pass."""
    seen: list[str | None] = []

    class Guard(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers["authorization"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    monkeypatch.setenv("GUARD_TOKEN", token)
    module = sys.modules["stillwatch.guard.litellm"]
    with HTTPServer(("127.0.0.1", 0), Guard) as server:
        monkeypatch.setenv("GUARD_URL", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        client = module._client(30.0)
        assert asyncio.run(client.post("/v1/decide", content=b"{}")).status_code == 200
        thread.join(30)
    assert seen == [told]
