"""Helicone's requests, as `@helicone/export` and its API give them: JSON lines, an array, or CSV.

Read as of the request type of Helicone's own command line (2026). The account is the first of these
among the request's custom properties: account_id, tenant_id, customer_id, user_id; else
``request_user_id``, which is the end user otherwise.
"""

from __future__ import annotations

from typing import Any

from stillwatch.sources.bodies import BODY_COLUMNS
from stillwatch.sources.json_text import parsed, parsed_object
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.wrapped import Wrapped, account_in, words_in

__all__ = ["Helicone"]

_SESSION = ("Helicone-Session-Id", "helicone-session-id")


class Helicone(Wrapped):
    """Reads requests with their bodies; without them texts are null."""

    name = "helicone"
    signs = frozenset({"request_id", "request_created_at", "response_status"})
    columns = BODY_COLUMNS | {"account_id", "provider", "country", "tags", "latency_ms", "cost_usd"}

    def wrapper(self, record: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
        properties = parsed_object(record.get("request_properties")) or parsed_object(
            record.get("properties")
        )
        user = record.get("request_user_id")
        account = account_in(properties)
        request, response = record.get("request_body"), _response(record.get("response_body"))
        cost = record.get("costUSD")
        return {
            "exchange_id": record.get("request_id"),
            "ts": record.get("request_created_at"),
            "account_id": account or user,
            "end_user_id": user if account else None,
            "conversation_id": next((properties[k] for k in _SESSION if k in properties), None),
            "model": record.get("request_model")
            or record.get("model")
            or record.get("response_model"),
            "provider": _word(record.get("provider")),
            "country": record.get("country_code"),
            "latency_ms": record.get("delay_ms"),
            "cost_usd": record.get("cost") if cost is None else cost,
            "tags": words_in(properties),
            "status_code": record.get("response_status"),
            "url": record.get("request_path"),
            "request": request,
            "response": response,
            **_counts(record, response),
        }


def _word(value: Any) -> Any:
    return value.lower() if type(value) is str else value


def _response(body: Any) -> Any:
    """Return the response; of a stream its events, which Helicone may hold in an object."""
    value = parsed(body)
    if type(value) is dict and value.get("streamed_data"):
        return value["streamed_data"]
    return value


def _counts(record: dict[str, Any], response: Any) -> dict[str, Any]:
    """Return Helicone's own counts where the body tells none; a stream's body may not."""
    if type(response) is dict and (response.get("usage") or response.get("usageMetadata")):
        return {}
    return {
        "input_tokens": record.get("prompt_tokens"),
        "output_tokens": record.get("completion_tokens"),
        "cached_tokens": record.get("prompt_cache_read_tokens"),
    }
