"""OTLP/HTTP in both encodings: the rows of a file, and the answers of the specification."""

from __future__ import annotations

import base64
import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from stillwatch.collect.otlp_proto import status_bytes, success_bytes

from .conftest import rows_in

FIXTURES = Path(__file__).parents[2] / "fixtures" / "otlp"
PROTO = {"content-type": "application/x-protobuf"}
FILES = sorted(FIXTURES.glob("*.jsonl"))
MESSAGES = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}
SPAN = {
    "traceId": "ab" * 16, "spanId": "cd" * 8, "name": "chat m-1",
    "startTimeUnixNano": "1764000000000000000", "endTimeUnixNano": "1764000001000000000",
}  # fmt: skip


def signal_of(path: Path) -> str:
    return path.name.split(".")[1]


def in_protobuf(signal: str, line: str) -> bytes:
    """Return a line of JSON in the standard's protobuf, made by protobuf's own JSON reader."""

    def mapped(value: Any) -> Any:
        if isinstance(value, list):
            return [mapped(v) for v in value]
        if isinstance(value, dict):
            return {
                k: base64.b64encode(bytes.fromhex(v)).decode()
                if k in ("traceId", "spanId", "parentSpanId")
                else mapped(v)
                for k, v in value.items()
            }
        return value

    made = json_format.ParseDict(mapped(json.loads(line)), MESSAGES[signal]())
    return bytes(made.SerializeToString())


def attributes(**values: object) -> list[dict[str, Any]]:
    return [{"key": k.replace("__", "."), "value": {"stringValue": v}} for k, v in values.items()]


def traces(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": list(spans)}]}]}


def logs(*records: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": list(records)}]}]}


CHAT = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "m-1"}
SAID = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "SECRET words"}]}])


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_every_recorded_export_gives_the_rows_of_its_files(collector, encoding):
    """Logs first: a span must find the event that came before it."""
    one = collector("--segment-seconds", 0.3, "--join-seconds", 3600)
    for path in sorted(FILES, key=signal_of):
        signal = signal_of(path)
        for line in path.read_text().splitlines():
            if encoding == "json":
                got = one.post(f"/v1/{signal}", line.encode())
            else:
                body = gzip.compress(in_protobuf(signal, line))
                got = one.post(f"/v1/{signal}", body, headers={**PROTO, "content-encoding": "gzip"})
            assert got.status_code == 200
    one.stop()
    one.options[-1] = "0"  # nothing more will come: what waits is written
    one.start()
    one.stop()
    assert rows_in(one.folder) == rows_in(*FILES)


def test_an_event_joins_its_span_across_requests_and_segments(collector):
    one = collector("--segment-seconds", 0.2, "--join-seconds", 3600)
    span = {**SPAN, "attributes": attributes(**CHAT, user__id="u-1")}
    event = {
        "timeUnixNano": "1764000001000000000", "traceId": SPAN["traceId"], "spanId": SPAN["spanId"],
        "eventName": "gen_ai.client.inference.operation.details",
        "attributes": attributes(**CHAT, gen_ai__input__messages=SAID),
    }  # fmt: skip
    assert one.post("/v1/traces", traces(span)).json() == {}
    one.wait_for("waiting", 1)
    assert not list(one.folder.rglob("*.parquet"))
    one.post("/v1/logs", logs(event))
    one.wait_for("rows_total", 1)
    one.post("/v1/logs", logs({**event, "attributes": attributes(**CHAT, user__id="u-1")}))
    one.post("/v1/traces", traces({**span, "spanId": "ef" * 8}))
    one.stop()
    one.options[-1] = "0"
    one.start()
    one.wait_for("rows_total", 1)
    one.stop()
    rows = rows_in(one.folder)
    assert [r["exchange_id"][-4:] for r in rows] == ["cdcd", "efef"], "a late event is no exchange"
    assert rows[0]["account_id"] == "u-1"
    assert rows[0]["messages"][0]["content"] == "SECRET words"
    assert "SECRET" not in one.log.read_text()


def test_a_span_whose_event_never_comes_is_written_after_the_wait(collector):
    one = collector("--segment-seconds", 0.2, "--join-seconds", 2)
    began = time.monotonic()
    one.post("/v1/traces", traces({**SPAN, "attributes": attributes(**CHAT, user__id="u-1")}))
    one.wait_for("rows_total", 1, seconds=30)
    assert time.monotonic() - began > 1.9  # however slow the machine is, it has waited
    one.stop()
    (row,) = rows_in(one.folder)
    assert row["account_id"] == "u-1"
    assert "messages" not in row


