"""Bodies as they come: whole, within a size and a time, or what was looked for in a long one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from stillwatch.guard.replies import Receive, Refused
from stillwatch.guard.service import Service
from stillwatch.guard.skim import Skim

__all__ = ["body_of", "body_or_none"]


async def body_of(
    service: Service, headers: Mapping[bytes, bytes], receive: Receive,
    paths: tuple[tuple[str, ...], ...] | None,
) -> bytes | Skim:  # fmt: skip
    """Return the whole body, or what ``paths`` held in one that is too long.

    A body that is too slow is refused, one that is too long where there are no ``paths``.
    """
    most = service.serving.max_body
    length = headers.get(b"content-length", b"")
    long = length.isdigit() and (len(length) >= 20 or int(length) > most)
    try:
        async with asyncio.timeout(service.serving.body_timeout_s):
            return await _read(receive, -1 if long else most, paths)
    except TimeoutError:
        raise Refused(408, "the body came too slowly") from None


async def _read(
    receive: Receive, most: int, paths: tuple[tuple[str, ...], ...] | None
) -> bytes | Skim:
    parts, size = [], 0
    skim: Skim | None = None
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the caller went away")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most and skim is None:
            if paths is None:
                raise Refused(413, "the body is too long")
            skim = Skim(paths)
        if skim is not None:
            skim.feed(b"".join(parts))
            parts.clear()
        if not message.get("more_body"):
            return b"".join(parts) if skim is None else skim


async def body_or_none(service: Service, receive: Receive) -> bytes | None:
    """Return the whole body; None where it is too long (read all the same, so that the answer is
    not lost with a connection that is cut), too slow, or the caller went away."""
    parts, size, most = [], 0, service.serving.max_body
    try:
        async with asyncio.timeout(service.serving.body_timeout_s):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                size += len(message.get("body", b""))
                if size <= most:
                    parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    return b"".join(parts) if size <= most else None
    except TimeoutError:
        return None
