"""Spans: real SDK, in memory and over OTLP/HTTP to a receiver; nothing of anybody in them."""

from __future__ import annotations

import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stillwatch.errors import ConfigError
from stillwatch.guard.asgi import decide_now
from stillwatch.guard.tracing import Tracing, otlp_tracing

from .test_http import call, key, served

__all__ = ["key"]  # the fixture

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SECRETS = ("bad-1", "org-secret", "eu-secret", "tell me the tide", "192.0.2.7")
BODY = {"account_id": "bad-1", "org_id": "org-secret", "end_user_id": "eu-secret",
        "ip": "192.0.2.7",
        "messages": [{"role": "user", "content": "tell me the tide"}]}  # fmt: skip


@pytest.fixture
def traced(tmp_path, key):
    def make(share: float = 1.0):
        service = served(tmp_path, key)
        spans = InMemorySpanExporter()
        service.tracing = Tracing(
            SimpleSpanProcessor(spans), node="n-1", share=share, rng=random.Random(7)
        )
        return service, spans.get_finished_spans

    return make


def test_a_decision_is_a_server_span_with_its_verdict(traced):
    service, spans = traced()
    assert call(service, "/v1/decide", BODY)[2]["verdict"] == "deny"
    (span,) = spans()
    assert (span.name, span.kind.name) == ("POST /v1/decide", "SERVER")
    held = dict(span.attributes)
    assert held["stillwatch.guard.verdict"] == "deny"
    assert held["stillwatch.guard.level"] == "member"
    assert held["http.response.status_code"] == 200
    assert held["http.route"] == "/v1/decide"
    assert 0 < span.end_time - span.start_time < 60 * 10**9
    assert span.resource.attributes["service.name"] == "stillwatch-guard"


@pytest.mark.parametrize("path", ["/v1/decide", "/v1/observe", "/v1/decide/batch", "/authz/x"])
def test_no_span_holds_text_an_identifier_or_a_key(traced, path):
    service, spans = traced()
    body = {"requests": [BODY, BODY]} if path.endswith("batch") else BODY
    headers = {"x-account-id": "bad-1", "x-org-id": "org-secret", "x-forwarded-for": "192.0.2.7"}
    call(service, path, body, headers)
    (span,) = spans()
    told = span.to_json()
    subject = service.guard.table.subject("bad-1", None)
    for secret in (*SECRETS, f"{subject:016x}", str(subject)):
        assert secret not in told
    assert dict(span.attributes)["stillwatch.guard.decisions"] == {
        "/v1/decide": 1, "/v1/observe": 0, "/v1/decide/batch": 2, "/authz/x": 1
    }[path]  # fmt: skip


def test_a_span_joins_its_callers_trace(traced):
    service, spans = traced(share=0.0)
    call(service, "/v1/decide", BODY, {"traceparent": f"00-{TRACE}-{PARENT}-01"})
    (span,) = spans()
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT


@pytest.mark.parametrize(
    ("share", "parent", "count"),
    [
        (0.0, None, 0), (1.0, None, 1), (1.0, f"00-{TRACE}-{PARENT}-00", 0),
        (0.0, f"00-{TRACE}-{PARENT}-01", 1), (0.0, "nonsense", 0), (0.0, "é" * 60, 0),
        (1.0, f"00-{'0' * 32}-{PARENT}-01", 1), (0.0, f"00-{TRACE}-{PARENT}-0X", 0),
    ],
)  # fmt: skip
def test_which_requests_get_a_span(traced, share, parent, count):
    service, spans = traced(share)
    headers = {} if parent is None else {"traceparent": parent}
    assert call(service, "/v1/decide", BODY, headers)[0] == 200
    assert len(spans()) == count


def test_a_share_is_a_share_and_the_short_way_is_traced_too(traced):
    service, spans = traced(share=0.25)
    data = json.dumps(BODY).encode()
    for _ in range(400):
        assert decide_now(service, [], data)[0] == 200
    assert 70 <= len(spans()) <= 130


def test_a_refused_body_has_a_span_and_no_decision(traced):
    service, spans = traced()
    assert call(service, "/v1/decide", {"account_id": 3})[0] == 400
    (span,) = spans()
    assert dict(span.attributes)["http.response.status_code"] == 400
    assert dict(span.attributes)["stillwatch.guard.decisions"] == 0


def test_a_share_lies_between_0_and_1(traced):
    with pytest.raises(ConfigError, match="share"):
        traced(share=1.5)


class Receiver(ThreadingHTTPServer):
    """An OTLP/HTTP collector: keeps what was posted, as the protocol's own messages."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Takes)
        self.got: list[tuple[str, ExportTraceServiceRequest]] = []


class _Takes(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        assert self.headers["content-type"] == "application/x-protobuf"
        self.server.got.append((self.path, ExportTraceServiceRequest.FromString(data)))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def test_spans_reach_a_collector_by_otlp_over_http(tmp_path, key):
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, daemon=True)
    thread.start()
    service = served(tmp_path, key)
    service.tracing = otlp_tracing(
        f"http://127.0.0.1:{receiver.server_port}/v1/traces", node="n-1", share=1.0
    )
    for account in ("bad-1", "good"):
        call(service, "/v1/decide", {**BODY, "account_id": account})
    service.tracing.close()
    receiver.shutdown()
    receiver.server_close()
    thread.join()
    spans = [
        span
        for path, request in receiver.got if path == "/v1/traces"
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]  # fmt: skip
    verdicts = [a.value.string_value for s in spans for a in s.attributes
                if a.key == "stillwatch.guard.verdict"]  # fmt: skip
    assert verdicts == ["deny", "allow"]
    assert not [s for s in SECRETS if s.encode() in receiver.got[0][1].SerializeToString()]


def test_a_collector_that_is_away_costs_no_request(tmp_path, key, caplog):
    service = served(tmp_path, key)
    service.tracing = otlp_tracing("http://127.0.0.1:9/v1/traces", node="n", share=1.0)
    for _ in range(3):
        assert call(service, "/v1/decide", BODY)[0] == 200
    service.tracing.close()
    assert service.counts["unavailable", "decide", "ConnectionError"] == 0
