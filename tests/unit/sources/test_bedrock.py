"""Bedrock's invocation logs: bodies of every dialect, streams, errors, bodies elsewhere."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stillwatch.sources import Inputs, open_inputs

FOLDER = Path(__file__).parents[2] / "fixtures" / "bedrock"


def read(*paths: Path) -> tuple[dict[str, dict[str, Any]], Inputs]:
    opened = open_inputs(paths, max_rejects=0.0)
    rows = [row for batch in opened.batches() for row in batch.to_pylist()]
    return {row["exchange_id"]: row for row in rows}, opened


ROWS, OPENED = read(FOLDER)
RECORDS = [json.loads(line) for line in (FOLDER / "log.jsonl").read_text("utf-8").splitlines()]


def put(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
    return path


def test_every_record_is_an_exchange() -> None:
    assert OPENED.formats == ("bedrock",)
    assert len(ROWS) == len(RECORDS) == 11


def test_a_converse_call() -> None:
    row = ROWS["req-converse"]
    want = {
        "ts": datetime(2026, 11, 1, tzinfo=UTC), "account_id": "acct-1",
        "org_id": "123456789012", "model": "anthropic.claude-opus-5-v1:0", "status": "ok",
        "messages": [{"role": "system", "content": "Be brief."},
                     {"role": "user", "content": "Say hello"}],
        "output_text": "Hello!", "finish_reason": "end_turn", "max_tokens": 64,
        "temperature": 0.5, "top_p": 0.25, "latency_ms": 302.0, "stream": False,
        "tags": [("tenant_id", "acct-1"), ("team", "blue")],
    }  # fmt: skip
    assert {k: row[k] for k in want} == want


@pytest.mark.parametrize("case", ["converse", "llama", "throttled", "stream"])
def test_input_holds_what_was_read_from_and_written_to_the_cache(case: str) -> None:
    """The body's counts, else the record's own: 20 + 100 read + 30 written."""
    row = ROWS[f"req-{case}"]
    assert (row["input_tokens"], row["cached_tokens"]) == (150, 100)


def test_counts_that_a_body_does_not_tell_are_null() -> None:
    assert ROWS["req-claude"]["cached_tokens"] is None
    assert ROWS["req-claude"]["input_tokens"] == 20


@pytest.mark.parametrize("case", ["claude", "llama", "titan", "converse"])
def test_every_dialect_says_the_same(case: str) -> None:
    row = ROWS[f"req-{case}"]
    assert row["messages"][-1] == {"role": "user", "content": "Say hello"}
    assert (row["output_text"], row["temperature"], row["max_tokens"]) == ("Hello!", 0.5, 64)


def test_tools_thinking_and_guardrails() -> None:
    tools = ROWS["req-tools"]
    assert tools["tools"] == ["get_weather"]
    assert tools["output_text"] == tools["messages"][1]["content"]
    assert tools["output_text"].startswith("[tool_call sha256:")
    assert tools["messages"][2]["content"] == "Rain"
    thinking = ROWS["req-thinking"]
    assert (thinking["output_text"], thinking["reasoning_text"]) == ("42", "Six times seven.")
    assert (thinking["reasoning_blob"], thinking["reasoning_effort"]) == (
        b"EqQBCgIYAhIM==", "enabled")  # fmt: skip
    assert ROWS["req-guarded"]["status"] == "filtered"


def test_what_marks_the_cache_is_no_text_and_what_a_guardrail_reads_is(tmp_path: Path) -> None:
    """A mark is the same in everybody's requests: as text it would be a template of strangers."""
    record = json.loads(json.dumps(next(r for r in RECORDS if r["requestId"] == "req-converse")))
    body, mark = record["input"]["inputBodyJson"], {"cachePoint": {"type": "default"}}
    told = body["messages"][0]["content"][0]["text"]
    guarded = {"guardContent": {"text": {"text": told, "qualifiers": ["query"]}}}
    body["messages"][0]["content"] = [guarded, mark]
    body["system"] = [*body["system"], mark]
    body["toolConfig"] = {"tools": [{"toolSpec": {"name": "f", "inputSchema": {}}}, mark]}
    rows, _ = read(put(tmp_path / "log.jsonl", [record]))
    assert rows["req-converse"]["messages"] == ROWS["req-converse"]["messages"]
    assert rows["req-converse"]["tools"] == ["f"]


def test_a_streamed_body_is_put_together() -> None:
    row = ROWS["req-stream"]
    assert (row["stream"], row["reasoning_text"]) == (True, "Six times seven.")
    assert row["output_text"].startswith("42\n[tool_call")


def test_an_error() -> None:
    row = ROWS["req-throttled"]
    assert (row["status"], row["http_status"]) == ("rate_limited", 429)
    assert row["output_tokens"] is None


def test_without_metadata_the_account_is_the_role_and_its_session_the_end_user() -> None:
    row = ROWS["req-claude"]
    assert row["account_id"] == "arn:aws:sts::123456789012:assumed-role/gateway"
    assert row["end_user_id"] == "session-7"


def test_a_body_in_a_file_of_its_own_is_joined(tmp_path: Path) -> None:
    """As it was delivered, and unpacked on the way; before or after the log, by name."""
    assert ROWS["req-large"]["messages"] == ROWS["req-converse"]["messages"]
    shutil.copytree(FOLDER, tmp_path / "x")
    packed = tmp_path / "x" / "data" / "5f0c_input.json.gz"
    packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    (tmp_path / "x" / "log.jsonl").rename(tmp_path / "x" / "a.jsonl")
    rows, opened = read(tmp_path / "x")
    assert rows == ROWS
    assert opened.ledger.notes["files of bodies that records name"] == 1


def test_a_body_that_was_left_in_s3_is_null_and_counted() -> None:
    rows, opened = read(FOLDER / "log.jsonl")
    assert rows["req-large"]["messages"] is None
    assert rows["req-large"]["output_text"] == "Hello!"
    note = "bodies that lie in S3 and are not among the input: their text is null"
    assert opened.ledger.notes[note] == 1


def test_events_of_cloudwatch_logs(tmp_path: Path) -> None:
    plain = [r for r in RECORDS if r["requestId"] != "req-large"]
    events = [{"timestamp": 1, "message": json.dumps(r)} for r in plain]
    rows, _ = read(put(tmp_path / "events.jsonl", events))
    assert rows == {k: v for k, v in ROWS.items() if k != "req-large"}


def test_a_model_by_its_arn(tmp_path: Path) -> None:
    arn = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5-v1:0"
    rows, _ = read(put(tmp_path / "log.jsonl", [{**RECORDS[0], "modelId": arn}]))
    assert rows["req-converse"]["model"] == "anthropic.claude-opus-5-v1:0"
