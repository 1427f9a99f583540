"""Access logs of Envoy AI Gateway in JSON: who, when, which model, how many tokens; no texts.

The operator chooses the keys; read are those of the project's documentation (capabilities,
observability, access logs, 2026). Whose a request is must be added there: ``account_id``, or any
other column of EXCHANGE, from a header that the gateway itself sets:

    "account_id": "%REQ(X-ACCOUNT-ID)%"
"""

from __future__ import annotations

import ipaddress
from typing import Any

from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.wrapped import Wrapped, names_in

__all__ = ["Envoy"]

_NAMES = frozenset(EXCHANGE.names)
_MODELS = ("gen_ai.request.model", "gen_ai.response.model")
_OTHER = "requests that name no model"
_HINT = (
    "let the access log hold whose a request is, from a header that the gateway sets: "
    "\"account_id\": \"%REQ(X-ACCOUNT-ID)%\"; see docs/sources/envoy.md"
)  # fmt: skip


class Envoy(Wrapped):
    """Reads access logs; a request that names no model is noted and no exchange."""

    name = "envoy"
    columns = frozenset(
        {
            "exchange_id", "ts", "account_id", "org_id", "workspace_id", "key_id", "end_user_id",
            "model", "provider", "operation", "user_agent", "client", "status", "http_status",
            "input_tokens", "output_tokens", "latency_ms", "ip", "ja4", "channel",
        }
    )  # fmt: skip

    def sniff(self, head: bytes, name: str) -> bool:
        keys = names_in(head)
        return "response_code" in keys and any(k.startswith("gen_ai.") for k in keys)

    def wrapper(self, record: dict[str, Any], ledger: Ledger) -> dict[str, Any] | None:
        ledger.hints["required value missing (account_id)"] = _HINT
        told = {k: v for k, v in record.items() if v not in ("-", "", None)}
        model = next((told[k] for k in _MODELS if k in told), told.get("model"))
        if model is None:
            ledger.notes[_OTHER] += 1
            return None
        route = told.get(":path") or told.get("path") or told.get("x-envoy-origin-path")
        return {
            **{k: v for k, v in told.items() if k in _NAMES},
            "account_id": told.get("account_id"),
            "exchange_id": told.get("exchange_id") or told.get("x-request-id"),
            "ts": told.get("start_time"),
            "model": model,
            "provider": told.get("gen_ai.provider.name"),
            "operation": _operation(told.get("gen_ai.operation.name"), route),
            "user_agent": told.get("user-agent"),
            "status_code": told.get("response_code"),
            "latency_ms": told.get("duration"),
            "input_tokens": told.get("gen_ai.usage.input_tokens"),
            "output_tokens": told.get("gen_ai.usage.output_tokens"),
            "ip": told.get("ip") or _address(told),
            "status": None,
        }


def _operation(named: Any, route: Any) -> str | None:
    """Return the operation by name, else by the route; a gateway's requests are chats mostly."""
    if isinstance(named, str):
        return {"embeddings": "embedding", "text_completion": "completion"}.get(named, named)
    text = route if isinstance(route, str) else ""
    return "embedding" if "embedding" in text else "chat" if text else None


def _address(told: dict[str, Any]) -> str | None:
    """Return the client's address: the last hop that is none of the provider's own.

    What stands first in x-forwarded-for the client itself can have written: its address would be
    whatever it likes, a victim's for one. So hops are read from the nearest on.
    """
    peer = told.get("downstream_remote_address")
    nearest = peer.rpartition(":")[0].strip("[]") if isinstance(peer, str) else ""
    forwarded = told.get("x-forwarded-for")
    hops = forwarded.split(",")[::-1] if isinstance(forwarded, str) else []
    for hop in (nearest, *(hop.strip() for hop in hops)):
        try:
            if not ipaddress.ip_address(hop).is_private:
                return hop
        except ValueError:
            continue
    return nearest or None
