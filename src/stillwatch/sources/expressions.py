"""JMESPath expressions over the records of a log, many records at a time.

The language is https://jmespath.org. Paths, ``||``, ``&&``, comparisons and the functions that are
added here, which are nearly all that a log needs, are worked out column by column, and what two
expressions share is so once; everything else by the library. Functions beside its own:
``json(text)``, ``regex(text, pattern)`` (the first group, else the match), ``lower(text)``,
``scale(number, factor)``.
"""

from __future__ import annotations

import operator
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
        self.made: dict[str, list[Any]] = {}
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


_Column = Callable[[Fields], list[Any]]


class Expression:
    """One compiled expression."""

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
        self._column = _column_of(self._compiled.parsed)

    def values(self, fields: Fields) -> tuple[list[Any], int]:
        """Return the value in every record, and for how many the expression failed (null)."""
        if self._column is None:
            return self._searched(fields.records)
        return self._column(fields), 0

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


def _column_of(node: dict[str, Any]) -> _Column | None:
    """Return what works a node out for many records; None where only the library can."""
    path = _path(node)
    if path is not None:
        return lambda fields: fields.at(path)
    made = _made_of(node)
    if made is None:
        return None
    name = repr(node)

    def once(fields: Fields) -> list[Any]:
        if name not in fields.made:
            fields.made[name] = made(fields)
        return fields.made[name]

    return once


def _made_of(node: dict[str, Any]) -> _Column | None:
    kind, children = node["type"], node["children"]
    if kind == "function_expression":
        return _function(node["value"], children)
    if kind == "literal":
        value = node["value"]
        return lambda fields: [value] * len(fields.records)
    if kind == "subexpression":
        return _below(children[0], children[1:])
    combine = _COMBINED.get(node["value"] if kind == "comparator" else kind)
    return None if combine is None else _both(combine, *map(_column_of, children))


def _below(first: dict[str, Any], fields: list[dict[str, Any]]) -> _Column | None:
    """Return what takes fields of a value, one below the other: ``json(a).b.c`` is one node."""
    held = _column_of(first)
    if held is None or any(field["type"] != "field" for field in fields):
        return None
    names = [field["value"] for field in fields]

    def taken(value: Any) -> Any:
        for name in names:
            value = value.get(name) if type(value) is dict else None
        return value

    return lambda fields: [taken(value) for value in held(fields)]


def _both(
    combine: Callable[[Any, Any], Any], first: _Column | None, other: _Column | None
) -> _Column | None:
    if first is None or other is None:
        return None
    return lambda fields: [combine(a, b) for a, b in zip(first(fields), other(fields), strict=True)]


def _function(name: str, children: list[dict[str, Any]]) -> _Column | None:
    """Return a function of this module on a column, with what else it takes as a literal."""
    kinds = _LITERALS.get(name)
    told = [child["value"] for child in children[1:] if child["type"] == "literal"]
    held = _column_of(children[0]) if children else None
    if kinds is None or held is None or not len(told) == len(children) - 1 == bool(kinds):
        return None
    if told and type(told[0]) not in kinds:
        return None
    if name == "regex":
        try:
            _pattern(told[0])
        except re.error:
            return None
    call = getattr(_FUNCTIONS, f"_func_{name}")
    return lambda fields: [call(value, *told) for value in held(fields)]


def _is_nothing(value: Any) -> bool:
    """Tell what counts as false in the language: 0 is something."""
    return value is None or value is False or (not value and type(value) in (str, list, dict))


def _comparable(a: Any, b: Any) -> bool:
    """Tell whether two values have an order: numbers, or texts.

    A text and a number have none, which is null; the library fails there, and in all around it.
    """
    if isinstance(a, str) and isinstance(b, str):
        return True
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in (a, b))


def _order(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool | None]:
    return lambda a, b: compare(a, b) if _comparable(a, b) else None


_COMBINED: dict[str, Callable[[Any, Any], Any]] = {
    "or_expression": lambda a, b: b if _is_nothing(a) else a,
    "and_expression": lambda a, b: a if _is_nothing(a) else b,
    "gt": _order(operator.gt), "gte": _order(operator.ge), "lt": _order(operator.lt),
    "lte": _order(operator.le),
}  # fmt: skip


# What the functions of this module take as their second argument.
_LITERALS: dict[str, tuple[type, ...]] = {
    "json": (), "lower": (), "regex": (str,), "scale": (int, float),
}  # fmt: skip


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
        except (TypeError, ValueError, OverflowError):
            return None

    @functions.signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_lower(self, text: Any) -> Any:
        return text.lower() if isinstance(text, str) else None


_pattern: Callable[[str], re.Pattern[str]] = lru_cache(maxsize=128)(re.compile)
_FUNCTIONS = _Functions()
_OPTIONS = jmespath.Options(custom_functions=_FUNCTIONS)
