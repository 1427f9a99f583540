"""What the JSON formats share about single fields of a record."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from stillwatch.sources.json_text import canonical

__all__ = ["client_of", "filled", "first_of", "kind_of", "text_of", "tool_names"]

_LONG = 512
_PRODUCT = re.compile(r"\s*([A-Za-z][A-Za-z0-9._+-]{0,63})")


def first_of(
    dicts: list[dict[str, Any]], keys: tuple[str, ...], told: set[str] | None = None
) -> list[Any]:
    """Return of each object the first of ``keys`` that holds something.

    ``told``: every key that any of them has, where the caller knows: no other is looked for.
    """
    if told is not None:
        keys = tuple(key for key in keys if key in told)
    if not keys:
        return [None] * len(dicts)
    found = [d.get(keys[0]) for d in dicts]
    for key in keys[1:]:
        if all(found) or (None not in found and "" not in found):
            break
        others = [d.get(key) for d in dicts]
        if others.count(None) < len(others) or any(key in d for d in dicts):
            found = filled(found, others)
    return found


def filled(values: list[Any], others: list[Any]) -> list[Any]:
    """Return the values, and where one is null or "" what ``others`` say in its place."""
    if all(values):
        return values
    return [o if v is None or v == "" else v for v, o in zip(values, others, strict=True)]


def client_of(agent: Any) -> str | None:
    """Return the first product token of a user agent, lower case and without its version."""
    return _client_of(agent) if type(agent) is str and len(agent) < _LONG else _product(agent)


def _product(agent: Any) -> str | None:
    match = _PRODUCT.match(agent) if isinstance(agent, str) else None
    return match[1].lower() if match else None


_client_of = lru_cache(maxsize=4_096)(_product)


def kind_of(value: Any) -> str | None:
    """Return the ``type`` of an object, else the value as text."""
    return text_of(value.get("type")) if isinstance(value, dict) else text_of(value)


def text_of(value: Any) -> str | None:
    """Return a string as it is and any other value as canonical JSON."""
    if value is None or isinstance(value, str):
        return value
    return canonical(value)


def tool_names(tools: Any) -> list[str] | None:
    """Return the name of every tool definition, null where there is none."""
    if not isinstance(tools, list) or not tools:
        return None
    return [_tool_name(tool) for tool in tools]


def _tool_name(tool: Any) -> str:
    if not isinstance(tool, dict):
        return "unnamed"
    for holder in (tool.get("function"), tool):
        if isinstance(holder, dict) and isinstance(holder.get("name"), str):
            return str(holder["name"])
    kind = tool.get("type")
    return kind if isinstance(kind, str) else "unnamed"
