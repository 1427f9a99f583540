"""The queue before the disk: what waits is written together, and acknowledged when it is there."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from stillwatch.collect.metrics import Metrics
from stillwatch.collect.settings import Settings
from stillwatch.collect.wal import WalFile
from stillwatch.errors import StillwatchError

__all__ = ["DISK", "Busy", "Intake"]

_log = logging.getLogger("stillwatch.collect")
_AT_ONCE = 16 << 20
DISK = "the disk takes no more"


class Busy(StillwatchError):
    """Nothing more is taken now; the client shall come again after ``retry_s`` seconds."""

    def __init__(self, reason: str, retry_s: int) -> None:
        super().__init__(reason)
        self.retry_s = retry_s


class _Put(NamedTuple):
    data: bytes
    done: asyncio.Future[None]


class Intake:
    """Appends to the write-ahead file, many requests to one fsync.

    ``problems``: what is wrong, by name, for readiness.
    """

    def __init__(self, settings: Settings, metrics: Metrics, problems: dict[str, str]) -> None:
        self._settings, self._metrics, self._problems = settings, metrics, problems
        self._folder: Path = settings.folder / ".wal"
        self._waiting: list[_Put] = []
        self._wake = asyncio.Event()
        self._disk = ThreadPoolExecutor(1, "wal")
        self._file: WalFile | None = None
        self._opened = 0.0
        self._next = _last_number(self._folder) + 1
        self._unsealed = self._next
        self._held = 0
        self._counting = threading.Lock()  # bodies are inflated beside the loop
        self._writing = False
        self._closing = False

    def reserve(self, size: int) -> None:
        """Count bytes that a request holds in memory. Raises Busy where there are too many."""
        with self._counting:
            fits = self._held + size <= self._settings.pending_bytes
            if fits:
                self._held += size
                self._metrics.pending.set(self._held)
        if not fits:
            self._metrics.turned_away.inc()
            raise Busy("too much is waiting to be written", 1)

    def release(self, size: int) -> None:
        """Give back what was reserved."""
        with self._counting:
            self._held -= size
            self._metrics.pending.set(self._held)

    async def put(self, data: bytes) -> None:
        """Return when the frames are on the disk. Raises Busy, and then they are not."""
        if self._closing:
            raise Busy("the collector is ending", 5)
        if "backlog" in self._problems:
            raise Busy(self._problems["backlog"], 30)
        put = _Put(data, asyncio.get_running_loop().create_future())
        self._waiting.append(put)
        self._wake.set()
        await put.done

    async def run(self) -> None:
        """Write what waits, until `close`."""
        while not (self._closing and not self._waiting):
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._write(self._take())

    def _take(self) -> list[_Put]:
        size = count = 0
        while count < len(self._waiting) and (not count or size < _AT_ONCE):
            size += len(self._waiting[count].data)
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    async def _write(self, puts: list[_Put]) -> None:
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        self._writing = True
        error = await loop.run_in_executor(self._disk, self._append, [put.data for put in puts])
        self._writing = False
        self._metrics.commit.observe(time.perf_counter() - began)
        self._tell(error)
        for put in puts:
            if put.done.done():
                continue  # who asked has gone; the record stays
            if error is None:
                put.done.set_result(None)
            else:
                put.done.set_exception(Busy(DISK, 30))

    def _append(self, frames: list[bytes]) -> OSError | MemoryError | None:
        """Write in the disk's own thread; a file that failed once is not written to again."""
        try:
            if self._file is None:
                number, self._next = self._next, self._next + 1
                self._opened = time.monotonic()
                self._file = WalFile(self._folder / f"{number:012d}.wal")
            self._file.append(frames)
        except (OSError, MemoryError) as error:
            self._leave()
            return error
        return None

    def _leave(self) -> None:
        if self._file is not None:
            path, empty = self._file.path, not self._file.size
            self._file.close()
            self._file = None
            if empty:
                path.unlink(missing_ok=True)
        self._unsealed = self._next

    def _tell(self, error: OSError | MemoryError | None) -> None:
        if error is not None:
            self._metrics.failed_writes.inc()
            if "disk" not in self._problems:
                why = getattr(error, "strerror", None) or type(error).__name__
                told = {"event": "cannot write", "why": why}
                told["next"] = "free disk space; clients are told to try again"
                _log.error(json.dumps(told))
            self._problems["disk"] = DISK
        elif self._problems.pop("disk", None):
            _log.warning(json.dumps({"event": "writing again"}))

    def due(self) -> bool:
        """Whether the file is so large or so old that it shall become segments."""
        file, settings = self._file, self._settings
        if file is None or not file.size:
            return False
        return (
            file.size >= settings.segment_bytes
            or time.monotonic() - self._opened >= settings.segment_s
        )

    async def seal(self) -> None:
        """Complete the file that is written to, between two writes; the next write begins one."""
        await asyncio.get_running_loop().run_in_executor(self._disk, self._leave)

    def is_sealed(self, path: Path) -> bool:
        """Whether nothing will be added to a file any more.

        By its number, never by what is open now: a file is on the disk before it counts as open.
        """
        return int(path.name[:12]) < self._unsealed

    async def close(self) -> None:
        """Take nothing more, write what waits, complete the file."""
        self._closing = True
        self._wake.set()
        while self._waiting or self._writing:
            await asyncio.sleep(0.01)
        await self.seal()
        self._disk.shutdown()


def _last_number(folder: Path) -> int:
    return max((int(path.name[:12]) for path in folder.glob("*.wal")), default=0)
