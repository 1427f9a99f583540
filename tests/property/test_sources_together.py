"""What records share is asked once of some dozens: none may be read by what its neighbours say.

Bodies of every dialect, some of them odd, become the same columns together as each alone.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.sources.pairs import pair_columns

FIXTURES = Path(__file__).parents[1] / "fixtures"
Record = dict[str, Any]


def records_in(name: str) -> list[Record]:
    return [json.loads(line) for line in (FIXTURES / name).read_bytes().splitlines()]


def of_bedrock(record: Record) -> Record:
    return {"ts": record["timestamp"], "account_id": "a", "exchange_id": record["requestId"],
            "request": record["input"].get("inputBodyJson"),
            "response": record["output"].get("outputBodyJson")}  # fmt: skip


RECORDS = [
    *records_in("apis/pairs.jsonl"),
    *records_in("apis/gemini.jsonl"),
    *map(of_bedrock, records_in("bedrock/log.jsonl")),
]
KEEP_EMPTY = ("output_text", "reasoning_text")
values = st.sampled_from([
    None, "", "x", 0, 5, True, {}, [], [{}], [[]], "{", '{"body": {}}', "data: {}", {"body": {}},
    {"error": {"code": 429}}, [{"text": "t"}], {"text": "t"}, {"message": {"content": []}},
])  # fmt: skip
keys = st.sampled_from([
    "body", "url", "status", "status_code", "error", "headers", "user_agent", "client", "end_time",
    "id", "route", "messages", "message", "content", "contents", "role", "input", "output",
    "stream", "tools", "model", "created", "incomplete_details", "candidates", "generation",
    "stopReason", "usage", "refusal", "tool_calls", "reasoning", "stop_reason", "finish_reason",
    "system", "type", "inferenceConfig", "prompt", "encoding_format", "text", "request", "response",
])  # fmt: skip


def holders(value: Any) -> list[Record]:
    """Return every object in a value, itself first."""
    if isinstance(value, dict):
        return [value, *(h for inner in value.values() for h in holders(inner))]
    return [h for inner in value for h in holders(inner)] if isinstance(value, list) else []


WRAPPED: dict[str, Callable[[Any], Any]] = {
    "text": json.dumps,
    "holder": lambda body: {
        "body": body,
        "url": "/v1/embeddings",
        "headers": {"User-Agent": "a/1"},
    },
    "held text": lambda body: {"body": json.dumps(body), "status_code": 429},
    "list": lambda body: [body],
    "event": lambda body: f"data: {json.dumps(body)}\n\n",
    "nothing": lambda body: None,
}


@st.composite
def some_records(draw: st.DrawFn) -> list[Record]:
    """Draw records: bodies wrapped in other ways, and single values of any object replaced."""
    some = [copy.deepcopy(draw(st.sampled_from(RECORDS))) for _ in range(draw(st.integers(2, 6)))]
    for record in some:
        for side in ("request", "response"):
            if draw(st.integers(0, 3)) == 0:
                record[side] = WRAPPED[draw(st.sampled_from(sorted(WRAPPED)))](record.get(side))
        for _ in range(draw(st.integers(0, 2))):
            near = [record, *(v for v in record.values() if isinstance(v, dict))]
            places = near if draw(st.booleans()) else holders(record)
            holder = places[draw(st.integers(0, len(places) - 1))]
            holder[draw(keys)] = copy.deepcopy(draw(values))
    return some


def rows_of(records: list[Record]) -> list[Record]:
    """Return what the columns say, record by record; an absent column is null, so is "" in most."""
    columns = pair_columns(copy.deepcopy(records))
    rows = [{name: column[n] for name, column in columns.items()} for n in range(len(records))]
    return [
        {k: v for k, v in row.items() if v is not None and (v != "" or k in KEEP_EMPTY)}
        for row in rows
    ]


@settings(max_examples=200, deadline=None)
@given(some_records())
def test_records_are_read_together_as_each_alone(records: list[Record]) -> None:
    assert rows_of(records) == [row for record in records for row in rows_of([record])]


def test_all_dialects_are_among_the_records() -> None:
    found = {key for record in RECORDS for key in record.get("request") or () if key != "body"}
    assert {"messages", "input", "contents", "inferenceConfig", "inputText", "prompt"} <= found
