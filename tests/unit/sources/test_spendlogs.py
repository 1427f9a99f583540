"""Rows of LiteLLM's spend logs, as its own code and PostgreSQL wrote them, become exchanges."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stillwatch.sources import Ledger, open_inputs
from stillwatch.sources.inputs import complete
from stillwatch.sources.spendlogs import SpendLogs

FIXTURES = Path(__file__).parents[2] / "fixtures" / "spendlogs"
LOG = FIXTURES / "rows.jsonl"
RECORDS = {}
for _line in LOG.read_text("utf-8").splitlines():
    _row = json.loads(_line)
    RECORDS[next(t[5:] for t in _row["request_tags"] if t.startswith("case:"))] = _row


def read(path: Path) -> tuple[list[dict[str, Any]], Ledger]:
    opened = open_inputs([path])
    assert opened.formats == ("spendlogs",)
    rows = [row for batch in opened.batches() for row in batch.to_pylist()]
    return rows, opened.ledger


ALL, LEDGER = read(LOG)
ROWS = {dict(row["tags"])["case"]: row for row in ALL}


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    raw = io.BufferedReader(io.BytesIO(json.dumps(record).encode()))  # type: ignore[arg-type]
    ledger = Ledger()
    (batch,) = SpendLogs().read(raw, "log", ledger)
    (row,) = complete(batch).to_pylist()
    return dict(row)


def test_every_row_is_read() -> None:
    assert len(ROWS) == len(ALL) == 21
    assert LEDGER.rows_rejected == 0


def test_a_plain_call() -> None:
    row, record = ROWS["plain"], RECORDS["plain"]
    want = {
        "exchange_id": record["request_id"], "account_id": "user-1", "org_id": "org-1",
        "workspace_id": "team-1", "key_id": record["api_key"], "end_user_id": "customer-7",
        "conversation_id": "session-plain", "model": "gpt-4o-mini", "provider": "openai",
        "messages": [{"role": "user", "content": "Say hello"}], "output_text": "Hello!",
        "status": "ok", "http_status": 200, "max_tokens": 64, "seed": 7, "ip": "203.0.113.9",
        "user_agent": "OpenAI/Python 1.99.1", "client": "openai", "input_tokens": 10,
        "output_tokens": 20, "cost_usd": record["spend"],
        "latency_ms": float(record["request_duration_ms"]),
    }  # fmt: skip
    assert {k: row[k] for k in want} == want
    assert row["ts"] == datetime.fromisoformat(record["startTime"]).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("case", "status", "code"),
    [
        ("rate_limited", "rate_limited", 429),
        ("unauthorized", "denied", 401),
        ("filtered", "filtered", 400),
        ("cut", "filtered", 200),
        ("server_error", "server_error", 500),
    ],
)
def test_outcome(case: str, status: str, code: int) -> None:
    assert (ROWS[case]["status"], ROWS[case]["http_status"]) == (status, code)


def test_a_failed_calls_zeros_are_not_token_counts() -> None:
    assert RECORDS["rate_limited"]["prompt_tokens"] == 0
    assert ROWS["rate_limited"]["input_tokens"] is None


def test_reasoning_and_cached_tokens() -> None:
    row = ROWS["reasoning"]
    assert (row["reasoning_tokens"], row["cached_tokens"]) == (64, 100)
    assert (row["reasoning_text"], row["reasoning_effort"]) == ("Six times seven.", "high")
    assert row["reasoning_blob"] == b"EqQBCgIYAhIM=="


def test_tools_stream_and_parameters_are_in_the_logged_request() -> None:
    assert ROWS["tools"]["tools"] == ["get_weather"]
    assert ROWS["stream"]["stream"] is True
    assert (ROWS["json"]["response_format"], ROWS["json"]["top_logprobs"]) == ("json_object", 5)


def test_an_account_is_the_user_else_the_team_else_the_key() -> None:
    assert ROWS["team"]["account_id"] == "team-1"
    assert ROWS["key"]["account_id"] == RECORDS["key"]["api_key"]


def test_a_cut_prompt_keeps_its_ends_and_loses_the_databases_remark() -> None:
    logged = RECORDS["long"]["proxy_server_request"]["messages"][0]["content"]
    assert "litellm_truncated" in logged
    (message,) = ROWS["long"]["messages"]
    assert message["content"].startswith("Begin of a long prompt.")
    assert message["content"].endswith("End of it.")
    assert "litellm" not in message["content"]
    assert message["content"].count("[cut]") == 1
    assert LEDGER.coerced["text cut by LiteLLM's database (2,048 characters)"] == 1


def test_a_redacted_prompt_is_null() -> None:
    assert RECORDS["redacted"]["proxy_server_request"]["messages"][0]["content"] != ""
    assert (ROWS["redacted"]["messages"], ROWS["redacted"]["output_text"]) == (None, None)


def test_without_stored_prompts_everything_else_is_there() -> None:
    bare = {**RECORDS["plain"], "proxy_server_request": {}, "response": {}, "messages": {}}
    row = row_of(bare)
    assert (row["messages"], row["output_text"], row["max_tokens"]) == (None, None, None)
    assert (row["account_id"], row["input_tokens"], row["status"]) == ("user-1", 10, "ok")


def test_csv_says_the_same() -> None:
    rows, ledger = read(FIXTURES / "rows.csv")
    assert rows == ALL
    assert ledger.rows_rejected == 0


def test_json_columns_as_text_say_the_same() -> None:
    for case, record in RECORDS.items():
        texts = {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in record.items()}
        assert row_of(texts) == ROWS[case], case


def test_without_a_duration_the_times_tell_it() -> None:
    record = {**RECORDS["plain"], "request_duration_ms": None}
    begin = datetime.fromisoformat(record["startTime"])
    record["endTime"] = (begin + timedelta(seconds=2)).isoformat()
    assert row_of(record)["latency_ms"] == 2000.0
