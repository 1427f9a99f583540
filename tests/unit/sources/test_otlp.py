"""OpenTelemetry GenAI, as its own SDK and instrumentations wrote it (fixtures/make_otlp.py)."""

from __future__ import annotations

import gzip
import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import otlp_rows
import pyarrow as pa
import pytest
import zstandard

from stillwatch.errors import InputError, RunnerError
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources import Inputs, Ledger, open_inputs
from stillwatch.sources.otlp import Otlp
from stillwatch.sources.otlp_records import Record, record_in, records_of
from stillwatch.sources.otlp_shelf import Shelf
from stillwatch.sources.otlp_typed import log_in, records_in, span_in
from stillwatch.sources.registry import choose_source

FIXTURES = Path(__file__).parents[2] / "fixtures"
OTLP = FIXTURES / "otlp"
SETS = {
    "spans": ["spans.traces.jsonl"],
    "events": ["events.traces.jsonl", "events.logs.jsonl"],
    "both": ["both.traces.jsonl", "both.logs.jsonl"],
    "events alone": ["events_alone.logs.jsonl"],
    "old": ["old.traces.jsonl", "old.logs.jsonl"],
    "indexed": ["indexed.traces.jsonl"],
}
HELLO = "Say hello"


def read(*paths: Path, **options: Any) -> tuple[list[dict[str, Any]], Ledger]:
    options.setdefault("max_rejects", 1.0)
    inputs = open_inputs(paths, **options)
    table = pa.Table.from_batches(list(inputs.batches()), EXCHANGE)
    ledger = inputs.ledger
    assert ledger.rows_read == table.num_rows + ledger.rows_rejected
    return table.to_pylist(), ledger


def fixture(name: str) -> list[dict[str, Any]]:
    return read(*(OTLP / file for file in SETS[name]))[0]


