"""JSON as logs hold it: read strictly first, leniently second, never with a traceback."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import orjson

from stillwatch.schema.message import canonical
from stillwatch.sources.ledger import ENDS_EARLY

__all__ = [
    "BadJson",
    "canonical",
    "clean",
    "dict_of",
    "loads",
    "parsed",
    "parsed_object",
    "record_digest",
]

_SURROGATE = re.compile("[\ud800-\udfff]")
_OPENERS = ("{", "[", '"')


class BadJson(ValueError):
    """The text is no JSON; the message is a reason without any content."""


def loads(text: bytes | str) -> tuple[Any, bool]:
    """Return the value and whether it had to be mended.

    1. As the standard says. 2. Invalid UTF-8 and lone surrogates replaced by U+FFFD; NaN and
    Infinity, raw control characters and huge numbers accepted. The last of duplicate keys wins.

    Raises BadJson with a reason.
    """
    try:
        return orjson.loads(text), False
    except orjson.JSONDecodeError:
        pass
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    plain = plain.removeprefix("\ufeff")
    try:
        return clean(json.loads(plain, strict=False)), True
    except RecursionError:
        raise BadJson("JSON nested too deeply") from None
    except json.JSONDecodeError as error:
        ends_early = error.pos >= len(plain.rstrip()) or error.msg.startswith("Unterminated")
        raise BadJson(ENDS_EARLY if ends_early else "malformed JSON") from None
    except ValueError:
        raise BadJson("JSON number too long") from None


def parsed(value: Any) -> Any:
    """Return what JSON text stands for, as tables and older exports hold it; else the value."""
    if type(value) is str and value.lstrip()[:1] in _OPENERS:
        try:
            return loads(value)[0]
        except (BadJson, RecursionError):
            return value
    return value


def dict_of(value: Any) -> dict[str, Any]:
    """Return an object, {} for anything else; not to be written to."""
    return value if type(value) is dict else {}


def parsed_object(value: Any) -> dict[str, Any]:
    """Return an object, also one that stands as JSON text; {} for anything else."""
    return dict_of(value if type(value) is dict else parsed(value))


def record_digest(record: Any, digits: int) -> str:
    """Return the first hexadecimal digits of SHA-256 of a record in its canonical form."""
    text = canonical(record).encode("utf-8", "replace")
    return hashlib.sha256(text).hexdigest()[:digits]


def clean(value: Any) -> Any:
    """Return ``value`` with lone surrogates in its strings replaced by U+FFFD."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [clean(v) for v in value]
    if isinstance(value, dict):
        return {clean(k): clean(v) for k, v in value.items()}
    return value
