"""Opaque cursors: where a page ended, bound by HMAC to the member, the endpoint and the filter.

A cursor is the place after which to go on (keyset), never an offset: rows that are added or deleted
meanwhile neither shift nor repeat what follows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

from stillwatch.share.hub.refusals import Refusal

__all__ = ["open_cursor", "seal_cursor"]

_TAG: Final = 16


def seal_cursor(key: bytes, bound: tuple[bytes, ...], after: int) -> str:
    """Return the cursor that goes on after an instant; forging one means guessing 128 bits."""
    place = after.to_bytes(8, "big", signed=True)
    return base64.urlsafe_b64encode(place + _tag(key, bound, place)).decode().rstrip("=")


def open_cursor(key: bytes, bound: tuple[bytes, ...], text: str) -> int:
    """Return the instant after which to go on.

    Raises:
        Refusal: 400, not a cursor of this hub, this member, this endpoint and these filters.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    place, tag = raw[:8], raw[8:]
    if len(raw) != 8 + _TAG or not hmac.compare_digest(tag, _tag(key, bound, place)):
        raise Refusal(
            400, "next is not a value that this server gave you for this request and its filters."
        )
    return int.from_bytes(place, "big", signed=True)


def _tag(key: bytes, bound: tuple[bytes, ...], place: bytes) -> bytes:
    parts = b"".join(len(part).to_bytes(4, "big") + part for part in (b"cursor", *bound, place))
    return hmac.new(key, parts, hashlib.sha256).digest()[:_TAG]
