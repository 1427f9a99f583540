"""Google Vertex AI's request-response logs, rows of a BigQuery table exported as JSON lines or CSV.

Column names as in the table that Vertex makes (endpoint, deployed_model_id, logging_time,
request_id, request_payload, response_payload, model, model_version, api_method, full_request,
full_response, metadata, otel_log). Bodies are Gemini's, or Anthropic's where a partner model is
called by rawPredict.

The log is a sample of the requests, so that what it lacks proves nothing (`scan --sampling-rate`).
It knows no caller: the account is the first of the request's labels account_id, tenant_id,
customer_id and user_id; else the project in ``endpoint``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from stillwatch.sources.bodies import BODY_COLUMNS
from stillwatch.sources.json_text import parsed
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.wrapped import Wrapped, account_in, names_in, words_in

__all__ = ["Vertex"]

_SIGNS: Final = frozenset({"endpoint", "logging_time", "request_id"})
_BODIES: Final = frozenset({"full_request", "request_payload"})
_PROJECT: Final = re.compile(r"(?:^|/)projects/([^/]+)")
_MODEL: Final = re.compile(r"(?:^|/)models/([^/@]+)")
_EVENTS: Final = ("data:", "event:")
_STREAMS: Final = ("streamGenerateContent", "streamRawPredict")
_EMPTY: Final[dict[str, Any]] = {}
_SAMPLED: Final = "rows of a sampled log: what is not in it may have happened (--sampling-rate)"
_ROUNDED: Final = "request ids that the export rounded, told apart by their time"


class Vertex(Wrapped):
    """Reads request-response logs; a row without bodies has its texts null."""

    name = "vertex"
    columns = BODY_COLUMNS | {"account_id", "org_id", "provider", "tags"}

    def sniff(self, head: bytes, name: str) -> bool:
        keys = names_in(head)
        return keys >= _SIGNS and not _BODIES.isdisjoint(keys)

    def wrapper(self, record: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
        ledger.notes[_SAMPLED] += 1
        request = _body(record.get("full_request"), record.get("request_payload"))
        response = _body(record.get("full_response"), record.get("response_payload"))
        labels = request.get("labels") if type(request) is dict else None
        labels = labels if type(labels) is dict else _EMPTY
        owner = _owner(str(record.get("endpoint")))
        method = str(record.get("api_method") or "")
        return {
            "exchange_id": _request_id(record, ledger),
            "ts": record.get("logging_time"),
            "account_id": account_in(labels) or owner,
            "org_id": owner,
            "provider": "gcp.vertex_ai",
            "model": _model(record, request),
            "operation": "embedding" if method == "predict" and _embeds(response) else None,
            "stream": method.endswith(_STREAMS) if method else None,
            "tags": words_in(labels),
            "request": request,
            "response": response,
        }


@lru_cache(maxsize=1_024)
def _owner(endpoint: str) -> str | None:
    """Return the project of an endpoint; a log names few endpoints."""
    project = _PROJECT.search(endpoint)
    return project[1] if project else None


def _request_id(record: dict[str, Any], ledger: Ledger) -> Any:
    """Return the id as text; beyond 2⁵³ one that passed through a float may be another's too."""
    found = record.get("request_id")
    if type(found) is float and found.is_integer():
        if abs(found) >= 2**53:
            ledger.notes[_ROUNDED] += 1
            return f"{int(found)}@{record.get('logging_time')}"
        return str(int(found))
    return found


def _body(full: Any, payload: Any) -> Any:
    """Return a body from its JSON column, else from the payload: texts that hold its parts."""
    value = parsed(full)
    if value is not None and value != "":
        return value
    parts = parsed(payload)
    if type(parts) is not list:
        return parts
    if parts and all(type(part) is str and part.startswith(_EVENTS) for part in parts):
        return "".join(parts)  # server-sent events, as a partner model streams them
    values = [parsed(part) for part in parts]
    return values[0] if len(values) == 1 else values or None


def _model(record: dict[str, Any], request: Any) -> Any:
    found = record.get("model") or record.get("deployed_model_id")
    if not found and type(request) is dict:
        found = request.get("model")
    if not found and (named := _MODEL.search(str(record.get("endpoint")))):
        return named[1]
    return found.rpartition("/")[2] if type(found) is str else found


def _embeds(response: Any) -> bool:
    predictions = response.get("predictions") if type(response) is dict else None
    first = predictions[0] if type(predictions) is list and predictions else None
    return type(first) is dict and "embeddings" in first
