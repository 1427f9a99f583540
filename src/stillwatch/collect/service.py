"""A collector as a running thing: its lock, its queue, its process that writes segments."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import hmac
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stillwatch.collect.clock import LatestClock
from stillwatch.collect.compaction import Compacted, wal_files
from stillwatch.collect.intake import Intake
from stillwatch.collect.metrics import Metrics
from stillwatch.collect.settings import Settings
from stillwatch.errors import ConfigError

__all__ = ["Service"]

_log = logging.getLogger("stillwatch.collect")
_LOCK_S: Final = 60.0
_LOOK_S: Final = 0.25
_LAST_JOBS_S: Final = 60.0
_ATTEMPTS: Final = 4
_MOST_AGAIN_S: Final = 60.0
_ASIDE: Final = "report the error; their records are in them and in no segment"


class Service:
    """Holds the folder. Raises ConfigError when another collector does, or it cannot be made."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.problems: dict[str, str] = {}
        self._tokens = tuple(hashlib.sha256(t.encode()).digest() for t in settings.tokens)
        self._lock = _lock(settings)
        self._clock = LatestClock(settings.folder)
        self.intake: Intake | None = None
        self._compactor: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._last = 0.0
        self._failures = 0
        self._stopping = asyncio.Event()
        self.parsing = asyncio.Semaphore(2)  # a large body takes several times its size

    def now(self) -> datetime:
        """Return the time by which records of the future are told."""
        return self._clock.latest(datetime.now(UTC))

    def may_ask(self, token: str) -> bool:
        """Whether one of the tokens was shown; every one is compared, in constant time."""
        if not self._tokens:
            return True
        shown = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        return any([hmac.compare_digest(shown, known) for known in self._tokens])

    @property
    def problem(self) -> str | None:
        """What is wrong, in one line; None where nothing is."""
        if self.intake is None:
            return "starting"
        return "; ".join(self.problems[name] for name in sorted(self.problems)) or None

    async def start(self) -> None:
        """Begin: take what an earlier run left, then take what comes."""
        left = [bytes_ for _, bytes_ in self._sizes()]
        if left:
            what = {"event": "taking up", "files": len(left), "bytes": sum(left)}
            _log.warning(json.dumps(what))
        aside = sum(1 for _ in (self.settings.folder / ".wal").glob("*.failed"))
        if aside:  # their records are in no segment: an end of the process settles nothing
            _log.error(json.dumps({"event": "still set aside", "files": aside, "next": _ASIDE}))
        self.intake = Intake(self.settings, self.metrics, self.problems)
        self._tasks = [
            asyncio.create_task(self.intake.run()), asyncio.create_task(self._compact_on()),
        ]  # fmt: skip

    async def stop(self) -> None:
        """Write what waits, make segments of it where that is quick, end."""
        assert self.intake is not None
        await self.intake.close()
        self._stopping.set()
        await asyncio.gather(*self._tasks)
        with contextlib.suppress(TimeoutError):  # what is left is taken up by the next run
            async with asyncio.timeout(_LAST_JOBS_S):
                while files := self._complete():
                    if not await self._job(files) or _only_waiting(files):
                        break
        await self._end_compactor()

    async def _compact_on(self) -> None:
        """Seal when due and write segments, until `stop`; what fails is told and tried again."""
        assert self.intake is not None
        again_s = 1.0
        while not await self._stopped_within(_LOOK_S):
            try:
                done = await self._turn()
            except OSError as error:
                done = self._failed({"error": type(error).__name__, "why": error.strerror or "-"})
            if done:
                again_s = 1.0
            else:
                await self._stopped_within(again_s)
                again_s = min(2 * again_s, _MOST_AGAIN_S)

    async def _turn(self) -> bool:
        """Seal and make segments where that is due; return whether nothing failed."""
        assert self.intake is not None
        if self.intake.due():
            await self.intake.seal()
        self._measure()
        files = self._complete()
        if not files or (_only_waiting(files) and not self._join_due()):
            return True
        if not await self._job(files):
            return False
        self._failures = 0
        return True

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _join_due(self) -> bool:
        return time.monotonic() - self._last >= min(self.settings.join_s, self.settings.segment_s)

    def _complete(self) -> list[str]:
        """Return the oldest complete files, of about one segment's size together."""
        assert self.intake is not None
        most = 0 if self._failures else 2 * self.settings.segment_bytes
        names: list[str] = []
        size = 0
        for path, bytes_ in self._sizes():
            if not self.intake.is_sealed(path):
                break
            if names and size + bytes_ > most:
                break
            size += bytes_
            names.append(path.name)
        return names

    def _sizes(self) -> Iterator[tuple[Path, int]]:
        """Yield the write-ahead files and their sizes; one that is removed meanwhile is none."""
        for path in wal_files(self.settings.folder / ".wal"):
            with contextlib.suppress(FileNotFoundError):
                yield path, path.stat().st_size

    def _measure(self) -> None:
        size = sum(bytes_ for _, bytes_ in self._sizes())
        self.metrics.backlog.set(size)
        if size > self.settings.backlog_bytes:
            self.problems["backlog"] = "too much waits to become segments"
        else:
            self.problems.pop("backlog", None)
        self.metrics.ready.set(float(self.problem is None))

    async def _job(self, files: list[str]) -> bool:
        began = time.perf_counter()
        answer = await self._ask({"files": files, "join_s": self.settings.join_s})
        self._last = time.monotonic()
        self.metrics.compaction.observe(time.perf_counter() - began)
        if "error" in answer:
            self._set_aside(files[0], answer)
            return self._failed(answer)
        if self.problems.pop("segments", None):
            _log.warning(json.dumps({"event": "segments are written again"}))
        self._count(Compacted(**answer))
        return True

    def _failed(self, answer: dict[str, Any]) -> bool:
        self.metrics.failed.inc()
        if "segments" not in self.problems:
            told = {"event": "no segment written", **answer}
            _log.error(json.dumps({**told, "next": "nothing is lost; it is tried again"}))
        self.problems["segments"] = "segments cannot be written"
        return False

    def _set_aside(self, name: str, answer: dict[str, Any]) -> None:
        """Let one file that no attempt could turn into segments hold up no others."""
        self._failures = 0 if answer["why"] else self._failures + 1
        if self._failures <= _ATTEMPTS:
            return
        path = self.settings.folder / ".wal" / name
        path.rename(path.with_name(f"{name}.failed"))
        self._failures = 0
        self.problems["aside"] = "a file was set aside"
        _log.error(json.dumps({"event": "set aside", "file": f"{name}.failed",
                               "next": _ASIDE}))  # fmt: skip

    def _count(self, done: Compacted) -> None:
        self.metrics.compacted(done)
        if done.segments:
            self.metrics.oldest.set_to_current_time()
        if done.damaged_bytes:
            _log.error(json.dumps({"event": "damaged on the disk", "bytes": done.damaged_bytes}))
        if done.cut_bytes:
            _log.warning(json.dumps({"event": "cut by a kill", "bytes": done.cut_bytes}))

    async def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """Give a job to the compactor, which is started where it is not there."""
        if self._compactor is None or self._compactor.returncode is not None:
            self._compactor = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "stillwatch.collect.compactor",
                str(self.settings.folder),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                pass_fds=(self._lock,), start_new_session=True, limit=1 << 20,
            )  # fmt: skip
        process = self._compactor
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(job).encode() + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        except (BrokenPipeError, ConnectionResetError):
            line = b""
        if not line:
            self._compactor = None
            code = await process.wait()
            return {"error": f"the compactor ended with {code}", "why": ""}
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _end_compactor(self) -> None:
        process = self._compactor
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


def _only_waiting(files: list[str]) -> bool:
    """Whether files hold only what waited already when they were written."""
    return all("c" in name for name in files)


def _lock(settings: Settings) -> int:
    """Return an open lock on the folder, waiting a while for the last job of a killed collector."""
    folder = settings.folder / ".wal"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"no folder can be made there ({error.strerror})", where=str(settings.folder)
        ) from error
    until = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(handle)
                raise ConfigError(
                    "another collector writes there", where=str(settings.folder),
                    hint="give each collector a folder of its own",
                ) from None  # fmt: skip
            time.sleep(0.1)
        else:
            return handle
