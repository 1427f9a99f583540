"""Gemini's bodies in a wrapper record, as Google's own types write them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from stillwatch.sources import open_inputs

LOG = Path(__file__).parents[2] / "fixtures" / "apis" / "gemini.jsonl"


def read() -> dict[str, dict[str, Any]]:
    opened = open_inputs([LOG], max_rejects=0.0)
    assert opened.formats == ("pairs",)
    rows = [row for batch in opened.batches() for row in batch.to_pylist()]
    return {dict(row["tags"])["case"]: row for row in rows}


ROWS = read()


def test_a_plain_call() -> None:
    want = {
        "messages": [{"role": "system", "content": "Be brief."},
                     {"role": "user", "content": "Say hello"}],
        "output_text": "Hello!", "finish_reason": "STOP", "status": "ok", "temperature": 0.5,
        "top_p": 0.25, "max_tokens": 64, "seed": 7, "n": 1, "response_format": "json_object",
    }  # fmt: skip
    assert {k: ROWS["plain"][k] for k in want} == want


@pytest.mark.parametrize("case", ["plain", "stream"])
def test_thoughts_are_within_the_output_and_cached_tokens_within_the_input(case: str) -> None:
    names = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens")
    assert tuple(ROWS[case][n] for n in names) == (120, 40, 32, 100)


def test_tools_and_thinking() -> None:
    row = ROWS["tools"]
    assert row["tools"] == ["get_weather"]
    assert row["messages"][1] == {"role": "assistant", "content": row["output_text"]}
    assert row["output_text"].startswith("[tool_call sha256:")
    thinking = ROWS["thinking"]
    assert (thinking["output_text"], thinking["reasoning_text"]) == ("42", "Six times seven.")
    assert (thinking["reasoning_blob"], thinking["reasoning_effort"]) == (b"RXFRQg==", "HIGH")


def test_what_a_filter_stopped() -> None:
    assert ROWS["blocked"]["status"] == ROWS["stopped"]["status"] == "filtered"
    assert ROWS["blocked"]["output_tokens"] is None


def test_a_stream_is_put_together() -> None:
    assert (ROWS["stream"]["output_text"], ROWS["stream"]["stream"]) == ("Hello!", True)


_KINDS = ("text", "thought", "function_call", "function_response", "inline_data", "file_data")
_OF_TOOLS = ("args", "functionResponse", "functionDeclarations")


def _dumped(value: Any) -> Any:
    """Return a body as an SDK dumps it: names in snake case, and of a part every kind, as null."""
    if isinstance(value, list):
        return [_dumped(v) for v in value]
    if not isinstance(value, dict):
        return value
    named = {
        re.sub("[A-Z]", lambda m: "_" + m[0].lower(), k): v if k in _OF_TOOLS else _dumped(v)
        for k, v in value.items()
    }
    if "parts" in named:
        named["parts"] = [dict.fromkeys(_KINDS) | part for part in named["parts"]]
    return named


@pytest.mark.parametrize("case", ["plain", "tools", "thinking", "blocked"])
def test_what_an_sdk_dumps_says_the_same(case: str, tmp_path: Path) -> None:
    calls = map(json.loads, LOG.read_bytes().splitlines())
    (call,) = (c for c in calls if c["tags"]["case"] == case)
    bodies = {k: _dumped(call[k]) for k in ("request", "response")}
    (tmp_path / "log.jsonl").write_text(json.dumps(call | bodies), "utf-8")
    (row,) = (r for b in open_inputs([tmp_path]).batches() for r in b.to_pylist())
    for name in ("messages", "output_text", "reasoning_text", "tools", "status", "finish_reason",
                 "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens"):  # fmt: skip
        assert row[name] == ROWS[case][name]


@pytest.mark.parametrize("more", [{}, dict.fromkeys(_KINDS), {"thought": True}])
def test_a_part_whose_text_is_null_is_no_file(more: dict[str, Any], tmp_path: Path) -> None:
    call = json.loads(LOG.read_bytes().splitlines()[0])
    call["response"]["candidates"][0]["content"]["parts"] = [{**more, "text": None}]
    (tmp_path / "log.jsonl").write_text(json.dumps(call), "utf-8")
    (row,) = (r for b in open_inputs([tmp_path]).batches() for r in b.to_pylist())
    assert not row["output_text"]
    assert not row["reasoning_text"]
