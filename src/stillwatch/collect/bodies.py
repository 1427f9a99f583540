"""A request's body: read, inflated, never larger than it may be."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from stillwatch.collect.intake import Intake
from stillwatch.collect.settings import Settings

__all__ = ["Refused", "Room", "read_body"]

_STEP: Final = 1 << 20
_GZIP: Final = 31  # zlib's window bits for gzip alone


class Refused(Exception):
    """The request is not taken: its status and the reason, which holds nothing of it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Room:
    """What one request holds in memory, counted against all of them. Raises Busy."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._size = 0

    def take(self, size: int) -> None:
        """Count more bytes."""
        self._intake.reserve(size)
        self._size += size

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.release(self._size)


async def read_body(
    headers: Mapping[bytes, bytes],
    receive: Callable[[], Awaitable[Any]],
    settings: Settings,
    room: Room,
) -> tuple[bytes, int]:
    """Return the inflated body and its size as sent.

    Raises Refused when it is too long, too slow, damaged or packed in another way than gzip, Busy
    when there is no room.
    """
    packing = headers.get(b"content-encoding", b"identity").strip().lower()
    if packing not in (b"identity", b"gzip", b""):
        raise Refused(415, "send the body plain or in gzip")
    length = headers.get(b"content-length", b"")
    if length.isdigit() and len(length) < 20 and int(length) > settings.max_body:
        raise Refused(413, "the body is too long")
    try:
        async with asyncio.timeout(settings.body_s):
            body = await _received(receive, settings.max_body, room)
    except TimeoutError:
        raise Refused(408, "the body came too slowly") from None
    if packing != b"gzip":
        return body, len(body)
    inflate = _inflated if len(body) < 32_768 else _in_thread
    found = inflate(body, settings.max_inflated, room)
    return (await found if isinstance(found, Awaitable) else found), len(body)


async def _in_thread(body: bytes, most: int, room: Room) -> bytes:
    return await asyncio.to_thread(_inflated, body, most, room)


async def _received(receive: Callable[[], Awaitable[Any]], most: int, room: Room) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "the client went away")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise Refused(413, "the body is too long")
        room.take(len(part))
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _inflated(body: bytes, most: int, room: Room) -> bytes:
    """Return what gzip holds, in one or several members, a step at a time."""
    parts: list[bytes] = []
    size = 0
    rest = body
    try:
        while rest:
            stream = zlib.decompressobj(_GZIP)
            while not stream.eof:
                part = stream.decompress(rest, _STEP)
                if not part and not stream.eof and not stream.unconsumed_tail:
                    raise Refused(400, "the gzip body ends early")
                size += len(part)
                if size > most:
                    raise Refused(413, "the body is too long when inflated")
                room.take(len(part))
                parts.append(part)
                rest = stream.unconsumed_tail
            rest = stream.unused_data
    except zlib.error:
        raise Refused(400, "the gzip body is damaged") from None
    return b"".join(parts)
