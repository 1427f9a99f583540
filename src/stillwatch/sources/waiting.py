"""Rows that wait for others of their key: in memory while they are few, then on disk by hash.

A hash join as databases do it (Grace): rows are appended to one temporary file in parts by the hash
of their key, and the parts are joined one after another, each in memory. Nothing is sorted, and
what is written and read is written and read in long pieces.
"""

from __future__ import annotations

import contextlib
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import IO, NamedTuple
from zlib import crc32

import orjson

from stillwatch.errors import RunnerError

__all__ = ["Row", "Waiting"]

MEMORY_BYTES = 64 << 20
_PARTS = 256
_PART_BYTES = 4 * MEMORY_BYTES  # a part that is larger is split anew
_SPLITS = 2
_EACH_ROW = 300


class Row(NamedTuple):
    """One row: its key, what kind of row it is, the number of its file, its line, its text.

    The text is JSON on one line.
    """

    key: str
    kind: int
    file: int
    line: int
    text: bytes


class Waiting:
    """Keeps rows until all are there, then gives those of one key together.

    Memory: 64 MB while rows come, and as much as a 256th part of them, 256 MB at most, while they
    go; a single key's rows are held at once, however many they are.

    Raises RunnerError when the disk is full.
    """

    def __init__(self, by: Callable[[Row], str] = attrgetter("key"), split: int = 0) -> None:
        self._by, self._split = by, split
        self._held: list[Row] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._pieces: list[list[tuple[int, int]]] = [[] for _ in range(_PARTS)]

    def __bool__(self) -> bool:
        return bool(self._held) or self._file is not None

    def put(self, rows: list[Row], size: int | None = None) -> None:
        """Keep rows; ``size``: bytes of their texts, where the caller has counted them."""
        self._held += rows
        text = sum(len(row.text) for row in rows) if size is None else size
        self._bytes += text + _EACH_ROW * len(rows)
        if self._bytes > MEMORY_BYTES:
            self._spill()

    def groups(self, whole: Callable[[Row], str]) -> Iterator[list[Row]]:
        """Yield the rows of each ``whole`` key together, once, and forget them.

        ``whole`` may tell apart rows of one `Row.key`, by what is known when all are there. The
        order is the same for the same rows; within a group it is that in which they were put.
        """
        if self._file is None:
            held, self._held = self._held, []
            yield from _by_key(held, whole)
            return
        self._spill()
        for pieces in self._pieces:
            yield from self._part(pieces, whole)
        self._file.close()

    def _part(
        self, pieces: list[tuple[int, int]], whole: Callable[[Row], str]
    ) -> Iterator[list[Row]]:
        if sum(size for _, size in pieces) > _PART_BYTES and self._split < _SPLITS:
            again = Waiting(whole, self._split + 1)  # by other bits of the hash
            for piece in pieces:
                again.put(list(self._read(piece)))
            yield from again.groups(whole)
        else:
            yield from _by_key((row for piece in pieces for row in self._read(piece)), whole)

    def _spill(self) -> None:
        parts: list[list[Row]] = [[] for _ in range(_PARTS)]
        for row in self._held:
            parts[(crc32(self._by(row).encode()) >> 8 * self._split) % _PARTS].append(row)
        self._held, self._bytes = [], 0
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115, closed by `groups` or below
                weakref.finalize(self, self._file.close)
            at = self._file.seek(0, 2)
            for rows, pieces in zip(parts, self._pieces, strict=True):
                if rows:
                    packed = _packed(rows)
                    self._file.write(packed)
                    pieces.append((at, len(packed)))
                    at += len(packed)
            self._file.flush()
        except OSError as error:
            if self._file is not None:
                with contextlib.suppress(OSError):
                    self._file.close()  # fails again where what was written is not on disk yet
            raise RunnerError(
                f"cannot keep waiting records on disk ({error.strerror or type(error).__name__})",
                hint="free disk space, or set TMPDIR to a folder that has some",
            ) from error

    def _read(self, piece: tuple[int, int]) -> Iterator[Row]:
        assert self._file is not None
        self._file.seek(piece[0])
        head, *texts = self._file.read(piece[1]).split(b"\n")
        return map(Row, *orjson.loads(head), texts)


def _packed(rows: list[Row]) -> bytes:
    keys, kinds, files, lines, texts = zip(*rows, strict=True)
    return b"\n".join([orjson.dumps([keys, kinds, files, lines]), *texts])


def _by_key(rows: Iterable[Row], whole: Callable[[Row], str]) -> Iterator[list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        key = whole(row)
        if key in groups:
            groups[key].append(row)
        else:
            groups[key] = [row]
    yield from groups.values()
