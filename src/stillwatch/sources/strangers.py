"""What a file is that is in no known format: what was got, and what to do next."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

__all__ = ["SUGGEST", "by_magic", "holds_nothing", "json_behind_text", "stranger"]

SUGGEST: Final = (
    "a log of your own: let `stillwatch ingest LOG --suggest` propose a mapping file; one of a "
    "known format: name it with --format"
)
_UNPACK: Final = "unpack it and give its folder"
_DECOMPRESS: Final = "decompress it; .gz and .zst are read as they are"
_CONVERT: Final = "convert it to Parquet, JSON lines or CSV"
_ELSEWHERE: Final = "no log: move it out of the folder, or give the logs alone (FOLDER/*.jsonl)"
_MAGIC: Final = (
    (0, b"PK\x03\x04", "a ZIP archive", f"{_UNPACK}; save a spreadsheet as CSV"),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"BZh", "compressed with bzip2", _DECOMPRESS),
    (0, b"\xfd7zXZ\x00", "compressed with xz", _DECOMPRESS),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"\x04\x22\x4d\x18", "compressed with lz4", _DECOMPRESS),
    (0, b"\xff\x06\x00\x00sNaPpY", "compressed with snappy", _DECOMPRESS),
    (0, b"Obj\x01", "Avro", _CONVERT),
    (0, b"ORC", "ORC", _CONVERT),
    (0, b"SQLite format 3\x00", "an SQLite database", "export the table as CSV or JSON lines"),
    (0, b"%PDF-", "a PDF", _ELSEWHERE),
    (0, b"\x89PNG", "a picture", _ELSEWHERE),
    (0, b"\xff\xd8\xff", "a picture", _ELSEWHERE),
)

_OBJECTS: Final = ("_source", "jsonPayload")  # Elasticsearch, Google Cloud Logging
_TEXTS: Final = ("log", "message", "MESSAGE", "msg", "line", "textPayload", "_raw")
_BEHIND_TEXT: Final = re.compile(rb"(?:[^{}\[\]]{1,512}|\[[^{}\[\]]{1,64}\][^{}\[\]]{0,512})\{\"")


def by_magic(head: bytes) -> tuple[str, str] | None:
    """Return what a file is that can be no log, and the next step; None where it may be one."""
    return next(
        ((got, step) for offset, magic, got, step in _MAGIC if head.startswith(magic, offset)), None
    )


def holds_nothing(head: bytes) -> bool:
    """Whether a file with these bytes is blank, or an empty list or object.

    >>> holds_nothing(b" []"), holds_nothing(b"[{}]")
    (True, False)
    """
    return head.removeprefix(b"\xef\xbb\xbf").strip() in (b"", b"[]", b"{}")


def stranger(head: bytes) -> tuple[str, str]:
    """Return what a file with these first bytes is, and the next step; nothing of its content.

    >>> stranger(b"<!DOCTYPE html>")[0]
    'HTML or XML'
    """
    known = by_magic(head)
    if known is not None:
        return known
    text = head.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return "blank lines alone", "is the export finished?"
    if holds_nothing(text):
        return "JSON that holds nothing", "is the export finished?"
    if text.startswith(b"<"):
        return "HTML or XML", "was a sign-in page or an error saved in place of the log?"
    line = text.partition(b"\n")[0]
    wrapper = _wrapper(_object(line))
    if wrapper:
        key, command = wrapper
        return f"JSON whose records lie under {key!r}", f"unpack them with jq -c '{command}'"
    behind = json_behind_text(line)
    if behind:
        return behind
    if text[:1] in (b"{", b"["):
        return "JSON with the keys of no known format", SUGGEST
    if _is_text(text):
        return (
            "text, neither JSON nor a table whose first line has exchange_id, ts, account_id "
            "and model", f"{_ELSEWHERE}; {SUGGEST}",
        )  # fmt: skip
    return "binary data of no known kind", _ELSEWHERE


def json_behind_text(head: bytes) -> tuple[str, str] | None:
    """Return what lines are that a logger began with a time or a name, and the next step.

    >>> json_behind_text(b'[2026-11-01 00:00:00] {"a": 1}') is None, json_behind_text(b'[{"a": 1}]')
    (False, None)
    """
    line = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0]
    if _BEHIND_TEXT.match(line) and _object(line[line.index(b"{") :]):
        return "lines of JSON behind other text", "cut that off, with sed 's/^[^{]*//'"
    return None


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return value if type(value) is dict else {}


def _wrapper(record: dict[str, Any]) -> tuple[str, str] | None:
    """Return the key under which a record lies in what a collector made of it, and how to get it.

    The name of the key is one of those known here, never one of the log's own.
    """
    for key in _OBJECTS:
        if type(record.get(key)) is dict:
            return key, f".{key}"
    for key in _TEXTS:
        held = record.get(key)
        if type(held) is str and _object(held.strip().encode("utf-8", "replace")):
            return key, f".{key} | fromjson"
    return None


def _is_text(text: bytes) -> bool:
    """Whether it is UTF-8 without control characters; the last character may be cut."""
    if b"\0" in text:
        return False
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(text) - 3
    return True
