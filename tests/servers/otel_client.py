"""Asks a model through the official clients, traced by OpenTelemetry, exported to a collector.

Run by an environment of its own (tests/servers/test_collect.py): MODE URL_OF_MODEL URL_OF_COLLECT.
Prints how many exports failed.
"""

from __future__ import annotations

import os
import sys
from typing import Any

MODE, MODEL, COLLECT = sys.argv[1:4]
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = MODE
os.environ["OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"] = str("EVENT" in MODE).lower()

import anthropic  # noqa: E402
import openai  # noqa: E402
from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: E402
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter  # noqa: E402
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: E402
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor  # noqa: E402
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor  # noqa: E402
from opentelemetry.sdk._logs import LoggerProvider  # noqa: E402
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor  # noqa: E402
from opentelemetry.sdk.resources import Resource  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: E402

ASK: list[Any] = [{"role": "user", "content": "When does the tide turn?"}]
ABOUT = Resource({"service.name": "gateway", "user.id": "account-1"})
KEY = {"authorization": "Bearer token-1"}


def talk() -> None:
    with openai.OpenAI(base_url=f"{MODEL}/v1", api_key="none", max_retries=0) as client:
        client.chat.completions.create(model="m-1", messages=ASK, temperature=0.5)
        for _ in client.chat.completions.create(model="m-1", messages=ASK, stream=True):
            pass
    with anthropic.Anthropic(base_url=MODEL, api_key="none", max_retries=0) as client:
        client.messages.create(model="m-1", messages=ASK, max_tokens=64)
        with client.messages.stream(model="m-1", messages=ASK, max_tokens=64) as stream:
            stream.until_done()


def main() -> None:
    traces, logs = TracerProvider(resource=ABOUT), LoggerProvider(resource=ABOUT)
    gzip = {"headers": KEY, "compression": Compression.Gzip}
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{COLLECT}/v1/traces", **gzip)))
    logs.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(f"{COLLECT}/v1/logs", **gzip))
    )
    for each in (OpenAIInstrumentor(), AnthropicInstrumentor()):
        each.instrument(tracer_provider=traces, logger_provider=logs)
    with traces.get_tracer("gateway").start_as_current_span("POST /v1"):
        talk()
    traces.shutdown()
    logs.shutdown()


main()
