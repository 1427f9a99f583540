"""OpenTelemetry GenAI, as its own SDK and instrumentations wrote it (fixtures/make_otlp.py)."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from otlp_spans import (
    FIXTURES,
    HELLO,
    OTLP,
    SETS,
    attribute,
    by_prompt,
    fixture,
    log,
    read,
    span,
    traces,
)

from stillwatch.errors import InputError
from stillwatch.sources import Inputs, Ledger, open_inputs
from stillwatch.sources.otlp import Otlp
from stillwatch.sources.registry import choose_source


@pytest.mark.parametrize("name", SETS)
def test_every_convention_tells_the_same_exchanges(name: str) -> None:
    chats = by_prompt(fixture(name))
    hello = chats[HELLO]
    assert hello["account_id"] == "account-1"
    assert hello["end_user_id"] == "customer-7"
    assert hello["conversation_id"] == "session-1"
    assert hello["model"] == "gpt-4o-mini"
    assert hello["provider"] == "openai"
    assert hello["messages"] == [{"role": "user", "content": HELLO}]
    assert hello["output_text"] == "Hello!"
    assert (hello["temperature"], hello["max_tokens"]) == (pytest.approx(0.3), 64)
    assert (hello["input_tokens"], hello["output_tokens"]) == (120, 80)
    assert (hello["status"], hello["finish_reason"]) == ("ok", "stop")
    assert hello["user_agent"] == "OpenAI/Python 1.99.1"
    assert hello["client"] == "openai"
    assert hello["ip"] == "203.0.113.9"
    assert hello["ja4"].startswith("t13d")
    assert chats["Something forbidden"]["status"] == "filtered"
    assert not chats["Something forbidden"]["output_text"]
    assert (chats["Give me a 429"]["status"], chats["Give me a 429"]["http_status"]) == (
        "rate_limited",
        429,
    )
    assert chats["Tell a story"]["output_text"] == "Once upon a time."
    called = chats["Weather in Graz?"]
    assert called["finish_reason"] == "tool_calls"
    assert called["output_text"].endswith(" get_weather]")
    history = chats["sunny"]["messages"]
    assert [m["role"] for m in history] == ["system", "user", "assistant", "tool"]
    assert history[2]["content"] == called["output_text"]


@pytest.mark.parametrize("name", ["spans", "events", "both", "events alone"])
def test_what_only_the_new_convention_tells(name: str) -> None:
    rows = fixture(name)
    chats = by_prompt(rows)
    assert (chats[HELLO]["seed"], chats[HELLO]["top_p"]) == (7, pytest.approx(0.9))
    assert (chats[HELLO]["cached_tokens"], chats[HELLO]["reasoning_tokens"]) == (100, 64)
    assert chats["Tell a story"]["stream"] is True
    assert chats["As JSON"]["response_format"] == "json"
    assert chats["sunny"]["tools"] == ["get_weather"]
    assert json.loads(chats["sunny"]["tool_schema"])[0]["name"] == "get_weather"
    thought = chats["6*7?"]
    assert (thought["output_text"], thought["reasoning_text"]) == ("42", "Six times seven.")
    assert thought["messages"][0] == {"role": "system", "content": "Be brief."}
    picture = next(r for r in rows if r["n"] == 2)
    assert picture["messages"][0]["content"].startswith("What is this?\n[image sha256:")
    assert picture["output_text"] == "Hello!\n\nHello!"


@pytest.mark.parametrize("name", ["spans", "events", "both", "old", "indexed"])
def test_spans_give_start_duration_and_embeddings(name: str) -> None:
    rows = fixture(name)
    assert all(r["latency_ms"] > 0 for r in rows)
    embedding = next(r for r in rows if r["operation"] == "embedding")
    assert embedding["input_tokens"] == 4
    assert all(r["trace_id"] and r["exchange_id"].startswith(r["trace_id"]) for r in rows)


def test_content_switched_off_leaves_the_rest() -> None:
    path = OTLP / "no_content.traces.jsonl"
    rows, ledger = read(path)
    assert len(rows) == 10
    assert all(r["messages"] is None and r["output_text"] is None for r in rows)
    assert ledger.notes["spans that are no model request"] == 1
    assert not open_inputs([path]).columns & {"messages", "output_text", "reasoning_text"}


def test_a_span_and_its_event_are_one_exchange() -> None:
    rows, ledger = read(*(OTLP / f for f in SETS["both"]))
    assert len(rows) == 10
    assert ledger.notes["spans and events of an exchange read already"] == 9


def test_events_and_spans_in_one_file_in_either_order(tmp_path: Path) -> None:
    parts = [(OTLP / f).read_bytes() for f in SETS["events"]]
    results = []
    for name, raw in (("a", parts[0] + parts[1]), ("b", parts[1] + parts[0])):
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(raw)
        results.append(sorted(read(path)[0], key=lambda r: r["exchange_id"]))
    apart = read(*(OTLP / f for f in SETS["events"]))[0]
    assert results[0] == results[1] == sorted(apart, key=lambda r: r["exchange_id"])


@pytest.mark.parametrize("packed", ["plain", "gz", "zst"])
@pytest.mark.parametrize("layout", ["lines", "array", "object", "indented", "resource", "bare"])
def test_layouts_and_compression(tmp_path: Path, layout: str, packed: str) -> None:
    spans = [span(i) for i in range(1, 4)]
    text = {
        "lines": "\n".join(json.dumps(traces(s)) for s in spans),
        "array": json.dumps([traces(s) for s in spans]),
        "object": json.dumps(traces(*spans)),
        "indented": json.dumps(traces(*spans), indent=2),
        "resource": "\n".join(json.dumps(traces(s)["resourceSpans"][0]) for s in spans),
        "bare": "\n".join(map(json.dumps, spans)),
    }[layout]
    raw = text.encode()
    path = tmp_path / "anything"
    path.write_bytes(
        {"plain": bytes, "gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress}[packed](
            raw
        )
    )
    rows, _ = read(path)
    assert [r["latency_ms"] for r in rows] == [1500.0] * 3


def test_it_is_told_from_litellm_by_content() -> None:
    head = (OTLP / "spans.traces.jsonl").read_bytes()
    assert choose_source(head, "x").name == "otlp"
    lite = (FIXTURES / "litellm" / "callbacks.jsonl").read_bytes()
    assert choose_source(lite, "x").name == "litellm"


def test_reading_twice_gives_the_same() -> None:
    assert fixture("events") == fixture("events")


@pytest.mark.parametrize(
    ("facts", "account", "end_user"),
    [
        ({"user__id": "u", "enduser__id": "e"}, "u", "e"),
        ({"user__id": None, "enduser__id": "e"}, "e", None),
        ({"user__id": "", "enduser__id": "e"}, "e", None),
        ({"user__id": None, "enduser__pseudo__id": "p"}, "p", None),
        ({"user__id": None, "user__hash": "h", "enduser__pseudo__id": "p"}, "h", "p"),
        ({"stillwatch__account_id": "s", "user__id": "u", "enduser__id": "e"}, "s", "e"),
    ],
)
def test_which_attribute_is_the_account(
    tmp_path: Path, facts: dict[str, Any], account: str, end_user: str | None
) -> None:
    (row,), _ = read(log(tmp_path, traces(span(**facts))))
    assert (row["account_id"], row["end_user_id"]) == (account, end_user)


def test_the_account_of_the_resource_comes_last(tmp_path: Path) -> None:
    tenant = {"user.id": "tenant", "stillwatch.org_id": "org"}
    path = log(tmp_path, traces(span(1, user__id=None), span(2), resource=tenant))
    rows, _ = read(path)
    assert [(r["account_id"], r["org_id"]) for r in rows] == [("tenant", "org"), ("a", "org")]


def test_another_account_attribute_in_code(tmp_path: Path) -> None:
    path = log(tmp_path, traces(span(tenant__id="t")))
    ledger = Ledger()
    with path.open("rb") as handle:
        (batch,) = (b for b in Otlp(("tenant.id",)).read(handle, "log", ledger) if b.num_rows)
    assert batch["account_id"].to_pylist() == ["t"]


def test_no_account_anywhere_says_which_attribute_to_set(tmp_path: Path) -> None:
    path = log(tmp_path, traces(span(user__id=None), span(2, user__id=None)))
    inputs: Inputs = open_inputs([path])
    with pytest.raises(InputError, match=r"log\.jsonl:1: 2 of 2 rows .*account_id") as caught:
        list(inputs.batches())
    for name in ("stillwatch.account_id", "user.id", "enduser.id", "Collector"):
        assert name in caught.value.hint
    assert inputs.ledger.rows_rejected == 2


def test_columns_without_a_name_of_their_own(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        traces(
            span(
                stillwatch__channel="batch",
                stillwatch__cost_usd={"doubleValue": 0.5},
                stillwatch__asn={"intValue": "64500"},
                stillwatch__tags={
                    "kvlistValue": {"values": [attribute("k", "v"), attribute("l", "w")]}
                },
            )
        ),
    )
    (row,), _ = read(path)
    assert (row["channel"], row["cost_usd"], row["asn"]) == ("batch", 0.5, 64500)
    assert row["tags"] == [("k", "v"), ("l", "w")]
    columns = open_inputs([path]).columns
    assert {"channel", "cost_usd", "asn", "tags"} <= columns
    assert not columns & {"org_id", "key_id", "origin", "reasoning_blob", "country"}
