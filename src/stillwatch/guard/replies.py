"""What the routes share: an answer, a request that is not looked at, headers within bounds."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from stillwatch.guard.decision import Decision
from stillwatch.guard.gateways import REFUSES, refusal_text
from stillwatch.guard.service import Service

__all__ = [
    "JSON", "LONG_NAME", "Receive", "Refused", "Reply", "Scope", "Send", "error_reply", "failed",
    "headers_of", "shown", "too_many",
]  # fmt: skip

_log = logging.getLogger("stillwatch.guard")
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
JSON: Final = [(b"content-type", b"application/json")]
LONG_NAME: Final = "the account's name is too long"


class Reply(NamedTuple):
    """One answer: status, body, headers."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]


class Refused(Exception):
    """The request is not looked at: its status and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def headers_of(service: Service, given: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers by name. Raises Refused: they are too many, or too long."""
    if too_many(service, given):
        raise Refused(431, "too many headers, or too long ones")
    return dict(given)


def too_many(service: Service, given: list[tuple[bytes, bytes]]) -> bool:
    """Tell whether there are more headers, or more bytes of them, than are looked at."""
    serving = service.serving
    if len(given) > serving.max_headers:
        return True
    return sum(len(k) + len(v) for k, v in given) > serving.max_header_bytes


def shown(service: Service, decision: Decision) -> dict[str, Any]:
    """Return a decision as the contract shows it."""
    table = service.guard.table
    told: dict[str, Any] = {
        "verdict": decision.verdict, "would": decision.would, "mode": decision.mode,
        "reasons": decision.reasons, "campaign_id": decision.campaign_id,
        "ttl_s": decision.ttl_s, "decision_id": decision.decision_id,
        "policy_version": table.snapshot.version,
    }  # fmt: skip
    if decision.citation:
        told["citation"] = decision.citation
    if decision.verdict == "throttle":
        told["retry_after_s"] = decision.retry_after_s
    elif decision.verdict == "step_up":
        told["step_up_url"] = table.ladder.step_up_url
    elif decision.verdict == "summarize":
        told["disclose"] = not table.ladder.silent_alteration
    if decision.verdict in REFUSES:
        told["message"] = refusal_text(decision, table.ladder)
    return told


def error_reply(status: int, reason: str) -> Reply:
    """Return the answer to what was not taken."""
    return Reply(status, orjson.dumps({"error": reason}), JSON)


def failed(service: Service, error: Exception, route: str) -> Decision:
    """Write down by its kind that something of ours failed; return what the route then answers."""
    _log.error(json.dumps({"event": "failed", "route": route, "error": type(error).__name__}))
    return service.unavailable(type(error).__name__, route)
