"""What requests and answers look like in the makers' logs: streams, errors, counts as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from first_afternoon import (
    BEDROCK,
    CHAT,
    HELICONE,
    NOON,
    OBSERVATION,
    PAIR,
    PAYLOAD,
    QUESTION,
    SPENDLOG,
    VERTEX,
    lines,
    one,
    opened,
    rows,
)


def test_keys_that_an_administrator_made_are_no_one_account(tmp_path: Path) -> None:
    """Else all customers of a proxy without users would be one account, and act as one."""
    made = [
        {**PAYLOAD, "id": f"p{n}", "metadata": {"user_api_key_hash": f"h{n}", **more,
                                                "user_api_key_user_id": "default_user_id"}}
        for n, more in enumerate(({}, {}, {"user_api_key_team_id": "t1"},
                                  {"user_api_key_team_id": "default_user_id"}))
    ]  # fmt: skip
    logs = [
        {**SPENDLOG, "request_id": "s1", "user": "default_user_id", "team_id": ""},
        {**SPENDLOG, "request_id": "s2", "user": "default_user_id"},
    ]
    found = rows(opened(tmp_path, payloads=lines(*made), spendlogs=lines(*logs)))
    assert [row["account_id"] for row in found] == ["h0", "h1", "t1", "h3", "h1", "t1"]


def test_payloads_with_json_as_text_and_times_as_text(tmp_path: Path) -> None:
    text = {
        **PAYLOAD,
        **{name: json.dumps(PAYLOAD[name]) for name in ("metadata", "messages", "response")},
        "startTime": "2026-11-01T12:00:00Z", "endTime": "2026-11-01T12:00:01.5+00:00",
    }  # fmt: skip
    row = one(tmp_path, lines(text))
    assert (row["account_id"], row["messages"], row["output_text"]) == ("u1", QUESTION, "yes")
    assert (row["ts"], row["latency_ms"]) == (NOON, 1500.0)


def test_an_answer_that_is_json_stays_the_answer(tmp_path: Path) -> None:
    assert one(tmp_path, lines({**PAYLOAD, "response": '{"a": 1}'}))["output_text"] == '{"a": 1}'


def pair(response: Any, **more: Any) -> bytes:
    return lines({**PAIR, "response": response, **more})


def test_a_response_alone_in_a_list(tmp_path: Path) -> None:
    row = one(tmp_path, pair([CHAT]))
    assert (row["output_text"], row["stream"]) == ("yes", None)


@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_under_its_other_name(tmp_path: Path, streamed: bool) -> None:
    message = {"role": "assistant", "content": "yes", "reasoning": "hm"}
    choice = {"index": 0, "delta" if streamed else "message": message, "finish_reason": "stop"}
    whole = {**CHAT, "choices": [choice]}
    row = one(tmp_path, pair([whole, whole] if streamed else whole))
    assert row["reasoning_text"] == ("hmhm" if streamed else "hm")


def test_an_error_in_place_of_a_stream(tmp_path: Path) -> None:
    events = 'event: error\r\ndata: {"error": {"type": "overloaded_error"}}\r\n\r\n'
    row = one(tmp_path, pair(events))
    assert (row["status"], row["http_status"]) == ("server_error", 529)


def test_counts_as_text_and_as_floats(tmp_path: Path) -> None:
    usage = {"input_tokens": "5", "cache_read_input_tokens": 4.0, "output_tokens": "2"}
    said = {"id": "m", "content": [{"type": "text", "text": "yes"}], "usage": usage}
    row = one(tmp_path, pair(said))
    assert (row["input_tokens"], row["cached_tokens"], row["output_tokens"]) == (9, 4, 2)


def test_records_without_an_id_are_told_apart_by_their_content(tmp_path: Path) -> None:
    refused = {**PAIR, "response": {"error": {"type": "rate_limit_error"}}, "status_code": 429}
    named = {**refused, "request_id": "mine"}
    inputs = opened(tmp_path, log=lines(refused, {**refused, "account_id": "b"}, refused, named))
    first, second, again, known = (row["exchange_id"] for row in rows(inputs))
    assert first == again != second
    assert known == "mine"
    assert inputs.ledger.notes["records without an id, told apart by their content"] == 3


def converse(*events: dict[str, Any]) -> dict[str, Any]:
    return {**BEDROCK, "output": {"outputBodyJson": [
        {"messageStart": {"role": "assistant"}}, *events,
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": {"inputTokens": 5, "outputTokens": 2}}}]}}  # fmt: skip


def delta(index: int, **part: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": part}}


def test_events_of_nova_and_converse(tmp_path: Path) -> None:
    call = {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "x", "name": "look"}}}
    record = converse(
        delta(0, reasoningContent={"text": "h"}), delta(0, reasoningContent={"text": "m"}),
        delta(0, reasoningContent={"signature": "seal"}),
        delta(1, text="y"), delta(1, text="es"), {"contentBlockStart": call},
        delta(2, toolUse={"input": '{"a"'}), delta(2, toolUse={"input": ": 1}"}),
    )  # fmt: skip
    row = one(tmp_path, lines(record))
    assert row["output_text"].startswith("yes\n[tool_call sha256:")
    assert row["output_text"].endswith(" look]")
    assert (row["reasoning_text"], row["reasoning_blob"]) == ("hm", b"seal")
    assert (row["input_tokens"], row["output_tokens"]) == (5, 2)
    assert (row["status"], row["finish_reason"], row["stream"]) == ("ok", "end_turn", True)


def test_a_stream_of_bedrock_that_fails(tmp_path: Path) -> None:
    record = converse(delta(0, text="y"), {"throttlingException": {"message": "no"}})
    assert one(tmp_path, lines(record))["status"] == "rate_limited"


def test_mistral_and_cohere_on_bedrock(tmp_path: Path) -> None:
    mistral = {**BEDROCK, "requestId": "1", "input": {"inputBodyJson": {"prompt": "q"}},
               "output": {"outputBodyJson": {"outputs": [
                   {"text": "yes", "stop_reason": "stop"}]}}}  # fmt: skip
    turns = [{"role": "USER", "message": "p"}, {"role": "CHATBOT", "message": "r"}]
    cohere = {
        **BEDROCK, "requestId": "2",
        "input": {"inputBodyJson": {"message": "q", "chat_history": turns, "preamble": "s"}},
        "output": {"outputBodyJson": {"text": "yes", "finish_reason": "COMPLETE"}},
    }  # fmt: skip
    first, second = rows(opened(tmp_path, log=lines(mistral, cohere)))
    assert (first["output_text"], first["finish_reason"]) == ("yes", "stop")
    assert [(m["role"], m["content"]) for m in second["messages"]] == [
        ("system", "s"), ("user", "p"), ("assistant", "r"), ("user", "q"),
    ]  # fmt: skip
    assert (second["output_text"], second["finish_reason"]) == ("yes", "COMPLETE")


def test_a_partner_models_events_in_vertex(tmp_path: Path) -> None:
    said = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "yes"}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 2}},
    ]
    texts = [f"event: {chunk['type']}\ndata: {json.dumps(chunk)}\n\n" for chunk in said]
    record = {**VERTEX, "api_method": "streamRawPredict", "full_response": None,
              "response_payload": texts}  # fmt: skip
    row = one(tmp_path, lines(record))
    assert (row["output_text"], row["input_tokens"], row["output_tokens"]) == ("yes", 5, 2)
    assert row["model"] == "gemini-3-pro"


@pytest.mark.parametrize("as_list", [False, True])
def test_a_stream_of_helicone_and_its_own_counts(tmp_path: Path, as_list: bool) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "yes"}}]}
    events: Any = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n"
    body = {"streamed_data": [events] if as_list else events}
    row = one(tmp_path, lines({**HELICONE, "response_body": body}))
    assert (row["output_text"], row["input_tokens"], row["output_tokens"]) == ("yes", 5, 2)


@pytest.mark.parametrize(
    "usage",
    [
        {"usageDetails": {"input": "5", "output": 2.0, "total": "7"}},
        {"usageDetails": None, "usage": {"input": 5, "output": 2, "promptTokens": 5,
                                         "completionTokens": 2, "inputCost": 1.0}},
        {"usageDetails": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}},
    ],
)  # fmt: skip
def test_counts_of_langfuse_are_not_added_twice(tmp_path: Path, usage: dict[str, Any]) -> None:
    row = one(tmp_path, lines({**OBSERVATION, **usage}))
    assert (row["input_tokens"], row["output_tokens"]) == (5, 2)


@pytest.mark.parametrize(
    ("asked", "text"),
    [("q", "q"), ({"prompt": "q"}, "q"), ({"query": "q"}, '{"query":"q"}'),
     ({"role": "user", "content": "q"}, "q")],
)  # fmt: skip
def test_inputs_of_langfuse(tmp_path: Path, asked: Any, text: str) -> None:
    row = one(tmp_path, lines({**OBSERVATION, "input": asked}))
    assert row["messages"] == [{"role": "user", "content": text}]


@pytest.mark.parametrize(
    "said",
    ["yes", {"completion": "yes"}, {"content": "yes"}, [{"type": "text", "text": "yes"}],
     {"role": "assistant", "content": "yes"}, [{"role": "assistant", "content": "yes"}], CHAT],
)  # fmt: skip
def test_outputs_of_langfuse(tmp_path: Path, said: Any) -> None:
    row = one(tmp_path, lines({**OBSERVATION, "output": said}))
    assert (row["output_text"], row["status"]) == ("yes", "ok")
