"""What a browser sends, read within bounds: a form, or a form with one file.

Reading waits for the network and stays in the event loop; taking apart what was read is work, of a
file of 20 MB a second and more, and is done in a worker thread: nobody else waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from stillwatch.console.desk import Upload

__all__ = ["MOST_BYTES", "Sent", "receive"]

MOST_BYTES: Final = 262_144  # of a form without a file
_MOST_FIELDS: Final = 2_000
_MOST_OF_A_FIELD: Final = 16_384
# So much more is read and thrown away: a browser that is cut off shows its own error, not our page.
_PATIENCE: Final = 3


@dataclass(frozen=True)
class Sent:
    """The fields of a form in their order, and the file that came with them."""

    fields: tuple[tuple[str, str], ...] = ()
    upload: Upload | None = None


async def receive(request: Request, most: int) -> Sent | None:
    """Return what was sent; None where it is more than ``most`` bytes. What is no form is empty.

    Nothing is written to the disk.
    """
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size <= most:
            pieces.append(piece)
        elif most == MOST_BYTES or size > _PATIENCE * most:
            return None
    if size > most:
        return None
    return await run_in_threadpool(_taken_apart, request.headers, pieces)


def _taken_apart(headers: Headers, pieces: list[bytes]) -> Sent:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        text = b"".join(pieces).decode("utf-8", "replace")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:  # more fields than any form of ours has
            return Sent()
        return Sent(tuple(pairs))
    if kind == "multipart/form-data":
        return asyncio.run(_parts(headers, pieces))  # a loop of this thread's own
    return Sent()


class _InMemory(MultiPartParser):
    """Keeps the file out of the disk's folder for temporary files, where others may see it."""

    spool_max_size = 2**31


async def _parts(headers: Headers, pieces: list[bytes]) -> Sent:
    async def stream() -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            yield piece

    parser: Any = _InMemory(headers, stream(), max_files=1, max_fields=20,
                            max_part_size=_MOST_OF_A_FIELD)  # fmt: skip
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError):
        return Sent()  # as any other body that is no form
    fields, upload = [], None
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            upload = Upload(value.filename or "", await value.read())
            await value.close()
        else:
            fields.append((name, value))
    named = upload is not None and (upload.name or upload.data)  # a form sent without a choice
    return Sent(tuple(fields), upload if named else None)
