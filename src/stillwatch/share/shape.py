"""A small closed schema: what is not named is refused, at every depth, with exact types.

Each shape checks a JSON value and writes itself as JSON Schema (draft 2020-12), so that the table
in ``objects`` is both the guard and the published schema. Stricter than a JSON Schema validator in
three points where such validators differ: a pattern matches the whole string, 1.0 and true are no
integers, a list repeats nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

__all__ = [
    "Closed", "Constant", "Flag", "Id", "Many", "OneOf", "Shape", "Text", "Time", "Trouble",
    "Whole", "read_time", "version_of",
]  # fmt: skip

_UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-%s[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_DATE: Final = r"20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T"
_GRAINS: Final = {
    # created, modified: three digits after the second, which say nothing (STIX 2.1, 3.2)
    "second": r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.000Z",
    # as any tool writes a time: with up to six digits after the second
    # (the fourth to sixth only where they say something: a time has few writings)
    "moment": r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.(?:[0-9]{1,3}|[0-9]{3,5}[1-9]))?Z",
    "hour": r"(?:[01][0-9]|2[0-3]):00:00(?:\.000)?Z",
    "day": r"00:00:00(?:\.000)?Z",
}


class Trouble(NamedTuple):
    """What is wrong: the rule it breaks, where, and a sentence that repeats nothing of it."""

    rule: str
    where: str
    says: str


class Shape(Protocol):
    """One kind of value."""

    def check(self, value: Any, where: str) -> Iterator[Trouble]:
        """Yield what is wrong with a value."""
        ...  # pragma: no cover

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        ...  # pragma: no cover


@dataclass(frozen=True)
class Constant:
    """Exactly this string, boolean or number."""

    value: str | bool | float

    def check(self, value: Any, where: str) -> Iterator[Trouble]:
        if type(value) is not type(self.value) or value != self.value:
            yield Trouble("closed-values", where, f"must be {self.value}")

    def schema(self) -> dict[str, Any]:
        return {"const": self.value}


@dataclass(frozen=True)
class OneOf:
    """One string of a closed list."""

    values: tuple[str, ...]

    def check(self, value: Any, where: str) -> Iterator[Trouble]:
        if not isinstance(value, str) or value not in self.values:
            yield Trouble("closed-values", where, "is not one of the values that this field has")

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.values)}


@dataclass(frozen=True)
class Text:
    """A string of a fixed format."""

    pattern: str
    what: str
    rule: str = "closed-values"

    def check(self, value: Any, where: str) -> Iterator[Trouble]:
        if not isinstance(value, str) or len(value) > 512 or not re.fullmatch(self.pattern, value):
            yield Trouble(self.rule, where, f"is not {self.what}")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": 512, "pattern": f"^(?:{self.pattern})$"}


def Id(*kinds: str, rule: str = "plain-ids", version: str = "5") -> Text:
    """Return the shape of an id of one of these types.

    Ids follow from content (UUID version 5); members, bundles and objects of the standard alone
    may have random ones (4), and ``version`` [45] refers to these as well.
    """
    version = "[45]" if kinds in (("identity",), ("bundle",)) else version
    return Text(f"(?:{'|'.join(kinds)})--{_UUID % version}", f"an id of {' or '.join(kinds)}", rule)


def Time(grain: str) -> Text:
    """Return the shape of a UTC time, rounded to ``second``, ``hour`` or ``day``, or ``moment``."""
    return Text(_DATE + _GRAINS[grain], f"a UTC time in whole {grain}s", "rounded-times")


@dataclass(frozen=True)
class Whole:
    """An integer within bounds, or one of a few."""

    low: int = 0
    high: int = 100
    only: tuple[int, ...] = ()

    def check(self, value: Any, where: str) -> Iterator[Trouble]:
        if type(value) is not int or not self.low <= value <= self.high:
            yield Trouble("closed-values", where, f"is no integer from {self.low} to {self.high}")
        elif self.only and value not in self.only:
            yield Trouble("log-bands", where, "is an exact count: give the lower edge of its band")

    def schema(self) -> dict[str, Any]:
        if self.only:
            return {"type": "integer", "enum": list(self.only)}
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Flag:
    """true or false."""

    def check(self, value: Any, where: str) -> Iterator[Trouble]:
        if type(value) is not bool:
            yield Trouble("closed-values", where, "is neither true nor false")

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Many:
    """A list without repetition, of ``low`` to ``high`` values."""

    item: Shape
    low: int = 1
    high: int = 1_000

    def check(self, value: Any, where: str) -> Iterator[Trouble]:
        if not isinstance(value, list) or not self.low <= len(value) <= self.high:
            yield Trouble("closed-shape", where, f"is no list of {self.low} to {self.high}")
            return
        for number, one in enumerate(value):
            yield from self.item.check(one, f"{where}[{number}]")
        texts = [one for one in value if isinstance(one, str)]
        if len(set(texts)) != len(texts):
            yield Trouble("closed-shape", where, "repeats a value")

    def schema(self) -> dict[str, Any]:
        return {
            "type": "array", "items": self.item.schema(), "minItems": self.low,
            "maxItems": self.high, "uniqueItems": True,
        }  # fmt: skip


@dataclass(frozen=True)
class Closed:
    """An object that has the fields of ``must``, may have those of ``may``, and no others."""

    must: Mapping[str, Shape] = field(default_factory=dict)
    may: Mapping[str, Shape] = field(default_factory=dict)

    def check(self, value: Any, where: str) -> Iterator[Trouble]:
        if not isinstance(value, Mapping):
            yield Trouble("closed-shape", where or "object", "is no object")
            return
        unknown = sum(1 for key in value if key not in self.must and key not in self.may)
        if unknown:
            # the names are not repeated: a name can be the smuggled text
            yield Trouble("closed-shape", where or "object", f"has {unknown} unknown field(s)")
        for name in self.must:
            if name not in value:
                yield Trouble("closed-shape", _at(where, name), "is missing")
        for fields in (self.must, self.may):
            for name, shape in fields.items():
                if name in value:
                    yield from shape.check(value[name], _at(where, name))

    def schema(self) -> dict[str, Any]:
        both = {**self.must, **self.may}
        return {
            "type": "object", "additionalProperties": False,
            "required": sorted(self.must),
            "properties": {name: both[name].schema() for name in sorted(both)},
        }  # fmt: skip


def _at(where: str, name: str) -> str:
    # an extension's id says nothing to a reader and makes sentences long
    shown = "extension" if name.startswith("extension-definition--") else name
    return f"{where}.{shown}" if where else shown


def read_time(text: Any) -> datetime | None:
    """Return the time of a string of a :func:`Time` shape, None where it is none (30 February)."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def version_of(obj: Mapping[str, Any]) -> datetime:
    """Return when a version of an object was made (UTC); year one where it does not say it.

    Versions are compared by this and never as text: of "00Z" and "00.500Z" the text of the second
    is the smaller, and ".5Z" and ".500Z" are one time.

    >>> version_of({"modified": "2026-11-27T12:00:00Z"}) < version_of(
    ...     {"modified": "2026-11-27T12:00:00.500Z"})
    True
    """
    return read_time(obj.get("modified", "")) or datetime.min.replace(tzinfo=UTC)
