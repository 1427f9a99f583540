"""JMESPath expressions over the records of a log, many records at a time.

The language is https://jmespath.org. Plain paths (``a.b``) and their alternatives
(``a || b.c``), which are nearly all that a log needs, are walked column by column; everything else
by the library. Functions beside its own: ``json(text)``, ``regex(text, pattern)`` (the first group,
else the match), ``scale(number, factor)``, ``lower(text)``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jmespath
from jmespath import exceptions, functions

from stillwatch.errors import ConfigError
from stillwatch.sources.json_text import BadJson, loads

__all__ = ["Expression", "Fields", "compile_expression"]

_Path = tuple[str, ...]


class Fields:
    """The records of one chunk; what a path holds in each of them is walked once."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.records = records
        self._held: dict[_Path, list[Any]] = {(): list(records)}

    def at(self, path: _Path) -> list[Any]:
        """Return what stands at a path in every record, null where it does not exist."""
        found = self._held.get(path)
        if found is None:
            *before, last = path
            holders = self.at(tuple(before))
            found = [d.get(last) if type(d) is dict else None for d in holders]
            self._held[path] = found
        return found


class Expression:
    """One compiled expression. ``paths``: the plain paths it is made of, None where it is more."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        try:
            self._compiled = jmespath.compile(text)
        except (exceptions.JMESPathError, ValueError) as error:
            raise ConfigError(
                f"not a JMESPath expression: {_first_line(error)}",
                where=where,
                hint="keys with - or / need quotes, as in 'headers.\"user-agent\"'",
            ) from None
        self.paths: tuple[_Path, ...] | None = _alternatives(self._compiled.parsed)

    def values(self, fields: Fields) -> tuple[list[Any], int]:
        """Return the value in every record, and for how many the expression failed (null)."""
        if self.paths is None:
            return self._searched(fields.records)
        found = fields.at(self.paths[0])
        for path in self.paths[1:]:
            others = fields.at(path)
            found = [
                b if a is None or a is False or a in ("", [], {}) else a
                for a, b in zip(found, others, strict=True)
            ]
        return found, 0

    def _searched(self, records: list[dict[str, Any]]) -> tuple[list[Any], int]:
        out: list[Any] = []
        failed = 0
        for record in records:
            try:
                out.append(self._compiled.search(record, _OPTIONS))
            except (exceptions.JMESPathError, ValueError, TypeError, RecursionError, re.error):
                out.append(None)
                failed += 1
        return out, failed


@lru_cache(maxsize=512)
def compile_expression(text: str, where: str) -> Expression:
    """Return a compiled expression. Raises ConfigError, naming ``where``, when it is none."""
    return Expression(text, where)


def _alternatives(node: dict[str, Any]) -> tuple[_Path, ...] | None:
    if node["type"] == "or_expression":
        sides = [_alternatives(child) for child in node["children"]]
        if None in sides:
            return None
        return tuple(path for side in sides if side for path in side)
    path = _path(node)
    return None if path is None else (path,)


def _path(node: dict[str, Any]) -> _Path | None:
    if node["type"] == "field":
        return (str(node["value"]),)
    if node["type"] == "subexpression":
        parts = [_path(child) for child in node["children"]]
        if None not in parts:
            return tuple(name for part in parts if part for name in part)
    return None


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(":")


class _Functions(functions.Functions):  # type: ignore[misc]
    """What logs need beside the language's own functions; on any other type they give null."""

    @functions.signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_json(self, text: Any) -> Any:
        if not isinstance(text, str):
            return text
        try:
            return loads(text)[0]
        except (BadJson, RecursionError):
            return None

    @functions.signature({"types": []}, {"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_regex(self, text: Any, pattern: str) -> Any:
        match = _pattern(pattern).search(text) if isinstance(text, str) else None
        return None if match is None else match[1] if match.re.groups else match[0]

    @functions.signature({"types": []}, {"types": ["number"]})  # type: ignore[untyped-decorator]
    def _func_scale(self, number: Any, factor: float) -> Any:
        try:
            return None if number is None else float(number) * factor
        except (TypeError, ValueError):
            return None

    @functions.signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_lower(self, text: Any) -> Any:
        return text.lower() if isinstance(text, str) else None


_pattern: Callable[[str], re.Pattern[str]] = lru_cache(maxsize=128)(re.compile)
_OPTIONS = jmespath.Options(custom_functions=_Functions())
