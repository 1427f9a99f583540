"""OTLP's protobuf encoding, turned into its JSON encoding, which the source reads.

Source: opentelemetry-proto 1.x, and the OTLP specification's rules for JSON: names in
lowerCamelCase, 64-bit numbers as decimal strings, ids in hexadecimal.
"""

from __future__ import annotations

import base64
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from stillwatch.sources import BadJson

__all__ = ["logs_value", "status_bytes", "success_bytes", "traces_value"]

_MOST_DEEP: Final = 64
Json = dict[str, Any]


def traces_value(body: bytes) -> Json:
    """Return an ExportTraceServiceRequest in JSON's shape. Raises BadJson when it is none."""
    request = _parsed(ExportTraceServiceRequest, body)
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(group.resource.attributes)},
                "scopeSpans": [
                    {"spans": [_span(span) for span in scope.spans]} for scope in group.scope_spans
                ],
            }
            for group in request.resource_spans
        ]
    }


def logs_value(body: bytes) -> Json:
    """Return an ExportLogsServiceRequest in JSON's shape. Raises BadJson when it is none."""
    request = _parsed(ExportLogsServiceRequest, body)
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": _attributes(group.resource.attributes)},
                "scopeLogs": [
                    {"logRecords": [_log(log) for log in scope.log_records]}
                    for scope in group.scope_logs
                ],
            }
            for group in request.resource_logs
        ]
    }


def _parsed(kind: Any, body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except DecodeError:
        raise BadJson("malformed protobuf") from None


def _span(span: Any) -> Json:
    made: Json = {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
        "attributes": _attributes(span.attributes),
        "status": {"code": span.status.code},
    }
    if span.events:
        made["events"] = [
            {"name": event.name, "attributes": _attributes(event.attributes)}
            for event in span.events
        ]
    return made


def _log(log: Any) -> Json:
    made: Json = {
        "timeUnixNano": str(log.time_unix_nano),
        "observedTimeUnixNano": str(log.observed_time_unix_nano),
        "attributes": _attributes(log.attributes),
        "traceId": log.trace_id.hex(),
        "spanId": log.span_id.hex(),
    }
    if log.event_name:
        made["eventName"] = log.event_name
    if log.HasField("body"):
        made["body"] = _value(log.body, 0)
    return made


def _attributes(pairs: Any) -> list[Json]:
    return [{"key": pair.key, "value": _value(pair.value, 0)} for pair in pairs]


def _value(value: Any, depth: int) -> Json:
    """Return an AnyValue; what stands deeper than 64 in one another is left out."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return {"stringValue": value.string_value}
    if kind == "int_value":
        return {"intValue": str(value.int_value)}
    if kind == "double_value":
        return {"doubleValue": value.double_value}
    if kind == "bool_value":
        return {"boolValue": value.bool_value}
    if kind == "bytes_value":
        return {"bytesValue": base64.b64encode(value.bytes_value).decode()}
    if kind is None or depth >= _MOST_DEEP:
        return {}
    if kind == "array_value":
        return {"arrayValue": {"values": [_value(v, depth + 1) for v in value.array_value.values]}}
    return {
        "kvlistValue": {
            "values": [
                {"key": pair.key, "value": _value(pair.value, depth + 1)}
                for pair in value.kvlist_value.values
            ]
        }
    }


def success_bytes(rejected: int, message: str) -> bytes:
    """Return an Export…ServiceResponse: one field, the same for traces and logs.

    Empty where all was accepted, as the specification demands.
    """
    if not rejected and not message:
        return b""
    inner = b"\x08" + _varint(rejected) if rejected else b""
    text = message.encode()
    inner += b"\x12" + _varint(len(text)) + text
    return b"\x0a" + _varint(len(inner)) + inner


def status_bytes(code: int, message: str) -> bytes:
    """Return a google.rpc.Status."""
    text = message.encode()
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)
