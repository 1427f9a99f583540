"""Who a body is about, where the body is too long to be read: a few texts out of a JSON stream.

A text of a hundred megabytes takes no more memory than one of a kilobyte: what is not asked for is
passed over, byte for byte. That a body is valid JSON is not checked, which callers have to be: what
is found in one that is not means nothing and is what the same caller could have said as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

import orjson

__all__ = ["Skim"]

_OUTSIDE: Final = re.compile(rb'["{}\[\],:]')
_DEEP: Final = re.compile(rb'["{}\[\]]')
_INSIDE: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_LONGEST: Final = 8_192  # of a text in its JSON form; identifiers are 512 characters at most
_LEVELS: Final = 2


class Skim:
    """Finds the texts at some paths of one or two keys: ``feed`` it the body, piece by piece.

    >>> skim = Skim([("account_id",), ("request_data", "user")])
    >>> for piece in (b'{"messages":[{"account_id":"no"}],"acc', b'ount_id":"a-1","request_data":',
    ...               b'{"user":"u"}}'):
    ...     skim.feed(piece)
    >>> skim.value()
    {'account_id': 'a-1', 'request_data': {'user': 'u'}}
    """

    def __init__(self, paths: Collection[tuple[str, ...]]) -> None:
        self._paths = frozenset(paths)
        self._found: dict[tuple[str, ...], str] = {}
        self._objects: list[bool] = []  # of the containers that are open, is it an object
        self._deep = 0  # open containers below these
        self._keys = [""] * _LEVELS
        self._key_next = False
        self._inside = False
        self._escaped = False
        self._held: bytearray | None = None
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Read the next piece, at about 5 ns a byte in long texts. Raises nothing."""
        at = 0
        while 0 <= at < len(data):
            at = self._in_text(data, at) if self._inside else self._between(data, at)

    def value(self) -> dict[str, Any]:
        """Return what was found, nested as in the body; empty where the body did not end."""
        value: dict[str, Any] = {}
        for path, text in self._found.items() if self._ended else ():
            inner = value
            for name in path[:-1]:
                inner = inner.setdefault(name, {})
            inner[path[-1]] = text
        return value

    def _between(self, data: bytes, at: int) -> int:
        found = (_DEEP if self._deep else _OUTSIDE).search(data, at)
        if found is None:
            return -1
        sign = found[0]
        if sign == b'"':
            self._inside = True
            wanted = not self._deep and bool(self._objects) and self._objects[-1]
            self._held = bytearray() if wanted else None
        elif sign in b"{[":
            if len(self._objects) == _LEVELS:
                self._deep += 1
            else:
                self._objects.append(sign == b"{")
                self._key_next = sign == b"{"
        elif sign in b"}]":
            self._close()
        else:
            self._key_next = sign == b"," and bool(self._objects) and self._objects[-1]
        return found.end()

    def _close(self) -> None:
        if self._deep:
            self._deep -= 1
        elif self._objects:
            self._objects.pop()
            self._key_next = False
            self._ended = not self._objects

    def _in_text(self, data: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            self._keep(data[at : at + 1])
            return at + 1
        found = _INSIDE.match(data, at)
        end = len(data) if found is None else found.end()
        self._keep(data[at:end] if self._held is not None else b"")
        if end == len(data):
            return end
        if data[end] == 0x5C:  # a backslash that the piece ends with
            self._escaped = True
            self._keep(b"\\")
        else:
            self._inside = False
            self._finish()
        return end + 1

    def _keep(self, data: bytes) -> None:
        if self._held is None:
            return
        self._held += data
        if len(self._held) > _LONGEST:
            self._held = None
            if self._key_next:  # a key that is none of the wanted
                self._keys[len(self._objects) - 1] = ""

    def _finish(self) -> None:
        if self._held is None:
            return
        try:
            text = str(orjson.loads(b'"' + self._held + b'"'))
        except orjson.JSONDecodeError:
            text = ""
        depth = len(self._objects)
        if self._key_next:
            self._keys[depth - 1] = text
        elif (path := tuple(self._keys[:depth])) in self._paths:
            self._found[path] = text
