"""Access logs of Envoy AI Gateway in JSON: who, when, which model, how many tokens; no texts.

The operator chooses the keys; read are those of the project's documentation (capabilities,
observability, access logs, 2026). Whose a request is must be added there: ``account_id``, or any
other column of EXCHANGE, from a header that the gateway itself sets:

    "account_id": "%REQ(X-ACCOUNT-ID)%"
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Any

from stillwatch.schema.arrow import EXCHANGE
from stillwatch.sources.fields import client_of
from stillwatch.sources.json_rows import Records
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.outcomes import code_of
from stillwatch.sources.parts import Part
from stillwatch.sources.wrapped import Wrapped, names_in

__all__ = ["Envoy"]

_NAMES = frozenset(EXCHANGE.names)
_MODELS = ("gen_ai.request.model", "gen_ai.response.model", "model")
_ROUTES = (":path", "path", "x-envoy-origin-path")
_SAME = {
    "ts": "start_time", "provider": "gen_ai.provider.name", "user_agent": "user-agent",
    "latency_ms": "duration", "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
}  # fmt: skip
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

    def converted(self, records: Records, where: str, ledger: Ledger) -> Part:
        """Return the exchanges, a column at a time: without bodies nothing else has to be asked."""
        ledger.hints["required value missing (account_id)"] = _HINT
        rows, lines = records.objects, records.lines
        models = _filled([_told(rows, name) for name in _MODELS])
        if None in models:
            keep = [n for n, model in enumerate(models) if model is not None]
            ledger.notes[_OTHER] += len(rows) - len(keep)
            rows, lines = [rows[n] for n in keep], [lines[n] for n in keep]
            models = [models[n] for n in keep]
        if not rows:
            return Part({}, [], where, records.size)
        columns = {name: _told(rows, name) for name in set().union(*rows) & _NAMES}
        columns |= {ours: _told(rows, theirs) for ours, theirs in _SAME.items()}
        codes = [code_of(value) for value in _told(rows, "response_code")]
        agents = columns["user_agent"]
        columns |= {
            "model": models,
            "exchange_id": _either(columns.get("exchange_id"), _told(rows, "x-request-id")),
            "account_id": columns.get("account_id") or [None] * len(rows),
            "http_status": _either(columns.get("http_status"), codes),
            "operation": _operations(rows),
            "ip": _either(columns.get("ip"), _addresses(rows)),
            "client": _either(columns.get("client"), [client_of(agent) for agent in agents]),
        }
        columns.pop("status", None)  # told by the code
        return Part(columns, lines, where, records.size)


def _told(rows: list[dict[str, Any]], name: str) -> list[Any]:
    """Return what each row says under a name; "-" is how Envoy writes nothing."""
    found = [row.get(name) for row in rows]
    if "-" in found or "" in found:
        return [None if value == "-" or value == "" else value for value in found]
    return found


def _either(first: list[Any] | None, second: list[Any]) -> list[Any]:
    if first is None:
        return second
    return [b if a is None else a for a, b in zip(first, second, strict=True)]


def _filled(columns: list[list[Any]]) -> list[Any]:
    found = columns[0]
    for other in columns[1:]:
        if None in found:
            found = _either(found, other)
    return found


def _operations(rows: list[dict[str, Any]]) -> list[str | None]:
    routes = _filled([_told(rows, name) for name in _ROUTES])
    named = _told(rows, "gen_ai.operation.name")
    return [_operation(n, route) for n, route in zip(named, routes, strict=True)]


def _addresses(rows: list[dict[str, Any]]) -> list[str | None]:
    peers, forwarded = (_told(rows, n) for n in ("downstream_remote_address", "x-forwarded-for"))
    return [
        _address(peer.rpartition(":")[0].strip("[]") if type(peer) is str else "", hops)
        for peer, hops in zip(peers, forwarded, strict=True)
    ]


def _operation(named: Any, route: Any) -> str | None:
    """Return the operation by name, else by the route; a gateway's requests are chats mostly."""
    if isinstance(named, str):
        return {"embeddings": "embedding", "text_completion": "completion"}.get(named, named)
    text = route if isinstance(route, str) else ""
    return "embedding" if "embedding" in text else "chat" if text else None


def _address(nearest: str, forwarded: Any) -> str | None:
    """Return the client's address: the last hop that is none of the provider's own.

    What stands first in x-forwarded-for the client itself can have written: its address would be
    whatever it likes, a victim's for one. So hops are read from the nearest on.
    """
    if _is_public(nearest):
        return nearest
    hops = forwarded.split(",")[::-1] if type(forwarded) is str else []
    return next((hop for hop in map(str.strip, hops) if _is_public(hop)), nearest or None)


@lru_cache(maxsize=100_000)
def _is_public(hop: str) -> bool:
    try:
        return not ipaddress.ip_address(hop).is_private
    except ValueError:
        return False
