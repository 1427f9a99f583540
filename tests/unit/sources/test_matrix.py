"""One simulated world written in every format reads back as the same canonical rows.

Compared is every column that a format can carry; what it cannot is named here with the reason.
"""

from __future__ import annotations

import base64
import io
import json
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from anthropic.types import Message
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from stillwatch.schema.arrow import EXCHANGE
from stillwatch.simulate import simulate
from stillwatch.sources import Ledger
from stillwatch.sources.inputs import complete
from stillwatch.sources.mapping import Mapping
from stillwatch.sources.registry import choose_source
from stillwatch.sources.source import Source

FIXTURES = Path(__file__).parents[2] / "fixtures"
_spec = spec_from_file_location("api_rows", FIXTURES / "api_rows.py")
assert _spec
assert _spec.loader
api_rows = module_from_spec(_spec)
_spec.loader.exec_module(api_rows)
DIALECTS = api_rows.DIALECTS

ROWS = 600
TYPES: dict[str, Any] = {"chat": ChatCompletion, "responses": Response, "messages": Message}
NOT_IN_ANY_BODY = {
    "tool_schema": "each dialect wraps a function in an envelope of its own",
    "finish_reason": "each dialect has its own words",
}
NOT_CARRIED = {
    "chat": {"reasoning_blob": "no field in chat completions"},
    "responses": {"n": "no parameter", "seed": "no parameter"},
    "messages": {
        "n": "no parameter", "seed": "no parameter", "top_logprobs": "no parameter",
        "response_format": "no parameter of this form",
        "tool_choice": "an object, not a word",
    },
}  # fmt: skip
OF_THE_ANSWER = (
    "output_text", "reasoning_blob", "input_tokens", "output_tokens", "reasoning_tokens",
    "cached_tokens",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    out = tmp_path_factory.mktemp("world")
    simulate("small", seed=7, out=out)
    return pq.read_table(out / "exchanges").slice(0, ROWS).to_pylist()


def expected(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a body can say of the row: an error has no usage, JSON no bytes."""
    row = dict(row)
    if row["status"] not in ("ok", "refused", "filtered"):
        row |= dict.fromkeys(OF_THE_ANSWER)
    if row["status"] == "refused":
        row["output_text"] = api_rows.REFUSAL
    if row["reasoning_blob"]:
        row["reasoning_blob"] = base64.b64encode(row["reasoning_blob"])
    return row


def read(raw: bytes, mapping: Source | None = None) -> list[dict[str, Any]]:
    ledger = Ledger()
    source = mapping or choose_source(raw[: 256 << 10], "log").for_run()
    handle = io.BufferedReader(io.BytesIO(raw))  # type: ignore[arg-type]
    batches = [*source.read(handle, "log", ledger), *source.rest(ledger)]
    assert not ledger.rejected
    return [row for batch in batches for row in complete(batch).to_pylist()]


def compare(got: list[dict[str, Any]], want: list[dict[str, Any]], without: set[str]) -> None:
    assert len(got) == len(want)
    for name in EXCHANGE.names:
        if name not in without:
            assert [row[name] for row in got] == [row[name] for row in want], name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_pairs(world: list[dict[str, Any]], dialect: str) -> None:
    raw = b"\n".join(api_rows.pair_line(row, dialect) for row in world)
    without = set(NOT_IN_ANY_BODY) | set(NOT_CARRIED[dialect])
    compare(read(raw), [expected(row) for row in world], without)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_makers_types_take_the_bodies(world: list[dict[str, Any]], dialect: str) -> None:
    """…and write them back as they were."""
    done = 0
    for row in world:
        record = api_rows.pair(row, dialect)
        if record["status_code"] == 200:
            made = TYPES[dialect].model_validate(record["response"])
            assert made.model_dump(mode="json", exclude_unset=True) == record["response"]
            done += 1
    assert done > ROWS * 0.8


NOT_IN_SPENDLOGS = {
    "origin", "country", "asn", "ja4", "trace_id",  # no column
    "channel",  # no column; "gateway" by tag alone
    "client",  # what the user agent says; the world's own words are elsewhere
    "reasoning_blob",  # the bodies are chat completions here
}  # fmt: skip


def test_spendlogs(world: list[dict[str, Any]]) -> None:
    """LiteLLM cuts long texts in its database; the world's are shorter."""
    rows = [api_rows.spendlog(row) for row in world]
    logged = FIXTURES / "spendlogs" / "rows.jsonl"
    assert set(rows[0]) == set(json.loads(logged.read_text("utf-8").splitlines()[0]))
    raw = b"\n".join(map(orjson.dumps, rows))
    want = [expected(row) | {"model": row["model"]} for row in world]
    compare(read(raw), want, set(NOT_IN_ANY_BODY) | NOT_IN_SPENDLOGS)


NOT_MAPPED = {"workspace_id", "trace_id", "channel", "client", "origin", "country", "asn", "tags"}


def test_a_log_of_ones_own_through_a_mapping(world: list[dict[str, Any]]) -> None:
    raw = b"\n".join(orjson.dumps(api_rows.foreign(row)) for row in world)
    mapping = Mapping(tomllib.loads(api_rows.MAPPING), "mapping.toml")
    without = set(NOT_IN_ANY_BODY) | set(NOT_CARRIED["chat"]) | NOT_MAPPED
    compare(read(raw, mapping), [expected(row) for row in world], without)


NOT_IN = {
    "bedrock": {
        "end_user_id", "stream",  # a body within InvokeModel names neither who nor whether
        "provider", "workspace_id", "key_id", "conversation_id", "trace_id", "channel", "client",
        "user_agent", "origin", "http_status", "latency_ms", "cost_usd", "ip", "country", "asn",
        "ja4", "tags",
    },
    "helicone": {
        "org_id", "workspace_id", "key_id", "conversation_id", "trace_id", "channel", "client",
        "user_agent", "origin", "ip", "asn", "ja4", "tags",
    },
    "langfuse": {
        "org_id", "workspace_id", "key_id", "channel", "client", "user_agent", "origin", "ip",
        "asn", "ja4", "tags", "provider", "country", "end_user_id", "http_status",
    },
}  # fmt: skip
CARRIES = {"bedrock": "messages", "helicone": "chat", "langfuse": "chat"}


@pytest.mark.parametrize("name", CARRIES)
def test_formats_around_bodies(world: list[dict[str, Any]], name: str) -> None:
    """What has a place in the record, and all that its bodies carry."""
    raw = b"\n".join(orjson.dumps(getattr(api_rows, name)(row)) for row in world)
    without = set(NOT_IN_ANY_BODY) | set(NOT_CARRIED[CARRIES[name]]) | NOT_IN[name]
    want = [expected(row) for row in world]
    if name != "helicone":  # no word for an answer that a filter cut
        want = [row | {"status": "ok"} if row["status"] == "filtered" else row for row in want]
    got = sorted(read(raw), key=lambda row: row["exchange_id"])
    compare(got, sorted(want, key=lambda row: row["exchange_id"]), without)


def test_envoy_carries_who_and_when(world: list[dict[str, Any]]) -> None:
    raw = b"\n".join(orjson.dumps(api_rows.envoy(row)) for row in world)
    with_place = {
        "exchange_id", "ts", "account_id", "org_id", "model", "provider", "operation",
        "user_agent", "http_status", "input_tokens", "output_tokens", "latency_ms", "ip", "ja4",
    }  # fmt: skip
    compare(read(raw), [expected(row) for row in world], set(EXCHANGE.names) - with_place)
