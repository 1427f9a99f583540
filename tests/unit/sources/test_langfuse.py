"""Langfuse's observations, as its own types write them, in the new and the old shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputError
from stillwatch.sources import Inputs, open_inputs

FOLDER = Path(__file__).parents[2] / "fixtures" / "langfuse"
NEW = FOLDER / "new.jsonl"
RECORDS = [json.loads(line) for line in NEW.read_text("utf-8").splitlines()]
CASES = {r["id"]: r["metadata"]["case"] for r in RECORDS[:-1]}


def read(*paths: Path) -> tuple[list[dict[str, Any]], Inputs]:
    opened = open_inputs(paths, max_rejects=0.0)
    assert opened.formats == ("langfuse",)
    rows = [row for batch in opened.batches() for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: row["exchange_id"]), opened


ROWS = {}
for _row in read(NEW)[0]:
    ROWS.setdefault(CASES[_row["exchange_id"]], _row)


def put(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
    return path


def test_a_generation() -> None:
    row = ROWS["chat"]
    want = {
        "ts": datetime(2026, 11, 1, tzinfo=UTC), "account_id": "acct-1", "end_user_id": "user-1",
        "conversation_id": "session-1", "trace_id": "trace-0", "model": "gpt-5.1",
        "messages": [{"role": "user", "content": "Say hello"}], "output_text": "Hello!",
        "temperature": 0.0, "seed": 7, "max_tokens": 64, "status": "ok", "latency_ms": 750.0,
        "cost_usd": 0.25, "tags": [("team-x", "")], "operation": "chat",
    }  # fmt: skip
    assert {k: row[k] for k in want} == want


@pytest.mark.parametrize(("case", "want"), [("chat", (120, 40, 100, 32)),
                                            ("messages", (150, 40, 100, None))])  # fmt: skip
def test_parts_of_the_usage_exclude_each_other(case: str, want: tuple[Any, ...]) -> None:
    names = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    assert tuple(ROWS[case][n] for n in names) == want
    assert ROWS["chat_limited"]["input_tokens"] is None


def test_tools_embeddings_and_errors() -> None:
    tools = ROWS["chat_tools"]
    assert tools["tools"] == ["get_weather"]
    assert tools["output_text"].startswith("[tool_call sha256:")
    assert ROWS["embeddings"]["operation"] == "embedding"
    assert (ROWS["chat_limited"]["status"], ROWS["chat_limited"]["http_status"]) == (
        "rate_limited", 429)  # fmt: skip


def test_an_answer_in_blocks_keeps_its_thinking_apart(tmp_path: Path) -> None:
    blocks = [{"type": "thinking", "thinking": "Six times seven.", "signature": "SEAL"},
              {"type": "text", "text": "42"}]  # fmt: skip
    record = {"id": "o", "traceId": "t", "type": "GENERATION", "userId": "u", "model": "m",
              "startTime": "2026-11-01T00:00:00Z",
              "output": {"role": "assistant", "content": blocks}}  # fmt: skip
    (row,), _ = read(put(tmp_path / "log.jsonl", [record]))
    said = (row["output_text"], row["reasoning_text"], row["reasoning_blob"])
    assert said == ("42", "Six times seven.", b"SEAL")


def test_what_is_no_model_call_is_noted() -> None:
    rows, opened = read(NEW)
    assert len(rows) == len(RECORDS) - 1
    assert opened.ledger.notes["observations that are no model call"] == 1


def test_the_older_shape_says_the_same(tmp_path: Path) -> None:
    """Users on traces: in a file before, in a file after, or around their observations."""
    want = read(NEW)[0]
    old, traces = FOLDER / "old.observations.jsonl", FOLDER / "old.traces.jsonl"
    assert read(old, traces)[0] == want
    (tmp_path / "a.jsonl").write_bytes(traces.read_bytes())
    (tmp_path / "b.jsonl").write_bytes(old.read_bytes())
    rows, opened = read(tmp_path)
    assert rows == want
    assert opened.ledger.notes["traces"] == len(want)
    lines = [json.loads(x) for x in old.read_text("utf-8").splitlines()]
    whole = [
        {**json.loads(t), "observations": [o for o in lines if o["traceId"] == json.loads(t)["id"]]}
        for t in traces.read_text("utf-8").splitlines()
    ]
    assert read(put(tmp_path / "nested.jsonl", whole))[0] == want


def test_without_the_traces_the_error_says_what_to_give() -> None:
    with pytest.raises(InputError) as caught:
        read(FOLDER / "old.observations.jsonl")
    assert "traces beside" in caught.value.hint


def test_parquet_with_json_as_text(tmp_path: Path) -> None:
    texts = [
        {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in r.items()}
        for r in RECORDS
    ]
    path = tmp_path / "log.parquet"
    pq.write_table(pa.Table.from_pylist(texts), path)
    opened = open_inputs([path], format="langfuse", max_rejects=0.0)
    rows = [row for batch in opened.batches() for row in batch.to_pylist()]
    assert sorted(rows, key=lambda row: row["exchange_id"]) == read(NEW)[0]
