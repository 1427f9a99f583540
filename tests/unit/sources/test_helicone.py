"""Helicone's requests, around bodies that the makers' clients sent, become exchanges."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stillwatch.sources import open_inputs

APIS = Path(__file__).parents[2] / "fixtures" / "apis" / "pairs.jsonl"


def request(number: int, pair: dict[str, Any]) -> dict[str, Any]:
    """Return a call with the keys of Helicone's own request type."""
    return {
        "request_id": f"req-{number}", "request_created_at": "2026-11-01T00:00:00.000Z",
        "request_path": pair["url"], "request_body": pair["request"],
        "request_user_id": "user-1", "request_model": pair["request"]["model"],
        "request_properties": {"tenant_id": "acct-1", "Helicone-Session-Id": "s-1"},
        "response_id": f"res-{number}", "response_created_at": "2026-11-01T00:00:00.750Z",
        "response_body": pair["response"], "response_status": pair["status_code"],
        "response_model": None, "model": "m", "provider": "OPENAI", "target_url": "",
        "delay_ms": 750, "time_to_first_token": None, "total_tokens": 9, "prompt_tokens": 8,
        "completion_tokens": 1, "cost": 0.25, "country_code": "NO", "cache_enabled": False,
        "scores": None, "properties": {}, "signed_body_url": None,
    }  # fmt: skip


PAIRS = [json.loads(line) for line in APIS.read_text("utf-8").splitlines()]
CASES = [pair["tags"]["case"] for pair in PAIRS]


@pytest.fixture
def read(tmp_path: Path):
    def run(*records: dict[str, Any], name: str = "log.jsonl") -> list[dict[str, Any]]:
        path = tmp_path / name
        if name.endswith(".csv"):
            with path.open("w", newline="", encoding="utf-8") as out:
                writer = csv.DictWriter(out, list(records[0]))
                writer.writeheader()
                writer.writerows(
                    {k: json.dumps(v) if isinstance(v, dict) else v for k, v in r.items()}
                    for r in records
                )
        else:
            path.write_text(json.dumps(records), "utf-8")
        opened = open_inputs([path], max_rejects=0.0)
        assert opened.formats == ("helicone",)
        return [row for batch in opened.batches() for row in batch.to_pylist()]

    return run


def test_records_and_bodies(read) -> None:
    rows = dict(zip(CASES, read(*(request(n, p) for n, p in enumerate(PAIRS))), strict=True))
    row = rows["chat"]
    want = {
        "exchange_id": "req-0", "ts": datetime(2026, 11, 1, tzinfo=UTC), "account_id": "acct-1",
        "end_user_id": "user-1", "conversation_id": "s-1", "model": "gpt-5.1",
        "provider": "openai", "country": "NO", "latency_ms": 750.0, "cost_usd": 0.25,
        "output_text": "Hello!", "input_tokens": 120, "seed": 7, "status": "ok",
    }  # fmt: skip
    assert {k: row[k] for k in want} == want
    assert (rows["chat_limited"]["status"], rows["chat_limited"]["http_status"]) == (
        "rate_limited", 429)  # fmt: skip
    assert rows["messages"]["input_tokens"] == 150
    assert rows["messages_stream"]["reasoning_text"] == "Six times seven."


def test_without_bodies_the_records_own_counts(read) -> None:
    bare = {**request(0, PAIRS[0]), "request_body": None, "response_body": None}
    (row,) = read(bare)
    assert (row["messages"], row["input_tokens"], row["output_tokens"]) == (None, 8, 1)


def test_the_user_is_the_account_where_no_property_says_more(read) -> None:
    (row,) = read({**request(0, PAIRS[0]), "request_properties": {}})
    assert (row["account_id"], row["end_user_id"]) == ("user-1", "customer-7")  # by the body


def test_csv_says_the_same(read) -> None:
    records = [request(n, p) for n, p in enumerate(PAIRS[:9])]
    assert read(*records, name="log.csv") == read(*records)
