"""Decides about requests while they wait: in microseconds, reversible, by what a scan has proven.

*Input*: a signed snapshot, orders of the person on call, requests as hashes or as text.
*Output*: a ``Decision`` a request. *Promise*: nothing is accused here; an account that no scan
accused is throttled at most, and only where two kinds of evidence agree; no text is kept; no
decision waits for a disk, a network or a clock; whatever fails of ours lets the request pass
unless its route was told otherwise. Loads no Arrow and no engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stillwatch.guard.decide import Guard
from stillwatch.guard.decision import Decision
from stillwatch.guard.orders import Orders, Undo, undo_value
from stillwatch.guard.request import (
    NEAR_TOKENS,
    NO_BANDS,
    Origin,
    Request,
    request_of,
    request_of_text,
)
from stillwatch.guard.seen import Capacity, Record

if TYPE_CHECKING:
    from stillwatch.guard.files import read_orders, read_snapshot, write_orders, write_snapshot
    from stillwatch.guard.gateways import REFUSES
    from stillwatch.guard.journal import erase_from_state
    from stillwatch.guard.middleware import Caller, GuardMiddleware
    from stillwatch.guard.planting import PlantingMiddleware
    from stillwatch.guard.reasoning import strip_reasoning
    from stillwatch.guard.server import serve
    from stillwatch.guard.service import Service, Serving

__all__ = [
    "NEAR_TOKENS",
    "NO_BANDS",
    "REFUSES",
    "Caller",
    "Capacity",
    "Decision",
    "Guard",
    "GuardMiddleware",
    "Orders",
    "Origin",
    "PlantingMiddleware",
    "Record",
    "Request",
    "Service",
    "Serving",
    "Undo",
    "erase_from_state",
    "read_orders",
    "read_snapshot",
    "request_of",
    "request_of_text",
    "serve",
    "strip_reasoning",
    "undo_value",
    "write_orders",
    "write_snapshot",
]

# Loaded when asked for: deciding needs neither a server nor signatures.
_LAZY = {
    "REFUSES": "gateways",
    "Caller": "middleware",
    "GuardMiddleware": "middleware",
    "PlantingMiddleware": "planting",
    "Service": "service",
    "Serving": "service",
    "erase_from_state": "journal",
    "read_orders": "files",
    "read_snapshot": "files",
    "serve": "server",
    "strip_reasoning": "reasoning",
    "write_orders": "files",
    "write_snapshot": "files",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"stillwatch.guard.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'stillwatch.guard' has no attribute {name!r}")
