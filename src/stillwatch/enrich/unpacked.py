"""The bytes of a side table or list, decompressed: told by magic bytes, never by the name."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from stillwatch.errors import InputError

__all__ = ["unpacked"]

_PACKED: Final = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_MOST_BYTES: Final = 2 << 30


def unpacked(raw: bytes, where: str) -> bytes:
    """Return what gzip or zstd packed, and anything else as it is.

    Raises InputError: it is cut off or damaged, or larger than 2 GB, which no side table is.
    """
    kind = next((kind for magic, kind in _PACKED if raw.startswith(magic)), None)
    if kind is None:
        return raw
    try:
        with pa.CompressedInputStream(pa.BufferReader(raw), kind) as stream:
            found: bytes = stream.read(_MOST_BYTES + 1)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            "damaged or truncated compressed data", where=where, hint="copy the file again"
        ) from error
    if len(found) > _MOST_BYTES:
        raise InputError("more than 2 GB", where=where, hint="is it a side table, and not a log?")
    return found
