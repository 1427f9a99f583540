"""The write-ahead file: what is acknowledged stands here, on the disk, until it is in a segment.

A file is a row of frames: magic, kind, length and CRC-32 of the payload, time of receipt, payload.
A payload is lines. A frame that was cut by a kill, or that the disk damaged, does not verify: the
reader goes on at the next one that does, and counts the bytes between.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.schema import to_disk

__all__ = ["LITELLM", "OTLP", "Frame", "Loss", "WalFile", "frame", "frames_of"]

LITELLM, OTLP = 1, 2
_MAGIC: Final = b"\xf1WL1"
_HEAD: Final = struct.Struct("<4sBxxxIIQ")
_CRC_FROM: Final = 16  # the time of receipt and the payload are under the sum


class Frame(NamedTuple):
    """One acknowledged request: its kind, when it came (Unix time in microseconds), its lines."""

    kind: int
    received_us: int
    payload: bytes


class Loss:
    """Bytes of a file that belong to no frame: cut at its end, or damaged before it."""

    def __init__(self) -> None:
        self.cut = self.damaged = 0


def frame(kind: int, received_us: int, payload: bytes) -> bytes:
    """Return the bytes of a frame."""
    sum_ = zlib.crc32(payload, zlib.crc32(received_us.to_bytes(8, "little")))
    return _HEAD.pack(_MAGIC, kind, len(payload), sum_, received_us) + payload


def frames_of(data: bytes, loss: Loss) -> Iterator[Frame]:
    """Yield the frames of a file; enter in ``loss`` the bytes that belong to none."""
    at = skipped = 0
    while at < len(data):
        found = _frame_at(data, at)
        if found is not None:
            loss.damaged += skipped
            skipped = 0
            yield found
            at += _HEAD.size + len(found.payload)
            continue
        following = data.find(_MAGIC, at + 1)
        following = len(data) if following < 0 else following
        skipped += following - at
        at = following
    loss.cut += skipped


def _frame_at(data: bytes, at: int) -> Frame | None:
    if len(data) - at < _HEAD.size or data[at : at + 4] != _MAGIC:
        return None
    _, kind, length, sum_, received_us = _HEAD.unpack_from(data, at)
    payload = data[at + _HEAD.size : at + _HEAD.size + length]
    if len(payload) < length:
        return None
    made = zlib.crc32(payload, zlib.crc32(data[at + _CRC_FROM : at + _HEAD.size]))
    return Frame(kind, received_us, payload) if made == sum_ else None


class WalFile:
    """One file that is appended to. Raises OSError where the disk takes nothing more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            to_disk(path.parent)
        except OSError:
            os.close(self._handle)
            raise

    def append(self, frames: Sequence[bytes]) -> None:
        """Write frames and return when they are on the disk: all of them, or none is kept.

        After an error the file ends where it ended before, and should not be written to again:
        what a failed fsync left in the page cache is unknown.
        """
        try:
            for data in frames:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._handle, view) :]
            os.fsync(self._handle)
        except OSError:
            os.ftruncate(self._handle, self.size)
            os.lseek(self._handle, self.size, os.SEEK_SET)
            raise
        self.size += sum(map(len, frames))

    def close(self) -> None:
        """Close the file; what was appended stays."""
        os.close(self._handle)
