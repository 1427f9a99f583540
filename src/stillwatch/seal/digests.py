"""One value, one digest: JSON is written one way only before it is hashed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from stillwatch.errors import EvidenceError


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value: keys sorted, no spaces, UTF-8.

    Equal values of str, int, float, bool, None, list and dict give equal bytes. Floats are written
    as Python writes them, so it is not RFC 8785: two writers agree where both are this function.

    Raises:
        EvidenceError: the value holds NaN, infinity, a key that is no string, a lone surrogate, or
            something that JSON has not.

    >>> canonical({"b": [1, 2.5], "a": None})
    b'{"a":null,"b":[1,2.5]}'
    """
    try:
        _refuse_other_keys(value)
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise EvidenceError(f"cannot be written as JSON: {type(error).__name__}") from error


def _refuse_other_keys(value: Any) -> None:
    """Refuse keys that JSON would turn into strings: 1 and "1" would get one digest."""
    if isinstance(value, dict):
        for key, held in value.items():
            if not isinstance(key, str):
                raise EvidenceError(f"a key is {type(key).__name__}, expected a string")
            _refuse_other_keys(held)
    elif isinstance(value, list | tuple):
        for held in value:
            _refuse_other_keys(held)


def digest(value: Any) -> str:
    """Return ``sha256:`` and the 64 hex digits of bytes, or of the canonical JSON of anything else.

    Raises:
        EvidenceError: as :func:`canonical`.

    >>> digest(b"")[:14]
    'sha256:e3b0c44'
    """
    data = value if isinstance(value, bytes) else canonical(value)
    return "sha256:" + hashlib.sha256(data).hexdigest()