def test_partial_success_counts_what_is_refused_and_keeps_the_rest(collector):
    one = collector()
    whole = {"gen_ai__input__messages": SAID, **CHAT}
    body = traces(
        {**SPAN, "attributes": attributes(**whole, user__id="u-1")},
        {**SPAN, "spanId": "11" * 8, "attributes": attributes(**whole)},
        {**SPAN, "spanId": "22" * 8, "attributes": attributes(http__method="GET")},
    )
    got = one.post("/v1/traces", body)
    assert got.status_code == 200
    assert got.json()["partialSuccess"]["rejectedSpans"] == "1"
    assert "user.id" in got.json()["partialSuccess"]["errorMessage"]
    assert "SECRET" not in got.text
    assert one.metric("ignored_total") == 1
    assert one.metric("refused_total") == 1
    got = one.post("/v1/traces", in_protobuf("traces", json.dumps(body)), headers=PROTO)
    answer = ExportTraceServiceResponse.FromString(got.content)
    assert got.headers["content-type"] == "application/x-protobuf"
    assert answer.partial_success.rejected_spans == 1
    assert "user.id" in answer.partial_success.error_message
    one.stop()
    (row,) = rows_in(one.folder)
    assert row["account_id"] == "u-1"


def test_full_success_is_an_empty_message_and_errors_are_a_status(collector):
    """In the encoding of the request, as the specification demands."""
    one = collector()
    assert one.post("/v1/traces", traces()).content == b"{}"
    assert one.post("/v1/logs", b"", headers=PROTO).content == b""
    answer = ExportLogsServiceResponse.FromString(success_bytes(300, "é"))
    assert answer.partial_success.rejected_log_records == 300
    assert answer.partial_success.error_message == "é"
    got = one.post("/v1/traces", b"\xff\xff", headers=PROTO)
    assert (got.status_code, got.headers["content-type"]) == (400, "application/x-protobuf")
    assert got.content == status_bytes(3, "malformed protobuf")
    got = one.post("/v1/logs", b"[1]")
    assert (got.status_code, got.json()) == (400, {"code": 3, "message": "not a JSON object"})
    assert one.post("/v1/logs", b"{}", headers={"content-type": "text/plain"}).status_code == 415
    got = one.post("/v1/traces", traces({**SPAN, "attributes": attributes(**CHAT)}))
    told = got.json()["partialSuccess"]  # its event may still say whose it is
    assert "rejectedSpans" not in told
    assert "user.id" in told["errorMessage"]
    assert one.metric("records_total") == 1


def test_deep_values_end_no_request(collector):
    one = collector()
    deep: dict[str, Any] = {"stringValue": "x"}
    for _ in range(90):
        deep = {"arrayValue": {"values": [deep]}}
    span = {**SPAN, "attributes": [*attributes(**CHAT, user__id="u"), {"key": "d", "value": deep}]}
    assert one.post("/v1/traces", traces(span)).status_code == 200
    assert one.post("/v1/traces", b'{"a":' * 100_000).status_code == 400
    one.stop()
    assert one.log.read_text() == ""


def test_ids_that_are_none_break_no_line(collector, tmp_path):
    """A client's trace id may be any text: with blanks and line ends in it too."""
    one = collector("--join-seconds", 0)
    spans = [
        {**SPAN, "traceId": odd, "attributes": attributes(**CHAT, user__id="u-1")}
        for odd in ("a b\nc", "\u2028", "w" * 300, "é", " ")
    ]
    for span in spans:
        assert one.post("/v1/traces", traces(span)).status_code == 200
    one.stop()
    file = tmp_path / "file.jsonl"
    file.write_text("\n".join(json.dumps(traces(span)) for span in spans))
    assert rows_in(one.folder) == rows_in(file)
    assert one.log.read_text() == ""


def test_waiting_records_survive_a_kill(collector):
    one = collector("--segment-seconds", 0.2, "--join-seconds", 3600)
    one.post("/v1/traces", traces({**SPAN, "attributes": attributes(**CHAT, user__id="u-1")}))
    one.wait_for("waiting", 1)
    one.kill()
    one.options[-1] = "0"
    one.start()
    one.wait_for("rows_total", 1)
    time.sleep(0.5)
    one.stop()
    assert len(rows_in(one.folder)) == 1
