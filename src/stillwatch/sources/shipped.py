"""Mapping files that come with stillwatch: logs that were not tried against their makers' software.

`--format kong` reads through ``mappings/kong.toml``. None is taken without being named: what it
says was read in sources and documentation alone, and its page says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

from stillwatch.sources.expressions import Fields, compile_expression
from stillwatch.sources.mapping import Mapping, parse_mapping

__all__ = ["SHIPPED", "resembles", "shipped_mapping", "shipped_text"]

SHIPPED: Final = ("kong", "cloudflare", "sglang", "vllm")
# What stands in a record of each and in none of another log: all must be there.
_MARKS: Final = {
    "kong": ("ai.proxy.meta.request_model", "started_at", "latencies"),
    "cloudflare": ("created_at", "request_type || path", "status_code", "provider",
                   "duration", "contains(keys(@), 'tokens_in') || null"),
    "sglang": ("starts_with(event, 'request.') || null", "timestamp", "obj"),
    "vllm": ("asctime", "levelname", "regex(message, '^(Received r|R)equest ')"),
}  # fmt: skip
_FIRST_OBJECTS: Final = 200
_DECODER: Final = json.JSONDecoder(strict=False)


def shipped_text(name: str) -> str:
    """Return a mapping file's text. Raises KeyError where there is none of that name."""
    if name not in SHIPPED:
        raise KeyError(name)
    return (files("stillwatch.sources") / "mappings" / f"{name}.toml").read_text("utf-8")


def shipped_mapping(name: str) -> Mapping:
    """Return the mapping of that name. Raises KeyError where there is none."""
    return parse_mapping(shipped_text(name), f"{name}.toml")


def resembles(head: bytes) -> str:
    """Return which of `SHIPPED` the objects at a file's beginning look like, "" for none.

    >>> resembles(b'{"event": "request.finished", "timestamp": "t", "obj": {"rid": "1"}}')
    'sglang'
    """
    fields = Fields(list(_objects(head.decode("utf-8", "replace"))))
    for name, marks in _MARKS.items():
        found = [compile_expression(mark, name).values(fields)[0] for mark in marks]
        if any(all(value is not None for value in row) for row in zip(*found, strict=True)):
            return name
    return ""


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield what can be read as JSON objects, whatever stands between them, in bounded tries."""
    place = text.find("{")
    for _ in range(_FIRST_OBJECTS):
        if place < 0:
            return
        try:
            value, place = _DECODER.raw_decode(text, place)
            yield value
        except (ValueError, RecursionError):
            place = text.find("\n", place)
            if place < 0:
                return
        place = text.find("{", place)
