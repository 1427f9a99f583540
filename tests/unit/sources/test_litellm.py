"""LiteLLM's payloads, as its own library wrote them, become exchanges."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources import Ledger, open_inputs
from stillwatch.sources.inputs import complete
from stillwatch.sources.litellm import LiteLLM

FIXTURES = Path(__file__).parents[2] / "fixtures" / "litellm"
LINES = (FIXTURES / "callbacks.jsonl").read_text("utf-8").splitlines()


def case_of(payload: dict[str, Any]) -> str:
    return next(t[5:] for t in payload["request_tags"] if t.startswith("case:"))


PAYLOADS = {case_of(p): p for p in map(json.loads, LINES)}


def convert(payload: dict[str, Any], source: LiteLLM | None = None) -> dict[str, Any]:
    ledger = Ledger()
    raw = io.BufferedReader(io.BytesIO(json.dumps(payload).encode()))  # type: ignore[arg-type]
    (batch,) = (source or LiteLLM()).read(raw, "log", ledger)
    assert not ledger.rejected
    (row,) = complete(batch).to_pylist()
    return dict(row)


def test_a_plain_call() -> None:
    payload = PAYLOADS["plain"]
    row = convert(payload)
    want = {
        "exchange_id": payload["id"],
        "ts": datetime.fromtimestamp(payload["startTime"], UTC),
        "account_id": "user-1",
        "org_id": "org-1",
        "workspace_id": "team-1",
        "key_id": payload["metadata"]["user_api_key_hash"],
        "end_user_id": "customer-7",
        "model": "gpt-4o-mini",
        "provider": "openai",
        "operation": "chat",
        "channel": "api",
        "client": "openai",
        "user_agent": "OpenAI/Python 1.99.1",
        "ip": "203.0.113.9",
        "ja4": "t13d1516h2_8daaf6152771_b186095e22b6",
        "messages": [{"role": "user", "content": "Say hello"}],
        "output_text": "Hello!",
        "finish_reason": "stop",
        "status": "ok",
        "http_status": 200,
        "max_tokens": 64,
        "seed": 7,
        "input_tokens": payload["prompt_tokens"],
        "output_tokens": payload["completion_tokens"],
    }
    assert {k: row[k] for k in want} == want
    assert dict(row["tags"])["case"] == "plain"
    assert row["latency_ms"] == pytest.approx(
        (payload["endTime"] - payload["startTime"]) * 1e3, abs=0.01
    )


@pytest.mark.parametrize(
    ("case", "status", "code"),
    [
        ("rate_limited", "rate_limited", 429),
        ("unauthorized", "denied", 401),
        ("denied", "denied", 403),
        ("filtered", "filtered", 400),
        ("client_error", "client_error", 400),
        ("server_error", "server_error", 500),
        ("timeout", "client_error", 408),
        ("cut", "filtered", 200),
        ("stream", "ok", 200),
    ],
)
def test_outcome(case: str, status: str, code: int) -> None:
    row = convert(PAYLOADS[case])
    assert (row["status"], row["http_status"]) == (status, code)


def test_failure_has_no_token_counts_rather_than_zero() -> None:
    row = convert(PAYLOADS["rate_limited"])
    assert (row["input_tokens"], row["output_tokens"]) == (None, None)


def test_stream_is_flagged() -> None:
    assert convert(PAYLOADS["stream"])["stream"] is True


def test_tools_and_their_schema() -> None:
    row = convert(PAYLOADS["tools"])
    assert row["tools"] == ["get_weather"]
    assert json.loads(row["tool_schema"]) == PAYLOADS["tools"]["model_parameters"]["tools"]
    assert row["tool_choice"] == "auto"


def test_a_tool_call_reads_the_same_as_answer_and_as_history() -> None:
    answered = convert(PAYLOADS["tools"])["output_text"]
    replayed = convert(PAYLOADS["tool_history"])["messages"][1]["content"]
    assert answered == replayed
    assert answered.startswith("[tool_call sha256:")
    assert answered.endswith(" get_weather]")


def test_order_of_keys_does_not_change_the_tool_schema() -> None:
    payload = json.loads(json.dumps(PAYLOADS["tools"]))
    tool = payload["model_parameters"]["tools"][0]
    payload["model_parameters"]["tools"][0] = dict(reversed(tool.items()))
    assert convert(payload)["tool_schema"] == convert(PAYLOADS["tools"])["tool_schema"]


def test_pictures_cut_by_litellm_have_no_digest() -> None:
    (message,) = convert(PAYLOADS["image"])["messages"]
    assert message["content"] == "What is this?\n[image truncated]\nOne word."


def test_pictures_by_address_are_digested() -> None:
    payload = json.loads(json.dumps(PAYLOADS["image"]))
    payload["messages"][0]["content"][1]["image_url"]["url"] = "https://x.example/a.png"
    digest = hashlib.sha256(b"https://x.example/a.png").hexdigest()[:16]
    assert f"[image sha256:{digest}]" in convert(payload)["messages"][0]["content"]


def test_reasoning_text_blob_and_tokens() -> None:
    row = convert(PAYLOADS["reasoning"])
    assert row["reasoning_text"] == "Six times seven."
    assert row["reasoning_blob"] == b"EqQBCgIYAhIM=="
    assert (row["reasoning_tokens"], row["cached_tokens"]) == (64, 100)
    assert row["reasoning_effort"] == "high"


def test_a_replayed_blob_has_the_digest_of_the_logged_blob() -> None:
    blob = convert(PAYLOADS["reasoning"])["reasoning_blob"]
    payload = json.loads(json.dumps(PAYLOADS["plain"]))
    payload["messages"].insert(
        0,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "", "signature": blob.decode()},
                {"type": "text", "text": "42"},
            ],
        },
    )
    digest = hashlib.sha256(blob).hexdigest()[:16]
    content = convert(payload)["messages"][0]["content"]
    assert content == f"[thinking sha256:{digest}]\n42"


def test_response_format_and_sampling() -> None:
    row = convert(PAYLOADS["json"])
    assert (row["response_format"], row["n"], row["top_logprobs"]) == ("json_object", 1, 5)
    assert row["top_p"] == pytest.approx(0.9)


def test_redacted_content_is_null_not_a_shared_prompt() -> None:
    row = convert(PAYLOADS["redacted"])
    assert (row["messages"], row["output_text"]) == (None, None)


def test_account_falls_back_to_team_then_key() -> None:
    key = PAYLOADS["key"]["metadata"]["user_api_key_hash"]
    assert convert(PAYLOADS["team"])["account_id"] == "team-1"
    assert convert(PAYLOADS["key"])["account_id"] == key
    assert convert(PAYLOADS["plain"], LiteLLM(account=("key",)))["account_id"] == key


def test_session_id_is_the_conversation() -> None:
    row = convert(PAYLOADS["session"])
    assert (row["conversation_id"], row["trace_id"]) == ("session-session", "trace-session")
    assert convert(PAYLOADS["plain"])["conversation_id"] is None


@pytest.mark.parametrize("missing", [None, "", "None"])
def test_id_falls_back_to_the_call_id(missing: str | None) -> None:
    payload = {**PAYLOADS["plain"], "id": missing}
    assert convert(payload)["exchange_id"] == payload["litellm_call_id"]


def test_iso_times() -> None:
    payload = {**PAYLOADS["plain"], "startTime": "2026-01-31T12:00:00.5Z", "endTime": None}
    row = convert(payload)
    assert row["ts"] == datetime(2026, 1, 31, 12, 0, 0, 500_000, UTC)
    assert row["latency_ms"] is None


@pytest.mark.parametrize(
    ("call_type", "operation"),
    [
        ("acompletion", "chat"),
        ("completion", "chat"),
        ("atext_completion", "completion"),
        ("aembedding", "embedding"),
        ("anthropic_messages", "chat"),
        ("aresponses", "chat"),
        ("acreate_batch", "batch"),
        ("allm_passthrough_route", "allm_passthrough_route"),
        ("", None),
    ],
)
def test_operation(call_type: str, operation: str | None) -> None:
    assert convert({**PAYLOADS["plain"], "call_type": call_type})["operation"] == operation


@pytest.mark.parametrize(
    ("messages", "want"),
    [
        ("just text", [{"role": "user", "content": "just text"}]),
        ({"role": "user", "content": "one"}, [{"role": "user", "content": "one"}]),
        (["a", "b"], [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]),
        (None, None),
        ([], None),
    ],
)
def test_messages_of_any_shape(messages: Any, want: Any) -> None:
    assert convert({**PAYLOADS["plain"], "messages": messages})["messages"] == want


def test_responses_api_answer() -> None:
    response = {
        "object": "response",
        "status": "completed",
        "output": [
            {
                "type": "reasoning",
                "encrypted_content": "gAAAA",
                "summary": [{"type": "summary_text", "text": "thought"}],
            },
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "answer"}],
            },
            {"type": "function_call", "name": "f", "arguments": "{}"},
        ],
    }
    row = convert({**PAYLOADS["plain"], "response": response})
    assert row["output_text"].startswith("answer\n[tool_call sha256:")
    assert (row["reasoning_text"], row["reasoning_blob"]) == ("thought", b"gAAAA")


def test_anthropic_answer_that_refuses() -> None:
    response = {
        "type": "message",
        "content": [{"type": "text", "text": "no"}],
        "stop_reason": "refusal",
    }
    row = convert({**PAYLOADS["plain"], "response": response})
    assert (row["output_text"], row["status"]) == ("no", "refused")


def test_several_choices_are_joined() -> None:
    choice = PAYLOADS["plain"]["response"]["choices"][0]
    response = {"choices": [choice, choice]}
    row = convert({**PAYLOADS["plain"], "response": response})
    assert row["output_text"] == "Hello!\n\nHello!"


def test_a_gateway_by_its_tag() -> None:
    payload = {**PAYLOADS["plain"], "request_tags": ["gateway"]}
    assert convert(payload)["channel"] == "gateway"


@pytest.mark.parametrize(
    "name", ["callbacks.jsonl", "json_array.json", "single.json", "single_indented.json"]
)
def test_every_layout_is_recognised(name: str) -> None:
    inputs = open_inputs([FIXTURES / name])
    table = pa.Table.from_batches(list(inputs.batches()), EXCHANGE)
    assert inputs.formats == ("litellm",)
    assert table.num_rows == {"callbacks.jsonl": 20, "json_array.json": 2}.get(name, 1)
    assert inputs.ledger.rows_rejected == 0
    assert "country" not in inputs.columns
    assert "messages" in inputs.columns


def test_no_user_mail_or_alias_is_kept() -> None:
    payload = json.loads(json.dumps(PAYLOADS["plain"]))
    payload["metadata"]["user_api_key_user_email"] = "someone@example.com"
    assert "someone@example.com" not in json.dumps(convert(payload), default=str)
