"""The names in the first object of a JSON file: what tells one format from another."""

from __future__ import annotations

import re

from stillwatch.sources.pages import names_within

__all__ = ["outline"]

_TOKEN = re.compile(rb'"((?:[^"\\]++|\\.)*+)"[ \t\r\n]*(:?)|([{}\[\]])', re.S)
_DEEPEST = 4


def outline(head: bytes) -> frozenset[str]:
    """Return the dotted names of the first object's keys, three deep; {} where it is no JSON.

    Of a page in an envelope (`pages`) they are the first record's. The head of a file may end
    within the object: the names up to there are returned. Names of objects in lists carry ``[]``.

    >>> sorted(outline(b'[{"id": 1, "request": {"messages": [{"role": "user"}]}}'))
    ['id', 'request', 'request.messages', 'request.messages[].role']
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] not in (b"{", b"["):
        return frozenset()
    names: set[str] = set()
    path: list[str] = []
    key = ""
    for match in _TOKEN.finditer(text, text.find(b"{")):
        string, colon, bracket = match.groups()
        if bracket is None:
            if colon and len(path) <= _DEEPEST:
                key = string.decode("utf-8", "replace")
                names.add("".join(path[1:]) + key)
        elif bracket in b"{[":
            inner = (key + ("." if bracket == b"{" else "")) if key else ""
            if bracket == b"[":
                inner = key + "[]" if key else ""
            elif path and path[-1].endswith("[]") and not key:
                inner = "."
            path.append(inner)
            key = ""
        else:
            path.pop()
            key = ""
            if not path:
                break
    return names_within(names)