def by_prompt(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the chats by the request's last message, the tool's answer among them."""
    chats = [r for r in rows if r["operation"] == "chat"]
    assert len({r["messages"][-1]["content"] for r in chats}) == len(chats)
    return {r["messages"][-1]["content"]: r for r in chats}


def attribute(name: str, value: Any) -> dict[str, Any]:
    return {"key": name, "value": value if isinstance(value, dict) else {"stringValue": value}}


def span(number: int = 1, **facts: Any) -> dict[str, Any]:
    facts = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "user.id": "a",
        "gen_ai.prompt": "text",
        **{name.replace("__", "."): value for name, value in facts.items()},
    }
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "startTimeUnixNano": str(1_769_860_800_000_000_000 + number),
        "endTimeUnixNano": "1769860801500000000",
        "attributes": [attribute(k, v) for k, v in facts.items() if v is not None],
    }


def traces(*spans: Any, resource: Any = None) -> dict[str, Any]:
    about = {"attributes": [attribute(k, v) for k, v in (resource or {}).items()]}
    return {"resourceSpans": [{"resource": about, "scopeSpans": [{"spans": list(spans)}]}]}


def logs(*records: Any) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}


def event(number: int = 1, name: str = "", **more: Any) -> dict[str, Any]:
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "observedTimeUnixNano": "1769860801400000000",
        "eventName": name or "gen_ai.client.inference.operation.details",
        **more,
    }


def log(folder: Path, *values: Any, name: str = "log.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(json.dumps(v) for v in values), "utf-8")
    return path


# what the real instrumentations wrote


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


# layouts


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


# the account


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


# shapes that are wrong


def reasons(ledger: Ledger) -> list[tuple[int, str, str]]:
    return [(r.line, r.reason, r.field) for r in sorted(ledger.rejected)]


def test_wrong_shapes_are_entered_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        traces(span(1)),
        {"resourceSpans": 7},
        {"resourceSpans": [7]},
        {"resourceSpans": [{"scopeSpans": {}}]},
        traces("text", span(2)),
        {"something": "else"},
        {"resourceMetrics": []},
        {**traces(), "resourceLogs": "x"},
    )
    rows, ledger = read(path)
    assert len(rows) == 2
    assert reasons(ledger) == [
        (2, "resourceSpans is no list", ""),
        (3, "resourceSpans holds what is no object", ""),
        (4, "scopeSpans is no list", ""),
        (5, "spans holds what is no object", ""),
        (6, "not an OTLP record", ""),
        (8, "resourceLogs is no list", ""),
    ]
    assert ledger.notes["OTLP metrics or profiles, not read"] == 1


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"startTimeUnixNano": "soon"}, "no readable time", "ts"),
        ({"startTimeUnixNano": None}, "no readable time", "ts"),
        ({"startTimeUnixNano": "0"}, "no readable time", "ts"),
        ({"startTimeUnixNano": "1769860800"}, "time before 2015", "ts"),
        ({"traceId": "0" * 32}, "required value missing", "exchange_id"),
        ({"spanId": None}, "required value missing", "exchange_id"),
        ({"attributes": "none"}, None, None),
    ],
)
def test_unfit_spans(
    tmp_path: Path, change: dict[str, Any], reason: str | None, field: str | None
) -> None:
    rows, ledger = read(log(tmp_path, traces({**span(1), **change}, span(2))))
    assert len(rows) == 1
    assert reasons(ledger) == ([(1, reason, field)] if reason else [])


def test_negative_tokens(tmp_path: Path) -> None:
    bad = span(1, gen_ai__usage__input_tokens={"intValue": "-5"})
    _, ledger = read(log(tmp_path, traces(bad, span(2))))
    assert reasons(ledger) == [(1, "negative tokens", "input_tokens")]


def test_attributes_that_are_none(tmp_path: Path) -> None:
    odd = span(1)
    odd["attributes"] += [7, {"value": {"stringValue": "x"}}, {"key": 5, "value": {"intValue": 1}}]
    odd["attributes"] += [{"key": "empty", "value": {}}, {"key": "bare", "value": "x"}]
    odd["attributes"] += [{"key": "later", "value": {"newValue": 1}}]
    rows, ledger = read(log(tmp_path, traces(odd)))
    assert rows[0]["account_id"] == "a"
    assert ledger.coerced["attribute without a name, left out"] == 3


def test_a_message_event_without_its_span(tmp_path: Path) -> None:
    path = log(tmp_path, logs(event(1, "gen_ai.user.message", body={"stringValue": "x"})))
    inputs = open_inputs([path])
    with pytest.raises(InputError, match="message event without its span") as caught:
        list(inputs.batches())
    assert "traces" in caught.value.hint


def test_other_log_records_are_noted(tmp_path: Path) -> None:
    other = {"observedTimeUnixNano": "1", "body": {"stringValue": "started"}}
    rows, ledger = read(
        log(tmp_path, logs(other, {**other, "eventName": "session.start"})),
        log(tmp_path, traces(span(1)), name="traces.jsonl"),
    )
    assert len(rows) == 1
    assert ledger.notes["log records that are no model request"] == 2


def test_tools_and_agents_are_no_exchanges(tmp_path: Path) -> None:
    rows, ledger = read(
        log(
            tmp_path,
            traces(
                span(1),
                span(2, gen_ai__operation__name="execute_tool"),
                span(3, gen_ai__operation__name="invoke_agent"),
                span(4, gen_ai__operation__name="a_new_one"),
                span(5, gen_ai__operation__name=None, gen_ai__request__model=None),
            ),
        )
    )
    assert [r["operation"] for r in rows] == ["chat", "a_new_one"]
    assert ledger.notes["spans that are no model request"] == 3


def test_span_events_of_the_first_convention(tmp_path: Path) -> None:
    one = span(1, gen_ai__prompt=None)
    one["events"] = [
        {"name": "gen_ai.content.prompt", "attributes": [attribute("gen_ai.prompt", "Hi")]},
        {"name": "gen_ai.content.completion", "attributes": [attribute("gen_ai.completion", "Yo")]},
        {"name": "exception"},
        7,
    ]
    two = span(2, gen_ai__prompt=None)
    said = {"content": "Hi", "role": "user"}
    two["events"] = [
        {
            "name": "gen_ai.user.message",
            "attributes": [attribute("gen_ai.event.content", json.dumps(said))],
        },
        {
            "name": "gen_ai.choice",
            "attributes": [
                attribute("gen_ai.event.content", json.dumps({"message": {"content": "Yo"}}))
            ],
        },
    ]
    rows, _ = read(log(tmp_path, traces(one, two)))
    for row in rows:
        assert row["messages"] == [{"role": "user", "content": "Hi"}]
        assert row["output_text"] == "Yo"


def test_content_nested_without_end_is_cut_not_lost(tmp_path: Path) -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    bad = span(1, gen_ai__input__messages=value)
    rows, _ = read(log(tmp_path, traces(bad, span(2))))
    assert len(rows) == 2


# the same rows as Parquet and as OTLP


def canonical(n: int = 40) -> list[dict[str, Any]]:
    begin = datetime(2026, 1, 31, 12, tzinfo=UTC)
    names = EXCHANGE.names
    return [
        {
            **dict.fromkeys(names),
            "exchange_id": f"e{i}",
            "ts": begin + timedelta(seconds=i, microseconds=i),
            "account_id": f"a{i % 7}",
            "model": f"m{i % 3}",
            "provider": "openai",
            "end_user_id": f"u{i}" if i % 2 else None,
            "trace_id": f"t{i}",
            "operation": ("chat", "completion", "embedding")[i % 3],
            "temperature": 0.5,
            "seed": i,
            "stream": i % 2 == 0,
            "messages": [{"role": "user", "content": f"text {i} ⚑"}] if i % 5 else None,
            "output_text": "" if i % 4 == 1 else f"answer {i}",
            "reasoning_text": "because" if i % 3 == 1 else None,
            "status": ("ok", "refused", "rate_limited", "server_error")[i % 4],
            "http_status": (200, 200, 429, 500)[i % 4],
            "finish_reason": "stop" if i % 4 == 0 else "refusal" if i % 4 == 1 else None,
            "input_tokens": 10 + i,
            "output_tokens": i,
            "cost_usd": i / 8,
            "latency_ms": 12.345,
            "org_id": "o",
            "channel": "api",
            "ip": "203.0.113.9",
            "country": "AT",
            "asn": 64500,
            "tags": [("k", str(i))],
        }
        for i in range(n)
    ]


@pytest.mark.parametrize("form", ["spans", "structured", "events", "old"])
def test_parquet_and_otlp_give_the_same_exchanges(tmp_path: Path, form: str) -> None:
    import pyarrow.parquet as pq

    rows = canonical()
    table = pa.Table.from_pylist(rows, EXCHANGE)
    pq.write_table(table, tmp_path / "log.parquet")
    folder = tmp_path / "otlp"
    folder.mkdir()
    for signal, line in otlp_rows.otlp_lines(rows, form, each=7):
        with (folder / f"{signal}.jsonl").open("ab") as out:
            out.write(line + b"\n")
    expected, _ = read(tmp_path / "log.parquet")
    got, ledger = read(folder)
    assert sorted(got, key=lambda r: r["exchange_id"]) == sorted(
        expected, key=lambda r: r["exchange_id"]
    )
    assert ledger.rows_rejected == 0


def test_a_full_disk_while_spans_wait_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillwatch.sources.waiting.MEMORY_BYTES", 1_000)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: Path("/dev/full").open("r+b"))  # noqa: SIM115
    record = Record(0, "k", "log", 1, "1", "2", False, {"text": "x" * 100_000}, {}, [])
    with pytest.raises(RunnerError, match="No space left") as caught:
        Shelf().hold([record])
    assert "TMPDIR" in caught.value.hint


@pytest.mark.parametrize("name", ["events", "old", "events alone"])
def test_what_waits_on_disk_is_joined_as_in_memory(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [OTLP / file for file in SETS[name]]
    kept, ledger = read(*files)
    monkeypatch.setattr("stillwatch.sources.waiting.MEMORY_BYTES", 0)
    rows, again = read(*files)
    assert kept
    assert sorted(map(repr, rows)) == sorted(map(repr, kept))
    assert (again.notes, sorted(again.rejected)) == (ledger.notes, sorted(ledger.rejected))


def _with(line: bytes, more: list[dict[str, Any]], time: int | None) -> bytes:
    """Return an export request whose records have these attributes, and times, too."""
    request = json.loads(line)
    for groups in request.values():
        for group in groups:
            for scope in group.get("scopeSpans", group.get("scopeLogs")):
                for one in scope.get("spans", scope.get("logRecords")):
                    one["attributes"] = [*one.get("attributes", []), *more]
                    if time is not None:
                        key = "startTimeUnixNano" if "scopeSpans" in group else "timeUnixNano"
                        one[key] = time
    return json.dumps(request, separators=(",", ":")).encode()


def test_records_read_by_their_types_are_those_read_as_any_json() -> None:
    """Also with what the protocol allows in two spellings; else nothing is read by types."""
    odd = [{"key": "a", "value": {"intValue": 5}}, {"key": "b", "value": {"doubleValue": 1}},
           {"key": "c", "value": {"doubleValue": "NaN"}}, {"key": "d", "value": {}},
           {"key": "e", "value": {"intValue": "9" * 30}},
           {"key": "f", "value": {"boolValue": False}},
           {"key": "g", "value": {"arrayValue": {}}}, {"key": "h", "value": {"bytesValue": "AA=="}},
           {"key": "i", "value": {"kvlistValue": {"values": [
               {"key": "j", "value": {"arrayValue": {"values": [{"stringValue": "k"}]}}}
           ]}}},
           {"key": "l", "value": {"stringValue": None, "intValue": 5}},
           {"key": "m", "value": {"intValue": None, "doubleValue": 1.5}},
           {"key": "n", "value": {"intValue": None}},
           {"key": "o", "value": {"arrayValue": {"values": [
               {"stringValue": None, "boolValue": True}
           ]}}},
           *({"key": f"p{n}", "value": {"intValue": n}} for n in (2**63, 2**64, -(2**63) - 1)),
           *({"key": f"q{n}", "value": {"doubleValue": n}} for n in (2**63, 2**64, 10**25)),
           {"key": "r", "value": {"kvlistValue": {"values": [
               {"key": "s", "value": {"doubleValue": -(10**25)}}
           ]}}}]  # fmt: skip
    counted = 0
    for path in sorted(OTLP.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            for more, time in ((odd, None), (odd[:13], None), ([], 2**64), ([], 10**25)):
                text = _with(line, more, time)
                ledgers = Ledger(), Ledger()
                found = records_in(text)
                assert type(found) is list
                typed = [record_in(*record, "log", 1, ledgers[0]) for record in found]
                plain = list(records_of(orjson.loads(text), "log", 1, ledgers[1]))
                assert repr([r for r in typed if r]) == repr(plain)
                for what in ("notes", "coerced", "rejected"):
                    assert getattr(ledgers[0], what) == getattr(ledgers[1], what)
                for log, _, own in found:
                    by_type = log_in(own) if log else span_in(own)
                    assert (by_type is None) == (len(more) != 13)
                counted += len(found)
    assert counted > 4 * 90
    text = _with(line, odd[:13], None)
    broken = [text.replace(b'"intValue":5', b'"intValue":{}'), text[:-1], b"[" + text + b"]"]
    assert [records_in(broken[1]), records_in(broken[2])] == [None, None]
    assert all(span_in(one) is None and log_in(one) is None
               for _, _, one in records_in(broken[0]) or ())  # fmt: skip


KINDS: dict[str, tuple[Any, Any]] = {
    "stringValue": ("t", "t"), "intValue": ("5", 5), "boolValue": (True, True),
    "doubleValue": (1.5, 1.5), "bytesValue": ("AA==", "AA=="),
    "arrayValue": ({"values": [{"boolValue": False}]}, [False]),
    "kvlistValue": ({"values": [{"key": "k", "value": {"intValue": "7"}}]}, {"k": 7}),
}  # fmt: skip
ORDER = ("stringValue", "intValue", "boolValue", "doubleValue", "arrayValue", "kvlistValue",
         "bytesValue")  # fmt: skip


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(KINDS, 2)))
def test_of_two_kinds_at_once_both_readers_take_the_same(one: str, other: str) -> None:
    """The protocol forbids it; wherever such a value stands, and in whichever order."""
    value = {one: KINDS[one][0], other: KINDS[other][0]}
    wanted = KINDS[min(one, other, key=ORDER.index)][1]
    inner = {"arrayValue": {"values": [value]}}
    held = {"kvlistValue": {"values": [{"key": "x", "value": value}]}}
    span = {"traceId": "1" * 32, "spanId": "1" * 16, "startTimeUnixNano": "1", "attributes": [
        {"key": "gen_ai.request.model", "value": {"stringValue": "m"}},
        {"key": "a", "value": value}, {"key": "b", "value": inner}, {"key": "c", "value": held},
    ]}  # fmt: skip
    text = orjson.dumps(span)
    assert span_in(text) is not None
    typed = record_in(False, b"null", text, "log", 1, Ledger())
    (plain,) = records_of(span, "log", 1, Ledger())
    assert typed == plain
    assert [plain.facts[name] for name in "abc"] == [wanted, [wanted], {"x": wanted}]
    assert type(plain.facts["a"]) is type(wanted)


def test_messages_of_one_time_stay_in_order_when_one_is_delivered_again() -> None:
    parts = [
        Record(2, "k", "log", line, "5", None, False, {}, {}, [["gen_ai.user.message", text]])
        for line, text in enumerate("ABA", 1)
    ]
    for held, notes in ((parts, {"events that came twice": 1}), (parts[:2], {})):
        shelf, ledger = Shelf(), Ledger()
        shelf.hold([*held, Record(0, "k", "log", 9, "1", "2", False, {}, {}, [])])
        ((span, _),) = shelf.matched(ledger)
        assert [text for _, text in span.told] == ["A", "B"]
        assert dict(ledger.notes) == {"events joined to their spans": 2, **notes}


def test_what_waits_survives_depth_and_size() -> None:
    deep: Any = "x"
    for _ in range(400):
        deep = [deep]
    shelf = Shelf()
    facts = {"deep": deep, "huge": 10**30, "plain": "text"}
    shelf.hold([Record(0, "k", "log", 1, 10**30, None, False, facts, {}, [])])
    ((back, _),) = shelf.matched(Ledger())
    assert back.facts["plain"] == "text"
    assert back.facts["huge"] == str(10**30)
    assert isinstance(back.facts["deep"], str)


@pytest.mark.parametrize("name", ["events", "old", "spans", "events alone"])
@pytest.mark.parametrize("signal", ["traces", "logs", "both"])
def test_what_an_exporter_sent_again_is_the_same_exchange(
    tmp_path: Path, name: str, signal: str
) -> None:
    """An acknowledgement that got lost: whole requests come twice, of one signal or of both."""
    files = [OTLP / file for file in SETS[name]]
    for file in files:
        again = signal == "both" or f".{signal}." in file.name
        (tmp_path / file.name).write_bytes(file.read_bytes() * (1 + again))
    once, clean = read(*files)
    twice, ledger = read(tmp_path)
    assert ledger.rows_rejected == clean.rows_rejected * (1 + (signal != "traces"))
    assert {repr(row) for row in twice} == {repr(row) for row in once}
    assert len({row["exchange_id"] for row in twice}) == len(once)
