"""Messages of every API dialect become (role, text), one form for all sources.

Text parts are joined by a newline. What is not text becomes ``[kind sha256:…]``, the first 16
hexadecimal digits of the digest of its payload, so that the same picture sent by two accounts is
still the same, and nothing of it is kept. A replayed reasoning blob in the history becomes
``[thinking sha256:…]`` of the blob's UTF-8 bytes as they stand in `reasoning_blob`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.schema.arrow import MESSAGE
from stillwatch.schema.message import blob_of, content_text, digest_mark, message_text
from stillwatch.sources.json_text import clean

__all__ = ["Messages", "blob_of", "content_text", "digest_mark", "message_text", "messages_array"]

_PLAIN = frozenset({"role", "content"})


class Messages:
    """The messages of many exchanges as texts, so that nothing else of their objects is kept.

    A string is one user message; a single object is one message; null stays null.
    """

    def __init__(self) -> None:
        self._roles: list[str | None] = []
        self._contents: list[str] = []
        self._offsets = [0]
        self._nulls: list[bool] = []

    def extend(self, values: Iterable[Any]) -> None:
        """Add the messages of further exchanges: lists, strings, objects or nulls."""
        contents, offsets, nulls = self._contents, self._offsets, self._nulls
        add_role: Callable[[str | None], None] = self._roles.append
        add_content: Callable[[str], None] = contents.append
        for value in values:
            nulls.append(value is None)
            for message in value if type(value) is list else () if value is None else (value,):
                if type(message) is dict:
                    content = message.get("content")
                    if type(content) is not str or (
                        len(message) > 2 or not _PLAIN.issuperset(message)
                    ):
                        content = message_text(message)
                    role = message.get("role")
                    add_role(role if type(role) is str else None)
                    add_content(content)
                else:
                    add_role("user")
                    add_content(content_text(message))
            offsets.append(len(contents))

    def array(self) -> pa.Array:
        """Return them as list<struct<role, content>>."""
        structs = pa.StructArray.from_arrays(
            [_strings(self._roles), _strings(self._contents)], fields=list(MESSAGE)
        )
        return pa.ListArray.from_arrays(
            pa.array(np.asarray(self._offsets, np.int32)),
            structs,
            type=pa.list_(MESSAGE),
            mask=pa.array(np.asarray(self._nulls, bool)),
        )


def messages_array(values: Iterable[Any]) -> pa.Array:
    """Return a list<struct<role, content>> array from lists, strings, objects or nulls."""
    messages = Messages()
    messages.extend(values)
    return messages.array()


def _strings(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array([clean(value) for value in values], pa.string())
