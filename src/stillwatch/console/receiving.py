"""What a browser sends, read within bounds: a form, or a form with one file."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
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
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        text = b"".join(pieces).decode("utf-8", "replace")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:  # more fields than any form of ours has
            return Sent()
        return Sent(tuple(pairs))
    if kind == "multipart/form-data":
        return await _parts(request, pieces)
    return Sent()


class _InMemory(MultiPartParser):
    """Keeps the file out of the disk's folder for temporary files, where others may see it."""

    spool_max_size = 2**31


async def _parts(request: Request, pieces: list[bytes]) -> Sent:
    async def stream() -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            yield piece

    parser: Any = _InMemory(request.headers, stream(), max_files=1, max_fields=20,
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
