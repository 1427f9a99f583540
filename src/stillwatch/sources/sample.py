"""What a sample of an unknown log holds: every path, how often, and what its values look like.

No value leaves this module: paths, shares and kinds do.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stillwatch.sources.instants import EARLIEST_US, instants_of
from stillwatch.sources.json_text import BadJson, loads

__all__ = ["Seen", "survey"]

_DEEPEST = 6
_MOST_PATHS = 400
_MOST_DISTINCT = 1_000
_AGENT = re.compile(r"[A-Za-z][\w.+-]*/\d")
_MODEL = re.compile(
    r"(?:gpt|o\d|claude|gemini|gemma|llama|mistral|mixtral|qwen|deepseek|kimi|command|nova|grok|"
    r"glm|phi|text-embedding|davinci)[\w.:/@-]*$|[\w.-]+/[\w.:-]+$",
    re.I,
)
_JA4 = re.compile(r"[tqd]\d\d[di]\d{4}\w{2}_[0-9a-f]{12}_[0-9a-f]{12}$")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*$")
_REQUEST = ("messages", "prompt", "input", "contents")
_RESPONSE = ("choices", "content", "output", "candidates", "usage")


@dataclass
class Seen:
    """One path: ``rows`` that hold something there, ``kinds`` counts what the values look like.

    ``distinct``: different values, counted up to a thousand.
    """

    path: tuple[str, ...]
    rows: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    values: set[Any] = field(default_factory=set)
    length: int = 0

    @property
    def distinct(self) -> int:
        return len(self.values)

    @property
    def expression(self) -> str:
        """Return the path as JMESPath."""
        return ".".join(k if _PLAIN_KEY.match(k) else _quoted(k) for k in self.path)

    def mostly(self, kind: str, share: float = 0.9) -> bool:
        """Tell whether so large a share of the values is of a kind."""
        return self.kinds[kind] >= share * self.rows > 0


def _quoted(key: str) -> str:
    return json.dumps(key, ensure_ascii=not key.isprintable())


def survey(rows: Iterable[dict[str, Any]]) -> tuple[list[Seen], int]:
    """Return what the rows hold, in the order in which it was first seen, and how many they are."""
    seen: dict[tuple[str, ...], Seen] = {}
    count = 0
    for row in rows:
        count += 1
        _walk(row, (), seen)
    return list(seen.values()), count


def _walk(value: Any, path: tuple[str, ...], seen: dict[tuple[str, ...], Seen]) -> None:
    if path:
        if path not in seen and len(seen) >= _MOST_PATHS:
            return
        if value not in (None, "", [], {}):
            one = seen.setdefault(path, Seen(path))
            _note(value, one)
    if isinstance(value, dict) and len(path) < _DEEPEST and not _is_body(value):
        for key, inner in value.items():
            _walk(inner, (*path, key), seen)


def _is_body(value: dict[str, Any]) -> bool:
    return bool(_body_kinds(value))


def _note(value: Any, one: Seen) -> None:
    one.rows += 1
    one.kinds.update(_kinds(value))
    if isinstance(value, (str, int, float)):
        one.length += len(str(value))
        if len(one.values) < _MOST_DISTINCT:
            one.values.add(hash(value))


def _kinds(value: Any) -> set[str]:
    if isinstance(value, bool):
        return {"bool"}
    if isinstance(value, (int, float)):
        return _number_kinds(value)
    if isinstance(value, str):
        return _text_kinds(value)
    if isinstance(value, dict):
        return _body_kinds(value) | {"object"}
    if isinstance(value, list):
        return {"list", *({"messages"} if _are_messages(value) else set())}
    return {"text"} if not hasattr(value, "tzinfo") else {"time"}


def _number_kinds(value: float) -> set[str]:
    kinds = {"number"}
    if not isinstance(value, int) and not math.isfinite(value):
        return kinds
    if isinstance(value, int) or value == int(value):
        kinds.add("whole")
        if 100 <= value <= 599:
            kinds.add("code")
    if value > 1e9 and _is_time(value):
        kinds.add("time")
    return kinds


def _text_kinds(text: str) -> set[str]:
    kinds = {"text"}
    if len(text) > 4096:
        kinds.add("long")
    if text[:1] in ("{", "["):
        kinds |= _json_kinds(text)
    elif len(text) <= 64:
        try:
            kinds |= _number_kinds(float(text))
        except (ValueError, OverflowError):
            if text[:1].isdigit() and len(text) >= 10 and _is_time(text):
                kinds.add("time")
        if text.strip().lower() in ("true", "false"):
            kinds.add("bool")
        if _is_address(text):
            kinds.add("address")
        if _MODEL.match(text):
            kinds.add("model")
        if _JA4.match(text):
            kinds.add("ja4")
    if _AGENT.match(text) and len(text) < 512:
        kinds.add("agent")
    if text.startswith(("data:", "event:")):
        kinds.add("response")
    return kinds


def _json_kinds(text: str) -> set[str]:
    try:
        value = loads(text)[0]
    except (BadJson, RecursionError):
        return set()
    if isinstance(value, dict):
        return _body_kinds(value)
    return {"messages"} if isinstance(value, list) and _are_messages(value) else set()


def _body_kinds(value: dict[str, Any]) -> set[str]:
    if isinstance(value.get("body"), dict | str):
        return set()
    asked = any(isinstance(value.get(k), list | str) for k in _REQUEST)
    said = any(isinstance(value.get(k), list | dict) for k in _RESPONSE)
    if asked and ("model" in value or "messages" in value or "max_tokens" in value):
        return {"request"}
    return {"response"} if said and ("id" in value or "choices" in value) else set()


def _are_messages(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(m, dict) and "role" in m for m in value)


def _is_time(value: Any) -> bool:
    found = instants_of([value])[0].cast("int64")[0].as_py()
    return found is not None and found >= EARLIEST_US


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
