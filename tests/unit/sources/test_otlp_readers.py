"""The same rows as Parquet and as OTLP, by types and as any JSON, in memory and on disk."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import otlp_rows
import pyarrow as pa
import pytest
from otlp_spans import (
    OTLP,
    SETS,
    read,
)

from stillwatch.errors import RunnerError
from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources import Ledger
from stillwatch.sources.otlp_records import Record, record_in, records_of
from stillwatch.sources.otlp_shelf import Shelf
from stillwatch.sources.otlp_typed import log_in, records_in, span_in


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
